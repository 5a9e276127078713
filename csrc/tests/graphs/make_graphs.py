#!/usr/bin/env python3
"""Makes the ONNX graphs that the tests of the runtimes load, with the answers that they must give.

    make_graphs.py FOLDER                the tiny graphs that are committed beside this script
    make_graphs.py FOLDER ViT-B-32       both towers of a real size with random weights (also ViT-L-14), for measuring

Needs the packages onnx and numpy. The answers come from onnx's reference evaluator, which shares no code with the
runtimes under test. Everything is drawn from fixed seeds: a second run writes the same bytes.
"""

import dataclasses
import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


@dataclasses.dataclass
class Tower:
    width: int
    layers: int
    heads: int


@dataclasses.dataclass
class Architecture:
    image: Tower
    text: Tower
    patch: int
    image_size: int
    vocabulary: int
    context: int
    dim: int  # of the embedding


ARCHITECTURES = {
    "tiny": Architecture(Tower(16, 1, 2), Tower(16, 2, 2), 8, 16, 48, 24, 12),
    "ViT-B-32": Architecture(Tower(768, 12, 12), Tower(512, 12, 8), 32, 224, 49408, 77, 512),
    "ViT-L-14": Architecture(Tower(1024, 24, 16), Tower(768, 12, 12), 14, 224, 49408, 77, 768),
}


