#!/bin/sh
# Somebody looks on: what programs are at with a folder, rank by rank, until they end or die.
. "$(dirname "$0")/../shell.sh"
text=$tiny/heldout.txt
tokens=20000 # some seconds
[ -z "${STAC_SANITIZED:-}" ] || tokens=6000

# at_work COMMAND...: in the background; its exit code lies in $work/code at the end
at_work() {
    rm -f "$work/code"
    { "$@" > "$work/other" 2>&1; echo $? > "$work/code"; } &
}
# seen WHAT: nothing is left when it has ended
ended() {
    wait
    looked=$((looked + 2))
    [ "$(cat "$work/code")" = 0 ] || fail "$1: it failed: $(tail -3 "$work/other")"
    [ ! -e "$work/snn.progress" ] || fail "$1: $work/snn.progress is still there"
}

expect 'nobody' 0 stac-eval --watch "$work/snn"
says 'nobody' 'nothing is at work there$' "$work/out"

at_work ranks 2 stac-convert --model_name "$tiny" --output_dir "$work/snn" --spike_budget 0.85 --threshold_steps 3 --quiet
expect 'a conversion' 0 stac-eval --watch "$work/snn"
ended 'a conversion'
says 'a conversion' '^stac-convert, rank 0 of 2: .* [0-9]+ %, [0-9.]+ [a-z]+ a second, .* left' "$work/out"
says 'a conversion' '^stac-convert, rank 1 of 2: ' "$work/out"
says 'layers and losses' ': fit weights .*, layer [0-5], loss of trained over closed-form (0[.]|1)' "$work/out"

at_work ranks 2 stac-eval "$work/snn/" --text "$text" --limit_tokens $tokens --quiet
expect 'an evaluation' 0 stac-eval --watch "$work/snn"
ended 'an evaluation'
says 'an evaluation' 'rank [01] of 2: evaluate: both sides [0-9]+ %, .* tokens a second, .*loss of the SNN [2-5][.0-9]*, spikes [0-9]' "$work/out"

# Killed as soon as it shows itself: told so, and the next one clears up.
killed() {
    "$@" > "$work/other" 2>&1 &
    while [ ! -e "$work/snn.progress/rank-0.json" ] && kill -0 $!; do sleep 0.1; done
    kill -KILL $!
}
killed stac-eval "$work/snn" --text "$text" --execution temporal --quiet &
expect 'a killed evaluation' 1 stac-eval --watch "$work/snn"
wait
says 'a killed evaluation' '; process [0-9]+ is gone' "$work/out"
says 'a killed evaluation' 'died$' "$work/out"
looked=$((looked + 1))
[ -e "$work/snn.progress" ] || fail 'a killed program cannot have cleared up'
expect 'the next' 0 stac-eval "$work/snn" --text "$text" --limit_tokens 512 --quiet
looked=$((looked + 1))
[ ! -e "$work/snn.progress" ] || fail 'what was left is still there'

# Where it cannot be written, and what is no live file.
touch "$work/snn.progress"
expect 'nowhere to write' 0 stac-eval "$work/snn" --text "$text" --limit_tokens $tokens --quiet
expect 'nothing to read' 3 stac-eval --watch "$work/snn"
rm "$work/snn.progress"
mkdir "$work/snn.progress"
echo '{"rank": "a"}' > "$work/snn.progress/rank-0.json"
echo 'x' > "$work/snn.progress/rank-1.json"
echo '{}' > "$work/snn.progress/rank-x.json"
expect 'strange files' 0 stac-eval --watch "$work/snn"
says 'strange files' 'nothing is at work' "$work/out"
finish
