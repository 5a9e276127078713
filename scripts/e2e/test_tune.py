"""clipd tune, what it stores, and jit: true."""
import json
import os
import pathlib
import tempfile

from client import Client
from server import Server, flow, free_port
from test_command import run

KEYS = {'lanes', 'threads', 'wide_lane', 'minibatch_size'}


def logged(server, message):
    """the fields of the log lines with this message"""
    lines = [json.loads(line) for line in server.output().splitlines() if line.startswith('{')]
    return [line for line in lines if line.get('message') == message]


def start(cache, **encoder):
    port = free_port()
    return Server(['-i'], port, stdin=flow(port, **encoder), env={'CLIPD_CACHE': cache, 'CLIPD_LOG_LEVEL': 'DEBUG'})


def stored(cache):
    return list(pathlib.Path(cache).glob('graphs/*/compiled/tuned-*.json'))


def test_tune_stores_what_a_start_picks_up():
    with tempfile.TemporaryDirectory() as cache:
        os.environ['CLIPD_CACHE'] = cache
        try:
            table = run('tune', 'demo-flow.yml', '--time', '6s')
            assert 'minibatch' in table and '←' in table and 'best' in table, table
            assert not stored(cache)
            printed = json.loads(run('tune', 'demo-flow.yml', '--time', '6s', '--write', '--json', '--for', 'throughput'))
        finally:
            del os.environ['CLIPD_CACHE']
        assert set(printed['keys']) == KEYS and printed['for'] == 'throughput', printed
        assert [str(path) for path in stored(cache)] == [printed['stored']]
        assert len(printed['candidates']) > 1 and printed['candidates'][0]['rounds'], printed['candidates']

        server = start(cache)
        try:
            server.wait_ready()
            (line,) = logged(server, 'settings measured on this machine')
            assert f'lanes {printed["keys"]["lanes"]},' in line['settings'] and line['measured'] and line['for'] == 'throughput', line
            assert Client(server.url).encode(['a red circle']).shape == (1, 128)
        finally:
            server.close()

        server = start(cache, lanes=1, threads=1, minibatch_size=4)  # a flow goes before what is stored
        try:
            server.wait_ready()
            assert not logged(server, 'settings measured on this machine')
            assert '1 replica × 1 lane × 1 thread' in server.output(), server.output()
        finally:
            server.close()

        pathlib.Path(printed['stored']).write_text('{"key": ')
        server = start(cache)
        try:
            server.wait_ready()
            assert not logged(server, 'settings measured on this machine')
            (line,) = logged(server, 'no measured settings')
            assert 'damaged' in line['error'], line
        finally:
            server.close()


def test_jit_measures_once():
    with tempfile.TemporaryDirectory() as cache:
        for first in (True, False):
            server = start(cache, jit='true', minibatch_size=16)
            try:
                server.wait_ready()
                assert len(logged(server, 'jit: measured')) == first, server.output()
                assert len(logged(server, 'settings measured on this machine')) == (not first), server.output()
                assert Client(server.url).encode(['a red circle']).shape == (1, 128)
            finally:
                server.close()
            assert len(stored(cache)) == 1
            assert json.loads(stored(cache)[0].read_text())['setting']['minibatch_size'] == 16


def test_tune_says_what_is_wrong():
    assert 'throughput, latency or balanced' in run('tune', 'demo-flow.yml', '--for', 'speed', status=None)
    assert '--time' in run('tune', 'demo-flow.yml', '--time', '0s', status=None)
    assert 'nobody' in run('tune', 'demo-flow.yml', '--executor', 'nobody', status=None)
    assert 'no-such-flow' in run('tune', 'no-such-flow.yml', status=None)