class Graph:
    def __init__(self, seed):
        self.nodes, self.weights = [], []
        self.random = numpy.random.default_rng(seed)

    def op(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numpy.asarray(value, order="C"), name))
        return name

    def normal(self, *shape, scale=None):
        scale = scale or shape[0] ** -0.5
        return self.constant(self.random.standard_normal(shape, dtype=numpy.float32) * numpy.float32(scale))

    def ints(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def linear(self, x, columns_in, columns_out):
        return self.op("Add", self.op("MatMul", x, self.normal(columns_in, columns_out)), self.normal(columns_out, scale=0.02))

    def norm(self, x, width):
        ones, zeros = numpy.ones(width, numpy.float32), numpy.zeros(width, numpy.float32)
        return self.op("LayerNormalization", x, self.constant(ones), self.constant(zeros), axis=-1, epsilon=1e-5)

    def attention(self, x, tower, mask):
        head = tower.width // tower.heads
        qkv = self.op("Reshape", self.linear(x, tower.width, 3 * tower.width), self.ints(0, 0, 3, tower.heads, head))
        qkv = self.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        q, k, v = (self.op("Gather", qkv, self.constant(numpy.array(i, numpy.int64)), axis=0) for i in range(3))
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.op("Mul", scores, self.constant(numpy.float32(head**-0.5)))
        if mask:
            scores = self.op("Add", scores, mask)
        mixed = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", mixed, self.ints(0, 0, tower.width)), tower.width, tower.width)

    def block(self, x, tower, mask=None):
        x = self.op("Add", x, self.attention(self.norm(x, tower.width), tower, mask))
        hidden = self.linear(self.norm(x, tower.width), tower.width, 4 * tower.width)
        gate = self.op("Sigmoid", self.op("Mul", hidden, self.constant(numpy.float32(1.702))))
        return self.op("Add", x, self.linear(self.op("Mul", hidden, gate), 4 * tower.width, tower.width))

    def model(self, name, inputs, output, dim):
        graph = helper.make_graph(
            self.nodes + [helper.make_node("Identity", [output], ["embedding"])],
            name,
            inputs,
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", dim])],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="make_graphs")
        model.ir_version = 9
        return model


def image_tower(a):
    g, tower, grid = Graph(1), a.image, a.image_size // a.patch
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["rows", a.image_size, a.image_size, 3])
    x = g.op("Transpose", g.op("Cast", "pixels", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    patches = g.normal(tower.width, 3, a.patch, a.patch, scale=0.01 / a.patch)
    x = g.op("Conv", x, patches, kernel_shape=[a.patch] * 2, strides=[a.patch] * 2)
    x = g.op("Transpose", g.op("Reshape", x, g.ints(0, tower.width, grid * grid)), perm=[0, 2, 1])
    rows = g.op("Slice", g.op("Shape", "pixels"), g.ints(0), g.ints(1))
    shape = g.op("Concat", rows, g.ints(1, tower.width), axis=0)
    x = g.op("Concat", g.op("Expand", g.normal(1, 1, tower.width), shape), x, axis=1)
    x = g.norm(g.op("Add", x, g.normal(1, grid * grid + 1, tower.width, scale=0.1)), tower.width)
    for _ in range(tower.layers):
        x = g.block(x, tower)
    first = g.op("Gather", x, g.constant(numpy.array(0, numpy.int64)), axis=1)
    return g.model("image", [pixels], g.op("MatMul", g.norm(first, tower.width), g.normal(tower.width, a.dim)), a.dim)


def text_tower(a):
    g, tower = Graph(2), a.text
    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["rows", "length"])
    length = g.op("Slice", g.op("Shape", "ids"), g.ints(1), g.ints(2))
    position = g.op("Slice", g.normal(a.context, tower.width, scale=0.1), g.ints(0), length, g.ints(0))
    x = g.op("Add", g.op("Gather", g.normal(a.vocabulary, tower.width, scale=1), "ids", axis=0), position)
    causal = g.constant(numpy.triu(numpy.full((a.context, a.context), -1e9, numpy.float32), 1))
    both = g.op("Concat", length, length, axis=0)
    mask = g.op("Slice", causal, g.ints(0, 0), both, g.ints(0, 1))
    for _ in range(tower.layers):
        x = g.block(x, tower, mask)
    last = g.op("ArgMax", g.op("Cast", "ids", to=TensorProto.INT64), axis=1, keepdims=1)
    pooled = g.op("GatherND", x, last, batch_dims=1)
    return g.model("text", [ids], g.op("MatMul", g.norm(pooled, tower.width), g.normal(tower.width, a.dim)), a.dim)


def save(model, path, external):
    if external:
        data = path.with_suffix(".bin")
        data.unlink(missing_ok=True)
        onnx.save_model(model, path, save_as_external_data=True, location=data.name, size_threshold=256)
    else:
        onnx.save_model(model, path)


def answer(folder, name, model, feed):
    """Writes the input and what the reference evaluator makes of it, raw and in C order."""
    (value,) = feed.values()
    value.tofile(folder / f"{name}.input")
    ReferenceEvaluator(model).run(None, feed)[0].astype(numpy.float32).tofile(folder / f"{name}.output")


def make_tiny(folder):
    a, draw = ARCHITECTURES["tiny"], numpy.random.default_rng(3)
    image, text = image_tower(a), text_tower(a)
    pixels = draw.integers(0, 256, (3, a.image_size, a.image_size, 3), dtype=numpy.uint8)
    ids = draw.integers(1, a.vocabulary - 1, (4, 9), dtype=numpy.int32)
    for row, end in enumerate((8, 3, 5, 2)):  # the end-of-text token has the highest id; zeros pad
        ids[row, end], ids[row, end + 1 :] = a.vocabulary - 1, 0
    answer(folder, "image", image, {"pixels": pixels})
    answer(folder, "text", text, {"ids": ids})
    save(text, folder / "text.onnx", external=False)
    save(image, folder / "image.onnx", external=True)
    # Graphs that a runtime compiles, but that are not a CLIP tower as the ABI describes it.
    wrong = text_tower(a)
    wrong.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    save(wrong, folder / "int64_ids.onnx", external=False)
    floats = Graph(4)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])
    save(floats.model("two_inputs", [x, y], floats.op("Add", "x", "y"), 4), folder / "two_inputs.onnx", external=False)


def main():
    if len(sys.argv) not in (2, 3) or (len(sys.argv) == 3 and sys.argv[2] not in ARCHITECTURES):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) == 2:
        make_tiny(folder)
        return
    a = ARCHITECTURES[sys.argv[2]]
    save(image_tower(a), folder / "image.onnx", external=True)
    save(text_tower(a), folder / "text.onnx", external=True)


if __name__ == "__main__":
    main()
