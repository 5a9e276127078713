"""Starting: where a flow comes from, and what is said when it cannot be served."""
import pathlib
import re
import socket
import tempfile

from client import Client, DocumentArray, Document, np
from server import Server, fails_to_start, flow, free_port, health
from main import Skip


def encodes(server):
    server.wait_ready()
    client = Client(server.url)
    assert client._client.is_flow_ready(), 'is_flow_ready() is false'
    rows = client.encode(['a red circle', 'a blue square'])
    assert rows.shape == (2, rows.shape[1]) and np.isfinite(rows).all(), f'{rows}'


def ended_well(server):
    assert server.terminate() == 0, server.output()


def served(arguments, port, **options):
    server = Server(arguments, port, **options)
    try:
        encodes(server)
        ended_well(server)
        return server.output()
    finally:
        server.close()


def test_flow_from_standard_input():
    port = free_port()
    printed = served(['-i'], port, stdin=flow(port))
    assert str(port) in printed, f'the address is not printed:\n{printed}'


def test_flow_file_with_a_variable():
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'own-flow.yml')
        path.write_text(flow('${{ ENV.PORT }}'))
        served([str(path)], port, env={'PORT': str(port)})


def test_built_in_demo_flow():
    """the second of the README's two commands, from a folder without that file"""
    with socket.socket() as s:
        try:
            s.bind(('0.0.0.0', 51000))
        except OSError:
            raise Skip('port 51000 is in use on this machine') from None
    with tempfile.TemporaryDirectory() as folder:
        served(['demo-flow.yml'], 51000, cwd=folder)


def test_health_of_every_service():
    port = free_port()
    server = Server(['-i'], port, stdin=flow(port))
    try:
        server.wait_ready()
        assert health(port, 'jina.JinaRPC') == 'SERVING'
        assert health(port, 'no.such.Service') == 'NOT_FOUND'
        ended_well(server)
        assert health(port) == 'UNAVAILABLE'
    finally:
        server.close()


def test_unknown_key_is_named_with_line_and_column():
    text = flow(free_port()).replace('protocol: grpc', 'protocoll: grpc')
    line = text.split('\n').index('  protocoll: grpc') + 1
    printed = fails_to_start(['-i'], stdin=text)
    assert re.search(rf':{line}:3: ', printed), f'no "{line}:3":\n{printed}'
    assert 'protocoll' in printed and re.search(r'\bprotocol\b', printed), f'the nearest right name is missing:\n{printed}'


def test_wrong_value_is_named_with_line_and_column():
    text = flow('many')
    line = text.split('\n').index('  port: many') + 1
    printed = fails_to_start(['-i'], stdin=text)
    assert re.search(rf':{line}:\d+: ', printed) and 'many' in printed, printed


def test_broken_yaml():
    printed = fails_to_start(['-i'], stdin='jtype: Flow\nwith: [port\n')
    assert re.search(r':\d+', printed), printed


def test_unknown_model():
    printed = fails_to_start(['-i'], stdin=flow(free_port()).replace('name: demo', 'name: no-such-model'))
    assert 'no-such-model' in printed, printed


def test_missing_model_folder():
    printed = fails_to_start(['-i'], stdin=flow(free_port(), model_path='/no/such/folder'))
    assert '/no/such/folder' in printed, printed


def test_missing_flow_file():
    printed = fails_to_start(['no-such-flow.yml'])
    assert 'no-such-flow.yml' in printed, printed


def test_port_in_use():
    with socket.socket() as s:
        s.bind(('0.0.0.0', 0))
        s.listen()
        port = s.getsockname()[1]
        printed = fails_to_start(['-i'], stdin=flow(port))
    assert str(port) in printed, printed


def test_two_servers_at_once():
    ports = free_port(), free_port()
    servers = [Server(['-i'], port, stdin=flow(port)) for port in ports]
    try:
        for server in servers:
            encodes(server)
        rows = [Client(s.url).encode(DocumentArray([Document(text='a green star')])).embeddings for s in servers]
        assert np.allclose(rows[0], rows[1], atol=1e-6), 'two servers of one model disagree'
        for server in servers:
            ended_well(server)
    finally:
        for server in servers:
            server.close()
