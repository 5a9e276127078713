"""What callers may ask for with a request: its priority, and the time after which its answer is of no use."""
import json
import os
import subprocess
import tempfile

import grpc
import jina.excepts
import websockets.exceptions
import websockets.sync.client

from client import Client, Document, answers, np, post
from server import program, serving
from test_doors import ask
from test_limits import EVERY, refusal, texts, unary
from wire import call, channel

TEXT = {'data': [{'text': 'a red circle'}]}


def new_key(file, name, *limits):
    made = subprocess.run([program(), 'key', 'new', name, *limits, '--append', file], check=True, stdout=subprocess.PIPE, text=True)
    return {'authorization': made.stdout.split()[0]}


def test_priority_of_the_client():
    """the real client with metadata and with a parameter; what it asks for wrongly is an error that says so"""
    with serving(EVERY) as server:
        client = Client(server.url)
        plain = client.encode(['a red circle'])
        for options in ({'metadata': (('clip-priority', 'high'),)}, {'parameters': {'priority': 'high'}}, {'metadata': (('clip-priority', 'normal'),)},
                        {'metadata': (('x-request-timeout', '30'),)}, {'parameters': {'timeout': 30}}):
            good, bad = post(client, [Document(text='a red circle')], '/encode', **options)
            assert not bad and np.allclose(good[0].embedding, plain[0], atol=1e-5), f'{options}: {bad}'
        good, bad = post(client, [Document(text='a red circle')], '/encode', parameters={'priority': 'urgent'})
        assert not good and 'parameter priority must be "high" or "normal", not "urgent"' in bad[0].header.status.description, bad
        try:
            post(client, [Document(text='x')], '/encode', metadata=(('clip-priority', 'urgent'),))
        except (ConnectionError, grpc.RpcError, jina.excepts.BadServerFlow) as error:
            assert 'clip-priority' in str(error) or 'INVALID_ARGUMENT' in str(error), error
        else:
            raise AssertionError('a priority that there is none of was taken')


def test_wrong_wishes():
    """400 with the value, over HTTP, gRPC and in the handshake of a WebSocket"""
    with serving(EVERY) as server, channel(server) as opened:
        for name, value in (('clip-priority', 'urgent'), ('x-request-timeout', 'soon'), ('x-request-timeout', '0'), ('x-request-timeout', '-1')):
            status, _, answer = ask(f'{server.at("http")}/encode', TEXT, {name: value})
            assert status == 400 and f'{name} is "{value}"' in answer['detail'], f'{status} {answer}'
            error = refusal(lambda: unary(opened, texts(1), metadata=((name, value),)))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and f'{name} is "{value}"' in error.details(), error
            try:
                websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', additional_headers={name: value})
            except websockets.exceptions.InvalidStatus as error:
                assert error.response.status_code == 400 and value in error.response.body.decode(), error
            else:
                raise AssertionError(f'{name}: {value} was taken')


def test_priority_of_keys():
    """who may ask for it, over each protocol; a key whose models are not served is named at the start"""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, 'keys')
        plain, asks, always = new_key(file, 'plain'), new_key(file, 'asks', '--priority', 'on-request'), new_key(file, 'always', '--priority', 'high')
        new_key(file, 'typo', '--models', 'dmeo')
        listed = subprocess.run([program(), 'key', 'list', file], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert 'PRIORITY' in listed and 'on-request' in listed, listed
        with serving({**EVERY, 'auth': {'keys_file': file}}, env={'CLIPD_LOG_LEVEL': 'INFO'}) as server, channel(server) as opened:
            warned = [line for line in server.output().splitlines() if 'dmeo' in line]
            assert warned and f'{file}:4' in warned[0] and 'warn' in warned[0], server.output()
            high = {'clip-priority': 'high'}
            for key, allowed in ((plain, False), (asks, True), (always, True)):
                status, _, answer = ask(f'{server.at("http")}/encode', TEXT, {**key, **high})
                assert status == (200 if allowed else 403), f'{status} {answer}'
                assert ask(f'{server.at("http")}/encode', TEXT, {**key, 'clip-priority': 'normal'})[0] == 200
                do = lambda: unary(opened, texts(1), metadata=tuple({**key, **high}.items()))
                if allowed:
                    assert do().data.docs.docs[0].embedding.dense.buffer
                else:
                    error = refusal(do)
                    assert error.code() == grpc.StatusCode.PERMISSION_DENIED and '"plain" may not ask for high priority' in error.details(), error
            try:
                websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', additional_headers={**plain, **high})
            except websockets.exceptions.InvalidStatus as error:
                assert error.response.status_code == 403, error
            else:
                raise AssertionError('a key without the right was let in')


def test_late_answers():
    """504 and DEADLINE_EXCEEDED in time, in an answer of a stream and of a WebSocket, and the next request is answered"""
    many = texts(400)
    for i, d in enumerate(many.data.docs.docs):
        d.text = f'a red circle number {i} with many and many words behind it so that it takes its time'
    body = json.dumps({'data': [{'text': d.text} for d in many.data.docs.docs]}).encode()
    with serving(EVERY) as server, channel(server) as opened:
        url = f'{server.at("http")}/encode'
        status, _, answer = ask(url, json.loads(body), {'X-Request-Timeout': '1ms'})
        assert status == 504 and 'within the 1ms that it allows' in json.dumps(answer), f'{status} {answer}'
        assert ask(url, TEXT, {'X-Request-Timeout': '60'})[0] == 200
        assert ask(url, {**TEXT, 'parameters': {'timeout': 0.000001}})[0] == 504
        error = refusal(lambda: unary(opened, many, metadata=(('x-request-timeout', '0.001'),)))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and 'within the 1ms' in error.details(), error
        late, good = texts(1), texts(1)
        late.parameters.update({'timeout': 0.000001})
        said = list(call(opened, iter([late, good])))
        assert sorted(a.header.status.code for a in said) == [0, 1], [a.header for a in said]
        assert any('TimeoutError' in a.header.status.description for a in said), [a.header for a in said]
        with websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/') as socket:
            for parameters, code in (({'timeout': 0.000001}, 1), ({}, None)):
                socket.send(json.dumps({**TEXT, 'execEndpoint': '/encode', 'parameters': parameters}))
                answer = json.loads(socket.recv(timeout=60))
                assert ((answer['header'].get('status') or {}).get('code') or None) == code, answer['header']
        # The client's own timeout is gRPC's deadline: the server drops the work, and is free at once.
        client = Client(server.url)
        try:
            good, bad = answers(client, [Document(text=d.text) for d in many.data.docs.docs] * 20, timeout=0.3)
        except (ConnectionError, grpc.RpcError, jina.excepts.BaseJinaException):
            pass
        assert len(client.encode(['a red circle'])) == 1
