#!/usr/bin/env python3
"""Make and check the golden files of the tokenizer tests. See README.md beside this file.

Reference: Hugging Face's `tokenizers`; jinja2, set up as `transformers` does, renders the chat template.

  make_golden.py                      write corpora, variants.json, chat.json and the ids of gpt2 and smol
  make_golden.py --train TEXT...      train smol/ anew on these texts and the Unicode corpus first
  make_golden.py --gguf FILE          also write the ids of the real SmolLM2 vocabulary, read from a GGUF file
  make_golden.py --saved DIR --gguf F  write nothing: check that `tokenizers` reads what stac_tokenizer_save wrote for F
"""
import argparse
import array
import hashlib
import json
import pathlib
import struct
import sys
import unicodedata

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SMOLLM2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


# ---- corpora ---------------------------------------------------------------------------------------------------------

def evenly(items, n):
    """n of the items, the first and the last among them."""
    if len(items) <= n:
        return items
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def assigned(*categories):
    """Characters of these general categories (two letters, or the first of them), by the Unicode data of this Python."""
    return [chr(c) for c in range(0x110000)
            if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn"
            and unicodedata.category(chr(c)).startswith(categories)]


def letter_lines():
    """Some letters of every stretch of 128 code points; of the large ideographic scripts, some of each by name."""
    groups = {}
    for ch in assigned("L"):
        name = unicodedata.name(ch, "TANGUT")  # ideographs that Python has no names for
        large = ("CJK", "HANGUL SYLLABLE", "TANGUT", "EGYPTIAN", "ANATOLIAN", "CUNEIFORM", "NUSHU", "KHITAN", "YI SYLLABLE")
        groups.setdefault(next((p for p in large if name.startswith(p)), ord(ch) >> 7), []).append(ch)
    for key in groups:
        some = "".join(evenly(groups[key], 7 if isinstance(key, int) else 60))
        yield f"{some[:4]} {some[4:]}\n"


def unicode_corpus():
    lines = list(letter_lines())
    marks, digits = assigned("M"), assigned("N")
    lines += ["".join("a" + m for m in evenly(marks, 60)) + "\n"]
    lines += [f"{d}{e} {f}x{d}1\n" for d, e, f in zip(*[iter(evenly(digits, 150))] * 3)]
    lines += [f"x{s}y{s}{s}z {s} {s}7{s}.{s}\n" for s in "\t\v\f\r \x85\xa0\u1680\u2000\u2009\u200a\u2028\u2029\u202f\u205f\u3000"]
    lines += [f"x{s}y {s}{s}\n" for s in "\u180e\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\ufffd\ufffe\U000e0001"]
    lines += ["x\U0004fffe \U0008ffff y \ufdd0\n"]  # noncharacters: the only way to the bytes F1 and F2
    lines += ["".join(chr(c) for c in range(0, 0x20)) + "\x7f" + "".join(chr(c) for c in range(0x80, 0xA0)) + "\n"]
    lines += ["".join(evenly(assigned("S"), 80)) + "\n", "".join(evenly(assigned("P"), 80)) + "\n",
              " ".join(evenly(assigned("Co"), 6)) + "\n"]
    lines += [
        "👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 🏴󠁧󠁢󠁳󠁣󠁴󠁿 👍🏻👍🏿 🇩🇪🇫🇷🇯🇵 1️⃣ ❤️ ☺︎ ✌🏾\n",
        "e\u0301 é ế e\u0302\u0301 Å Å Å \u1100\u1161\u11a8 각 क्षि กำ ﬁ ſ ß ẞ İi̇ ıI Ⅷ ⓐ ㈠ ² ½ ٣ ३ 五 〇\n",
        "I'm you're he's we've I'll she'd don't 'tis 'S 'LL 'Re 've'd's ''s '' ' s 's\n",
        "".join(chr(c) for c in range(0x20, 0x7F)) + "\n",
        "0 1 12 123 1234567890 3.14159 1,000,000 -1e-10 0x1F 1st 2nd v1.2.3 10% $5 № 7 a1b2c3 1_000\n",
        "int main(void) {\n", "    for (int i = 0; i < n; ++i) {\n", "\t\treturn a[i] != NULL ? *p++ : ~0u;\n", "    }\n", "}\n",
        "def f(x): return x**2 if x >= 0 else -x  # ok\n", "<p class=\"a\">&nbsp;</p> https://example.org/a?b=c&d=%20#e\n",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft\n", "a" * 200 + "\n", "ab" * 90 + "\n",
        "=" * 79 + "\n", " " * 130 + "x\n", "\n", "\n\n", "  \n", " \n \n", "\r\n", "a\r\nb\rc\n\rd\n", "trailing   \n", "\t \t\n",
        "<|endoftext|> <|im_start|>user\n", "Hi<|im_end|>\n", "<|im_start <|im_end|><|endoftext|>|> <|<|im_end|>|> <|IM_END|>\n",
        "<|im_start|><|im_start|>  <|im_end|>  text<|endoftext|>text\n",
        "The quick brown fox jumps over the lazy dog. To be, or not to be, that is the question.\n", "no line break at the end ",
    ]
    return "".join(lines).encode()


