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

# Ranks that were not started alike.
expect "another job on rank 1" 2 timeout -k 5 60 mpirun -q -n 1 stac-convert --model_name "$tiny" --output_dir "$work/out-folder/snn" \
    : -n 1 stac-convert --model_name "$tiny" --output_dir "$work/out-folder/snn" --timesteps 8
one_line "another job on rank 1" '^error: rank 1 on .*: its job or its version is not that of rank 0'
nothing_left "another job on rank 1" "$work/out-folder"

# A rank that is killed, crashes, stops or leaves, in the middle of a phase: over within 10 s, and one line says which and what it
# was at. lose WHAT PATTERN COMMAND...: runs a conversion of 3 ranks, and the command with the process number of one of them
lose() {
    what=$1 pattern=$2
    shift 2
    timeout -k 5 60 mpirun -q -n 3 stac-convert --model_name "$tiny" --output_dir "$work/out-folder/snn" --num_samples 512 --threads 1 \
        > "$work/out" 2> "$work/err" &
    job=$!
    for i in $(seq 100); do
        sleep 0.1
        grep -q "$phase" "$work/err" && break
    done
    victim=$(pgrep -f "^stac-convert --model_name $tiny --output_dir $work" | sed -n "${nth}p")
    sleep 0.2
    before=$(date +%s%N)
    "$@" "$victim" || fail "$what: no rank to lose"
    over_soon "$what" "$job" "$before"
    looked=$((looked + 1))
    [ ! -e "$work/out-folder/snn" ] || fail "$what: left a result"
    one_line "$what" "^error: rank [012] on .*, in calibrate: texts: .*$pattern"
    rm -rf "$work/out-folder/snn"*
    longest=$((took > longest ? took : longest))
}
longest=0 phase='calibrate: texts'
for nth in 1 3; do
    lose "rank $nth killed" 'gone: killed' kill -KILL
    lose "rank $nth stopped" 'no sign of life' kill -STOP
    if [ -z "$STAC_SANITIZED" ]; then lose "rank $nth crashed" 'segmentation fault' kill -SEGV; fi
    lose "rank $nth aborted" "$([ -n "$STAC_SANITIZED" ] && echo gone || echo aborted)" kill -ABRT
done
# One that leaves without a word: a library that calls _exit(0) in it (tests/fakes/leave.c)
if [ -z "$STAC_SANITIZED" ]; then
    expect "a rank that leaves" 1 timeout -k 5 60 mpirun -q -n 1 env LD_PRELOAD="$STAC_FAKE_LEAVE" stac-convert --model_name "$tiny" \
        --output_dir "$work/out-folder/snn" --num_samples 512 : -n 1 stac-convert --model_name "$tiny" \
        --output_dir "$work/out-folder/snn" --num_samples 512
    one_line "a rank that leaves" '^error: rank 0 on .*: it is gone: killed, or it left by itself'
    rm -rf "$work/out-folder/snn"*
fi
# One that gets a signal in a call of MPI (tests/fakes/mpi_signal.c).
small="--model_name $tiny --output_dir $work/out-folder/snn --simplified --num_samples 2 --calibration_length 64 --threads 1"
lose_in() { # CALL SIGNAL
    timeout -k 5 60 mpirun -q -n 2 stac-convert $small : -n 1 env STAC_FAKE_AT="$1" STAC_FAKE_SIGNAL="$2" \
        LD_PRELOAD="$STAC_FAKE_MPI_SIGNAL" stac-convert $small > "$work/out" 2> "$work/err" &
    job=$!
}
# Before the ranks watch each other: as MPI begins, while they get the job, and as they share the memory to watch with.
stop_at_the_start() { # CALL
    before=$(date +%s%N)
    lose_in "$1" 19
    over_soon "a rank stopped in $1" "$job" "$before"
    one_line "a rank stopped in $1" '^error: rank 2 on .*, while ranks gather: it is stopped'
    nothing_left "a rank stopped in $1" "$work/out-folder"
    longest=$((took > longest ? took : longest))
}
# After all of its work, in MPI_Finalize, where the others wait for it: the result is there.
lose_at_the_end() { # WHAT SIGNAL PATTERN
    lose_in MPI_Finalize "$2"
    for i in $(seq 200); do grep -q '^written to' "$work/err" && break; sleep 0.1; done
    over_soon "$1" "$job" "$(date +%s%N)"
    one_line "$1" "^error: rank 2 on .*, in MPI_Finalize: .*$3"
    longest=$((took > longest ? took : longest))
    expect "$1: its result" 0 stac-eval "$work/out-folder/snn" --test_attention_mask --quiet
    rm -rf "$work/out-folder/snn"*
}
if [ -z "$STAC_SANITIZED" ]; then
    stop_at_the_start MPI_Init_thread
    stop_at_the_start MPI_Bcast
    stop_at_the_start MPI_Barrier
    lose_at_the_end 'a rank stopped at the end' 19 'no sign of life'
    lose_at_the_end 'a rank killed at the end' 9 'gone: killed'
fi
# One whose memory runs out in the fit or in training, wherever that is: its stage agrees on it (tests/fakes/faults.c).
run_out() { # NTH
    timeout -k 2 60 mpirun -q -n 1 stac-convert $trained : -n 1 env LD_PRELOAD="$STAC_FAKE_FAULTS" STAC_FAULT="memory $1 12" \
        stac-convert $trained > "$work/out" 2> "$work/err"
    code=$?
}
cp "$sharded/config.json" "$work/rank-1/model/"
trained="--model_name $work/rank-1/model --output_dir $work/out-folder/snn --num_samples 2 --calibration_length 16 --timesteps 4
    --threshold_steps 2 --without fisher --threads 1 --quiet"
if [ -z "$STAC_SANITIZED" ]; then
    nth=640 code=4 fits=0 codes=0
    while [ $nth -lt 6000 ]; do
        run_out $nth
        [ $code != 0 ] || break
        looked=$((looked + 1))
        [ $code = 4 ] || fail "memory that runs out at allocation $nth: exit code $code"
        fits=$((fits + $(grep -c 'in fit weights: cannot allocate' "$work/err")))
        codes=$((codes + $(grep -c 'in fit weights: cannot allocate a code' "$work/err")))
        nothing_left "memory that runs out at allocation $nth" "$work/out-folder"
        nth=$((nth + 173))
    done
    holds 'memory ran out in the fit' "$fits >= 6 && $codes >= 2 && $code == 0"
    rm -rf "$work/out-folder/snn"*
fi
echo "the longest took $longest ms"

echo "all of it took $(($(date +%s) - began)) s"
finish
