#!/usr/bin/env python3
"""Turn a checkpoint with open_clip's names into the file that the Python server's PyTorch executor reads.

    make_torch.py CHECKPOINT_FOLDER OUT.pt
"""
import pathlib
import sys

import torch
from safetensors.torch import load_file

checkpoint, out = map(pathlib.Path, sys.argv[1:])
out.parent.mkdir(parents=True, exist_ok=True)
torch.save({name: tensor.float() for name, tensor in load_file(checkpoint / 'open_clip_model.safetensors').items()}, out)
