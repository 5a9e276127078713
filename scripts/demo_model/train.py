#!/usr/bin/env python3
"""Train the demo model and write it as safetensors with open_clip's names.

writes model.safetensors and open_clip_config.json; README.md has the two commands that made what is in engine/model/demo.
"""
import argparse
import collections
import functools
import json
import math
import multiprocessing
import pathlib
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

import batches
import bpe
import model


def contrastive_loss(images, texts, scale, true):
    """CLIP's symmetric loss; pairs that are true by chance count neither for nor against"""
    images, texts = functional.normalize(images, dim=-1), functional.normalize(texts, dim=-1)
    logits = scale * images @ texts.T
    chance = true & ~torch.eye(len(true), dtype=torch.bool)
    logits = logits.masked_fill(chance, -torch.inf)
    wanted = torch.arange(len(logits))
    return (functional.cross_entropy(logits, wanted) + functional.cross_entropy(logits.T, wanted)) / 2


def normalised(shown, config):
    """uint8 [N, S, S, 3] -> float [N, 3, S, S]"""
    pre = config['preprocess_cfg']
    x = shown.permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(pre['mean'])[:, None, None]) / torch.tensor(pre['std'])[:, None, None]


def disturbed(x, generator):
    """a little brightness, contrast and grain"""
    def uniform(*shape):
        return torch.rand(shape, generator=generator)
    n = len(x)
    x = x * (0.88 + 0.24 * uniform(n, 1, 1, 1)) + 0.3 * (uniform(n, 1, 1, 1) - 0.5)
    return x + 0.12 * uniform(n, 1, 1, 1) * torch.randn(x.shape, generator=generator)


def hint_loss(images, texts, hints, seen, said, shape_weight):
    """one linear classifier of single properties for both towers; only while training, its weight falls to 0

    It says early what there is to see. What a caption leaves out counts neither for nor against.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits
    # shapes are by far the hardest to see
    weight = torch.tensor([shape_weight if name.startswith('shape ') else 1.0 for name in batches.LABELS])
    of_images = cross_entropy(hints(images), seen.float(), reduction='none')
    of_texts = cross_entropy(hints(texts), said.float(), reduction='none') * (said | ~seen)
    return ((of_images + of_texts) * weight).sum() / (2 * len(seen))


def encode_texts(net, ids):
    """in two groups of like length, so that less is padded"""
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    half = len(ids) // 2
    rows = torch.cat([net.encode_text(model.pad([ids[i] for i in part])) for part in (order[:half], order[half:])])
    return rows[torch.tensor(order).argsort()]


def optimizers(net, hints, rate):
    """Muon for the matrices of the blocks, AdamW for all else"""
    blocks = [p for name, p in net.named_parameters() if 'resblocks' in name and p.ndim == 2]
    rest = [p for name, p in net.named_parameters() if not ('resblocks' in name and p.ndim == 2)]
    matrices, vectors = [p for p in rest if p.ndim > 1], [p for p in rest if p.ndim <= 1]
    groups = [{'params': matrices, 'weight_decay': 0.1}, {'params': [*vectors, *hints.parameters()], 'weight_decay': 0.0}]
    return (torch.optim.Muon(blocks, lr=rate, weight_decay=0.1, adjust_lr_fn='match_rms_adamw'),
            torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6))


def ahead(pool, draw, steps):
    """draw(0), draw(1) ... in order, a few of them under way"""
    waiting = collections.deque()
    for step in range(steps):
        waiting.append(pool.apply_async(draw, (step,)))
        if len(waiting) > 6:
            yield waiting.popleft().get()
    while waiting:
        yield waiting.popleft().get()


def train(args, tokenizer):
    config = model.CONFIG
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    net = model.Clip(config)
    if args.init:
        net.load_state_dict(load_file(args.init / 'model.safetensors'))
        net.logit_scale.data.fill_(math.log(30))
    hints = torch.nn.Linear(config['model_cfg']['embed_dim'], len(batches.LABELS))
    torch.nn.init.constant_(hints.bias, -3.0)  # few properties are in a picture
    both = optimizers(net, hints, args.rate)
    draw = functools.partial(batches.batch, args.seed, size=args.batch, image_size=config['model_cfg']['vision_cfg']['image_size'],
                             tokenizer=tokenizer, strangers=batches.strangers(tokenizer, args.seed))
    begun = time.monotonic()
    with multiprocessing.Pool(args.workers) as pool:
        for step, (shown, ids, seen, said, true) in enumerate(ahead(pool, draw, args.steps)):
            rate = args.rate * min((step + 1) / 100, 1, 2.5 * (1 - step / args.steps))
            for group in both[0].param_groups + both[1].param_groups:
                group['lr'] = rate
            with torch.autocast('cpu', torch.bfloat16):
                images = net.encode_image(disturbed(normalised(torch.from_numpy(shown), config), generator))
                texts = encode_texts(net, ids)
            images, texts = images.float(), texts.float()
            loss = contrastive_loss(images, texts, net.logit_scale.exp(), torch.from_numpy(true))
            hint = hint_loss(images, texts, hints, torch.from_numpy(seen), torch.from_numpy(said), args.shape_weight)
            net.zero_grad()
            hints.zero_grad()
            (loss + args.hint * (1 - step / args.steps) * hint).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            for optimizer in both:
                optimizer.step()
            with torch.no_grad():
                net.logit_scale.clamp_(0, math.log(100))
            if step % 50 == 0 or step == args.steps - 1:
                print(f'{step:5d} loss {loss.item():.3f} hint {hint.item():.4f} scale {net.logit_scale.exp().item():.1f} '
                      f'{time.monotonic() - begun:.0f} s', flush=True)
            if args.save_every and step and step % args.save_every == 0:
                export(net, config, args.out)
    return net


def export(net, config, folder):
    """fp16 safetensors and open_clip's configuration

    `logit_scale` becomes OpenAI's ln(100), in float32: /rank of CLIP-as-service scores every model with it, and
    the order of the scores does not depend on it.
    """
    tensors = {name: p.detach().half().contiguous() for name, p in net.state_dict().items()}
    tensors['logit_scale'] = torch.tensor(math.log(100))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / 'model.safetensors')
    (folder / 'model.safetensors').chmod(0o644)
    (folder / 'open_clip_config.json').write_text(json.dumps(config, indent=2) + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--merges', default=bpe.MERGES, help="CLIP's merges file (gzip)")
    parser.add_argument('--out', type=pathlib.Path, default=bpe.ROOT / 'engine/model/demo')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--batch', type=int, default=96)
    parser.add_argument('--rate', type=float, default=1.5e-3)
    parser.add_argument('--hint', type=float, default=0.2, help='weight of the auxiliary loss at the beginning')
    parser.add_argument('--shape-weight', type=float, default=1.0, help='of the names of shapes in the auxiliary loss')
    parser.add_argument('--init', type=pathlib.Path, help='folder of an earlier export to go on from')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--workers', type=int, default=2, help='processes that draw')
    parser.add_argument('--save-every', type=int, default=0, help='steps between intermediate exports')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    text = model.CONFIG['model_cfg']['text_cfg']
    tokenizer = bpe.Tokenizer(args.merges, text['vocab_size'], text['context_length'])
    export(train(args, tokenizer), model.CONFIG, args.out)


if __name__ == '__main__':
    main()
