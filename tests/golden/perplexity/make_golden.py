#!/usr/bin/env python3
"""Perplexities that Hugging Face transformers (float32) and the lm-evaluation-harness give for a text.

    python3 make_golden.py                                      # needs torch, transformers; writes expected.txt
    python3 make_golden.py --harness                            # needs lm_eval as well; writes harness.txt and results.json
    python3 make_golden.py --gguf FILE TEXT TOKENS CONTEXT      # prints one figure of a GGUF model

The loop is that of transformers' guide "Perplexity of fixed-length models": windows of `context` tokens, `stride` apart, only
tokens that no window scored before. Sums are weighed by the tokens that are scored (the guide weighs windows that overlap by one
token less, and gives nearly the same).
"""
import json, math, os, re, sys, tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "../../models/gpt2-tiny-shakespeare")
HELDOUT = os.path.join(TINY, "heldout.txt")
# tokens of the text (0: all), context, stride, BOS policy, how words are counted
CASES = [(0, 256, 256, "model", "split"), (4096, 256, 64, "never", "split"), (4096, 128, 32, "always", "runs"),
         (4096, 256, 255, "always", "split"), (3000, 200, 200, "model", "runs"), (150, 256, 256, "always", "split")]


def byte_of():
    """GPT-2's letters for bytes, turned round."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    return {chr(b): b for b in keep} | {chr(256 + i): b for i, b in enumerate(rest)}


def spelled(tokenizer, ids, scored, how):
    """Bytes and words of the scored tokens; a word or gap belongs to the token of its first byte."""
    table = byte_of()
    raw = [bytes(table[c] for c in t) for t in tokenizer.convert_ids_to_tokens(ids)]
    owner = [i for i, r in enumerate(raw) for _ in r]
    text = b"".join(raw).decode("utf-8")
    at, starts = 0, []
    for c in text:
        starts.append(at)
        at += len(c.encode("utf-8"))
    pattern = r"\s+" if how == "split" else r"\S+"
    found = sum(scored[owner[starts[m.start()]]] for m in re.finditer(pattern, text))
    return sum(len(r) for r, s in zip(raw, scored) if s), found + (how == "split")


@torch.no_grad()
def score(model, ids, context, stride):
    """Sum of -ln p, and which tokens are scored."""
    total, scored, done = 0.0, [False] * len(ids), 0
    for begin in range(0, len(ids), stride):
        end = min(begin + context, len(ids))
        window = torch.tensor([ids[begin:end]])
        logp = model(window).logits[0].double().log_softmax(-1)
        for i in range(max(done, begin + 1), end):
            total -= logp[i - begin - 1, ids[i]].item()
            scored[i] = True
        done = end
        if end == len(ids):
            break
    return total, scored


def figures(model, tokenizer, text, tokens, context, stride, bos, how):
    ids = tokenizer(text, add_special_tokens=False).input_ids
    ids = ids[:tokens] if tokens else ids
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    added = tokenizer("a").input_ids[:-1]  # what the tokenizer does by itself
    prefix = {"never": [], "always": [first], "model": added}[bos]
    total, scored = score(model, prefix + ids, context, stride)
    bytes_, words = spelled(tokenizer, ids, scored[len(prefix):], how)
    n = sum(scored)
    return [n, words, bytes_, math.exp(total / n), math.exp(total / words), math.exp(total / bytes_), total / bytes_ / math.log(2)]


def write(name, rows):
    with open(os.path.join(HERE, name), "w") as f:
        f.write("# transformers %s, torch %s, float32, tests/models/gpt2-tiny-shakespeare/heldout.txt\n"
                "# limit context stride bos words | scored_tokens scored_words scored_bytes ppl word_ppl byte_ppl bits_per_byte\n"
                % (transformers.__version__, torch.__version__.split("+")[0]))
        for row in rows:
            f.write(" ".join("%.9g" % v if isinstance(v, float) else str(v) for v in row) + "\n")
            print(*row)


def tiny():
    return AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(TINY)


def harness():
    """The harness on one document, and the file that it writes, without what it tells of the machine."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker

    def process_results(doc, results):  # lm_eval/tasks/wikitext/preprocess_wikitext.py
        words, bytes_ = len(re.split(r"\s+", doc["page"])), len(doc["page"].encode("utf-8"))
        return {"word_perplexity": (results[0], words), "byte_perplexity": (results[0], bytes_), "bits_per_byte": (results[0], bytes_)}

    model, tokenizer = tiny()
    ids = tokenizer(open(HELDOUT, encoding="utf-8").read(), add_special_tokens=False).input_ids[:4096]
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "heldout.json")
        json.dump({"page": tokenizer.decode(ids)}, open(page, "w"))
        task = {"task": "heldout", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": page}}, "test_split": "test",
                "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{page}}",
                "process_results": process_results, "metadata": {"version": 2.0},
                "metric_list": [{"metric": m} for m in ("word_perplexity", "byte_perplexity", "bits_per_byte")]}
        tracker = EvaluationTracker(output_path=folder)
        tracker.general_config_tracker.log_experiment_args("hf", "pretrained=gpt2-tiny-shakespeare,max_length=256", None, None, False)
        results = lm_eval.simple_evaluate("hf", model_args=dict(pretrained=TINY, max_length=256, dtype="float32"), tasks=[task], device="cpu",
                                          log_samples=False)
        tracker.save_results_aggregated(results)
        name = [os.path.join(d, f) for d, _, files in os.walk(folder) for f in files if f.startswith("results_")][0]
        saved = json.load(open(name))
    saved["config"].update(model_args="pretrained=gpt2-tiny-shakespeare,max_length=256", model_sha="")
    saved["configs"]["heldout"]["dataset_kwargs"] = {"data_files": {"test": "heldout.json"}}
    saved["configs"]["heldout"]["metadata"].update(pretrained="gpt2-tiny-shakespeare")
    saved.update(pretty_env_info="left out", git_hash="0000000", upper_git_hash=None, date=0.0, total_evaluation_time_seconds="0.0")
    json.dump(saved, open(os.path.join(HERE, "results.json"), "w"), indent=2, ensure_ascii=False, default=str)
    r = saved["results"]["heldout"]
    with open(os.path.join(HERE, "harness.txt"), "w") as f:
        f.write("# lm_eval %s on the first 4,096 tokens as one document, max_length 256: word_perplexity byte_perplexity bits_per_byte\n"
                % saved["lm_eval_version"])
        f.write(" ".join("%.9g" % r[k + ",none"] for k in ("word_perplexity", "byte_perplexity", "bits_per_byte")) + "\n")
    print(r)


def gguf(path, text, tokens, context):
    folder, file = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    print(*figures(model, tokenizer, open(text, encoding="utf-8").read(), int(tokens), int(context), int(context), "model", "split"))


def main():
    if "--gguf" in sys.argv:
        return gguf(*sys.argv[2:6])
    if "--harness" in sys.argv:
        return harness()
    model, tokenizer = tiny()
    text = open(HELDOUT, encoding="utf-8").read()
    write("expected.txt", [[*c, *figures(model, tokenizer, text, *c)] for c in CASES])


if __name__ == "__main__":
    sys.exit(main())
