"""First inputs of the harnesses that read texts, out of files of the repository: seeds.py FOLDER -> FOLDER/corpus/NAME/seed-*"""
import json
import pathlib
import sys

tests = pathlib.Path(__file__).resolve().parent.parent
root = tests.parent
out = pathlib.Path(sys.argv[1]) / "corpus"


def seed(harness, name, data):
    path = out / harness / f"seed-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def short(path):
    return json.dumps(json.loads(path.read_text()), separators=(",", ":"))


def tokenizer(**changes):
    t = {
        "version": "1.0",
        "added_tokens": [{"id": 9, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "unk_token": None, "fuse_unk": False,
                  "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "!": 4, "ab": 5, "cd": 6, "abc": 7, "\u0120": 8},
                  "merges": ["a b", "c d", ["ab", "c"]]},
    }
    return json.dumps({**t, **changes}, separators=(",", ":"), ensure_ascii=False)


golden = tests / "golden"
for name in ("gpt2-1head-relu", "llama-wide-heads-bf16", "llama-4heads-2kv-tied"):
    seed("config", name, short(golden / "logits" / name / "config.json"))
seed("config", "generation", short(golden / "logits/gpt2-1head-relu/config.json") + '\0{"eos_token_id":[3,4]}')
shards = json.loads((golden / "logits/llama-4heads-sharded/model.safetensors.index.json").read_text())
shards["weight_map"] = dict(list(shards["weight_map"].items())[:6])
seed("shard_index", "six", json.dumps(shards))

special = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<end>", "type_id": 0}},
                                                    {"Sequence": {"id": "A", "type_id": 0}}],
           "special_tokens": {"<end>": {"id": "<end>", "ids": [9], "tokens": ["<end>"]}}}
more = [{"id": 9, "content": "ab c", "lstrip": True, "rstrip": True, "single_word": True, "normalized": True, "special": False},
        {"id": 10, "content": "<end>", "special": True}]
digits = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True},
                                                {"type": "ByteLevel", "add_prefix_space": False}]}
config = '{"bos_token":{"content":"<end>"},"eos_token":"<end>","chat_template":[{"name":"default","template":"{{x}}"}]}'
seed("tokenizer", "plain", tokenizer())
seed("tokenizer", "rich", tokenizer(normalizer={"type": "NFC"}, post_processor=special, added_tokens=more, pre_tokenizer=digits)
     + "\0" + config)

seed("bpe", "words", "ROMEO: What's  thy name?\n\n 123 \u00e9\u4f60\U0001f600 it'll <|im_end|> \u1680x")
seed("bpe", "broken", b"a\xff\xc3(\xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 \xc0\x80 b\x00c")
template = json.loads((golden / "tokenizer/chat.json").read_text())["template"]
chatml = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
          "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
seed("chat_template", "smollm2", template + "\0Who art thou?\0A <|im_end|> tale\n told")
seed("chat_template", "chatml", chatml + "\0Hello\0")
seed("chat_template", "other", "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}\0a\0<|im_start|>")

for program, names in enumerate((("convert", "full", "simplified"), ("eval", "frontier"), ())):
    for name in names:
        lines = [l for l in (root / "configs" / f"{name}.yaml").read_text().splitlines() if l and not l.lstrip().startswith("#")]
        seed("job", name, bytes([program]) + "\n".join(lines).encode())
seed("job", "chat", b"\x02dir: x\nsystem: 'be brief'\ntemperature: 0.7\ntop_k: 5\nchat_template: chatml\n")
seed("job", "lists", b"\x01sweep_timesteps: [8, 16]\nsweep_code: [ternary, rate]\ntest_all: yes\nstride: ~\n")
seed("command_line", "convert", b"\x00job.yaml\0--timesteps\0" b"8\0--model_name\0x\0--force")
seed("command_line", "eval", b"\x01out/x\0--test_all\0--text\0t.txt\0--json=a.json")
seed("command_line", "chat", b"\x02out/x\0--temperature\0" b"0\0--help\0--version")
for path in sorted((root / "configs/energy").glob("*memory.yaml")) + sorted((root / "configs/energy").glob("*fp32.yaml")):
    seed("energy_model", path.stem, path.read_text())
kept = json.loads((root / "configs/conversations.json").read_text())
seed("dialogues", "two", json.dumps({"conversations": [kept["conversations"][0], kept["conversations"][-1]]}))
seed("watch", "rank", json.dumps({"program": "stac-convert", "phase": "calibrate", "unit": "windows", "host": "h", "rank": 0,
                                  "ranks": 2, "pid": 77, "written": 1700000000, "done": 3, "total": 8, "rate": 0.4,
                                  "seconds_left": 12.5, "facts": {"perplexity": 29.5}}))
seed("hub", "word", b"abc\n\0org/name")
seed("hub", "other", b"../../etc\0distilgpt2")

# Damage to HDF5 files: none, checksums left alone, an end, bytes, zeros, a copy.
for harness in ("snn_file", "windows_file", "session_file", "metrics"):
    seed(harness, "whole", b"\x00")
    seed(harness, "bytes", b"\x00\x30\x00\x00\x03\x01\x02\x03\x04\x00\x04\x00\x40")
    seed(harness, "copy", b"\x00\x00\x02\x00\x8f\x00\x06\x00")
    seed(harness, "end", b"\x80\x00\x08\x00\xc0")
seed("snn_file", "causal", b"\x01")
seed("snn_file", "rate", b"\x02")
