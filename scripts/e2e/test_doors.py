"""What the doors do beside the client's ordinary calls: several models, keys, ports, certificates, profile()."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from client import Client, Document, np, post
from server import ROOT, Server, certificates, fails_to_start, flow, free_port, health, program, serving, tls

EVERY = {'protocol': ['grpc', 'http', 'websocket']}
PROTOCOLS = ('grpc', 'http', 'ws')


def ask(url, body=None, headers=None, method=None):
    """(status, headers, decoded JSON) of one HTTP request"""
    data = None if body is None else json.dumps(body).encode()
    headers = {**({'Content-Type': 'application/json'} if data else {}), **(headers or {})}
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(call, timeout=60) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b'null')


def encoded_by(answer):
    """the executor that answered, from the routes of a JSON answer"""
    assert answer['header']['status'] is None, answer['header']
    return answer['routes'][1]['executor']


def test_several_models():
    executors = {'exact': {'name': 'demo', 'dtype': 'fp32'}, 'quick': {'name': 'demo', 'runtime': 'onnxruntime'}}
    with serving(EVERY, executors) as server:
        text = {'data': [{'text': 'a red circle'}]}
        base = server.at('http')
        for path, headers, extra, want in (
                ('/post', {}, {}, 'exact'),
                ('/post', {}, {'execEndpoint': '/encode/quick'}, 'quick'),
                ('/encode', {}, {}, 'exact'),
                ('/encode/quick', {}, {}, 'quick'),
                ('/post', {'clip-model': 'quick'}, {}, 'quick'),
                ('/post', {}, {'parameters': {'model_name': 'quick'}}, 'quick'),
                ('/post', {}, {'targetExecutor': 'qui.*'}, 'quick')):
            status, _, answer = ask(base + path, {**text, **extra}, headers)
            assert status == 200 and encoded_by(answer) == want, f'{path} {headers} {extra}: {status} {answer}'
        status, _, answer = ask(base + '/encode/nobody', text)
        assert 'exact (demo), quick (demo)' in json.dumps(answer), answer
        for protocol in ('grpc', 'ws'):
            client = Client(server.at(protocol))
            for name in ('exact', 'quick'):
                rows = []
                client.encode(['a red circle'], parameters={'model_name': name}, on_done=lambda r: rows.append(r.routes[1].executor))
                assert rows == [name], rows


def test_keys():
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, 'keys')
        secret = subprocess.run([program(), 'key', 'new', 'alice', '--append', file], check=True, stdout=subprocess.PIPE,
                                text=True).stdout.split()[0]
        with serving({**EVERY, 'auth': {'keys_file': file}}) as server:
            for protocol in ('grpc', 'http'):
                rows = []
                client = Client(server.at(protocol), credential={'Authorization': secret})
                client.encode(['a red circle'], on_done=lambda r: rows.extend(r.docs))
                assert len(rows) == 1, f'{protocol}: {rows}'
                for credential in ({}, {'Authorization': 'clipd_wrong'}):
                    try:
                        Client(server.at(protocol), credential=credential).encode(['a red circle'], on_done=print)
                    except Exception as error:
                        assert 'key' in str(error), f'{protocol}: {type(error).__name__}: {error}'
                        assert 'clipd_wrong' not in str(error), 'the message repeats the secret'
                    else:
                        raise AssertionError(f'{protocol}: let in with {credential}')
                assert Client(server.at(protocol))._client.is_flow_ready(), f'{protocol}: readiness needs a key'
            assert health(server.port) == 'SERVING'
            text = {'data': [{'text': 'a red circle'}]}
            base = server.at('http')
            assert ask(base + '/post', text, {'Authorization': f'Bearer {secret}'})[0] == 200
            status, headers, answer = ask(base + '/post', text)
            assert status == 401 and headers['WWW-Authenticate'].startswith('Bearer'), f'{status} {headers} {answer}'
            assert ask(base + '/')[0] == 200 and ask(base + '/dry_run')[0] == 200
            output = server.output()
        assert secret not in output, 'the log has the secret'


def test_profile_prints_a_meaningful_table():
    with serving(EVERY) as server:
        for protocol in PROTOCOLS:
            table = Client(server.at(protocol)).profile('a red circle')
            assert 1 <= table['Server'] <= table['Roundtrip'] + 1 and 0 <= table['CLIP model'] <= table['Server'], f'{protocol}: {table}'
        _, _, answer = ask(server.at('http') + '/post', {'data': [{'text': 'a red circle'}]})
        names = [r['executor'] for r in answer['routes']]
        assert names == ['gateway', 'clip', 'clip/preprocess', 'clip/queue', 'clip/inference'], names
        begin, end = answer['routes'][0]['startTime'], answer['routes'][0]['endTime']
        assert all(begin <= r['startTime'] <= r['endTime'] <= end for r in answer['routes']), answer['routes']


def test_rank_both_ways():
    """texts for a picture and pictures for a text, over each protocol, whatever the minibatches are"""
    folder = ROOT / 'testdata' / 'demo'
    pictures = sorted(folder.glob('*.jpg'))[:3]
    texts = ['a red circle', 'two blue squares', 'a green star']
    with serving(EVERY) as server:
        for query, candidates in ((Document(blob=pictures[0].read_bytes()), [Document(text=t) for t in texts]),
                                  (Document(text=texts[0]), [Document(blob=p.read_bytes()) for p in pictures])):
            orders = set()
            for protocol in PROTOCOLS:
                for parameters in ({}, {'minibatch_size': 1}, {'drop_image_content': True}):
                    found = []
                    asked = Document(query, copy=True)
                    asked.matches.extend(Document(c, copy=True, id=str(i)) for i, c in enumerate(candidates))
                    Client(server.at(protocol)).rank([asked], parameters=parameters, on_done=lambda r: found.extend(r.docs))
                    matches = found[0].matches
                    scores = [m.scores['clip_score'].value for m in matches]
                    assert scores == sorted(scores, reverse=True) and abs(sum(scores) - 1) < 1e-4, f'{protocol} {parameters}: {scores}'
                    assert all(-1 <= m.scores['clip_score_cosine'].value <= 1 for m in matches) and all(m.embedding is None for m in matches)
                    assert found[0].embedding is not None and all(bool(m.blob) == bool(candidates[int(m.id)].blob) for m in matches)
                    orders.add(tuple(m.id for m in matches))
            assert len(orders) == 1, orders


def test_a_port_for_each_protocol():
    ports = [free_port() for _ in range(3)]
    with contextlib.closing(Server(['-i'], ports[0], stdin=flow(ports, EVERY))) as server:
        server.wait_ready()
        for protocol, port in zip(PROTOCOLS, ports):
            rows = []
            Client(f'{protocol}://127.0.0.1:{port}').encode(['a red circle'], on_done=lambda r: rows.extend(r.docs))
            assert len(rows) == 1 and rows[0].embedding is not None, protocol
            for other in PROTOCOLS:
                if other != protocol:
                    refused(f'{other}://127.0.0.1:{port}')


def refused(url):
    begun = time.monotonic()
    try:
        Client(url).encode(['a red circle'], on_done=lambda r: None)
    except BaseException as error:
        assert not isinstance(error, KeyboardInterrupt)
    else:
        raise AssertionError(f'{url} answered')
    assert time.monotonic() - begun < 20, f'{url} took {time.monotonic() - begun:.0f} s to refuse'


def test_protocol_grpc_closes_the_other_doors():
    with serving({'protocol': 'grpc'}) as server:
        refused(server.at('http'))
        refused(server.at('ws'))
        with socket.create_connection(('127.0.0.1', server.port), timeout=10) as connection:
            connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            answer = connection.recv(1000).decode(errors='replace')
        assert answer.startswith('HTTP/1.1 4') and 'gRPC' in answer, answer


def served_serial(port):
    context = ssl.create_default_context(cafile=str(certificates() / 'ca.pem'))
    with socket.create_connection(('127.0.0.1', port), timeout=10) as plain, context.wrap_socket(plain, server_hostname='localhost') as secure:
        return secure.getpeercert()['serialNumber']


def test_certificates_are_reloaded():
    with tempfile.TemporaryDirectory() as folder:
        pair = {'ssl_certfile': os.path.join(folder, 'cert.pem'), 'ssl_keyfile': os.path.join(folder, 'key.pem')}

        def put(cert, key):
            for source, target in ((cert, 'cert.pem'), (key, 'key.pem')):
                shutil.copy(certificates() / source, os.path.join(folder, target + '.new'))
                os.replace(os.path.join(folder, target + '.new'), os.path.join(folder, target))

        put('cert.pem', 'key.pem')
        with serving({**EVERY, **pair}) as server:
            before = served_serial(server.port)
            put('next.pem', 'next-key.pem')
            end = time.monotonic() + 30
            while served_serial(server.port) == before:
                assert time.monotonic() < end, f'the old certificate is still served:\n{server.output()}'
                time.sleep(0.2)
            assert health(server.port, secure=True) == 'SERVING'


def test_client_certificates():
    with serving({**EVERY, **tls()}, env={'CLIPD_LOG_LEVEL': 'DEBUG'}) as open_to_all:
        assert ask_tls(open_to_all.port) == 200
    settings = {**EVERY, **tls(), 'ssl_ca_certs': str(certificates() / 'ca.pem')}
    port = free_port()
    with contextlib.closing(Server(['-i'], port, stdin=flow(port, settings), secure=True)) as server:
        end = time.monotonic() + 60
        while 'is ready' not in server.output():
            assert server.process.poll() is None and time.monotonic() < end, server.output()
            time.sleep(0.1)
        assert ask_tls(port, 'client.pem', 'client-key.pem') == 200
        try:
            status = ask_tls(port)
        except (OSError, urllib.error.URLError):
            pass
        else:
            raise AssertionError(f'{status} without a certificate')


def ask_tls(port, cert=None, key=None):
    context = ssl.create_default_context(cafile=str(certificates() / 'ca.pem'))
    if cert:
        context.load_cert_chain(certificates() / cert, certificates() / key)
    with urllib.request.urlopen(f'https://localhost:{port}/', context=context, timeout=30) as answer:
        return answer.status


def test_uris_stay_within_their_bounds():
    with tempfile.TemporaryDirectory() as folder:
        picture = next((ROOT / 'testdata' / 'demo').rglob('*.jpg'))
        inside = pathlib.Path(folder, 'inside')
        inside.mkdir()
        shutil.copy(picture, inside / 'picture.jpg')
        shutil.copy(picture, pathlib.Path(folder, 'secret.jpg'))
        os.symlink('../secret.jpg', inside / 'link.jpg')
        with serving({**EVERY, 'allow_uris': {'folder': str(inside)}}) as server:
            client = Client(server.url)
            good, bad = post(client, [Document(uri='file:picture.jpg'), Document(uri=str(inside / 'picture.jpg')), Document(blob=picture.read_bytes())])
            assert not bad and len(good) == 3, f'{bad}'
            assert np.allclose(good[0].embedding, good[2].embedding, atol=1e-2)
            for wrong in ('../secret.jpg', 'link.jpg', '/etc/hostname', 'http://169.254.169.254/latest/meta-data', f'http://127.0.0.1:{server.port}/'):
                good, bad = post(client, [Document(uri=wrong)])
                assert not good and len(bad) == 1, f'{wrong}: {good}'


def test_port_lists_that_do_not_fit():
    printed = fails_to_start(['-i'], stdin=flow([free_port(), free_port()], EVERY))
    assert 'port' in printed and 'protocol' in printed, printed
