#!/bin/sh
# SmolLM2-135M: the promises of the README, on 8,192 tokens of WikiText-2, with half of the usual calibration windows. Takes
# minutes; needs the model:
# STAC_SMOLLM2_GGUF=FILE, which tests/run.sh sets.
. "$(dirname "$0")/../shell.sh"
[ -n "${STAC_SMOLLM2_GGUF:-}" ] || skip "STAC_SMOLLM2_GGUF names no file"
[ -z "${STAC_SANITIZED:-}" ] || skip "too slow with sanitizers; the small models are checked with them"

expect 'conversion' 0 ranks 2 stac-convert "$tests/../configs/convert.yaml" --model_name "$STAC_SMOLLM2_GGUF" \
    --output_dir "$work/snn" --num_samples 8 --quiet
expect 'evaluation' 0 ranks 2 stac-eval "$work/snn" --test_all --text "$tests/data/wikitext-2-valid.txt" --limit_tokens 8192 \
    --parity_steps 26 --json "$work/result.json" --quiet
json=$work/result.json
cat "$json"
holds 'perplexity ratio' "$(value "$json" ppl_ratio) <= 1.02 && $(value "$json" ppl_ratio) > 0.99"
holds 'additions per multiply-accumulate' "$(value "$json" ac_per_mac) <= 1.3"
holds 'coverage' "$(value "$json" coverage) == 1"
holds 'tokens' "$(value "$json" tokens) >= 8176"
expect 'temporal mode' 0 ranks 2 stac-eval "$work/snn" --mode snn --test_temporal --text "$tests/data/wikitext-2-valid.txt" \
    --limit_tokens 512 --test_perplexity --json "$work/count.json" --quiet
expect 'temporal mode' 0 ranks 2 stac-eval "$work/snn" --mode snn --test_temporal --text "$tests/data/wikitext-2-valid.txt" \
    --limit_tokens 512 --test_perplexity --execution temporal --json "$work/temporal.json" --quiet
for mode in count temporal; do grep -v -E '"(seconds|peak_memory_bytes|measured_.*)"' "$work/$mode.json" > "$work/$mode.same"; done
equal 'temporal and count mode have the same digits' "$work/count.same" "$work/temporal.same"
finish
