"""Bad input gives its sender a clear error; everybody else is served on."""
import pickle
import struct
import zlib

import grpc

from client import BROKEN, Client, Document, answers, cosine, np, post, sole_error
from server import serving
from test_documents import SAME, alone, material
from wire import call, channel, exchange, request


def still_works(server):
    rows = Client(server.url).encode(['a red circle'])
    assert rows.shape[0] == 1 and np.isfinite(rows).all()


def test_undecodable_picture_fails_its_request_only():
    texts, paths = material()
    good_blob = open(paths[0], 'rb').read()
    with serving() as server:
        client = Client(server.url)
        documents = [Document(id=f'good-{i}', text=t) for i, t in enumerate(texts[:6])]
        documents[3:3] = [Document(id='good-picture', blob=good_blob), Document(id='broken-one', blob=BROKEN)]
        good, bad = answers(client, documents, batch_size=1)
        assert 'broken-one' in sole_error(bad), f'the error does not name the document: {bad[0].header.status.description}'
        assert sorted(d.id for d in good) == sorted(d.id for d in documents if d.id != 'broken-one')
        assert all(d.embedding is not None for d in good)

        # in a request with others it takes these with it, and other requests of the call not
        good, bad = answers(client, documents, batch_size=4)
        assert 'broken-one' in sole_error(bad)
        failed = {d.id for d in bad[0].docs}
        assert 'broken-one' in failed and len(failed) == 4 and {d.id for d in good} == {d.id for d in documents} - failed
        want = alone(client, [d.text for d in good if d.text])
        assert cosine([d.embedding for d in good if d.text], want).min() > SAME
        still_works(server)


def png_of_claimed_size(width, height):
    """a PNG whose header promises width x height pixels that never come"""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'\0' * 1000)) + chunk(b'IEND', b'')


