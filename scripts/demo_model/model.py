"""The CLIP network (vision transformer, causal text transformer) with open_clip's tensor names."""
import torch
from torch import nn
from torch.nn import functional

CONFIG = {
    'model_cfg': {
        'embed_dim': 128,
        'vision_cfg': {'image_size': 72, 'layers': 4, 'width': 128, 'patch_size': 12, 'head_width': 64},
        'text_cfg': {'context_length': 48, 'vocab_size': 2048, 'width': 128, 'heads': 2, 'layers': 3},
    },
    'preprocess_cfg': {
        'mean': [0.48145466, 0.4578275, 0.40821073],
        'std': [0.26862954, 0.26130258, 0.27577711],
    },
}


class Attention(nn.Module):
    """multi-head self-attention; parameters named as torch.nn.MultiheadAttention's"""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width ** -0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, causal):
        n, t, w = x.shape
        qkv = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(n, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        # written out: on a CPU the backward pass of torch's fused attention takes longer than all the rest
        scores = q * (w // self.heads) ** -0.5 @ k.transpose(-1, -2)
        if causal:
            scores = scores + torch.full((t, t), -torch.inf, dtype=scores.dtype).triu(1)
        x = scores.softmax(-1).to(v.dtype) @ v
        return self.out_proj(x.transpose(1, 2).reshape(n, t, w))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.c_proj(functional.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x, causal):
        x = x + self.attn(self.ln_1(x), causal)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width, layers, heads):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads) for _ in range(layers))

    def forward(self, x, causal=False):
        for block in self.resblocks:
            x = block(x, causal)
        return x


class Vision(nn.Module):
    def __init__(self, image_size, layers, width, patch_size, head_width, embed_dim):
        super().__init__()
        patches = (image_size // patch_size) ** 2
        self.conv1 = nn.Conv2d(3, width, patch_size, patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width ** -0.5)
        self.positional_embedding = nn.Parameter(torch.randn(patches + 1, width) * 0.1)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, width // head_width)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, embed_dim) * width ** -0.5)

    def forward(self, pixels):
        """normalised float pixels [N, 3, S, S] -> [N, embed_dim]"""
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class Clip(nn.Module):
    def __init__(self, config=CONFIG):
        super().__init__()
        cfg = config['model_cfg']
        text = cfg['text_cfg']
        width = text['width']
        self.visual = Vision(**cfg['vision_cfg'], embed_dim=cfg['embed_dim'])
        self.token_embedding = nn.Embedding(text['vocab_size'], width)
        nn.init.normal_(self.token_embedding.weight, std=0.1)
        self.positional_embedding = nn.Parameter(torch.randn(text['context_length'], width) * 0.02)
        self.transformer = Transformer(width, text['layers'], text['heads'])
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, cfg['embed_dim']) * width ** -0.5)
        self.logit_scale = nn.Parameter(torch.tensor(2.6592600))  # ln(1 / 0.07)

    def encode_image(self, pixels):
        return self.visual(pixels)

    def encode_text(self, ids):
        """ids [N, T], padded behind the end marker, which is the largest id -> [N, embed_dim]"""
        x = self.token_embedding(ids) + self.positional_embedding[:ids.shape[1]]
        x = self.transformer(x, causal=True)
        x = self.ln_final(x[torch.arange(len(x)), ids.argmax(-1)])
        return x @ self.text_projection


def pad(sequences):
    """lists of ids -> int64 [N, longest], padded with 0"""
    longest = max(map(len, sequences))
    return torch.tensor([s + [0] * (longest - len(s)) for s in sequences])
