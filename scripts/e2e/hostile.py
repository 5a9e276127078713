"""What a test of bad callers wants to know of a server and sends to it."""
import contextlib
import pathlib
import re
import socket
import time

SETTLE_SECONDS = 60  # for a busy machine; settled() returns as soon as it can
THREADS = 12         # the Go runtime keeps threads that it once needed
MEBIBYTES = 96       # and pages of memory


def held(server):
    """(descriptors, threads, MiB of resident memory) of the server's process"""
    process = pathlib.Path('/proc', str(server.process.pid))
    status = (process / 'status').read_text()
    number = lambda name: int(re.search(rf'^{name}:\s+(\d+)', status, re.M)[1])
    return len(list((process / 'fd').iterdir())), number('Threads'), number('VmRSS') // 1024


@contextlib.contextmanager
def settled(server):
    """holds the server to having afterwards no more descriptors than before, and no more threads and memory than it keeps for reuse"""
    before = held(server)
    yield
    end = time.monotonic() + SETTLE_SECONDS
    while held(server)[0] > before[0] and time.monotonic() < end:
        time.sleep(0.2)
    after = held(server)
    assert after[0] <= before[0], f'descriptors: {before[0]} before, {after[0]} afterwards'
    assert after[1] <= before[1] + THREADS, f'threads: {before[1]} before, {after[1]} afterwards'
    assert after[2] <= before[2] + MEBIBYTES, f'MiB of memory: {before[2]} before, {after[2]} afterwards'


def plain(server, seconds=60):
    """an open TCP connection"""
    return socket.create_connection(('127.0.0.1', server.port), timeout=seconds)


def said(connection):
    """everything that comes until the server closes the connection"""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b''.join(parts)


def raw(server, sent):
    """the answer to bytes after which nothing more comes"""
    with plain(server) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        return said(connection)


def post_bytes(body, headers='Content-Type: application/json\r\n', path='/post', length=None):
    """an HTTP request as bytes; `length` lies about the body's"""
    return (f'POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}'
            f'Content-Length: {len(body) if length is None else length}\r\n\r\n').encode() + body
