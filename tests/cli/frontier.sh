#!/bin/sh
# Recoding, calibration data and the frontier, on the small GPT-2: new codes from the file alone, windows from a file, a sweep
# that is killed and goes on.
. "$(dirname "$0")/../shell.sh"
text=$tiny/heldout.txt

expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --quiet --num_samples 3 --spike_budget 0.9 \
    --mode simplified

# ---- other codes
same_network() { # WHAT FILE FILE: everything but the attributes of the root
    for part in /block /head_in /embedding /model; do expect "$1, $part" 0 h5diff "$2" "$3" $part $part; done
}
expect 'the codes it has already' 0 stac-convert --from "$work/snn" --output_dir "$work/same" --quiet
same_network 'the codes it has already' "$work/snn/snn_model.h5" "$work/same/snn_model.h5"
expect 'the digest of its source' 0 h5dump -a /recoded_from "$work/same/snn_model.h5"
says 'the digest of its source' "$(sha256sum "$work/snn/snn_model.h5" | cut -c1-64)" "$work/out"
counts='1 2 3'
[ -z "${STAC_SANITIZED:-}" ] || counts='1 3'
for n in $counts; do
    expect "8 time steps on $n ranks" 0 ranks $n stac-convert --from "$work/snn" --timesteps 8 --spike_budget 1.2 --stages $n \
        --output_dir "$work/eight-$n" --quiet
    equal "8 time steps on 1 and $n ranks" "$work/eight-1/snn_model.h5" "$work/eight-$n/snn_model.h5"
done
equal 'config.json' "$work/eight-1/config.json" "$work/eight-3/config.json"
says 'config.json' '"timesteps": 8' "$work/eight-1/config.json"
says 'config.json' '"n_layer": 6' "$work/eight-1/config.json"
looked=$((looked + 1))
diff -r "$work/snn/tokenizer" "$work/eight-1/tokenizer" || fail 'the tokenizer is another'
expect 'there and back' 0 stac-convert --from "$work/eight-1" --timesteps 16 --spike_budget 0.9 --output_dir "$work/back" --quiet
same_network 'there and back' "$work/snn/snn_model.h5" "$work/back/snn_model.h5"
expect 'evaluation of 8 time steps' 0 ranks 2 stac-eval "$work/eight-1" --text "$text" --limit_tokens 1024 --quiet \
    --test_temporal --test_perplexity --json "$work/eight.json"
expect 'another number of windows' 2 stac-convert --from "$work/snn" --num_samples 4 --output_dir "$work/x"
says 'another number of windows' '^error: .*was converted with another num_samples' "$work/err"
expect 'verification' 2 stac-convert --from "$work/snn" --verify --output_dir "$work/x"
says 'verification' '^error: --from reads no text' "$work/err"
expect 'a model' 3 stac-convert --from "$tiny" --output_dir "$work/x"
looked=$((looked + 1))
[ ! -e "$work/x" ] || fail 'a refused recoding left something behind'

# ---- calibration data
data() { # RANKS FILE ARGUMENT...: windows written, as many as the conversion above reads
    n=$1
    file=$2
    shift 2
    expect "calibration data on $n ranks" 0 ranks "$n" stac-convert --model_name "$tiny" --create_calibration_data "$file" \
        --num_samples 3 --mode simplified --quiet "$@"
}
data 1 "$work/windows.h5"
data 3 "$work/windows-3.h5"
equal 'calibration data on 1 and 3 ranks' "$work/windows.h5" "$work/windows-3.h5"
expect 'more of them' 0 stac-convert --model_name "$tiny" --create_calibration_data "$work/six.h5" --num_samples 6 --simplified \
    --calibration_length 32
says 'more of them' '^6 windows of 32 tokens written' "$work/err"
expect 'as many as usual' 0 stac-convert --model_name "$tiny" --create_calibration_data "$work/four.h5" --simplified \
    --calibration_length 32
says 'as many as usual' '^4 windows of 32 tokens written' "$work/err"
expect 'a conversion with them' 0 stac-convert --model_name "$tiny" --calibration_data "$work/windows.h5" --num_samples 3 \
    --output_dir "$work/with" --quiet --spike_budget 0.9 --mode simplified
same_network 'a conversion with calibration data' "$work/snn/snn_model.h5" "$work/with/snn_model.h5"
data 2 "$work/text.h5" --calibration_text "$text" --calibration_length 64
expect 'what they are' 0 h5dump -a /source "$work/text.h5"
says 'what they are' "text with SHA-256 $(sha256sum "$text" | cut -c1-64)" "$work/out"
expect 'too few windows' 2 stac-convert --model_name "$tiny" --calibration_data "$work/text.h5" --output_dir "$work/x"
says 'too few windows' '^error: .*has 3 windows of 64 tokens, and 16 of 256' "$work/err"
expect 'two sources' 2 stac-convert --model_name "$tiny" --calibration_data "$work/text.h5" --calibration_text "$text"
expect 'no calibration data' 3 stac-convert --model_name "$tiny" --calibration_data "$work/snn/snn_model.h5"
says 'no calibration data' '^error: .*not a "stac-calibration"' "$work/err"

