"""Compression both ways, over each protocol."""
import gzip
import json
import struct
import urllib.error
import urllib.request
import zlib

import grpc
import websockets.sync.client
from jina.proto import jina_pb2

from client import Client, DocumentArray, Document, np
from server import serving
from wire import CALL, channel, request

EVERY = {'protocol': ['grpc', 'http', 'websocket']}
MANY = {'data': [{'text': f'a red circle, number {i}'} for i in range(50)]}


def deflated(data):
    return zlib.compress(data)


def brotli(data):
    """a window, one piece that is stored as it is, and the end (RFC 7932, sections 9.1 and 9.2)"""
    assert len(data) <= 1 << 16
    return ((len(data) - 1) << 4 | 1 << 20).to_bytes(3, 'little') + data + b'\x03'


def zstd(data):
    """a frame of one block that is stored as it is (RFC 8878, section 3.1.1)"""
    return b'\x28\xb5\x2f\xfd\xa0' + struct.pack('<I', len(data)) + (len(data) << 3 | 1).to_bytes(3, 'little') + data


def ask(server, body, sent=None, accept=None):
    """(Content-Encoding, body) of the answer"""
    headers = {'Content-Type': 'application/json', **({'Content-Encoding': sent} if sent else {}), **({'Accept-Encoding': accept} if accept else {})}
    with urllib.request.urlopen(urllib.request.Request(server.at('http') + '/encode', body, headers), timeout=60) as answer:
        return answer.headers['Content-Encoding'], answer.read()


def rows(body):
    return np.array([d['embedding'] for d in json.loads(body)['data']])


def test_http_both_ways():
    body = json.dumps(MANY).encode()
    with serving(EVERY) as server:
        coding, plain = ask(server, body, accept='identity')
        assert coding is None
        want = rows(plain)
        for sent, pack in (('gzip', gzip.compress), ('deflate', deflated), ('br', brotli), ('zstd', zstd)):
            _, answer = ask(server, pack(body), sent=sent, accept='identity')
            assert np.allclose(rows(answer), want, rtol=0.05, atol=0.05), sent
            coding, answer = ask(server, body, accept=sent)
            assert coding == sent and len(answer) < len(plain), f'{sent}: {coding}, {len(answer)} bytes of {len(plain)}'
            if sent == 'gzip':
                assert np.allclose(rows(gzip.decompress(answer)), want, rtol=0.05, atol=0.05)
            if sent == 'deflate':
                assert np.allclose(rows(zlib.decompress(answer)), want, rtol=0.05, atol=0.05)
        assert ask(server, body, accept='gzip;q=0, identity')[0] is None
    with serving({**EVERY, 'http_compression': False}) as server:
        assert ask(server, body, accept='gzip')[0] is None


def test_grpc_both_ways():
    """clip_client's compression=, and what a call with it is on the wire"""
    with serving(EVERY) as server:
        client = Client(server.url)
        want = client.encode(['a red circle'])
        for name in ('Gzip', 'Deflate'):
            documents = []
            client._client.post('/encode', inputs=DocumentArray([Document(text='a red circle')]), compression=name, on_done=lambda r: documents.extend(r.docs))
            assert np.allclose(documents[0].embedding, want[0], rtol=0.05, atol=0.05), name
        made = request()
        for d in MANY['data']:
            made.data.docs.docs.add(text=d['text'])
        with channel(server) as opened:
            method = opened.stream_stream(CALL, request_serializer=lambda r: r.SerializeToString(), response_deserializer=jina_pb2.DataRequestProto.FromString)
            for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression):
                answer, = method(iter([made]), compression=coding, timeout=60)
                assert len(answer.data.docs.docs) == 50 and not answer.header.status.code, coding


def test_websocket_both_ways():
    with serving(EVERY) as server:
        url = f'ws://127.0.0.1:{server.port}/'
        for compression in ('deflate', None):
            with websockets.sync.client.connect(url, subprotocols=['json'], compression=compression, max_size=None) as socket:
                extensions = [e.name for e in socket.protocol.extensions]
                assert extensions == (['permessage-deflate'] if compression else []), extensions
                for _ in range(3):
                    socket.send(json.dumps(MANY))
                    answer = json.loads(socket.recv(timeout=60))
                    assert len(answer['data']) == 50 and len(answer['data'][0]['embedding']) == 128
                socket.send('{}')
                try:
                    answer = socket.recv(timeout=60)
                except websockets.exceptions.ConnectionClosedOK:
                    pass
                else:
                    raise AssertionError(f'after the end of input: {answer}')
