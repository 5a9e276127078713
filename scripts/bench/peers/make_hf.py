#!/usr/bin/env python3
"""Turn a checkpoint with open_clip's names into the Hugging Face folder that infinity reads.

    make_hf.py CHECKPOINT_FOLDER MERGES OUT_FOLDER

CHECKPOINT_FOLDER is what `clipd model make ViT-B-32 --random` writes; MERGES is CLIP's bpe_simple_vocab_16e6.txt.gz. OUT_FOLDER gets
config.json, model.safetensors, preprocessor_config.json, vocab.json, merges.txt and the tokenizer's settings.
"""
import argparse
import gzip
import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

BLOCK = {'ln_1': 'layer_norm1', 'ln_2': 'layer_norm2', 'attn.out_proj': 'self_attn.out_proj', 'mlp.c_fc': 'mlp.fc1', 'mlp.c_proj': 'mlp.fc2'}
TOWERS = {  # open_clip's name of a tensor outside of the blocks -> Hugging Face's
    '': ('text_model', {'positional_embedding': 'embeddings.position_embedding.weight', 'token_embedding.weight': 'embeddings.token_embedding.weight',
                        'ln_final': 'final_layer_norm'}),
    'visual.': ('vision_model', {'class_embedding': 'embeddings.class_embedding', 'positional_embedding': 'embeddings.position_embedding.weight',
                                 'conv1.weight': 'embeddings.patch_embedding.weight', 'ln_pre': 'pre_layrnorm', 'ln_post': 'post_layernorm'}),
}


def block(name, tensor, prefix):
    """the tensors of one of open_clip's, within a block"""
    if name.startswith('attn.in_proj_'):
        kind = name.removeprefix('attn.in_proj_')
        return {f'{prefix}.self_attn.{p}_proj.{kind}': t.clone() for p, t in zip('qkv', tensor.chunk(3))}
    module, kind = name.rsplit('.', 1)
    return {f'{prefix}.{BLOCK[module]}.{kind}': tensor}


def convert(tensors):
    out = {'logit_scale': tensors.pop('logit_scale'), 'text_projection.weight': tensors.pop('text_projection').T.contiguous(),
           'visual_projection.weight': tensors.pop('visual.proj').T.contiguous()}
    for name, tensor in tensors.items():
        tower = 'visual.' if name.startswith('visual.') else ''
        root, names = TOWERS[tower]
        rest = name.removeprefix(tower)
        if rest.startswith('transformer.resblocks.'):
            number, inner = rest.removeprefix('transformer.resblocks.').split('.', 1)
            out.update(block(inner, tensor, f'{root}.encoder.layers.{number}'))
        elif rest in names:
            out[f'{root}.{names[rest]}'] = tensor
        else:
            module, kind = rest.rsplit('.', 1)
            out[f'{root}.{names[module]}.{kind}'] = tensor
    return out


def config_of(model):
    text, vision = model['text_cfg'], model['vision_cfg']
    act = 'quick_gelu' if model.get('quick_gelu') else 'gelu'
    return CLIPConfig(projection_dim=model['embed_dim'], text_config={
        'hidden_size': text['width'], 'intermediate_size': 4 * text['width'], 'num_attention_heads': text['heads'], 'num_hidden_layers': text['layers'],
        'vocab_size': text['vocab_size'], 'max_position_embeddings': text['context_length'], 'hidden_act': act, 'projection_dim': model['embed_dim'],
        'bos_token_id': text['vocab_size'] - 2, 'eos_token_id': text['vocab_size'] - 1, 'pad_token_id': text['vocab_size'] - 1,
    }, vision_config={
        'hidden_size': vision['width'], 'intermediate_size': 4 * vision['width'], 'num_attention_heads': vision['width'] // 64,
        'num_hidden_layers': vision['layers'], 'image_size': vision['image_size'], 'patch_size': vision['patch_size'], 'hidden_act': act,
        'projection_dim': model['embed_dim'],
    })


def write_tokenizer(merges, out, context):
    lines = gzip.open(merges, 'rt', encoding='utf-8').read().split('\n')[1:49152 - 256 - 2 + 1]
    printable = [*range(ord('!'), ord('~') + 1), *range(ord('¡'), ord('¬') + 1), *range(ord('®'), ord('ÿ') + 1)]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    words = letters + [c + '</w>' for c in letters] + [''.join(line.split()) for line in lines] + ['<|startoftext|>', '<|endoftext|>']
    (out / 'vocab.json').write_text(json.dumps({w: i for i, w in enumerate(words)}, ensure_ascii=False), encoding='utf-8')
    (out / 'merges.txt').write_text('#version: 0.2\n' + '\n'.join(lines) + '\n', encoding='utf-8')
    CLIPTokenizerFast(str(out / 'vocab.json'), str(out / 'merges.txt'), model_max_length=context).save_pretrained(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=pathlib.Path)
    parser.add_argument('merges', type=pathlib.Path)
    parser.add_argument('out', type=pathlib.Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = json.loads((args.checkpoint / 'open_clip_config.json').read_text())['model_cfg']
    clip = CLIPModel(config_of(model)).eval()
    tensors = {name: tensor.float() for name, tensor in load_file(args.checkpoint / 'open_clip_model.safetensors').items()}
    missing, unexpected = clip.load_state_dict(convert(tensors), strict=False)
    missing = [name for name in missing if not name.endswith('position_ids')]
    if missing or unexpected:
        raise SystemExit(f'the checkpoint does not fit: missing {missing}, unexpected {unexpected}')
    clip.save_pretrained(args.out)
    size = model['vision_cfg']['image_size']
    CLIPImageProcessor(size={'shortest_edge': size}, crop_size={'height': size, 'width': size}).save_pretrained(args.out)
    write_tokenizer(args.merges, args.out, model['text_cfg']['context_length'])
    with torch.inference_mode():
        ids = torch.tensor([[49406, 320, 49407]])
        print(f'{args.out}: written; a text of one token has norm {clip.get_text_features(ids).norm():.4f}')


if __name__ == '__main__':
    main()
