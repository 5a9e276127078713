"""The HTTP door against its own OpenAPI document, by schemathesis: right and wrong requests for every operation."""
import os
import subprocess

from server import HERE, serving
from test_doors import EVERY, ask

SECRET = 'a-secret-of-this-test-only-0123456789'


def hold(server, *key, examples):
    done = subprocess.run([str(HERE / 'schemathesis.sh'), server.at('http'), *key], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=900, env={**os.environ, 'EXAMPLES': str(examples)})
    assert done.returncode == 0, done.stdout[-6000:]
    print('\n'.join(line for line in done.stdout.splitlines() if 'generated' in line or 'passed' in line))
    assert server.process.poll() is None, server.output()


def test_the_http_door_is_what_its_document_says():
    with serving(EVERY) as server:
        document = ask(server.at('http') + '/openapi.json')[2]
        assert document['openapi'].startswith('3.1.') and 'post' in document['paths']['/post'], document['openapi']
        hold(server, examples=20)


def test_the_http_door_with_keys_is_what_its_document_says():
    with serving({**EVERY, 'auth': {'keys_env': 'KEYS'}}, env={'KEYS': f'tester plain:{SECRET}'}) as server:
        hold(server, SECRET, examples=5)
