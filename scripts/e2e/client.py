"""The real client and what the tests compare with it."""
import io
import os
import warnings

os.environ.setdefault('NO_VERSION_CHECK', '1')
os.environ.setdefault('JINA_OPTOUT_TELEMETRY', '1')
os.environ.setdefault('JINA_LOG_LEVEL', 'CRITICAL')
warnings.filterwarnings('ignore')

import numpy as np
from clip_client import Client
from docarray import Document, DocumentArray

BROKEN = b'\xff\xd8\xff\xe0 this is not an image'


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def cosine(a, b):
    """of each row of `a` with the same row of `b`"""
    return (unit(a) * unit(b)).sum(-1)


def encoded(image, kind='PNG', **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def answers(client, documents, **options):
    """(documents of the good answers, failed answers) of one encode()"""
    good, bad = [], []
    client.encode(DocumentArray(documents), on_done=lambda r: good.extend(r.docs), on_error=bad.append, **options)
    return good, bad


def post(client, documents, endpoint='/', parameters=None, **options):
    """jina's own post(): documents reach the server as they are; (good documents, failed answers)"""
    good, bad = [], []
    client._client.post(endpoint, inputs=DocumentArray(documents), parameters=parameters, on_done=lambda r: good.extend(r.docs),
                        on_error=bad.append, **options)
    return good, bad


def sole_error(bad):
    """the description in the one failed answer"""
    assert len(bad) == 1, f'{len(bad)} failed answers'
    status = bad[0].header.status
    assert status.code == 1 and status.exception.name, f'{status}'
    return status.description


__all__ = ['BROKEN', 'Client', 'Document', 'DocumentArray', 'answers', 'cosine', 'encoded', 'np', 'post', 'sole_error', 'unit']
