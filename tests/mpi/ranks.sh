#!/bin/sh
# The same bytes and digits for any number of ranks, as one pipeline of stages and as groups of ranks.
. "$(dirname "$0")/../shell.sh"

convert() { # RANKS FOLDER ARGUMENT...
    n=$1
    folder=$2
    shift 2
    expect "conversion on $n ranks" 0 ranks "$n" stac-convert --model_name "$tiny" --output_dir "$work/$folder" --quiet \
        --num_samples 6 --spike_budget 0.85 "$@"
}
evaluate() { # RANKS JSON ARGUMENT...
    n=$1
    json=$2
    shift 2
    expect "evaluation on $n ranks" 0 ranks "$n" stac-eval "$work/one" --quiet --text "$tiny/heldout.txt" \
        --limit_tokens 2100 --test_all --parity_steps 13 --json "$work/$json" "$@"
    grep -v -E '"(seconds|peak_memory_bytes|ranks|measured_.*)"' "$work/$json" > "$work/$json.same"
}

counts='2 3 4'
[ -z "${STAC_SANITIZED:-}" ] || counts=3 # sanitizers are slow; the bytes are compared in the release build

for n in $counts; do
    expect "what $n ranks hold becomes one" 0 env STAC_CUDA_MODULE=/bin/sh mpirun -q -n $n "$STAC_BIN/tests/test_merge"
    says "what $n ranks hold becomes one" "^rank 1 of $n: .*, over MPI\$" "$work/out"
done

convert 1 one
evaluate 1 one.json
for n in $counts; do
    convert $n groups-$n --stages 1
    equal "snn_model.h5 of $n groups of 1 rank" "$work/one/snn_model.h5" "$work/groups-$n/snn_model.h5"
    convert $n stages-$n --stages $n
    equal "snn_model.h5 of 1 group of $n ranks" "$work/one/snn_model.h5" "$work/stages-$n/snn_model.h5"
    equal "config.json of $n ranks" "$work/one/config.json" "$work/stages-$n/config.json"
    evaluate $n groups-$n.json --stages 1
    equal "results of $n groups of 1 rank" "$work/one.json.same" "$work/groups-$n.json.same"
    evaluate $n stages-$n.json --stages $n
    equal "results of 1 group of $n ranks" "$work/one.json.same" "$work/stages-$n.json.same"
done
if [ -z "${STAC_SANITIZED:-}" ]; then
    convert 4 both --stages 2
    equal "snn_model.h5 of 2 groups of 2 ranks" "$work/one/snn_model.h5" "$work/both/snn_model.h5"
    convert 3 spare --stages 2 # one rank is left over
    equal "snn_model.h5 of 2 ranks and a spare one" "$work/one/snn_model.h5" "$work/spare/snn_model.h5"
    evaluate 4 both.json --stages 2
    equal "results of 2 groups of 2 ranks" "$work/one.json.same" "$work/both.json.same"
    evaluate 2 threads.json --threads 2
    equal "results of 2 ranks of 2 threads" "$work/one.json.same" "$work/threads.json.same"
fi

# A group whose linear algebra rounds as that of another processor: what the first one rotates and shapes is for all. (The fit
# shares its products out; they are those of whoever made them.)
apart='--num_samples 4 --calibration_length 40 --timesteps 8 --without fit --threads 1'
convert 1 alike $apart
expect 'groups of different processors' 0 timeout -k 10 300 \
    mpirun -q -n 1 stac-convert --model_name "$tiny" --output_dir "$work/apart" --quiet --stages 1 --spike_budget 0.85 $apart \
    : -n 1 env OPENBLAS_CORETYPE=Sandybridge \
    stac-convert --model_name "$tiny" --output_dir "$work/apart" --quiet --stages 1 --spike_budget 0.85 $apart
equal 'snn_model.h5 of groups of different processors' "$work/alike/snn_model.h5" "$work/apart/snn_model.h5"