# ---- the frontier
sweep() { # RANKS TABLE ARGUMENT...
    n=$1
    table=$2
    shift 2
    expect "a sweep on $n ranks" 0 ranks "$n" stac-eval "$work/snn" --frontier "$table" --timesteps 4,8 \
        --spike_budget 0.8,1,1.2 --text "$text" --limit_tokens 1024 --quiet "$@"
}
points() { grep -E '^(ternary|dense) ' "$1" | awk '{ $10 = ""; print }'; } # without the seconds
sweep 2 "$work/whole.h5"
points "$work/out" > "$work/whole"
says 'a sweep' '^6 points computed, 0 were there' "$work/out"
looked=$((looked + 1))
[ "$(wc -l < "$work/whole")" = 7 ] || fail 'a sweep of 6 points has not 7 rows'
row=$(grep '^ternary 8 1.2' "$work/whole") # the network of $work/eight-1
holds 'a row is what an evaluation says' "$(echo "$row" | cut -d' ' -f5) - $(value "$work/eight.json" ppl_ratio) < 1e-5 && \
    $(echo "$row" | cut -d' ' -f5) - $(value "$work/eight.json" ppl_ratio) > -1e-5 && \
    $(echo "$row" | cut -d' ' -f4) - $(value "$work/eight.json" ac_per_mac) < 1e-4 && \
    $(echo "$row" | cut -d' ' -f6) - $(value "$work/eight.json" kl) < 1e-5"

stac-eval "$work/snn" --frontier "$work/killed.h5" --timesteps 4,8 --spike_budget 0.8,1,1.2 --text "$text" \
    --limit_tokens 1024 > /dev/null 2> "$work/log" &
child=$!
for _ in $(seq 600); do
    grep -q 'AC/MAC' "$work/log" && break
    sleep 0.05
done
kill -9 $child
wait $child 2> /dev/null
sweep 3 "$work/killed.h5" --stages 3
points "$work/out" > "$work/killed"
equal 'a sweep that was killed and goes on' "$work/whole" "$work/killed"
says 'a sweep that was killed and goes on' '^[1-5] points computed, [1-5] were there' "$work/out"

sweep 2 "$work/whole.h5" --target_ratio 1.015
says 'a search' ' cheapest$' "$work/out"
looked=$((looked + 1))
awk '/^ternary/ && $11 == "cheapest" && $5 > 1.015 { exit 1 }' "$work/out" || fail 'the cheapest setting misses the target'
says 'a search' '^[1-9][0-9]* points computed, 6 were there' "$work/out"
sweep 1 "$work/whole.h5" --target_ratio 1.015
says 'a search again' '^0 points computed' "$work/out"
looked=$((looked + 1))
! command -v gnuplot > /dev/null || [ -s "$work/whole.png" ] || fail 'there is no picture'
expect 'the table' 0 h5dump -a /points/kl_unit "$work/whole.h5"
says 'the table' 'nats per token' "$work/out"

expect 'configs/frontier.yaml' 0 stac-eval "$tests/../configs/frontier.yaml" "$work/snn" --frontier "$work/file.h5" --text "$text" \
    --limit_tokens 512 --timesteps 8 --target_ratio 0 --quiet
says 'configs/frontier.yaml' '^5 points computed' "$work/out"
evaluate() { # CODE PATTERN ARGUMENT...
    code=$1
    pattern=$2
    shift 2
    expect "stac-eval $*" "$code" stac-eval --quiet "$@"
    says "stac-eval $*" "^error: .*$pattern" "$work/err"
}
evaluate 3 'of another network or text' "$work/eight-1" --frontier "$work/whole.h5" --text "$text" --limit_tokens 1024
evaluate 2 'leave json out' "$work/snn" --frontier "$work/y.h5" --json "$work/y.json" --text "$text"
evaluate 2 'leave checks out' "$work/snn" --frontier "$work/y.h5" --test_all --text "$text"
evaluate 2 'leave checks out' "$work/snn" --frontier "$work/y.h5" --test_tsp_state --text "$text"
evaluate 2 'use --mode both' "$work/snn" --frontier "$work/y.h5" --mode snn --text "$text"
evaluate 2 'belong to --frontier' "$work/snn" --timesteps 8 --test_all
evaluate 3 'no/such/folder' "$work/snn" --frontier "$work/no/such/folder/y.h5" --text "$text" --limit_tokens 512

# ---- another activation
expect 'ReLU' 0 stac-convert --model_name "$tiny" --output_dir "$work/relu" --quiet --num_samples 2 --mode simplified --activation relu
expect 'evaluation of ReLU' 0 stac-eval "$work/relu" --text "$text" --limit_tokens 1024 --test_temporal --test_perplexity --quiet \
    --json "$work/relu.json"
holds 'ReLU is not the GELU this model was trained with' "$(value "$work/relu.json" ppl_ratio) > 1.5"
finish
