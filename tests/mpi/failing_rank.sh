#!/bin/sh
# A rank that fails alone ends the job within seconds, with one line that names it, and nothing is left behind.
. "$(dirname "$0")/../shell.sh"
sharded=$tests/golden/logits/llama-4heads-sharded

one_line() { # WHAT PATTERN
    says "$1" "$2" "$work/err"
    looked=$((looked + 1))
    lines=$(grep -c '^error: ' "$work/err")
    [ "$lines" = 1 ] || { fail "$1: $lines lines of error instead of one"; cat "$work/err"; }
}
nothing_left() { # WHAT FOLDER
    looked=$((looked + 1))
    left=$(ls -A "$2")
    [ -z "$left" ] || fail "$1: left behind: $left"
}

# Every rank has a folder of its own with a copy of the model; a shard that only the last one reads is missing there.
mkdir "$work/out-folder"
for r in 0 1; do
    mkdir "$work/rank-$r"
    cp -r "$sharded" "$work/rank-$r/model"
    cp "$tiny/tokenizer.json" "$tiny/tokenizer_config.json" "$work/rank-$r/model/"
done
convert_apart() {
    timeout -k 5 60 mpirun -q -n 1 --wdir "$work/rank-0" stac-convert --model_name model --output_dir "$work/out-folder/snn" \
        --stages 2 --num_samples 2 --calibration_text "$tiny/heldout.txt" --quiet \
        : -n 1 --wdir "$work/rank-1" stac-convert --model_name model --output_dir "$work/out-folder/snn" \
        --stages 2 --num_samples 2 --calibration_text "$tiny/heldout.txt" --quiet
}
began=$(date +%s)
for shard in "$work"/rank-1/model/model-000*; do
    mv "$shard" "$work/held"
    expect "without $(basename "$shard")" 3 convert_apart
    one_line "without $(basename "$shard")" "^error: rank [01] on .*: .*$(basename "$shard")"
    nothing_left "without $(basename "$shard")" "$work/out-folder"
    mv "$work/held" "$shard"
done
rm "$work/rank-1/model/config.json"
expect "without config.json on one rank" 3 convert_apart
one_line "without config.json on one rank" '^error: rank 1 on .*config.json'
nothing_left "without config.json" "$work/out-folder"

# A rank that dies
( timeout -k 5 60 mpirun -q -n 2 stac-convert --model_name "$tiny" --output_dir "$work/out-folder/snn" --num_samples 512 \
    --quiet > "$work/out" 2> "$work/err"; echo $? > "$work/code" ) &
job=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.2
    victim=$(pgrep -f "stac-convert --model_name $tiny --output_dir $work" | tail -1)
    ls -A "$work/out-folder" | grep -q . && [ -n "$victim" ] && break
done
looked=$((looked + 1))
kill -9 "$victim" || fail "no rank to kill"
wait $job
looked=$((looked + 1))
[ "$(cat "$work/code")" != 0 ] && [ "$(cat "$work/code")" != 124 ] || fail "a killed rank: exit code $(cat "$work/code")"
[ ! -e "$work/out-folder/snn" ] || fail "a killed rank left a result"
echo "all of it took $(($(date +%s) - began)) s"
finish
