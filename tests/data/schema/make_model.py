"""Models of random weights, as small as stac-convert takes them: make_model.py llama|gpt2 FOLDER. Needs Python alone.

One layer, a byte is a token. Always the same bytes."""
import json
import os
import random
import struct
import sys

VOCABULARY, POSITIONS = 257, 64
family, folder = sys.argv[1:]
draw = random.Random(7)


def matrix(rows, columns, deviation):
    return (rows, columns), [draw.gauss(0, deviation) for _ in range(rows * columns)]


def vector(size, mean, deviation):
    return (size,), [mean + draw.gauss(0, deviation) for _ in range(size)]


def llama():
    """32 wide, 2 heads that share keys and values, 48 hidden, tied head"""
    tensors = {"model.embed_tokens.weight": matrix(VOCABULARY, 32, 0.3), "model.norm.weight": vector(32, 1, 0.2)}
    at = "model.layers.0."
    for name in ("input_layernorm", "post_attention_layernorm"):
        tensors[at + name + ".weight"] = vector(32, 1, 0.2)
    for name, outputs, inputs in [("self_attn.q_proj", 32, 32), ("self_attn.k_proj", 16, 32), ("self_attn.v_proj", 16, 32),
                                  ("self_attn.o_proj", 32, 32), ("mlp.gate_proj", 48, 32), ("mlp.up_proj", 48, 32),
                                  ("mlp.down_proj", 32, 48)]:
        tensors[at + name + ".weight"] = matrix(outputs, inputs, inputs ** -0.5)
    return tensors, {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
        "max_position_embeddings": POSITIONS, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": VOCABULARY,
        "bos_token_id": 256, "eos_token_id": 256, "tie_word_embeddings": True}


def gpt2():
    """16 wide, 2 heads, 64 hidden"""
    tensors = {"wte.weight": matrix(VOCABULARY, 16, 0.5), "wpe.weight": matrix(POSITIONS, 16, 0.2)}
    for name in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        tensors[name + ".weight"] = vector(16, 1, 0.2)
        tensors[name + ".bias"] = vector(16, 0, 0.1)
    for name, inputs, outputs in [("attn.c_attn", 16, 48), ("attn.c_proj", 16, 16), ("mlp.c_fc", 16, 64),
                                  ("mlp.c_proj", 64, 16)]:
        tensors["h.0." + name + ".weight"] = matrix(inputs, outputs, inputs ** -0.5)
        tensors["h.0." + name + ".bias"] = vector(outputs, 0, 0.1)
    return tensors, {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": 16,
        "n_head": 2, "n_layer": 1, "n_positions": POSITIONS, "layer_norm_epsilon": 1e-5, "vocab_size": VOCABULARY,
        "bos_token_id": 256, "eos_token_id": 256, "tie_word_embeddings": True}


tensors, config = {"llama": llama, "gpt2": gpt2}[family]()
header, values = {}, b""
for name, (shape, numbers) in sorted(tensors.items()):
    packed = struct.pack(f"<{len(numbers)}f", *numbers)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(values), len(values) + len(packed)]}
    values += packed
head = json.dumps(header).encode()
head += b" " * (-len(head) % 8)

# the characters that byte-level BPE writes for bytes
shown = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
hidden = [b for b in range(256) if b not in shown]
spelling = {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}
vocabulary = {spelling[b]: b for b in range(256)} | {"<|end|>": 256}

os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "model.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(head)) + head + values)


def write(name, what):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(what, f, indent=1)


write("config.json", config)
write("tokenizer.json", {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [{"id": 256, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
                      "normalized": False, "special": True}],
    "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                                          "use_regex": True},
    "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
              "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []}})
write("tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|end|>", "bos_token": "<|end|>"})