# ST-BIF+ neurons: all stages step by step; and a neuron with thresholds of its own.
for pair in rate:st_bif ternary:causal; do
    pair_flags="--code ${pair%:*} --neuron ${pair#*:} --timesteps 8 --simplified --num_samples 2"
    for layout in 1x1 1x2 2x1; do # groups x stages
        convert $((${layout%x*} * ${layout#*x})) "$pair-$layout" --stages ${layout#*x} $pair_flags
        equal "snn_model.h5 of $pair, $layout" "$work/$pair-1x1/snn_model.h5" "$work/$pair-$layout/snn_model.h5"
        expect "evaluation of $pair, $layout" 0 ranks $((${layout%x*} * ${layout#*x})) stac-eval "$work/$pair-1x1" --quiet \
            --text "$tiny/heldout.txt" --limit_tokens 600 --stages ${layout#*x} --test_perplexity --test_attention_mask \
            --test_temporal --json "$work/$pair.json"
        grep -v -E '"(seconds|peak_memory_bytes|ranks|measured_.*)"' "$work/$pair.json" > "$work/$pair-$layout.same"
        equal "results of $pair, $layout" "$work/$pair-1x1.same" "$work/$pair-$layout.same"
    done
done

# Codes trained by surrogate gradients.
for neuron in table causal; do
    layouts='1x1 1x2 2x1 2x2' # groups x stages
    [ $neuron = table ] || layouts='1x1 2x2'
    for layout in $layouts; do
        convert $((${layout%x*} * ${layout#*x})) "trained-$neuron-$layout" --stages ${layout#*x} --neuron $neuron \
            --timesteps 8 --threshold_steps 2 --calibration_length 48
        equal "snn_model.h5 with trained codes on $neuron, $layout" "$work/trained-$neuron-1x1/snn_model.h5" \
            "$work/trained-$neuron-$layout/snn_model.h5"
    done
    says "the log of training on $neuron" 'block +5: loss( [0-9.e-]+){3}$' "$work/trained-$neuron-1x1/conversion_log.txt"
done
expect 'evaluation of trained codes' 0 ranks 2 stac-eval "$work/trained-table-1x1" --quiet --text "$tiny/heldout.txt" \
    --limit_tokens 600 --test_perplexity --test_temporal
says 'the report of trained codes' 'Training the thresholds' "$work/trained-table-1x1/report.html"
expect 'losses of training' 0 h5dump -d /block/005/threshold_loss "$work/trained-table-1x1/snn_model.h5"
says 'losses of training' 'DATASPACE +SIMPLE \{ \( 3 \)' "$work/out"

# A small random Llama: gated, with groups of query heads.
llama=$work/llama
cp -r "$tests/golden/logits/llama-4heads-sharded" "$llama"
cp "$tests"/golden/tokenizer/gpt2/tokenizer*.json "$llama/"
for layout in 1x1 1x2 2x1 2x2; do # groups x stages
    expect "conversion of a Llama, $layout" 0 ranks $((${layout%x*} * ${layout#*x})) stac-convert --model_name "$llama" \
        --output_dir "$work/llama-$layout" --stages ${layout#*x} --num_samples 5 --quiet
    equal "snn_model.h5 of a Llama, $layout" "$work/llama-1x1/snn_model.h5" "$work/llama-$layout/snn_model.h5"
done

printf 'ROMEO:\nWhat is thy name?\n' > "$work/talk"
for n in 1 3; do
    input=$work/talk expect "conversation on $n ranks" 0 ranks $n stac-chat "$work/one" --stages $n --quiet \
        --temperature 0.8 --max_new_tokens 12
    cp "$work/out" "$work/talk-$n"
done
equal "conversation on 1 and on 3 ranks" "$work/talk-1" "$work/talk-3"
says "conversation of both sides" '^SNN: ' "$work/talk-1"
finish
