"""What `monitoring: true` tells Prometheus."""
import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from client import BROKEN, Client, Document, answers
from server import fails_to_start, flow, free_port, serving
from test_doors import ask
from test_limits import EVERY, texts, unary
from wire import channel


def scrape(port):
    """{(sample, frozenset of its labels): value}, and the families"""
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=30) as answer:
        assert answer.headers['Content-Type'].startswith('text/plain'), answer.headers
        families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    return {(s.name, frozenset(s.labels.items())): s.value for f in families.values() for s in f.samples}, families


def total(samples, name, **labels):
    return sum(v for (n, l), v in samples.items() if n == name and set(labels.items()) <= l)


def test_metrics_move():
    """the real client's requests are counted once each, in jina's words and in clipd's"""
    port = free_port()
    with serving({**EVERY, 'monitoring': True, 'port_monitoring': port}) as server:
        assert f':{port}/metrics' in server.output(), server.output()
        before, families = scrape(port)
        client = Client(server.url)
        assert len(client.encode([f'a red circle {i}' for i in range(10)], batch_size=2)) == 10
        client.rank([Document(text='a red circle', matches=[Document(text='red'), Document(text='blue')])])
        answers(client, [Document(blob=BROKEN)])
        assert ask(f'{server.at("http")}/encode', {'data': [{'text': 'a red circle'}]}, {'clip-priority': 'high'})[0] == 200
        assert ask(f'{server.at("http")}/encode', {'data': [{'text': 'x'}]}, {'X-Request-Timeout': '0.000001'})[0] == 504
        after, _ = scrape(port)

        def moved(name, **labels):
            return total(after, name, **labels) - total(before, name, **labels)

        assert moved('clipd_requests_total', protocol='grpc', endpoint='/encode', status='ok') == 5, after
        assert moved('clipd_requests_total', protocol='grpc', endpoint='/rank', status='ok') == 1
        assert moved('clipd_requests_total', protocol='grpc', endpoint='/encode', status='invalid') == 1
        assert moved('clipd_requests_total', protocol='http', endpoint='/encode', status='ok') == 1
        assert moved('clipd_refused_requests_total', reason='request_timeout') == 1
        assert moved('jina_successful_requests_total', runtime_name='gateway') == 7
        assert moved('jina_failed_requests_total', runtime_name='gateway') == 2
        assert moved('jina_receiving_request_seconds_count', runtime_name='gateway') == 7
        assert total(after, 'jina_number_of_pending_requests') == 0
        assert moved('clipd_documents_total', executor='clip', kind='image') == 1
        assert moved('clipd_documents_total', executor='clip', kind='text') >= 14
        assert moved('clipd_batch_rows_sum', tower='text') >= 11 and moved('clipd_tokens_total') > 11
        assert total(after, 'clipd_queued_inputs') == 0 and total(after, 'clipd_model_up') == 1 and total(after, 'clipd_lanes', state='in_service') >= 1
        assert total(after, 'process_resident_memory_bytes') > 1e6, families.keys()
        with channel(server) as opened:  # the client has closed its own
            unary(opened, texts(1))
            assert total(scrape(port)[0], 'clipd_connections', protocol='grpc') == 1
        for name in ('clipd_queue_length', 'clipd_inflight_bytes', 'go_goroutines', 'jina_process_request_seconds', 'jina_encode_texts_seconds'):
            assert name in families, sorted(families)


def test_port_of_metrics():
    """none without monitoring, one of the system's choice for 0, and a clear end for one that is taken"""
    port = free_port()
    with serving({**EVERY, 'port_monitoring': port}):
        with socket.socket() as s:
            assert s.connect_ex(('127.0.0.1', port)) != 0, 'the port of the metrics is open without monitoring: true'
    with serving({**EVERY, 'monitoring': True, 'port_monitoring': 0}) as server:
        at = server.output().split('/metrics')[0].rsplit(':', 1)[1]
        assert 'clipd_build_info' in scrape(int(at))[1]
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        taken = s.getsockname()[1]
        said = fails_to_start(['-i'], stdin=flow(free_port(), {'monitoring': True, 'port_monitoring': taken, 'host': '127.0.0.1'}))
        assert str(taken) in said and 'port_monitoring' in said, said
