"""SIGTERM: what was accepted is answered, nothing new is taken, exit status 0."""
import contextlib
import json
import subprocess
import sys
import time

import grpc

from client import Client
from server import HERE, health, serving
from test_documents import material
from wire import call, channel, request

PROCESSES, CLIENTS = 3, 4
# What a caller may see that came too late or was never taken. Over gRPC it is UNAVAILABLE, raised as ConnectionError; the
# others find nobody at the port, and a WebSocket that is asked for in that moment is refused with 503.
TOO_LATE = {'grpc': ('UNAVAILABLE',), 'http': ('Cannot connect to host',), 'ws': ('Cannot connect to host', '503, message=')}
NEVER_CONNECTED = {**TOO_LATE, 'grpc': ('failed to connect', 'Connection refused')}
EVERY = {'protocol': ['grpc', 'http', 'websocket']}


@contextlib.contextmanager
def load(url):
    """many clients at work; gives the list of their processes"""
    _, paths = material()
    command = [sys.executable, str(HERE / 'load.py'), url, str(CLIENTS), *paths[:6]]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                 for _ in range(PROCESSES)]
    try:
        yield processes
    finally:
        for p in processes:
            p.kill()
            p.wait()


def calls(process):
    """what the process reports until it ends"""
    out, _ = process.communicate(timeout=120)
    return [json.loads(line) for line in out.splitlines() if line.startswith('{')]


def wait_for_first_calls(processes):
    """until each process has had an answer"""
    first = []
    for p in processes:
        while not (line := p.stdout.readline()).startswith('{'):
            assert line, 'a load process ended at once'
        first.append(json.loads(line))
    return first


def end_under_load(protocol):
    with serving(EVERY) as server, load(server.at(protocol)) as processes:
        reported = wait_for_first_calls(processes)
        time.sleep(2)
        signalled = time.time()
        status = server.terminate()
        for p in processes:
            reported += calls(p)
        assert status == 0, f'exit status {status}:\n{server.output()}'
    good = [c for c in reported if not c['error']]
    for call in reported:
        if not call['error']:
            continue
        before = call['begun'] < signalled
        where = f'begun {call["begun"] - signalled:+.3f} s, ended {call["ended"] - signalled:+.3f} s from the signal: {call["error"][:300]}'
        assert any(word in call['error'] for word in TOO_LATE[protocol]), where
        # Over HTTP each request is a connection's of its own, so a call can be cut between two of them.
        assert call['first'] is None or protocol == 'http', f'accepted and then dropped after {call["answered"]} documents: {where}'
        if before:
            assert any(word in call['error'] for word in NEVER_CONNECTED[protocol]), f'accepted and then dropped: {where}'
    across = sum(c['begun'] < signalled < c['ended'] for c in good)
    print(f'{protocol}: {len(good)} calls answered, {across} of them under way at the signal, {len(reported) - len(good)} refused after it')
    assert len(good) >= PROCESSES * CLIENTS and across >= 1, f'{len(good)} calls answered, {across} under way: no load'


def test_every_accepted_request_is_answered_over_grpc():
    end_under_load('grpc')


def test_every_accepted_request_is_answered_over_http():
    end_under_load('http')


def test_every_accepted_request_is_answered_over_websocket():
    end_under_load('ws')


def test_an_open_stream_does_not_hold_up_the_end():
    """a caller who keeps its stream open without a word"""
    with serving() as server:
        made = request()
        made.data.docs.docs.add(id='x', text='a red circle')
        waiting = True

        def requests():
            yield made
            while waiting:
                time.sleep(0.1)

        answers = call(channel(server), requests())
        assert next(answers).data.docs.docs[0].id == 'x'
        status = server.terminate()
        waiting = False
        with contextlib.suppress(grpc.RpcError):
            assert not list(answers), 'answers to nothing'
        assert status == 0, f'exit status {status}:\n{server.output()}'


def test_an_idle_server_ends():
    with serving() as server:
        Client(server.url).encode(['a red circle'])
        assert server.terminate() == 0, server.output()
        assert health(server.port) == 'UNAVAILABLE'
