#!/usr/bin/env python3
"""Turn a checkpoint with open_clip's names into the ONNX pair that the Python server's ONNX executor reads.

    make_pair.py CHECKPOINT_FOLDER OUT_FOLDER

CHECKPOINT_FOLDER holds open_clip_model.safetensors (or model.safetensors) and open_clip_config.json, as
`clipd model make ViT-B-32 --random` writes them. OUT_FOLDER gets

    textual.onnx   int32 input_ids, attention_mask [N, context] -> float [N, D]
    visual.onnx    float pixel_values [N, 3, S, S]              -> float [N, D]

in float32. The pair is run once in ONNX Runtime and compared with PyTorch.
"""
import argparse
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import open_clip
import torch
from safetensors.torch import load_file


class Text(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, input_ids):
        return self.clip.encode_text(input_ids.long())


def load(folder):
    config = json.loads((folder / 'open_clip_config.json').read_text())['model_cfg']
    file = next(f for name in ('open_clip_model.safetensors', 'model.safetensors') if (f := folder / name).exists())
    clip = open_clip.CLIP(**config)
    clip.load_state_dict({name: tensor.float() for name, tensor in load_file(file).items()})
    return clip.eval(), config


def export(network, example, name, path):
    batch = torch.export.Dim('batch', min=1, max=4096)
    torch.onnx.export(network, (example,), str(path), input_names=[name], output_names=['output'], dynamic_shapes=({0: batch},),
                      dynamo=True, external_data=False, verbose=False)


def add_attention_mask(path):
    """an input that CLIP's text tower does not read, but the Python server always gives"""
    graph = onnx.load(path)
    graph.graph.input.append(onnx.helper.make_tensor_value_info('attention_mask', onnx.TensorProto.INT32, ['batch', 'context']))
    onnx.save(graph, path)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])


def check(clip, ids, pixels, out):
    """largest difference to PyTorch, as a part of the largest value"""
    with torch.inference_mode():
        wanted = clip.encode_text(ids.long()).numpy(), clip.encode_image(pixels).numpy()
    got = (session(out / 'textual.onnx').run(None, {'input_ids': ids.numpy(), 'attention_mask': np.ones_like(ids.numpy())})[0],
           session(out / 'visual.onnx').run(None, {'pixel_values': pixels.numpy()})[0])
    return max(np.abs(g - w).max() / np.abs(w).max() for g, w in zip(got, wanted))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=pathlib.Path)
    parser.add_argument('out', type=pathlib.Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    clip, config = load(args.checkpoint)
    generator = torch.Generator().manual_seed(1)
    vocabulary, context = config['text_cfg'].get('vocab_size', 49408), config['text_cfg'].get('context_length', 77)
    ids = torch.randint(1, vocabulary - 2, (3, context), dtype=torch.int32, generator=generator)
    ids[:, 0], ids[:, context // 2], ids[:, context // 2 + 1:] = vocabulary - 2, vocabulary - 1, 0
    size = config['vision_cfg']['image_size']
    pixels = torch.randn((3, 3, size, size), generator=generator)
    with torch.inference_mode():
        export(Text(clip), ids, 'input_ids', args.out / 'textual.onnx')
        export(clip.visual, pixels, 'pixel_values', args.out / 'visual.onnx')
    add_attention_mask(args.out / 'textual.onnx')
    difference = check(clip, ids, pixels, args.out)
    print(f'{args.out}: largest difference to PyTorch {difference:.1e} of the largest value')
    if difference > 1e-3:
        raise SystemExit('the pair does not compute what PyTorch does')


if __name__ == '__main__':
    main()
