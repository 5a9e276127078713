"""Starting and ending what is measured, one at a time."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIPD = pathlib.Path(os.environ.get('CLIPD', ROOT / 'clipd'))
MODEL = ROOT / 'build' / 'bench' / 'ViT-B-32'
PEERS = ROOT / 'scripts' / 'bench' / 'peers'

NAMES = {
    'clipd': 'clipd', 'onnx': 'clip_server, ONNX', 'onnx-batching': 'clip_server, ONNX, dynamic batching', 'torch': 'clip_server, PyTorch',
    'torch-batching': 'clip_server, PyTorch, dynamic batching', 'infinity': 'infinity, PyTorch',
}
CLIP_SERVER = ['onnx', 'onnx-batching', 'torch', 'torch-batching']
PEER_NAMES = CLIP_SERVER + ['infinity']


def make_model():
    if not (MODEL / 'open_clip_model.safetensors').exists():
        subprocess.run([CLIPD, 'model', 'make', 'ViT-B-32', '--random', MODEL], check=True)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def flow(port):
    """clipd as it comes: nothing is tuned by hand"""
    return f'''
jtype: Flow
with: {{port: {port}}}
executors:
  - name: clip_t
    uses:
      jtype: CLIPEncoder
      with: {{model_path: {MODEL}}}
      metas: {{py_modules: [clip_server.executors.clip_torch]}}
'''


@contextlib.contextmanager
def clipd():
    port = free_port()
    p = subprocess.Popen([CLIPD, '-i'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        p.stdin.write(flow(port))
        p.stdin.close()
        said = []
        for line in p.stdout:
            said.append(line.rstrip())
            if line.startswith('device'):
                break
        if not any(line.startswith('device') for line in said):
            sys.exit(f'clipd did not start; try: {CLIPD} demo-flow.yml')
        yield f'grpc://127.0.0.1:{port}'
    finally:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(60)
        except subprocess.TimeoutExpired:
            p.kill()


@contextlib.contextmanager
def peer(name, **settings):
    env = {**os.environ, 'CLIPD': str(CLIPD), **{k: str(v) for k, v in settings.items()}}
    subprocess.run([PEERS / 'stop.sh'], check=True, stdout=subprocess.DEVNULL)
    started = subprocess.run([PEERS / 'start.sh', name, MODEL], check=True, stdout=subprocess.PIPE, text=True, env=env)
    try:
        yield started.stdout.split()[-1]
    finally:
        subprocess.run([PEERS / 'stop.sh'], check=True, stdout=subprocess.DEVNULL)


def start(name):
    return clipd() if name == 'clipd' else peer(name)
