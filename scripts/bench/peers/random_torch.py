"""The Python server's PyTorch executor with the weights of $PEER_TORCH instead of published ones, which need a network.

Nothing else is changed: the executor, its preprocessing and its model code are the server's own.
"""
import os

import clip_server.model.openclip_model as openclip_model

openclip_model.download_model = lambda url, **_: os.environ['PEER_TORCH']

from clip_server.executors.clip_torch import CLIPEncoder  # noqa: E402,F401