def broken_corpus():
    """Malformed UTF-8: what CPython's decoder and Unicode's chapter 3.9 distinguish, between and at the ends of words."""
    good = ["é", "€", "𐍈", "\U0010ffff", "\ufffd", "\0"]
    bad = [bytes([b]) for b in (0x80, 0xBF, 0xC0, 0xC1, 0xF5, 0xF8, 0xFE, 0xFF)]
    bad += [bytes([lead]) + tail for lead in (0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4)
            for tail in (b"", b"\x80", b"\x9f", b"\xa0", b"\x90\x80", b"\x8f\x80", b"\xbf\xbf", b"\xbf\xbf\xbf\xbf", b"A", b"\xc3\xa9")]
    bad += [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"]
    lines = [b"x" + b + b" y " + b + good[i % len(good)].encode() + b + b"\n" for i, b in enumerate(bad)]
    return b"".join(lines) + b"cut at the end \xf0\x9f\x98"


# ---- tokenizers ------------------------------------------------------------------------------------------------------

def smollm_pretokenizer():
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)])


def train_smol(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.decoder = smollm_pretokenizer(), decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, special_tokens=SPECIALS, show_progress=False))
    data = json.loads(tok.to_str())
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]  # the older of the two forms
    write_json(HERE / "smol/tokenizer.json", data)
    write_json(HERE / "smol/tokenizer_config.json", {
        "tokenizer_class": "GPT2Tokenizer", "bos_token": {"content": "<|im_start|>", "special": True}, "eos_token": "<|im_end|>",
        "unk_token": "<|endoftext|>", "chat_template": SMOLLM2_TEMPLATE, "model_max_length": 10**30})


def read_gguf(path):
    """Metadata of a GGUF version 3 file."""
    data, at = pathlib.Path(path).read_bytes(), 0

    def number(code):
        nonlocal at
        value, = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize(code)
        return value

    def string():
        nonlocal at
        size = number("Q")
        at += size
        return data[at - size:at].decode()

    def value(kind):
        if kind == 8:
            return string()
        if kind == 9:
            item, n = number("I"), number("Q")
            return [value(item) for _ in range(n)]
        return number("BbHhIif?__Qqd"[kind])

    assert data[:4] == b"GGUF" and struct.unpack_from("<I", data, 4) == (3,), "not a GGUF version 3 file"
    at = 8
    number("Q")
    keys = {}
    for _ in range(number("Q")):
        name = string()
        keys[name] = value(number("I"))
    return keys


def gguf_tokenizer(path):
    """The tokenizer of a GGUF file as Hugging Face's library computes it."""
    keys = read_gguf(path)
    get = lambda name: keys["tokenizer.ggml." + name]
    assert get("model") == "gpt2" and get("pre") == "smollm", "not SmolLM2's vocabulary"
    vocab = {text: i for i, text in enumerate(get("tokens"))}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in get("merges")]))
    tok.pre_tokenizer, tok.decoder = smollm_pretokenizer(), decoders.ByteLevel()
    tok.add_special_tokens([text for text, kind in zip(get("tokens"), get("token_type")) if kind == 3])
    return tok


# ---- reference results -----------------------------------------------------------------------------------------------

def encode(tok, data, specials=True):
    tok.encode_special_tokens = not specials
    text = data if isinstance(data, str) else data.decode("utf-8", errors="replace")
    return tok.encode(text, add_special_tokens=False).ids


