#!/usr/bin/env python3
"""Small random models of both families and the logits Hugging Face transformers (float32, eager attention) gives for them.

    python3 make_golden.py            # needs torch, transformers, safetensors; rewrites every folder here

Each folder is a model as transformers saves it, plus expected.json: a batch of padded sequences with their attention
mask, the position ids, and the logits of every token that the mask keeps, rounded to 9 digits.
"""
import json, os, shutil, sys
import torch, transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB, CONTEXT = 61, 40


def gpt2(heads, width, layers, act="gelu_new", inner=None, eps=1e-5):
    c = GPT2Config(vocab_size=VOCAB, n_positions=CONTEXT, n_embd=width, n_layer=layers, n_head=heads, n_inner=inner,
                   activation_function=act, layer_norm_epsilon=eps, bos_token_id=0, eos_token_id=0,
                   attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)
    c._attn_implementation = "eager"
    return GPT2LMHeadModel(c)


def llama(heads, kv, width, layers, ff, tied, head_dim=None, theta=10000.0, eps=1e-5):
    c = LlamaConfig(vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=width, num_hidden_layers=layers,
                    num_attention_heads=heads, num_key_value_heads=kv, intermediate_size=ff, tie_word_embeddings=tied,
                    head_dim=head_dim or width // heads, rope_theta=theta, rms_norm_eps=eps, bos_token_id=1,
                    eos_token_id=2)
    c._attn_implementation = "eager"
    return LlamaForCausalLM(c)


# name -> (model, dtype on disk, what is done to the saved files)
CASES = {
    "gpt2-2heads": (lambda: gpt2(2, 16, 2), torch.float32, None),
    "gpt2-3heads-bare-f16": (lambda: gpt2(3, 24, 3, act="gelu", inner=40, eps=1e-6), torch.float16, "bare"),
    "gpt2-1head-relu": (lambda: gpt2(1, 8, 1, act="relu"), torch.float32, None),
    "llama-4heads-2kv-tied": (lambda: llama(4, 2, 32, 2, 48, True), torch.float32, None),
    "llama-3heads-1kv-untied": (lambda: llama(3, 1, 24, 3, 40, False, theta=100000.0), torch.float32, None),
    "llama-wide-heads-bf16": (lambda: llama(2, 2, 16, 2, 24, True, head_dim=16, eps=1e-6), torch.bfloat16, None),
    "llama-4heads-sharded": (lambda: llama(4, 4, 32, 3, 32, False), torch.float32, "shard"),
}


def scramble(model, seed):
    """Initial weights are too tame: biases are zero and gains one."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 0.35 if p.dim() > 1 else 0.2
            p.copy_(torch.randn(p.shape, generator=g) * scale + (1.0 if p.dim() == 1 and "norm" in name or "ln_" in name and name.endswith("weight") else 0.0))


def sequences(seed):
    g = torch.Generator().manual_seed(1000 + seed)
    ids = torch.randint(0, VOCAB, (3, 12), generator=g)
    mask = torch.ones_like(ids)
    mask[0, :5] = 0          # padded on the left
    mask[2, 9:] = 0          # padded on the right
    mask[2, 4] = 0           # a hole
    position = (mask.cumsum(1) - 1).clamp(min=0)
    return ids, mask, position


def main():
    for seed, (name, (make, dtype, change)) in enumerate(CASES.items()):
        folder = os.path.join(HERE, name)
        shutil.rmtree(folder, ignore_errors=True)
        model = make().eval()
        scramble(model, seed)
        model.to(dtype).save_pretrained(folder, max_shard_size="12KB" if change == "shard" else "1GB")
        model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()  # as on disk
        if change == "bare":
            path = os.path.join(folder, "model.safetensors")
            save_file({k.removeprefix("transformer."): v for k, v in load_file(path).items()}, path)
        for extra in ("generation_config.json",):
            if os.path.exists(os.path.join(folder, extra)):
                os.remove(os.path.join(folder, extra))
        ids, mask, position = sequences(seed)
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, position_ids=position).logits
        rows = [[float("%.9g" % v) for v in logits[s, i]] for s in range(ids.shape[0]) for i in range(ids.shape[1]) if mask[s, i]]
        with open(os.path.join(folder, "expected.json"), "w") as f:
            json.dump({"ids": ids.tolist(), "mask": mask.tolist(), "position": position.tolist(), "logits": rows}, f,
                      separators=(",", ":"))
            f.write("\n")
        print(name, "largest logit %.3f" % logits.abs().max())
    with open(os.path.join(HERE, "README.md"), "w") as f:
        f.write("# Golden logits\n\nRandom models of both families and what Hugging Face transformers %s (torch %s, float32) computes for "
                "them.\nWritten by `python3 make_golden.py`; read by `tests/unit/test_golden.c`.\n" % (transformers.__version__, torch.__version__.split("+")[0]))


if __name__ == "__main__":
    sys.exit(main())
