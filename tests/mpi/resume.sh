#!/bin/sh
# What is interrupted goes on, on another number of ranks, and ends with the bytes of what was not: a conversion and an evaluation
# that are stopped again and again after one piece of work, and some that are killed.
. "$(dirname "$0")/../shell.sh"
env --block-signal=USR1 true 2> /dev/null || skip "this env has no --block-signal"

# stopping N COMMAND...: on N ranks, the last of which finds SIGUSR1 waiting when it begins to listen
cat > "$work/asked" << 'EOD'
#!/bin/sh
[ "$((OMPI_COMM_WORLD_RANK + 1))" = "$OMPI_COMM_WORLD_SIZE" ] || exec "$@"
exec env --block-signal=USR1 sh -c 'kill -USR1 $$; exec "$@"' sh "$@"
EOD
chmod +x "$work/asked"
stopping() {
    n=$1
    shift
    timeout -k 5 120 mpirun -q -n "$n" "$work/asked" "$@"
}

# until_done WHAT SUBMIT COMMAND...: exit code 75 again and again, on 1, 2 and 3 ranks in turn, then 0; $runs of them
until_done() {
    what=$1
    shift
    runs=0 got=75
    while [ "$got" = 75 ] && [ "$runs" -lt 200 ]; do
        looked=$((looked + 1))
        stopping $((runs % 3 + 1)) "$@" > "$work/out" 2> "$work/err"
        got=$?
        runs=$((runs + 1))
        [ "$got" != 75 ] || says "$what, run $runs" '^stopped: by SIGUSR1; what is done is kept in .*: run the same job again' "$work/err"
    done
    looked=$((looked + 1))
    [ "$got" = 0 ] || { fail "$what: exit code $got after $runs runs"; tail -3 "$work/err"; }
}