def test_pictures_that_are_none():
    _, paths = material()
    whole = open(next(p for p in paths if p.endswith('.jpg')), 'rb').read()
    cases = {'text': b'just some words', 'one byte': b'\x89', 'zeros': bytes(5000), 'half a jpeg': whole[:len(whole) // 2],
             'a huge promise': png_of_claimed_size(60000, 60000), 'no pixels': png_of_claimed_size(0, 10),
             'svg': b'<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>', 'html': b'<!doctype html><p>404'}
    with serving() as server:
        client = Client(server.url)
        for name, blob in cases.items():
            good, bad = answers(client, [Document(id=f'id of {name}', blob=blob)])
            assert not good, f'{name}: got an embedding'
            assert f'id of {name}' in sole_error(bad), f'{name}: {bad[0].header.status.description}'
        still_works(server)


def test_uris_that_are_refused():
    uris = {'file': 'file:///etc/hostname', 'path': '/etc/hostname', 'dots': '../../etc/hostname.png', 'not an image': 'data:text/plain,hello',
            'bad base64': 'data:image/png;base64,####', 'empty data': 'data:image/png;base64,', 'scheme': 'gopher://127.0.0.1/x.png',
            'nothing there': 'no-such-folder/no-such-file.jpg', 'own network': 'http://127.0.0.1:1/picture.png'}
    with serving() as server:
        client = Client(server.url)
        for name, uri in uris.items():
            good, bad = post(client, [Document(id=f'id of {name}', uri=uri)])
            assert not good, f'{uri}: got an answer without error'
            assert f'id of {name}' in sole_error(bad), f'{uri}: {bad[0].header.status.description}'
        still_works(server)


def test_tensors_that_are_no_picture():
    tensors = {'one axis': np.zeros(7, np.uint8), 'five channels': np.zeros((8, 8, 5), np.uint8), 'empty': np.zeros((0, 8, 3), np.uint8),
               'four axes': np.zeros((1, 8, 8, 3), np.uint8)}
    with serving() as server:
        client = Client(server.url)
        for name, tensor in tensors.items():
            good, bad = post(client, [Document(id=f'id of {name}', tensor=tensor)])
            assert not good and f'id of {name}' in sole_error(bad), f'{name}: {good} {bad}'
        still_works(server)


def test_tensor_whose_shape_lies():
    made = request()
    document = made.data.docs.docs.add(id='a lie')
    document.tensor.dense.buffer = b'abc'
    document.tensor.dense.shape.extend([4000000000, 4000000000, 3])
    document.tensor.dense.dtype = '|u1'
    document.tensor.cls_name = 'numpy'
    with serving() as server:
        answer, = exchange(server, [made])
        assert answer.header.status.code == 1 and 'a lie' in answer.header.status.description, f'{answer.header.status}'
        still_works(server)


def test_pickled_documents_are_refused():
    made = request()
    made.data.docs_bytes = pickle.dumps(['not', 'documents'])
    with serving() as server:
        answer, = exchange(server, [made])
        assert answer.header.status.code == 1 and 'docs_bytes' in answer.header.status.description, f'{answer.header.status}'
        still_works(server)


def test_broken_parameters():
    wrong = [{'access_paths': '@@@'}, {'access_paths': 'no path'}, {'access_paths': 7}, {'access_paths': '@' + 'c' * 10000},
             {'access_paths': {'a': 1}}, {'traversal_paths': '@x'}]
    harmless = [{'no_such_parameter': [1, {'a': None}]}, {'drop_image_content': 'false'}, {'drop_image_content': None}, {'clip': 'text'},
                {'clip__access_paths': '@r'}]
    with serving() as server:
        client = Client(server.url)
        for parameters in wrong:
            good, bad = post(client, [Document(text='a red circle')], parameters=parameters)
            if 'c' * 100 in str(parameters):  # deep, but a path: nothing lies there, or refused; answered in any case
                assert len(good) + len(bad) == 1
                continue
            assert not good and 'access_paths' in sole_error(bad).replace('traversal_paths', 'access_paths'), f'{parameters}: {good}'
        for parameters in harmless:
            good, bad = post(client, [Document(text='a red circle')], parameters=parameters)
            assert not bad and good[0].embedding is not None, f'{parameters}: {bad[0].header.status.description if bad else good}'
        still_works(server)


def test_huge_and_strange_texts():
    texts = ['word ' * 1_000_000, 'x' * 5_000_000, '\U0001f600' * 500_000, 'a\0b', '\ud7ff\ue000', '&' * 100_000, 'e\u0301' * 100_000,
             '<|endoftext|> <|startoftext|>', ' ', '\u202e', '\n' * 1000]
    with serving() as server:
        client = Client(server.url)
        good, bad = answers(client, [Document(id=str(i), text=t) for i, t in enumerate(texts)], batch_size=1)
        # whether a text of megabytes is cut or refused is the server's choice; each has its answer
        assert sorted([d.id for d in good] + [r.docs[0].id for r in bad], key=int) == [str(i) for i in range(len(texts))]
        assert {str(i) for i in range(3, len(texts))} <= {d.id for d in good}, [r.header.status.description for r in bad]
        assert all(np.isfinite(d.embedding).all() for d in good)
        assert all(r.header.status.description for r in bad)
        still_works(server)


def test_bytes_that_are_no_message():
    with serving() as server:
        for data in (b'\xff' * 50, b'\x0a\xff\xff\xff\xff\x0f', b'GET / HTTP/1.1\r\n\r\n'):
            try:
                exchange(server, [data])
            except grpc.RpcError as error:
                assert error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), error
            else:
                raise AssertionError(f'{data!r}: no error')
        still_works(server)


def test_callers_that_go_away():
    with serving() as server:
        for _ in range(30):
            made = request()
            made.data.docs.docs.add(id='x', text='a red circle')
            with channel(server) as opened:
                next(call(opened, iter([made] * 20)))
        still_works(server)
        assert server.terminate() == 0, server.output()
