#!/bin/sh
# The batch scripts on a real Slurm of one node: conversion, evaluation, an array with an element that fails, scancel, the time
# limit, mpirun where srun has no PMIx, and names that a shell would trip over.
. "$(dirname "$0")/../shell.sh"
. "$(dirname "$0")/cluster.sh"
began=$(date +%s)
start_cluster || { fail "Slurm does not start"; finish; }
made_up_programs
export STAC_HOME="$repository" STAC_BIN STAC_MODEL="$tiny" STAC_OUTPUT="$work/swept" STAC_MPI=pmix
scripts=$repository/slurm
small='--simplified --num_samples 1 --calibration_length 32 --quiet'
# What a shell, or a careless script, would make a file of.
odd=$work/"a b'c\"d;\$(touch pwned)\`touch pwned\`*&
e"

expect 'a conversion without Slurm' 0 ranks 2 stac-convert --model_name "$tiny" --output_dir "$work/right" $small

# ---- all of them at once; what takes longest first
printf 'trap "" USR1 TERM; echo "rank $rank waits"; while :; do sleep 1; done\n' > "$work/deaf"
STAC_BIN=$work/programs batch -n 1 --time=1 -o "$work/limit-%j.out" "$scripts/convert_smollm2.sh" "$work/deaf"
limit=$id
batch -n 2 -o "$work/one-%j.out" "$scripts/convert_smollm2.sh" $small --output_dir "$odd"
one=$id
batch -n 2 -d "afterok:$one" -o "$work/eval-%j.out" "$scripts/evaluate.sh" "$odd" --text "$tiny/heldout.txt" \
    --limit_tokens 600 --test_perplexity --json "$odd.json"
eval=$id
STAC_MPI=no_such_plugin batch -n 2 -o "$work/mpirun-%j.out" "$scripts/convert_smollm2.sh" $small --output_dir "$work/by-mpirun"
by_mpirun=$id
looked=$((looked + 1))
id=$(cd "$repository" && STAC_RANKS=1 STAC_PARTITION=debug SBATCH_OUTPUT="$work/sh-%j.out" sh slurm/convert_smollm2.sh $small \
    --output_dir "$work/by-sh" | sed -n 's/^Submitted batch job //p')
[ -n "$id" ] || { fail 'sh in place of sbatch'; id=0; }
by_sh=$id
ends 'a conversion' "$one" 90 COMPLETED
equal 'its result' "$work/right/snn_model.h5" "$odd/snn_model.h5"
ends 'an evaluation' "$eval" 60 COMPLETED
says 'its figures' '"tokens": 597' "$odd.json"
ends 'a conversion by mpirun' "$by_mpirun" 60 COMPLETED
equal 'the result by mpirun' "$work/right/snn_model.h5" "$work/by-mpirun/snn_model.h5"
ends 'a conversion, submitted by sh' "$by_sh" 60 COMPLETED
equal 'the result of one that sh submitted' "$work/right/snn_model.h5" "$work/by-sh/snn_model.h5"

# ---- how ranks are started
printf '#!/bin/sh\n"$STAC_HOME/slurm/launch.sh" --which\n' > "$work/which"
batch -W -n 2 -o "$work/which-pmix" "$work/which"
says 'srun works' '^srun$' "$work/which-pmix"
STAC_MPI=none batch -W -n 2 -o "$work/which-none" "$work/which"
says 'mpirun where site.sh says so' '^mpirun$' "$work/which-none"
STAC_MPI=cray_shasta batch -W -n 2 -o "$work/which-other" "$work/which"
says 'mpirun where srun starts single ranks' '^mpirun$' "$work/which-other"

# ---- an array of three elements over five lines: the second one fails
printf 'model_name: "%s"\noutput_dir: "%s"\nmode: simplified\nnum_samples: 1\ncalibration_length: 32\nquiet: true\n' "$tiny" "$work/two" > "$work/the 2nd \$(job).yaml"
printf 'dir: "%s"\nmode: baseline\ntext: "%s"\nlimit_tokens: 300\njson: "%s"\n' "$tiny" "$tiny/heldout.txt" "$work/three.json" > "$work/three.eval.yaml"
printf '%s\n' '# T and budget, or a job file' '8 1.3' "$work/no such.yaml" "$work/three.eval.yaml" '' "$work/the 2nd \$(job).yaml" '16; touch pwned 1' > "$work/list"
batch --array=0-2%2 -n 1 -o "$work/array-%A_%a.out" "$scripts/sweep.sh" "$work/list"
array=$id

echo '4 1.5' > "$work/short list"
looked=$((looked + 1))
by_sweep=$(cd "$repository" && STAC_RANKS=1 SBATCH_OUTPUT="$work/sweep-%A_%a.out" sh slurm/sweep.sh "$work/short list" \
    | sed -n 's/^Submitted batch job //p')
[ -n "$by_sweep" ] || { fail 'sh in place of sbatch, for an array'; by_sweep=0; }

# ---- scancel: the ranks get it, nothing is left and nothing begins again
batch -n 2 -o "$work/cancel-%j.out" "$scripts/convert_smollm2.sh" --num_samples 256 --output_dir "$work/cancelled"
cancelled=$id
until_line "$work/cancel-$cancelled.out" 'layers over' 60 || fail 'the job to be cancelled does not begin'
scancel "$cancelled"
ends 'a cancelled job' "$cancelled" 30 CANCELLED
sleep 1
looked=$((looked + 1))
[ -z "$(pgrep -f "output_dir $work/cancelled")" ] && [ ! -e "$work/cancelled" ] || fail 'something is left of a cancelled job'

for element in 0 2; do ends "element $element" "${array}_$element" 90 COMPLETED; done
ends 'an array that sh submitted' "${by_sweep}_0" 90 COMPLETED
says 'its line' '"timesteps": 4' "$work/swept-4-1.5/config.json"
until_state "${array}_1" 60 FAILED || fail "element 1 is $state"
looked=$((looked + 1))
says 'what failed' 'exit code 2: .*/no such.yaml$' "$work/array-${array}_1.out"
says 'what failed' 'exit code 2: 16; touch pwned 1$' "$work/array-${array}_1.out"
equal 'line 4' "$work/right/snn_model.h5" "$work/two/snn_model.h5"
says 'line 1' '"timesteps": 8' "$work/swept-8-1.3/config.json"
says 'line 3' '"tokens": 298' "$work/three.json"

# ---- the time limit: Slurm kills what does not listen
ends 'a job that outlives its limit' "$limit" 150 TIMEOUT
says 'it had begun' '^rank 0 waits$' "$work/limit-$limit.out"
says 'it was told' 'TERM: passed on' "$work/limit-$limit.out"
looked=$((looked + 1))
[ -z "$(find "$work" "$repository/pwned" -name pwned 2> /dev/null)" ] || fail 'a name was run as a command'
echo "all of it took $(($(date +%s) - began)) s"
finish