convert="stac-convert --model_name $tiny --num_samples 2 --calibration_length 32 --spike_budget 0.85 --threads 1 --quiet"
for what in closed:--threshold_steps=0 trained:--threshold_steps=2; do
    [ -z "$STAC_SANITIZED" ] || [ "${what%%:*}" = closed ] || continue # it takes minutes there
    name=${what%%:*} flag=$(echo "${what#*:}" | tr '=' ' ')
    # shellcheck disable=SC2086
    expect "$name: at once" 0 ranks 2 $convert $flag --output_dir "$work/$name"
    # shellcheck disable=SC2086
    until_done "$name" $convert $flag --output_dir "$work/$name-pieces"
    holds "$name: $runs runs" "$runs > 12"
    equal "$name in $runs pieces" "$work/$name/snn_model.h5" "$work/$name-pieces/snn_model.h5"
    looked=$((looked + 1))
    [ ! -e "$work/$name-pieces.checkpoint" ] || fail "$name: the checkpoint is left behind"
    ls -d "$work"/*.draft-* 2> /dev/null && fail "$name: a draft is left behind"
done

# Nothing is done twice.
expect "once" 0 ranks 2 $convert --threshold_steps 0 --output_dir "$work/closed" --once
expect "not once" 2 ranks 2 $convert --threshold_steps 0 --output_dir "$work/closed"
expect "another job" 2 ranks 2 $convert --threshold_steps 0 --timesteps 8 --output_dir "$work/closed" --once

# Damaged records count for nothing, and those of another job are not taken.
expect "stopped" 75 stopping 2 $convert --output_dir "$work/damaged" --checkpoint_interval 0
for i in 1 2 3 4 5; do expect "stopped, run $i" 75 stopping 1 $convert --output_dir "$work/damaged"; done
for record in "$work"/damaged.checkpoint/[a-z]*; do
    case $record in */job | */*.old) continue ;; esac
    printf 'x' | dd of="$record" bs=1 seek=$(($(stat -c %s "$record") - 9)) conv=notrunc 2> /dev/null
done
expect "another job on its checkpoint" 2 ranks 1 $convert --timesteps 8 --output_dir "$work/damaged"
says "another job on its checkpoint" 'damaged.checkpoint was left by a job that is not this one' "$work/err"
expect "with damaged records" 0 ranks 2 $convert --output_dir "$work/damaged"
says "with damaged records" 'damaged.checkpoint/[a-z]* is damaged: ' "$work/err"
equal "with damaged records" "$work/closed/snn_model.h5" "$work/damaged/snn_model.h5"

# Nor are they where a file beside the weights is another one now: the tokenizer, or what ends a text.
cp -r "$tiny" "$work/model"
beside="stac-convert --model_name $work/model --num_samples 2 --calibration_length 32 --mode simplified --threads 1 --quiet"
for name in tokenizer.json tokenizer_config.json generation_config.json; do
    expect "$name, stopped" 75 stopping 1 $beside --output_dir "$work/beside" --checkpoint_interval 0
    cp "$work/model/$name" "$work/as-it-was"
    echo >> "$work/model/$name"
    expect "another $name" 2 ranks 2 $beside --output_dir "$work/beside"
    says "another $name" 'beside.checkpoint was left by a job that is not this one' "$work/err"
    cp "$work/as-it-was" "$work/model/$name"
done
expect 'with the files as they were' 0 ranks 2 $beside --output_dir "$work/beside"
expect 'with the files as they were, once' 0 ranks 2 $beside --output_dir "$work/beside" --once
recode="stac-convert --from $work/beside --timesteps 8 --quiet --once --output_dir $work/recoded"
evaluate="stac-eval $work/beside --test_attention_mask --threads 1 --once"
there='holds the result of this very job already'
expect 'new codes' 0 $recode
expect 'evaluated' 0 $evaluate
expect 'new codes, once' 0 $recode
expect 'evaluated once' 0 ranks 2 $evaluate
says 'evaluated once' "$there" "$work/err"
echo >> "$work/model/generation_config.json"
expect 'another generation_config.json, evaluated' 0 $evaluate
says 'another generation_config.json, evaluated' '^passed  attention_mask ' "$work/out"
echo >> "$work/beside/tokenizer/tokenizer.json"
expect 'another tokenizer, evaluated' 0 $evaluate
says 'another tokenizer, evaluated' '^passed  attention_mask ' "$work/out"
expect 'another tokenizer, new codes' 2 $recode
echo >> "$work/model/tokenizer.json"
expect 'another tokenizer, once' 2 ranks 2 $beside --output_dir "$work/beside" --once

# Killed at any moment; what is left is gone on with.
kills=0
for moment in 0.3 0.6 0.9 1.2 1.5 1.8 2.1; do
    timeout -s KILL "$moment" stac-convert --model_name "$tiny" --num_samples 2 --calibration_length 32 --spike_budget 0.85 --threads 1 \
        --quiet --output_dir "$work/killed" --checkpoint_interval 0 > "$work/out" 2>&1 && break
    kills=$((kills + 1))
done
# The last kill may have come between the result and the end of its checkpoint: then there is only tidying left.
expect "after $kills kills" 0 ranks 2 $convert --output_dir "$work/killed" --once
mkdir "$work/as-before"
expect "the checkpoint of a result that is there" 75 stopping 1 $convert --output_dir "$work/as-before/killed" --checkpoint_interval 0
mv "$work/as-before/killed.checkpoint" "$work/killed.checkpoint"
expect "the checkpoint of a result that is there" 0 ranks 1 $convert --output_dir "$work/killed" --once
equal "after $kills kills" "$work/closed/snn_model.h5" "$work/killed/snn_model.h5"
looked=$((looked + 1))
ls -d "$work"/killed?* 2> /dev/null && fail "after $kills kills: something is left behind"

# An evaluation, all of its checks; its results but for times and memory.
evaluate="stac-eval $work/closed --test_all --text $tiny/heldout.txt --limit_tokens 1024 --parity_steps 6 --spike_rate_factor 4 --threads 1 --quiet"
expect "evaluated at once" 0 ranks 2 $evaluate --json "$work/once.json" --neurobench "$work/once.nb"
until_done "evaluation" $evaluate --json "$work/pieces.json" --neurobench "$work/pieces.nb"
holds "evaluation: $runs runs" "$runs > 6"
for json in once pieces; do grep -vE '"(seconds|peak_memory_bytes|ranks|measured_.*)":' "$work/$json.json" > "$work/$json.figures"; done
equal "an evaluation in $runs pieces" "$work/once.figures" "$work/pieces.figures"
equal "NeuroBench's figures in $runs pieces" "$work/once.nb" "$work/pieces.nb"
says 'what was metered at once' '"measured_text_seconds": [0-9]' "$work/once.json"
says 'what was metered in pieces' '"measured_text_seconds": null' "$work/pieces.json"
for kind in cpu gpu; do
    says 'what was metered in pieces' "\"measured_text_${kind}_source\": \"not measured: part of the text was read before an interruption\"" \
        "$work/pieces.json"
done
says 'what was metered in pieces' '"measured_decode_snn_seconds": [0-9]' "$work/pieces.json"
looked=$((looked + 1))
ls -d "$work"/closed.eval* 2> /dev/null && fail "evaluation: the checkpoint is left behind"
expect "evaluated once" 0 ranks 2 $evaluate --json "$work/pieces.json" --neurobench "$work/pieces.nb" --once
finish
