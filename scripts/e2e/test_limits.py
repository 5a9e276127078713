"""Past a limit: 413, 429 or 503 with Retry-After, RESOURCE_EXHAUSTED, or a close frame; never a hang. And back pressure."""
import concurrent.futures
import gzip
import json
import os
import subprocess
import tempfile
import threading
import time

import grpc
import websockets.exceptions
import websockets.sync.client
from jina.proto import jina_pb2

from client import Client, Document, np, post
from hostile import plain, post_bytes, raw, said, settled
from server import program, serving
from test_documents import material
from test_doors import ask
from test_hostile import UPGRADE, after_upgrade, frame, still_works
from wire import call, channel, request

EVERY = {'protocol': ['grpc', 'http', 'websocket']}


def texts(n, size=1):
    made = request()
    for i in range(n):
        made.data.docs.docs.add(id=str(i), text='x' * size)
    return made


def unary(opened, message, **options):
    return opened.unary_unary('/jina.JinaSingleDataRequestRPC/process_single_data', request_serializer=lambda r: r.SerializeToString(),
                              response_deserializer=jina_pb2.DataRequestProto.FromString)(message, timeout=60, **options)


def refusal(do):
    """the gRPC error of a call that is refused"""
    try:
        answer = do()
    except grpc.RpcError as error:
        return error
    raise AssertionError(f'answered: {str(answer)[:300]}')


