"""What JSON Schema cannot say about requests, so that schemathesis does not expect such ones to be taken."""

import base64
import binascii

import schemathesis


def shape(value):
    """The shape of nested lists of numbers, or None when the lists of a depth have different lengths."""
    if not isinstance(value, list):
        return () if isinstance(value, (int, float)) else None
    shapes = {shape(v) for v in value}
    if None in shapes or len(shapes) > 1:
        return None
    return (len(value), *(shapes.pop() if shapes else ()))


def whole_floats(text):
    """Whether the text is base64 of a whole number of 32-bit floats."""
    try:
        return len(base64.b64decode(text)) % 4 == 0
    except (binascii.Error, ValueError):
        return False


def sayable(value):
    """Whether what is right and wrong in the value is what the schema says."""
    if isinstance(value, list):
        return all(sayable(v) for v in value)
    if not isinstance(value, dict):
        return True
    for key in ("tensor", "embedding"):
        content = value.get(key)
        if isinstance(content, list) and shape(content) is None:
            return False
        if key == "embedding" and isinstance(content, str) and not whole_floats(content):
            return False
    return all(sayable(v) for v in value.values())


@schemathesis.hook
def filter_body(context, body):
    return sayable(body)
