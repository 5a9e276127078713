"""Documents of every form come back in order, each with its own embedding."""
import asyncio
import base64
import json

from PIL import Image

from client import Client, Document, DocumentArray, cosine, encoded, np, post
from server import serving
from test_retrieval import TESTDATA

SAME = 0.9999  # cosine between two encodings of one thing, in whatever batch


def material():
    """(captions, paths) of the repository's pictures"""
    listed = json.loads((TESTDATA / 'captions.json').read_text())
    return [e['caption'] for e in listed], [str(TESTDATA / e['file']) for e in listed]


def alone(client, strings):
    return np.concatenate([client.encode([s]) for s in strings])


def test_texts_and_pictures_mixed():
    texts, paths = material()
    mixed = [s for pair in zip(texts[:12], paths[:12]) for s in pair]
    with serving() as server:
        client = Client(server.url)
        want = alone(client, mixed)
        for size in (1, 5, 8, 64):
            assert cosine(client.encode(mixed, batch_size=size), want).min() > SAME, f'batch_size={size}'
        got = asyncio.run(client.aencode(mixed, batch_size=3))
        assert cosine(got, want).min() > SAME, 'aencode'


def test_every_way_to_hand_over_a_picture():
    _, paths = material()
    path = next(p for p in paths if p.endswith('.png'))
    data = open(path, 'rb').read()
    image = Image.open(path).convert('RGB')
    with serving() as server:
        client = Client(server.url)
        want = client.encode([path])[0]
        documents = [Document(blob=data), Document(tensor=np.asarray(image)), Document(uri=path), Document(blob=encoded(image, 'BMP')),
                     Document(blob=encoded(image, 'WEBP', lossless=True)), Document(blob=encoded(image, 'TIFF'))]
        got = client.encode(DocumentArray(documents)).embeddings
        assert cosine(got, [want] * len(got)).min() > SAME, f'{cosine(got, [want] * len(got))}'
        uri = 'data:image/png;base64,' + base64.b64encode(data).decode()
        good, bad = post(client, [Document(uri=uri)])
        assert not bad and cosine(good[0].embedding, want) > SAME, 'a data URI that the server reads'
        assert not good[0].blob, 'the server put the picture into the answer'


def test_nested_documents():
    texts, paths = material()

    def tree():
        return Document(text='root', chunks=[Document(text=texts[0], chunks=[Document(text=texts[1])]), Document(blob=open(paths[0], 'rb').read())],
                        matches=[Document(text=texts[2])])

    places = {'@r': lambda d: [d], '@c': lambda d: d.chunks, '@m': lambda d: d.matches, '@cc': lambda d: d.chunks[0].chunks}
    with serving() as server:
        client = Client(server.url)
        want = {'@r': alone(client, ['root']), '@c': alone(client, [texts[0], paths[0]]), '@m': alone(client, [texts[2]]),
                '@cc': alone(client, [texts[1]])}
        for chosen in (['@r'], ['@c'], ['@m'], ['@cc'], ['@r', '@c'], ['@c', '@m']):
            access = '@' + ','.join(c[1:] for c in chosen)
            good, bad = post(client, [tree()], parameters={'access_paths': access})
            assert not bad and len(good) == 1, f'{access}: {bad}'
            for place, children in places.items():
                rows = [d.embedding for d in children(good[0])]
                if place in chosen:
                    assert cosine(rows, want[place]).min() > SAME, f'{access}: {place}'
                else:
                    assert all(r is None for r in rows), f'{access} encoded {place} too'


def test_ids_order_and_other_fields_stay():
    texts, _ = material()
    documents = DocumentArray([Document(id=f'number {i}', text=t, tags={'place': str(i)}, weight=0.5) for i, t in enumerate(texts)])
    with serving() as server:
        client = Client(server.url)
        got = client.encode(documents, batch_size=3)
        raw = []
        client.encode(documents, batch_size=3, on_done=lambda r: raw.extend(r.docs))
    assert got[:, 'id'] == [f'number {i}' for i in range(len(texts))]
    assert sorted(d.id for d in raw) == sorted(got[:, 'id'])
    assert all(d.tags['place'] == d.id.split()[1] and d.weight == 0.5 for d in raw)


def test_thousands_of_texts_in_one_call():
    items = [f'picture number {i} of a red circle' for i in range(3000)]
    with serving() as server:
        client = Client(server.url)
        got = client.encode(items, batch_size=50)
        spots = [0, 1, 49, 50, 1234, 2999]
        assert cosine(got[spots], alone(client, [items[i] for i in spots])).min() > SAME