def long_texts(corpora):
    """Texts that the test makes as well: words that are merged with a heap, and repeats that meet the word cache."""
    return {
        "spaces": b" " * 50000 + b"x",
        "letters": bytes(97 + (i * i * 7 + i // 3) % 26 for i in range(50000)),
        "repeats": corpora["unicode"] * 8,
    }


def digest(ids):
    return {"n": len(ids), "sha256": hashlib.sha256(array.array("H", ids).tobytes()).hexdigest()}


def corpus_results(tok, corpora):
    """The ids of every line, and digests of the whole text with and without special tokens."""
    blob, digests = b"", {}
    for name, data in corpora.items():
        for line in split_lines(data):
            ids = encode(tok, line)
            blob += struct.pack("<I", len(ids)) + array.array("H", ids).tobytes()
        digests[name] = {"specials": digest(encode(tok, data)), "plain": digest(encode(tok, data, False))}
    for name, data in long_texts(corpora).items():
        digests[name] = {"specials": digest(encode(tok, data)), "plain": digest(encode(tok, data, False))}
    return blob, digests


def split_lines(data):
    """At "\\n" only, which stays with its line."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + ([data.split(b"\n")[-1]] if not data.endswith(b"\n") else [])


def added(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


def variants():
    """Changes to a tokenizer.json and texts that show what each does."""
    words = ["", " ", "a", "abc", " abc", "  abc  abc", "xabcx", "x abc x", "abcd", "ab", "abc\n", "éabcé", "_abc", "abc-abc", "1abc2"]
    overlap = [added("ab"), added("abc"), added("abcd"), added("bc"), added("cd", special=True)]
    strips = [added("<l>", lstrip=True), added("<r>", rstrip=True), added("<b>", lstrip=True, rstrip=True, special=True), added(" ")]
    around = ["a <l> b", "a  <l>  b", "a <r>  b", "a\u3000<b>\n\n b", "<r>   <l>", "<r>  <b>  <l>", "  <l>", "<r>  ", "<b>", "<r> \u200b<l>"]
    words_only = [added("abc", single_word=True), added("ⓐ", single_word=True), added("-", single_word=True)]
    normal = [added("e\u0301x", normalized=True), added("\u2126", normalized=False), added("가", normalized=True, special=True)]
    forms = ["e\u0301x éx", "\u2126 Ω", "\u1100\u1161 가", "A\u030a Å", "q\u0307\u0323", "\u0344", "x\u0301" * 3, "한글 \u1112\u1161\u11ab"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    sequence = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True},
                                                      {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}]}
    return [
        ("overlapping added tokens", "gpt2", {"added_tokens": overlap}, words + ["ababcdabc", "abcabcd", "xcdx"]),
        ("white space beside added tokens", "gpt2", {"added_tokens": strips}, around),
        ("single words", "gpt2", {"added_tokens": words_only}, words + ["aⓐ", "ⓐ", " ⓐ ", "ⓐⓐ", "--", "a-b", " - ", "-", "ⓐabc", "\u200dabc"]),
        ("an added token that is in the vocabulary", "smol", {"added_tokens": [added("the"), added("Ġthe")]}, ["the", " the", "Ġthe", "other"]),
        ("NFC", "gpt2", {"normalizer": {"type": "NFC"}, "added_tokens": normal}, forms + words),
        ("no normalizer", "gpt2", {"added_tokens": normal}, forms),
        ("prefix space", "gpt2", {"pre_tokenizer": byte_level}, words + ["a<|endoftext|>a", "<|endoftext|>", "<|endoftext|> a", "\ta", "\na"]),
        ("Digits before ByteLevel", "gpt2", {"pre_tokenizer": sequence}, ["a  12  b", " 1", "1 2", "x١٢", " ½", "²³", "12abc", "  1", "\n1", "a\t\t1"]),
        ("ByteLevel in a Sequence", "smol", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{**byte_level, "add_prefix_space": False}]}}, ["a  12  b", "x١٢"]),
        ("unknown bytes left out", "smol", {}, ["\U000f0000", "a\x13b", "\x04", "\U0010fffd x", "th\x13e"]),
        ("unknown bytes as a token", "smol", {"model": {"unk_token": "the"}}, ["\U000f0000", "a\x13\x14b", "\x04 \x04"]),
        ("unknown bytes as one token", "smol", {"model": {"unk_token": "the", "fuse_unk": True}}, ["\U000f0000\U000f0000", "a\x13\x14b\x13", "\x04 \x04"]),
    ]


def apply_variant(base, change):
    """base with the change applied. Added tokens get their ids: the vocabulary's, or the next one."""
    data = json.loads(json.dumps(base))
    vocab = data["model"]["vocab"]
    n = max(vocab.values()) + 1
    for token in change.get("added_tokens", []):
        token["id"] = vocab.get(token["content"], n)
        n += token["id"] == n
        data["added_tokens"].append(token)
    data["model"].update(change.get("model", {}))
    data.update({k: v for k, v in change.items() if k not in ("added_tokens", "model")})
    return data


def variant_results():
    out = []
    for name, folder, change, texts in json.loads(json.dumps(variants())):
        data = apply_variant(json.loads((HERE / folder / "tokenizer.json").read_text()), change)
        tok = Tokenizer.from_str(json.dumps(data))
        cases = [[text, specials, encode(tok, text, specials)] for text in texts for specials in (True, False)]
        out.append({"name": name, "tokenizer": folder, "change": change, "cases": cases})
    return {"variants": out}


def character_classes():
    """Ranges of code points, assigned in Unicode 14, that the pre-tokenizers take for a letter, numeral, space or other."""
    level, digits = pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(individual_digits=True)
    words = lambda text: len(level.pre_tokenize_str(text))
    ranges = []
    for ch in assigned(""):
        kind = next((k for k, other in (("letter", "a"), ("numeral", "1"), ("other", "!")) if words(other + ch) == 1), "space")
        assert (len(digits.pre_tokenize_str("ab" + ch)) == 2) == (kind == "numeral"), hex(ord(ch))
        if ranges and ranges[-1][1] == ord(ch) - 1 and ranges[-1][2] == kind:
            ranges[-1][1] = ord(ch)
        else:
            ranges.append([ord(ch), ord(ch), kind])
    return "".join(f"{a:x} {b:x} {kind}\n" for a, b, kind in ranges)


def chat_results(tok):
    import jinja2.sandbox
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    say = lambda role, content: {"role": role, "content": content}
    conversations = [
        [say("user", "Hello, who art thou?")],
        [say("system", "Be brief."), say("user", "What is 2 + 2?"), say("assistant", "4"), say("user", "And 3 + 3?")],
        [say("user", ""), say("assistant", "\n\nTwo breaks first."), say("user", "  spaces around  ")],
        [say("user", "Line one\nline two\n"), say("system", "late"), say("tool", "{\"a\": 1}")],
        [say("system", ""), say("user", "it's 'S 1٢ é e\u0301 👍🏽")],
        [],
    ]
    out = []
    for messages in conversations:
        for prompt in (False, True):
            text = env.from_string(SMOLLM2_TEMPLATE).render(messages=messages, add_generation_prompt=prompt)
            out.append({"messages": messages, "prompt": prompt, "text": text, "ids": encode(tok, text)})
    return {"template": SMOLLM2_TEMPLATE, "chats": out}


# ---- files -----------------------------------------------------------------------------------------------------------

def write_json(path, data):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")


def check_saved(folder, corpora, tok):
    saved = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    assert saved.get_vocab() == tok.get_vocab(), "vocabularies differ"
    for name, data in corpora.items():
        for specials in (True, False):
            assert encode(saved, data, specials) == encode(tok, data, specials), f"{name}: ids differ"
    ids = encode(saved, corpora["unicode"])
    assert saved.decode(ids, skip_special_tokens=False) == tok.decode(ids, skip_special_tokens=False), "texts differ"
    print("equal:", {name: len(encode(saved, data)) for name, data in corpora.items()})


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--train", nargs="+", metavar="TEXT")
    args.add_argument("--gguf", metavar="FILE")
    args.add_argument("--saved", metavar="DIR")
    args = args.parse_args()
    assert sys.byteorder == "little"
    assert unicodedata.unidata_version == "14.0.0", "the corpus is made with the Unicode data of Python 3.11"
    corpora = {"unicode": unicode_corpus(), "broken": broken_corpus()}
    if args.saved:
        return check_saved(args.saved, corpora, gguf_tokenizer(args.gguf))
    for name, data in corpora.items():
        (HERE / f"{name}.txt").write_bytes(data)
    if args.train:
        without = {ord(c): None for c in "\x04\x06\x13\x14\x16\x1d"}  # as SmolLM2's vocabulary has no tokens for these
        train_smol([text.translate(without) for text in
                    [pathlib.Path(p).read_text() for p in args.train] + [corpora["unicode"].decode()]])
    toks = {name: Tokenizer.from_file(str(HERE / name / "tokenizer.json")) for name in ("gpt2", "smol")}
    if args.gguf:
        toks["smollm2"] = gguf_tokenizer(args.gguf)
    digests = json.loads((HERE / "digests.json").read_text()) if (HERE / "digests.json").exists() else {}
    for name, tok in toks.items():
        blob, digests[name] = corpus_results(tok, corpora)
        (HERE / f"{name}.ids").write_bytes(blob)
    write_json(HERE / "digests.json", digests)
    (HERE / "classes.txt").write_text(character_classes())
    write_json(HERE / "variants.json", variant_results())
    write_json(HERE / "chat.json", chat_results(toks["smol"]))


if __name__ == "__main__":
    main()
