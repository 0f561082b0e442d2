#!/bin/sh
# The trained GPT-2: what the conversion promises, on text the model was not trained on.
. "$(dirname "$0")/../shell.sh"
text=$tiny/heldout.txt

expect 'conversion' 0 ranks 2 stac-convert "$tests/../configs/convert.yaml" --model_name "$tiny" --output_dir "$work/snn" \
    --spike_budget 0.85 --verify --quiet
says 'verification' '^passed  fidelity' "$work/out"
says 'verification' '^passed  temporal' "$work/out"
evaluate() { # JSON ARGUMENT...
    json=$work/$1
    shift
    expect "evaluation $*" 0 ranks 2 stac-eval "$work/snn" --test_all --text "$text" --json "$json" --quiet "$@"
}
for mode in count temporal; do
    evaluate $mode.json --limit_tokens 1024 --execution $mode
    grep -v -E '"(seconds|peak_memory_bytes)"' "$json" > "$work/$mode.same"
done
equal 'temporal and count mode have the same digits' "$work/count.same" "$work/temporal.same"
evaluate all.json --limit_tokens 8192
cat "$json"
holds 'perplexity ratio' "$(value "$json" ppl_ratio) <= 1.01 && $(value "$json" ppl_ratio) > 0.99"
holds 'additions per multiply-accumulate' "$(value "$json" ac_per_mac) <= 0.9 && $(value "$json" ac_per_mac) > 0.5"
holds 'coverage' "$(value "$json" coverage) == 1"
holds 'divergence' "$(value "$json" kl) > 0.0001 && $(value "$json" kl) < 0.01"
holds 'energy ratio' "$(value "$json" energy_ratio_fp32) > 5"
for check in perplexity fidelity multi_turn position_boundaries attention_mask temporal; do
    says "check $check" "\"passed_$check\": true" "$json"
done

expect 'simplified conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/simple" --simplified --spike_budget 0.9 --quiet
expect 'evaluation of it' 0 stac-eval "$work/simple" --text "$text" --limit_tokens 2048 --json "$work/simple.json" --quiet
holds 'perplexity ratio, simplified' "$(value "$work/simple.json" ppl_ratio) <= 1.05"
looked=$((looked + 1))
[ -s "$work/snn/report.html" ] && [ -s "$work/snn/metrics.h5" ] || fail 'report.html or metrics.h5 is missing'
looked=$((looked + 1))
! grep -q -E 'https?://' "$work/snn/report.html" || fail 'the report needs a network'

# Far too few spikes: the check must see it.
expect 'a starved conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/starved" --simplified --spike_budget 0.1 --quiet
expect 'evaluation of it' 1 stac-eval "$work/starved" --test_fidelity --text "$text" --limit_tokens 1024 --quiet
says 'the starved conversion' '^FAILED  fidelity .*(too large|too few)' "$work/out"
finish
