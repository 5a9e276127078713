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
# what a caller may see that came too late or was never taken: gRPC UNAVAILABLE, raised as ConnectionError
TOO_LATE = ('ConnectionError', 'UNAVAILABLE')
NEVER_CONNECTED = ('failed to connect', 'Connection refused')


@contextlib.contextmanager
def load(server):
    """many clients at work; gives the list of their processes"""
    _, paths = material()
    command = [sys.executable, str(HERE / 'load.py'), server.url, str(CLIENTS), *paths[:6]]
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


def test_every_accepted_request_is_answered():
    with serving() as server, load(server) as processes:
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
        assert all(word in call['error'] for word in TOO_LATE), where
        assert call['first'] is None, f'accepted and then dropped after {call["answered"]} documents: {where}'
        if before:
            assert any(word in call['error'] for word in NEVER_CONNECTED), f'accepted and then dropped: {where}'
    across = sum(c['begun'] < signalled < c['ended'] for c in good)
    print(f'{len(good)} calls answered, {across} of them under way at the signal, {len(reported) - len(good)} refused after it')
    assert len(good) >= PROCESSES * CLIENTS and across >= 1, f'{len(good)} calls answered, {across} under way: no load'


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