def test_requests_that_are_too_large():
    """bytes, plain and compressed, and documents, over each protocol"""
    with serving({**EVERY, 'limits': {'max_message_bytes': 100_000, 'max_documents': 10}}) as server:
        base = server.at('http')
        body = json.dumps({'data': [{'text': 'x' * 200_000}]}).encode()
        assert ask(f'{base}/encode', {'data': [{'text': 'x'}] * 11})[0] == 413
        for sent in (post_bytes(body), post_bytes(gzip.compress(body), 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'),
                     b'POST /encode HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n' % (len(body), body)):
            answer = raw(server, sent)
            assert answer.startswith(b'HTTP/1.1 413 ') and b'max_message_bytes' in answer, answer[:500]
        with channel(server) as opened:
            for options in ({}, {'compression': grpc.Compression.Gzip}):
                for do in (lambda: unary(opened, texts(1, 200_000), **options), lambda: list(call(opened, iter([texts(1, 200_000)])))):
                    assert refusal(do).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            try:
                answer = unary(opened, texts(11))
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and 'max_documents' in error.details(), error
            else:
                assert answer.header.status.code == 1 and 'max_documents' in answer.header.status.description, answer.header
        _, code = after_upgrade(server, frame(texts(1, 200_000).SerializeToString()))
        assert code in (1009, 1011), code
        with websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', subprotocols=['bytes'], compression='deflate') as socket:
            try:  # the library compresses: a few hundred bytes on the wire
                socket.send(texts(1, 200_000).SerializeToString())
                answer = socket.recv(timeout=60)
            except websockets.exceptions.ConnectionClosed as closed:
                assert closed.rcvd.code in (1009, 1011) and closed.rcvd.reason, closed
            else:
                raise AssertionError(f'{len(answer)} bytes of answer')
        still_works(server)


def test_a_gzip_bomb():
    """a gibibyte of zeros in a megabyte ends at the limit and not in memory"""
    packed = gzip.compress(b' ' * (1 << 28), 6) * 4  # members one after another
    with serving({**EVERY, 'limits': {'max_message_bytes': '8MiB'}}) as server:
        still_works(server)
        with settled(server):
            answer = raw(server, post_bytes(packed, 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'))
            assert answer.startswith(b'HTTP/1.1 413 '), answer[:300]
            still_works(server)


def test_the_limits_of_a_key():
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, 'keys')

        def key(name, *limits):
            made = subprocess.run([program(), 'key', 'new', name, *limits, '--append', file], check=True, stdout=subprocess.PIPE, text=True)
            return {'authorization': made.stdout.split()[0]}

        slow, narrow = key('slow', '--rate', '1/h'), key('narrow', '--models', 'another')
        with serving({**EVERY, 'auth': {'keys_file': file}}) as server:
            assert 'needed: ' + file in server.output(), server.output()
            text, base = {'data': [{'text': 'a red circle'}]}, server.at('http')
            status, headers, answer = ask(f'{base}/encode', text, narrow)
            assert status == 403 and 'another' in answer['detail'], f'{status} {answer}'
            assert ask(f'{base}/encode', text, slow)[0] == 200
            status, headers, answer = ask(f'{base}/encode', text, slow)
            assert status == 429 and int(headers['Retry-After']) > 60 and 'rate=1/h' in json.dumps(answer), f'{status} {headers} {answer}'
            with channel(server) as opened:
                error = refusal(lambda: unary(opened, texts(1), metadata=tuple(slow.items())))
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and 'rate=1/h' in error.details(), error
                assert int(dict(error.trailing_metadata())['retry-after']) > 60, error.trailing_metadata()
                for do in (lambda: unary(opened, texts(1), metadata=tuple(narrow.items())), lambda: list(call_with(opened, texts(1), narrow))):
                    error = refusal(do)
                    assert error.code() == grpc.StatusCode.PERMISSION_DENIED and 'another' in error.details(), error
                error = refusal(lambda: unary(opened, texts(1)))
                assert error.code() == grpc.StatusCode.UNAUTHENTICATED and 'key' in error.details(), error
            url = f'ws://127.0.0.1:{server.port}/'
            for headers, wanted in (({}, 401), ({'authorization': 'clipd_wrong'}, 401)):
                try:
                    websockets.sync.client.connect(url, additional_headers=headers)
                except websockets.exceptions.InvalidStatus as error:
                    assert error.response.status_code == wanted, error
                else:
                    raise AssertionError(f'{headers}: let in')
            with websockets.sync.client.connect(url, subprotocols=['bytes'], additional_headers=narrow) as socket:
                socket.send(texts(1).SerializeToString())
                try:
                    socket.recv(timeout=60)
                except websockets.exceptions.ConnectionClosed as closed:
                    assert closed.rcvd.code == 1011 and 'another' in closed.rcvd.reason, closed
                else:
                    raise AssertionError('a model of others was used')


def call_with(opened, message, metadata):
    method = opened.stream_stream('/jina.JinaRPC/Call', request_serializer=lambda r: r.SerializeToString(), response_deserializer=jina_pb2.DataRequestProto.FromString)
    return method(iter([message]), metadata=tuple(metadata.items()), timeout=60)


def test_a_full_queue():
    """many callers at once beside a small queue: each has its embeddings or is told to come again, over each protocol"""
    with serving({**EVERY, 'limits': {'max_queued': 64}}) as server:
        base = server.at('http')
        body = {'data': [{'text': f'a red circle number {i} of many and many words more'} for i in range(60)]}

        def over_http(_):
            status, headers, answer = ask(f'{base}/encode', body)
            assert status in (200, 429, 503), f'{status} {answer}'
            if status != 200:
                assert int(headers['Retry-After']) >= 1 and answer['header']['status']['description'], f'{headers} {answer}'
            return status

        def over_grpc(_):
            with channel(server) as opened:
                try:
                    answer = unary(opened, texts(60))
                except grpc.RpcError as error:
                    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE) and error.details(), error
                    assert int(dict(error.trailing_metadata())['retry-after']) >= 1, error.trailing_metadata()
                    return 429
                assert answer.header.status.code == 0 and all(d.embedding.dense.buffer for d in answer.data.docs.docs)
                return 200

        for do in (over_http, over_grpc):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                got = list(pool.map(do, range(64)))
            assert 200 in got and set(got) != {200}, f'{do.__name__}: {got}'
        still_works(server)


def test_a_request_larger_than_the_queue():
    """can never be taken, so no caller is told to try again"""
    with serving({**EVERY, 'limits': {'max_queued': 8}}) as server:
        status, headers, answer = ask(server.at('http') + '/encode', {'data': [{'text': 'x'}] * 9})
        assert 'max_queued' in json.dumps(answer) and 'Retry-After' not in headers, f'{status} {answer}'


def test_connections():
    with serving({**EVERY, 'limits': {'max_connections_per_address': 3}}) as server:
        opened = [plain(server) for _ in range(3)]
        try:
            end = time.monotonic() + 60
            while True:  # the last of the connections that saw the server ready may not have ended yet
                with plain(server) as one_more:
                    one_more.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
                    answer = said(one_more)
                if answer:
                    break
                assert time.monotonic() < end, 'no answer'
            assert answer.startswith(b'HTTP/1.1 429 ') and b'Retry-After: ' in answer, answer
        finally:
            for connection in opened:
                connection.close()
    with serving({**EVERY, 'limits': {'max_connections': 3}}) as server:
        opened = [plain(server) for _ in range(3)]
        with plain(server) as one_more:
            one_more.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            answer = said(one_more)
        assert answer.startswith(b'HTTP/1.1 503 ') and b'Retry-After: ' in answer, answer
        for connection in opened:
            connection.close()


def test_those_who_dawdle_are_ended():
    """in the header, in the body, after an answer, in a WebSocket frame, in an HTTP/2 preface; every said() returns"""
    limits = {'header_timeout': 1000, 'read_timeout': 1000, 'idle_timeout': 1000}
    with serving({**EVERY, 'limits': limits}) as server:
        still_works(server)
        body = b'{"data": [{"text": "a red circle"}]}'
        whole = b'POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b' % (len(body), body)
        with settled(server):
            for name, sent in {'nothing': b'', 'half a line': b'GET / HT', 'half a header': whole[:40], 'half a body': whole[:-5], 'half a frame': UPGRADE + frame(b'x' * 500)[:-5],
                               'half a preface': b'PRI * HTTP/2.0\r\n', 'silence after an answer': whole}.items():
                with plain(server) as connection:
                    connection.sendall(sent)
                    answer = said(connection)
                if name == 'half a body':
                    assert answer.startswith(b'HTTP/1.1 408 ') or not answer, answer[:300]
                if name == 'silence after an answer':
                    assert answer.startswith(b'HTTP/1.1 200 '), answer[:300]
        with plain(server) as connection:  # a byte now and then does not help
            try:
                for byte in whole[:60]:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.3)
            except OSError:
                pass
            else:
                raise AssertionError('a header that trickles in for 18 s was waited for')
        still_works(server)


