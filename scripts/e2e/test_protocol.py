"""The whole list of what the real client does, over gRPC (check_clip_client.py)."""
import os
import subprocess
import sys

from client import Client
from server import HERE, ROOT, serving

# needs the server to load http URIs, which it does only when told to
LOADS_URLS = 'server_loads_uri'


def allow_uris():
    """the encoder's arguments that let the server load http URIs; none when there is no such key"""
    known = any('"allow_uris"' in path.read_text() for path in (ROOT / 'flows').glob('*.go'))
    return {'allow_uris': 'true'} if known else {}


def names():
    """of all checks, in a process of its own: the module sets signal handlers and more"""
    code = 'import check_clip_client as c; print(*[name for name, _, _ in c.CHECKS])'
    return subprocess.run([sys.executable, '-c', code], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def test_check_clip_client_over_grpc():
    encoder = allow_uris()
    with serving(**encoder) as server:
        size = Client(server.url).encode(['a red circle']).shape[1]
        command = [sys.executable, str(HERE / 'check_clip_client.py'), server.url, '--expect-dim', str(size), '--strict-known', '--slow']
        if not encoder:
            print(f'{LOADS_URLS} is left out: the server loads no http URIs, and no flow key allows it')
            command += ['--only', *[name for name in names() if name != LOADS_URLS]]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800,
                              env={**os.environ, 'PYTHONWARNINGS': 'ignore'})
    lines = done.stdout.strip().splitlines()
    wrong = '\n'.join(line for line in lines if line.startswith(('FAIL', 'KNOWN')))
    assert lines and lines[-1].endswith(' passed, 0 failed') and done.returncode == 0, f'{wrong}\n{lines[-1] if lines else done.returncode}'
    print(f'check_clip_client.py: {lines[-1]}')
