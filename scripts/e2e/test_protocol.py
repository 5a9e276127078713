"""The whole list of what the real client does (check_clip_client.py), over every protocol, on one port, with TLS and without."""
import os
import subprocess
import sys

from client import Client
from server import HERE, certificates, serving, tls

# The check's own pictures lie on a server of this machine, which no server loads from unless it is told to.
DOORS = {'protocol': ['grpc', 'http', 'websocket'], 'allow_uris': {'networks': ['127.0.0.0/8']}}


def start(url, size):
    # The client knows no option for another authority; these are the ways of grpcio and of Python's ssl.
    roots = str(certificates() / 'ca.pem')
    env = {**os.environ, 'PYTHONWARNINGS': 'ignore', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH': roots, 'SSL_CERT_FILE': roots}
    command = [sys.executable, str(HERE / 'check_clip_client.py'), url, '--expect-dim', str(size), '--strict-known', '--slow']
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def check(doors):
    """runs the checks of all doors, given as (server, protocol), side by side: most of their time they wait"""
    size = Client(doors[0][0].url).encode(['a red circle']).shape[1]
    running = [(server.at(protocol), start(server.at(protocol), size)) for server, protocol in doors]
    wrong, outputs = [], []
    for url, process in running:
        output = process.communicate(timeout=1800)[0].strip()
        outputs.append(output)
        lines = output.splitlines() or ['no output']
        print(f'check_clip_client.py {url.split(":")[0]}: {lines[-1]}')
        if process.returncode or not lines[-1].endswith(' passed, 0 failed'):
            wrong += [url, *(line for line in lines if line.startswith(('FAIL', 'KNOWN'))), lines[-1]]
    assert not wrong, '\n'.join(wrong)
    return outputs


def known(output):
    return [line for line in output.splitlines() if line.startswith('KNOWN')]


def test_check_clip_client_over_every_protocol():
    """one server in plain text, one with TLS, and one that answers HTTP in the form that the client reads without callbacks"""
    with serving({**DOORS}) as plain, serving({**DOORS, **tls()}) as secure, serving({**DOORS, 'http_plain_returns': True}) as returning:
        doors = [(server, protocol) for server in (plain, secure) for protocol in ('grpc', 'http', 'ws')]
        *ordinary, returned = check([*doors, (returning, 'http')])
    for output in ordinary:
        # What the client's own library loses over HTTP is the only thing that may be known not to work.
        assert all('[http-return]' in line for line in known(output)), known(output)
    assert not known(returned), known(returned)
