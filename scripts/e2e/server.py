"""Starting and ending the built program, and what a test wants to know of it."""
import contextlib
import os
import pathlib
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


def flow(port, **encoder):
    """the flow file of the demo model, on another port"""
    lines = [f'      {key}: {value}' for key, value in {'name': 'demo', **encoder}.items()]
    return '\n'.join(["jtype: Flow", "version: '1'", "with:", f"  port: {port}", "  protocol: grpc", "executors:",
                      "- name: clip", "  uses:", "    jtype: CLIPEncoder", "    with:", *lines, ""])


class Server:
    """One running clipd. `arguments` follow the program's name; `stdin` is given to it as text."""

    def __init__(self, arguments, port, stdin=None, env=None, cwd=None):
        self.port = port
        self.log = tempfile.NamedTemporaryFile('w+', prefix='clipd-e2e-', suffix='.log')
        self.process = subprocess.Popen([program(), *arguments], stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd, text=True)
        if stdin:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    @property
    def url(self):
        return f'grpc://127.0.0.1:{self.port}'

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors='replace')

    def wait_ready(self):
        """until gRPC health says SERVING"""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f'clipd ended with {self.process.returncode} before it was ready:\n{self.output()}')
            if health(self.port) == 'SERVING':
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
def serving(**encoder):
    """a ready server with the demo model, started from standard input"""
    port = free_port()
    server = Server(['-i'], port, stdin=flow(port, **encoder))
    try:
        yield server.wait_ready()
    finally:
        server.close()


def health(port, service=''):
    """SERVING, NOT_SERVING ..., or the name of the gRPC status"""
    with grpc.insecure_channel(f'127.0.0.1:{port}') as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
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
