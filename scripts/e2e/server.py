"""Starting and ending the built program, and what a test wants to know of it."""
import atexit
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
START_SECONDS = 120  # loading and compiling the model on a busy machine
STOP_SECONDS = 60


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def flow(port, gateway=None, executors=None, **encoder):
    """a flow file: the demo model with the encoder's arguments, or `executors` as {name: arguments}; `gateway` goes under with"""
    lines = ['jtype: Flow', "version: '1'", 'with:', f'  port: {port}']
    lines += [f'  {key}: {value if isinstance(value, str) else json.dumps(value)}' for key, value in {'protocol': 'grpc', **(gateway or {})}.items() if value is not None]
    lines += ['executors:']
    for name, arguments in (executors or {'clip': encoder}).items():
        lines += [f'- name: {name}', '  uses:', '    jtype: CLIPEncoder', '    with:']
        lines += [f'      {key}: {value}' for key, value in {'name': 'demo', **arguments}.items()]
    return '\n'.join([*lines, ''])


@functools.cache
def certificates():
    """a folder with ca.pem, cert.pem and key.pem for this host, client.pem and client-key.pem"""
    folder = tempfile.mkdtemp(prefix='clipd-e2e-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(['go', 'run', './scripts/e2e/certificate', folder], cwd=ROOT, check=True)
    return pathlib.Path(folder)


def tls():
    """what turns TLS on in a flow"""
    return {'ssl_certfile': str(certificates() / 'cert.pem'), 'ssl_keyfile': str(certificates() / 'key.pem')}


class Server:
    """One running clipd. `arguments` follow the program's name; `stdin` is given to it as text."""

    def __init__(self, arguments, port, stdin=None, env=None, cwd=None, secure=False):
        self.port = port
        self.secure = secure
        self.log = tempfile.NamedTemporaryFile('w+', prefix='clipd-e2e-', suffix='.log')
        self.process = subprocess.Popen([program(), *arguments], stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd, text=True)
        if stdin:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    @property
    def url(self):
        return self.at('grpc')

    def at(self, protocol):
        """the URL for grpc, http or ws; with an s at its end when the server speaks TLS"""
        return f'{protocol}{"s" if self.secure else ""}://127.0.0.1:{self.port}'

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors='replace')

    def wait_ready(self):
        """until gRPC health says SERVING"""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f'clipd ended with {self.process.returncode} before it was ready:\n{self.output()}')
            if health(self.port, secure=self.secure) == 'SERVING':
                return self
            time.sleep(0.1)
        raise AssertionError(f'clipd was not ready after {START_SECONDS} s:\n{self.output()}')

    def terminate(self):
        """sends SIGTERM and gives back the exit status"""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds=STOP_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'clipd still runs after {seconds} s:\n{self.output()[-3000:]}') from None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def program():
    """the built binary; CLIPD names another one"""
    return os.environ.get('CLIPD', str(ROOT / 'clipd'))


@contextlib.contextmanager
def serving(gateway=None, executors=None, env=None, **encoder):
    """a ready server with the demo model, started from standard input; see flow()"""
    port = free_port()
    text = flow(port, gateway, executors, **encoder)
    server = Server(['-i'], port, stdin=text, env=env, secure='ssl_certfile' in (gateway or {}))
    try:
        yield server.wait_ready()
    finally:
        server.close()


def channel(port, secure=False):
    if not secure:
        return grpc.insecure_channel(f'127.0.0.1:{port}')
    return grpc.secure_channel(f'127.0.0.1:{port}', grpc.ssl_channel_credentials((certificates() / 'ca.pem').read_bytes()))


def health(port, service='', secure=False):
    """SERVING, NOT_SERVING ..., or the name of the gRPC status"""
    with channel(port, secure) as opened:
        try:
            answer = health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError as error:
            return error.code().name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def fails_to_start(arguments, stdin=None, env=None):
    """starts clipd, expects it to end by itself with an error, and gives back what it printed"""
    done = subprocess.run([program(), *arguments], input=stdin or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=START_SECONDS, env={**os.environ, **(env or {})})
    assert done.returncode not in (0, None) and done.returncode > 0, f'exit status {done.returncode}:\n{done.stdout}'
    assert 'goroutine ' not in done.stdout, f'a stack trace instead of a message:\n{done.stdout}'
    return done.stdout
