"""Makes visual.onnx and textual.onnx from vit_gelu/ as a user's export has them: normalised float pixels, a
convolution for the patches, int32 input_ids of a fixed length of 77 with an attention_mask that decides which position is
pooled, and the weights of the image tower in a file of their own. ../pair_dynamic/ differs in everything that may: float16
pixels, int64 ids of any length, and the names that clipd gives its own inputs and outputs.

    pip install numpy onnx safetensors && python make_pair.py
"""

import contextlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper
from safetensors.numpy import load_file

HERE = pathlib.Path(__file__).parent
W = load_file(HERE.parent / "vit_gelu" / "open_clip_reduced" / "open_clip_model.safetensors")


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, name=None, **attributes):
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(h.make_node(kind, list(inputs), [name], **attributes))
        return name

    def const(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def ints(self, *values):
        return self.const(values, np.int64)

    def linear(self, x, weight, bias):
        return self.op("Add", self.op("MatMul", x, self.const(weight.T)), self.const(bias))

    def norm(self, x, prefix):
        return self.op("LayerNormalization", x, self.const(W[prefix + ".weight"]), self.const(W[prefix + ".bias"]), epsilon=1e-5)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.const(2**0.5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.const(1))), self.const(0.5))

    def block(self, x, prefix, heads, mask):
        width = W[prefix + "ln_1.weight"].shape[0]
        y = self.norm(x, prefix + "ln_1")
        weights = np.split(W[prefix + "attn.in_proj_weight"], 3)
        biases = np.split(W[prefix + "attn.in_proj_bias"], 3)
        q, k, v = (
            self.op("Transpose", self.op("Reshape", self.linear(y, w, b), self.ints(0, 0, heads, width // heads)), perm=[0, 2, 1, 3])
            for w, b in zip(weights, biases)
        )
        scores = self.op("Mul", self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2])), self.const((width // heads) ** -0.5))
        if mask:
            scores = self.op("Add", scores, mask)
        y = self.op("MatMul", self.op("Softmax", scores, axis=-1), v)
        y = self.op("Reshape", self.op("Transpose", y, perm=[0, 2, 1, 3]), self.ints(0, 0, width))
        x = self.op("Add", x, self.linear(y, W[prefix + "attn.out_proj.weight"], W[prefix + "attn.out_proj.bias"]))
        y = self.linear(self.norm(x, prefix + "ln_2"), W[prefix + "mlp.c_fc.weight"], W[prefix + "mlp.c_fc.bias"])
        return self.op("Add", x, self.linear(self.gelu(y), W[prefix + "mlp.c_proj.weight"], W[prefix + "mlp.c_proj.bias"]))

    def model(self, inputs, output):
        graph = h.make_graph(self.nodes, "tower", inputs, [h.make_tensor_value_info(output, T.FLOAT, ["batch", "columns"])], self.constants)
        return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)


def visual(dynamic):
    g = Graph()
    source, kind = ("pixels", T.FLOAT16) if dynamic else ("pixel_values", T.FLOAT)
    conv = W["visual.conv1.weight"]
    width, _, patch, _ = conv.shape
    x = g.op("Conv", g.op("Cast", source, to=T.FLOAT), g.const(conv), strides=[patch, patch])
    x = g.op("Transpose", g.op("Reshape", x, g.ints(0, width, -1)), perm=[0, 2, 1])
    batch = g.op("Gather", g.op("Shape", x), g.ints(0))
    shape = g.op("Concat", batch, g.ints(1, width), axis=0)
    x = g.op("Concat", g.op("Expand", g.const(W["visual.class_embedding"][None, None]), shape), x, axis=1)
    x = g.norm(g.op("Add", x, g.const(W["visual.positional_embedding"])), "visual.ln_pre")
    for i in range(2):
        x = g.block(x, f"visual.transformer.resblocks.{i}.", 2, None)
    x = g.op("Gather", g.norm(x, "visual.ln_post"), g.const(0, np.int64), axis=1)
    g.op("MatMul", x, g.const(W["visual.proj"]), name="image_features")
    return g.model([h.make_tensor_value_info(source, kind, ["batch", 3, 64, 64])], "image_features")


def textual(dynamic):
    g = Graph()
    ids, kind, length, output = ("ids", T.INT64, "length", "embedding") if dynamic else ("input_ids", T.INT32, 77, "text_features")
    positions, mask = g.const(W["positional_embedding"]), g.const(np.triu(np.full((77, 77), -1e9), 1))
    if dynamic:
        end = g.op("Slice", g.op("Shape", ids), g.ints(1), g.ints(2))
        positions = g.op("Slice", positions, g.ints(0), end, g.ints(0))
        mask = g.op("Slice", mask, g.ints(0, 0), g.op("Concat", end, end, axis=0), g.ints(0, 1))
    x = g.op("Add", g.op("Gather", g.const(W["token_embedding.weight"]), ids), positions)
    for i in range(2):
        x = g.block(x, f"transformer.resblocks.{i}.", 4, mask)
    x = g.norm(x, "ln_final")
    live = g.op("ReduceSum", g.op("Cast", "attention_mask", to=T.INT64), g.ints(1), keepdims=0)
    last = g.op("Unsqueeze", g.op("Sub", live, g.const(1, np.int64)), g.ints(1))
    x = g.op("GatherND", x, last, batch_dims=1)
    g.op("MatMul", x, g.const(W["text_projection"]), name=output)
    inputs = [h.make_tensor_value_info(name, kind, ["batch", length]) for name in (ids, "attention_mask")]
    return g.model(inputs, output)


if __name__ == "__main__":
    for folder, dynamic in ((HERE, False), (HERE.parent / "pair_dynamic", True)):
        folder.mkdir(exist_ok=True)
        (folder / "visual.bin").unlink(missing_ok=True)
        with contextlib.chdir(folder):  # where onnx looks whether visual.bin exists
            onnx.save(visual(dynamic), "visual.onnx", save_as_external_data=True, location="visual.bin", size_threshold=1024)
            onnx.save(textual(dynamic), "textual.onnx")
