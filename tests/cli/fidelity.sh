#!/bin/sh
# The trained GPT-2: what the conversion promises, on text the model was not trained on.
. "$(dirname "$0")/../shell.sh"
text=$tiny/heldout.txt

# OpenBLAS, which rounds otherwise on every kind of processor, works as on one of them, unless it was told otherwise.
core() { sed -n 's/^Core: //p' "$work/err" | tail -1; }
expect 'the version' 0 env OPENBLAS_VERBOSE=2 stac-convert --version
if grep -qw avx2 /proc/cpuinfo && [ -n "$(core)" ]; then
    looked=$((looked + 1))
    [ "$(core)" = Haswell ] || fail "OpenBLAS works as on a $(core)"
    expect 'the version' 0 env OPENBLAS_CORETYPE=Prescott OPENBLAS_VERBOSE=2 stac-convert --version
    says 'OpenBLAS as it was told' '^Core: Prescott$' "$work/err"
fi

expect 'conversion' 0 ranks 2 stac-convert "$tests/../configs/convert.yaml" --model_name "$tiny" --output_dir "$work/snn" \
    --spike_budget 0.85 --verify --quiet
says 'verification' '^passed  fidelity' "$work/out"
says 'verification' '^passed  temporal' "$work/out"
evaluate() { # JSON ARGUMENT...
    json=$work/$1
    shift
    expect "evaluation $*" 0 ranks 2 stac-eval "$work/snn" --test_all --parity_steps 13 --text "$text" --json "$json" --quiet "$@"
}
for mode in count temporal; do
    evaluate $mode.json --limit_tokens 1024 --execution $mode
    grep -v -E '"(seconds|peak_memory_bytes|measured_.*)"' "$json" > "$work/$mode.same"
done
equal 'temporal and count mode have the same digits' "$work/count.same" "$work/temporal.same"
evaluate all.json --limit_tokens 8192 --csv "$work/all.csv"
cat "$json"
expect 'a result beside itself' 0 stac-eval --compare "$work/snn" "$work/snn"
for key in $(sed -n 's/^ *"\(.*\)": -\{0,1\}[0-9].*/\1/p' "$json"); do
    says "$key in the comparison" "^$key " "$work/out"
    says "$key in the CSV" "^$key,[-0-9]" "$work/all_summary.csv"
done
holds 'perplexity ratio' "$(value "$json" ppl_ratio) <= 1.01 && $(value "$json" ppl_ratio) > 0.99"
holds 'additions per multiply-accumulate' "$(value "$json" ac_per_mac) <= 0.9 && $(value "$json" ac_per_mac) > 0.5"
holds 'coverage' "$(value "$json" coverage) == 1"
holds 'divergence' "$(value "$json" kl) > 0.0001 && $(value "$json" kl) < 0.01"
holds 'energy ratio' "$(value "$json" energy_ratio_fp32) > 5"
holds 'account 1 is that ratio' "$(value "$json" energy_ratio_prefill_operations) / $(value "$json" energy_ratio_fp32) - 1 < 1e-9"
for account in operations everything memory; do
    for phase in prefill decode; do
        holds "account $account of $phase" "$(value "$json" energy_ratio_${phase}_$account) > 3"
        holds "$account of $phase against the rival" "$(value "$json" energy_ratio_rival_${phase}_$account) > 0.5 &&
            $(value "$json" energy_ratio_rival_${phase}_$account) < 4"
    done
done
holds 'bits of the rival' "$(value "$json" energy_rival_bits) > 4 && $(value "$json" energy_rival_bits) < 8"
says 'what was metered' '"measured_text_cpu_source": "(measured-rapl|not measured: )' "$json"
says 'joules that were not measured' '"measured_decode_snn_gpu_joules": (null|[1-9]|0[.]0*[1-9])' "$json"
for check in perplexity fidelity multi_turn position_boundaries attention_mask temporal energy spike_rates; do
    says "check $check" "\"passed_$check\": true" "$json"
done

expect 'simplified conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/simple" --simplified --spike_budget 0.9 --quiet
expect 'evaluation of it' 0 stac-eval "$work/simple" --text "$text" --limit_tokens 2048 --json "$work/simple.json" --quiet
holds 'perplexity ratio, simplified' "$(value "$work/simple.json" ppl_ratio) <= 1.05"
looked=$((looked + 1))
[ -s "$work/snn/report.html" ] && [ -s "$work/snn/metrics.h5" ] || fail 'report.html or metrics.h5 is missing'
looked=$((looked + 1))
! grep -q -E 'https?://' "$work/snn/report.html" || fail 'the report needs a network'
says 'the report' '<h2>Energy</h2>' "$work/snn/report.html"
for table in counts sites layers charges; do
    expect "table of energy: $table" 0 h5dump -H -d /energy/$table "$work/snn/metrics.h5"
done
expect 'spike rates' 0 h5dump -d /spike_rates "$work/snn/metrics.h5"
says 'spike rates' '"fine"' "$work/out"

# Another machine, and what it must not reach.
expect 'a stricter limit' 1 stac-eval "$work/snn" --test_energy --energy_ratio_min 50 --text "$text" --limit_tokens 512 --quiet
says 'a stricter limit' '^FAILED  energy .*account 1 must reach 50 and does not' "$work/out"
expect 'a set without memory' 0 stac-eval "$work/snn" --test_energy --text "$text" --limit_tokens 512 --quiet \
    --energy_model "$tests/../configs/energy/horowitz_45nm_int8.yaml" --json "$work/int8.json"
says 'a set without memory' '"energy_decode_memory_snn": null' "$work/int8.json"
says 'a set without memory' '"energy_model": "horowitz_45nm_int8"' "$work/int8.json"
expect 'products chosen by density' 0 ranks 2 stac-eval "$work/snn" --use_sparse --test_temporal --test_energy --text "$text" \
    --limit_tokens 512 --quiet
says 'products chosen by density' '^passed  temporal ' "$work/out"
expect 'rates held to a tenth of a percent' 1 stac-eval "$work/snn" --test_spike_rates --spike_rate_factor 1.001 --text "$text" \
    --limit_tokens 512 --quiet
says 'rates held to a tenth of a percent' '^FAILED  spike_rates .* is off its plan' "$work/out"

# Far too few spikes: the check must see it.
expect 'a starved conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/starved" --simplified --spike_budget 0.1 --quiet
expect 'evaluation of it' 1 stac-eval "$work/starved" --test_fidelity --text "$text" --limit_tokens 1024 --quiet
says 'the starved conversion' '^FAILED  fidelity .*(too large|too few)' "$work/out"
# Calibration windows that are longer than conversations: codes are trained on all of them, and verified on what they are for.
long=$work/long
cp -r "$tests/golden/logits/llama-4heads-sharded" "$long"
cp "$tests"/golden/tokenizer/gpt2/tokenizer*.json "$long/"
sed -i 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 1024/' "$long/config.json"
long_windows() { # NAME ARGUMENT...
    name=$1
    shift
    expect "$name" 0 stac-convert --model_name "$long" --output_dir "$work/$name" --num_samples 2 --calibration_length 1024 \
        --max_context_length 64 --spike_budget 2 --quiet "$@"
}
long_windows plain --simplified
long_windows verified --simplified --verify
says 'verification' '^passed  temporal' "$work/out"
expect 'a verified result' 0 h5diff "$work/plain/snn_model.h5" "$work/verified/snn_model.h5" /block /block
long_windows trained --threshold_steps 1 --verify
finish
