"""Pages of other origins: what a browser asks before it lets them, and a real one where there is one."""
import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import websockets.exceptions
import websockets.sync.client

from main import Skip
from server import serving, tls

EVERY = {'protocol': ['grpc', 'http', 'websocket']}
ORIGIN = 'http://shop.example'

PAGE = '''<!doctype html><script type=module>
const told = {}, base = 'HOST', S = 'SECURE', body = {data: [{id: 'a', text: 'a red circle'}]};
const say = async (name, ask) => { try { told[name] = await ask() } catch (e) { told[name] = String(e) } };
await say('fetch', async () => {
  const r = await fetch(`http${S}://${base}/encode`, {method: 'POST', body: JSON.stringify(body),
    headers: {'Content-Type': 'application/json', 'Authorization': 'Bearer KEY', 'clip-model': 'clip'}});
  return [r.status, (await r.json()).data[0].embedding.length];
});
await say('refused', async () => (await (await fetch(`http${S}://${base}/encode`, {method: 'POST', body: '{', headers: {'Content-Type': 'application/json'}})).json()).detail.length);
await say('websocket', () => new Promise(resolve => {
  const got = [], socket = new WebSocket(`ws${S}://${base}/`, 'json');
  socket.onopen = () => { socket.send(JSON.stringify({execEndpoint: '/encode', ...body})); socket.send('{}') };
  socket.onmessage = e => got.push(JSON.parse(e.data).data[0].embedding.length);
  socket.onclose = e => resolve([...got, e.code]);
}));
await fetch('/told', {method: 'POST', body: JSON.stringify(told)});
</script>'''


def headers_of(url, method='GET', headers=None, body=None):
    call = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(call, timeout=60) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def test_preflight():
    asked = {'Origin': ORIGIN, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type'}
    json_body = {'Origin': ORIGIN, 'Content-Type': 'application/json'}
    with serving({**EVERY, 'cors': True}) as server:
        for path in ('/encode', '/post', '/rank/some::model'):
            status, headers = headers_of(server.at('http') + path, 'OPTIONS', asked)
            assert status == 200 and headers['Access-Control-Allow-Origin'] == ORIGIN and 'POST' in headers['Access-Control-Allow-Methods'], f'{status} {headers}'
            assert headers['Access-Control-Allow-Headers'] == 'authorization,content-type' and headers['Vary'] == 'Origin', headers
        for body, wanted in ((b'{"data": []}', 200), (b'{', 422)):
            status, headers = headers_of(server.at('http') + '/encode', 'POST', json_body, body)
            assert status == wanted and headers['Access-Control-Allow-Origin'] in ('*', ORIGIN), f'{status} {headers}'
        websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', origin=ORIGIN).close()
    with serving(EVERY) as server:
        status, headers = headers_of(server.at('http') + '/encode', 'OPTIONS', asked)
        assert status == 405 and 'Access-Control-Allow-Origin' not in headers, f'{status} {headers}'
        status, headers = headers_of(server.at('http') + '/encode', 'POST', json_body, b'{"data": []}')
        assert status == 200 and 'Access-Control-Allow-Origin' not in headers, f'{status} {headers}'
        try:
            websockets.sync.client.connect(f'ws://127.0.0.1:{server.port}/', origin=ORIGIN)
        except websockets.exceptions.InvalidStatus as error:
            assert error.response.status_code == 403, error
        else:
            raise AssertionError('a page of another origin got in')


def told_by(chromium, page):
    """what a page says in the browser"""
    told = queue.Queue()

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self):
            told.put(self.rfile.read(int(self.headers['Content-Length'])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Site) as site, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        browser = subprocess.Popen([chromium, '--headless', '--no-sandbox', '--disable-gpu', '--ignore-certificate-errors', f'--user-data-dir={profile}',
                                    f'http://127.0.0.1:{site.server_port}/'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return json.loads(told.get(timeout=120))
        finally:
            browser.kill()
            browser.wait()
            site.shutdown()


def test_a_page_in_a_browser():
    chromium = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if not chromium:
        raise Skip('there is no chromium here')
    for secure in ({}, tls()):  # over TLS browsers take br and zstd, and offer HTTP/2, too

        def told(server):
            return told_by(chromium, PAGE.replace('HOST', f'127.0.0.1:{server.port}').replace('SECURE', 's' if secure else ''))

        with serving({**EVERY, **secure, 'cors': True}) as server:
            got = told(server)
            assert got == {'fetch': [200, 128], 'refused': 1, 'websocket': [128, 1000]}, got
        with serving({**EVERY, **secure}) as server:
            got = told(server)
            assert 'Failed to fetch' in got['fetch'] and got['websocket'] == [1006], got