def test_timeout_send():
    """an executor that takes too long: 504, DEADLINE_EXCEEDED, close code 1011"""
    many = [{'text': f'a red circle {i}'} for i in range(4000)]
    with serving({**EVERY, 'timeout_send': 1}) as server:
        status, _, answer = ask(server.at('http') + '/encode', {'data': many})
        assert status == 504 and 'timeout_send' in answer['header']['status']['description'], f'{status} {answer}'
        with channel(server) as opened:
            for do in (lambda: unary(opened, texts(4000)), lambda: list(call(opened, iter([texts(4000)])))):
                error = refusal(do)
                assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and 'timeout_send' in error.details(), error
        rest, code = after_upgrade(server, frame(texts(4000).SerializeToString()))
        assert code == 1011 and b'timeout_send' in rest, f'{code} {rest[-200:]}'
        for protocol in ('grpc', 'http', 'ws'):
            try:
                Client(server.at(protocol)).encode([d['text'] for d in many], batch_size=4000, on_done=lambda r: None)
            except ConnectionError as error:
                assert 'timeout_send' in str(error), f'{protocol}: {error}'
            else:
                raise AssertionError(f'{protocol}: no error')


REQUESTS, PICTURE = 200, 1 << 18  # 50 MiB there and 50 MiB back


def large(path):
    """a request whose answer is as large as itself: a picture with bytes after its end, to be sent back"""
    made = request()
    blob = open(path, 'rb').read()
    made.data.docs.docs.add(id='x', blob=blob + bytes(PICTURE - len(blob)))
    return made


def quiet(count):
    """waits until a counter stands still, and gives it back"""
    last, since = count(), time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(0.1)
        if count() != last:
            last, since = count(), time.monotonic()
    return last


def test_nothing_is_read_beyond_prefetch():
    """a caller who takes no answers is not read any further, over gRPC and over WebSocket; then each request is answered"""
    _, paths = material()
    made = large(next(p for p in paths if p.endswith('.jpg')))
    with serving({**EVERY, 'prefetch': 4}) as server:
        taken = 0

        def sending():
            nonlocal taken
            for _ in range(REQUESTS):
                taken += 1
                yield made

        with channel(server) as opened:
            answered = call(opened, sending())
            stopped = quiet(lambda: taken)
            assert stopped < REQUESTS // 2, f'{stopped} of {REQUESTS} requests were read of a caller who reads nothing'
            got = list(answered)
            assert len(got) == REQUESTS and all(a.data.docs.docs[0].embedding.dense.buffer for a in got)

        message = made.SerializeToString()
        with plain(server) as connection:
            connection.sendall(UPGRADE)
            head = b''
            while b'\r\n\r\n' not in head:
                head += connection.recv(1)
            sent = 0

            def send():
                nonlocal sent
                for _ in range(REQUESTS):
                    connection.sendall(frame(message))
                    sent += 1
                connection.sendall(frame(b'\0'))

            connection.settimeout(None)
            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            stopped = quiet(lambda: sent)
            assert stopped < REQUESTS // 2, f'{stopped} of {REQUESTS} messages were read of a caller who reads nothing'
            received = 0
            while received < REQUESTS * PICTURE:
                part = connection.recv(1 << 20)
                assert part, f'the connection ended after {received} bytes'
                received += len(part)
            sender.join(60)
            assert sent == REQUESTS
        still_works(server)
