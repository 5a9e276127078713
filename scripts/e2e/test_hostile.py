"""Bad input over HTTP, WebSocket and gRPC: a clear answer to its sender, and the server is afterwards as it was before."""
import base64
import json
import os
import struct

import grpc
import websockets.exceptions
import websockets.sync.client
from jina.proto import jina_pb2

from client import BROKEN, Client, Document, answers, np
from hostile import plain, post_bytes, raw, said, settled
from server import serving
from test_documents import material
from wire import call, channel, request

EVERY = {'protocol': ['grpc', 'http', 'websocket']}
UPGRADE = (b'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
           b'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: bytes\r\n\r\n')


def still_works(server):
    for protocol in ('grpc', 'http', 'ws'):
        rows = []
        Client(server.at(protocol)).encode(['a red circle'], on_done=lambda r: rows.extend(r.docs))
        assert len(rows) == 1 and np.isfinite(rows[0].embedding).all(), f'{protocol}: {rows}'


def over_http(server, sent):
    """(status, JSON body) of a request given as bytes"""
    answer = raw(server, sent)
    head, _, body = answer.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 '), f'{sent[:80]!r}: {answer[:200]!r}'
    if b'transfer-encoding: chunked' in head.lower():
        raise AssertionError(f'{sent[:80]!r}: a chunked answer')
    return int(head.split()[1]), json.loads(body)


def one(document):
    return json.dumps({'data': [document]}).encode()


def test_bad_requests_over_http():
    text = one({'text': 'a red circle'})
    head = b'POST /post HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n'
    refused = {
        'no request at all': (b'\x00\x01\x02\r\n\r\n', {400}), 'no host': (b'GET / HTTP/1.1\r\n\r\n', {400}),
        'another version': (b'GET / HTTP/3.7\r\nHost: x\r\n\r\n', {400, 505}),
        'two framings': (head + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', {400}),
        'a negative length': (head + b'Content-Length: -5\r\n\r\n', {400}), 'two lengths': (head + b'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}', {400}),
        'a chunk without a size': (head + b'Transfer-Encoding: chunked\r\n\r\nzzz\r\n{}\r\n0\r\n\r\n', {400}),
        'half a body': (post_bytes(text, length=1000), {400, 408}),
        'a long header': (b'GET / HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 100_000 + b'\r\n\r\n', {431}),
        'an unknown path': (post_bytes(text, path='/no/such/path'), {404}), 'a wrong method': (b'PUT /post HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', {405}),
        'a broken escape': (post_bytes(text, path='/encode/%zz'), {400}), 'another type': (post_bytes(text, 'Content-Type: image/png\r\n'), {415}),
        'plain text': (post_bytes(text, 'Content-Type: text/plain\r\n'), {422}),
        'an unknown coding': (post_bytes(text, 'Content-Type: application/json\r\nContent-Encoding: lzma\r\n'), {415}),
        'no gzip': (post_bytes(text, 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'), {400}),
        'nothing': (post_bytes(b''), {422}), 'no JSON': (post_bytes(b'{"data": ['), {422}), 'no object': (post_bytes(b'[1, 2]'), {422}),
        'no UTF-8': (post_bytes(b'{"data": [{"text": "\xff\xfe"}]}'), {400, 422}), 'deep': (post_bytes(b'{"data": ' + b'[' * 100_000), {422}),
        'no list': (post_bytes(b'{"data": "x"}'), {422}), 'parameters that are none': (post_bytes(b'{"parameters": 5}'), {422}),
        'broken base64': (post_bytes(one({'blob': 'abc'})), {422}), 'a text that is none': (post_bytes(one({'text': {'a': 1}})), {422}),
    }
    failed = {
        'a ragged tensor': one({'tensor': [[1, 2], [3]]}), 'no picture': one({'blob': base64.b64encode(BROKEN).decode()}),
        'access paths': json.dumps({'data': [{'text': 'x'}], 'parameters': {'access_paths': 7}}).encode(),
        'minibatch size': json.dumps({'data': [{'text': 'x'}], 'parameters': {'minibatch_size': 'many'}}).encode(),
        'a file': one({'uri': '/etc/hostname'}), 'nothing to rank': json.dumps({'data': [{'text': 'x'}], 'execEndpoint': '/rank'}).encode(),
    }
    with serving(EVERY) as server:
        still_works(server)
        with settled(server):
            for name, (sent, wanted) in refused.items():
                status, body = over_http(server, sent)
                assert status in wanted and body['detail'], f'{name}: {status} {body}'
            for name, body in failed.items():
                status, answer = over_http(server, post_bytes(body))
                assert status in (200, 422), f'{name}: {status} {answer}'
                if status == 200:
                    assert answer['header']['status']['code'] == 1 and answer['header']['status']['description'], f'{name}: {answer["header"]}'
            for body in (b'{}', b'{"data": null}', b'{"data": []}', b'{"data": [], "execEndpoint": "/no/such/endpoint", "unknown": 1}'):
                status, answer = over_http(server, post_bytes(body))
                assert status == 200 and answer['header']['status'] is None and answer['data'] == [], f'{body}: {status} {answer}'
            status, answer = over_http(server, post_bytes(json.dumps({'data': [{'text': 'x'}], 'execEndpoint': '/no/such/endpoint'}).encode()))
            assert status == 200 and len(answer['data'][0]['embedding']) == 128, answer
            still_works(server)


def frame(payload, op=2, flags=0x80, masked=True):
    """a WebSocket frame; the mask is zeros, so that the payload shows as it is"""
    length = len(payload)
    bit = 0x80 if masked else 0
    if length < 126:
        head = bytes([flags | op, bit | length])
    else:
        head = bytes([flags | op, bit | 127]) + struct.pack('>Q', length)
    return head + (bytes(4) if masked else b'') + payload


def after_upgrade(server, sent):
    """what the server sends after the handshake, for the frames `sent`; and the code of its close frame, or None"""
    with plain(server) as connection:
        connection.sendall(UPGRADE + sent)
        answer = said(connection)
    head, _, rest = answer.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 101'), head
    at = rest.rfind(b'\x88')
    return rest, struct.unpack('>H', rest[at + 2:at + 4])[0] if at >= 0 and len(rest) >= at + 4 else None


def test_bad_frames_over_websocket():
    good = request().SerializeToString()
    cases = {
        'not masked': (frame(good, masked=False), 1002), 'a reserved bit': (frame(good, flags=0x80 | 0x20), 1002), 'an unknown opcode': (frame(good, op=5), 1002),
        'a long ping': (frame(b'x' * 200, op=9), 1002), 'a ping in pieces': (frame(b'x', op=9, flags=0), 1002), 'a continuation of nothing': (frame(good, op=0), 1002),
        'a message within another': (frame(good, flags=0) + frame(good), 1002), 'text': (frame(b'hello', op=1), 1003), 'no protobuf': (frame(b'\xff' * 50), 1007),
        'nothing': (frame(b''), 1007), 'a close frame of one byte': (frame(b'x', op=8), 1002),
        'a length of 63 bits': (bytes([0x82, 0xff]) + struct.pack('>Q', 1 << 62) + bytes(4), (1002, 1009, 1011)),
    }
    with serving(EVERY) as server:
        still_works(server)
        with settled(server):
            for name, (sent, wanted) in cases.items():
                rest, code = after_upgrade(server, sent)
                assert code in (wanted if isinstance(wanted, tuple) else (wanted,)), f'{name}: closed with {code}: {rest!r}'
            for name, path, options, wanted in (
                    ('another path', '/no/such/path', {}, 403), ('another origin', '/', {'origin': 'http://evil.example'}, 403)):
                try:
                    websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}{path}', **options)
                except websockets.exceptions.InvalidStatus as error:
                    assert error.response.status_code == wanted and json.loads(bytes(error.response.body))['detail'], f'{name}: {error.response}'
                else:
                    raise AssertionError(f'{name}: let in')
            for text, wanted in (('{"data": [', 1007), ('nonsense', 1007)):
                with websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', subprotocols=['json']) as socket:
                    socket.send(text)
                    try:
                        answer = socket.recv(timeout=60)
                    except websockets.exceptions.ConnectionClosed as closed:
                        assert closed.rcvd.code == wanted and closed.rcvd.reason, f'{text}: {closed}'
                    else:
                        raise AssertionError(f'{text}: answered with {answer}')
            still_works(server)


def test_a_broken_picture_among_a_hundred():
    """over each protocol: its index and id are named, and other requests of the call are answered"""
    _, paths = material()
    blobs = [open(p, 'rb').read() for p in paths]
    hundred = [Document(id=f'picture-{i}', blob=blobs[i % len(blobs)]) for i in range(100)]
    hundred[57] = Document(id='the-broken-one', blob=BROKEN)
    others = [Document(id=f'other-{i}', text=f'a red circle {i}') for i in range(100)]
    with serving(EVERY) as server:
        for protocol in ('grpc', 'http', 'ws'):
            good, bad = answers(Client(server.at(protocol)), hundred + others, batch_size=100)
            assert len(bad) == 1, f'{protocol}: {len(bad)} failed answers'
            description = bad[0].header.status.description
            assert 'document 57' in description and 'the-broken-one' in description, f'{protocol}: {description}'
            assert sorted(d.id for d in good) == sorted(d.id for d in others) and all(d.embedding is not None for d in good), protocol


def test_callers_that_go_away_in_the_middle():
    """of a request, and of its answer, over each protocol"""
    many = request()
    for i in range(500):
        many.data.docs.docs.add(id=str(i), text=f'a red circle, number {i}')
    message = many.SerializeToString()
    body = json.dumps({'data': [{'text': f'a red circle, number {i}'} for i in range(500)]}).encode()
    preface = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    cuts = {
        'http, half a header': post_bytes(body)[:40], 'http, half a body': post_bytes(body)[:-2000], 'http, before the answer': post_bytes(body),
        'websocket, half a handshake': UPGRADE[:60], 'websocket, half a frame': UPGRADE + frame(message)[:-2000], 'websocket, before the answer': UPGRADE + frame(message) * 3,
        'grpc, half a preface': preface[:14], 'grpc, half a frame': preface + settings + bytes([0, 40, 0, 1, 4, 0, 0, 0, 1]) + b'\x82',
        'grpc, a frame that is none': preface + b'\xff' * 100, 'nothing': b'',
    }
    with serving(EVERY) as server:
        still_works(server)
        with settled(server):
            for sent in cuts.values():
                for _ in range(10):
                    with plain(server) as connection:
                        connection.sendall(sent)
            for _ in range(10):
                with channel(server) as opened:
                    answers_ = call(opened, iter([many] * 5))
                    next(answers_)
                    answers_.cancel()
            still_works(server)
        assert server.terminate() == 0, server.output()


def test_garbage_on_the_port():
    """bytes of no protocol end their connection and nothing else"""
    with serving(EVERY) as server:
        still_works(server)
        with settled(server):
            for sent in (os.urandom(4096), b'\x16\x03\x01\x02\x00' + os.urandom(512), b'\r\n' * 1000, b'SSH-2.0-x\r\n', b'\0' * 100_000):
                raw(server, sent)  # returns, so the connection was ended
            still_works(server)


def test_garbage_over_grpc():
    with serving(EVERY) as server:
        still_works(server)
        with settled(server):
            for data in (b'\xff' * 50, b'\x0a\xff\xff\xff\xff\x0f', b'\x08' * 9):
                with channel(server) as opened:
                    single = opened.unary_unary('/jina.JinaSingleDataRequestRPC/process_single_data', response_deserializer=jina_pb2.DataRequestProto.FromString)
                    for ask in (lambda: single(data), lambda: list(call(opened, iter([data])))):
                        try:
                            ask()
                        except grpc.RpcError as error:
                            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and error.details(), f'{data!r}: {error}'
                        else:
                            raise AssertionError(f'{data!r}: no error')
            still_works(server)
