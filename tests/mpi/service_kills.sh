#!/bin/sh
# Jobs through two batch services while services, launchers and ranks are killed in turn, at random times: every job ends in
# done/, once, with the result that it has without any kill.
#
#   service_kills.sh [JOBS [SEED]]     20 jobs without arguments (8 with sanitizers, which are slow); wants STAC_BIN, and STAC_RENAMES_LIBRARY to count results
. "$(dirname "$0")/../shell.sh"
jobs=${1:-${STAC_SANITIZED:+8}}
jobs=${jobs:-20}
seed_of_kills=${2:-1}
spool=$work/spool
out=$work/results
began=$(date +%s)
mkdir "$work/in" "$out" "$work/right"

draws=0
draw() { # N: $drawn is 0 to N-1
    draws=$((draws + 1))
    drawn=$(($(echo "$seed_of_kills $draws" | cksum | cut -d ' ' -f 1) % $1))
}
conversion() { # SEED FOLDER
    printf 'model_name: %s\noutput_dir: %s\nmode: simplified\nnum_samples: 1\ncalibration_length: 32\nseed: %s\n' "$tiny" "$2" "$1"
}
evaluation() { # HUNDREDS FOLDER JSON
    printf 'dir: %s\ntext: %s\nlimit_tokens: %s00\njson: %s\n' "$2" "$tiny/heldout.txt" "$1" "$3"
}
figures() { grep -v -E '"(seconds|peak_memory_bytes|ranks|measured_.*)"' "$1"; }

# What is right. Evaluations write into the network's folder, so each one has a copy.
for seed in 1 2 3; do
    conversion $seed "$work/right/$seed" > "$work/in/right.convert.yaml"
    expect "a conversion, seed $seed" 0 ranks 1 stac-convert "$work/in/right.convert.yaml" --quiet
    cp -r "$work/right/$seed" "$work/right/net"
    evaluation $seed "$work/right/net" "$work/right/$seed.json" > "$work/in/right.eval.yaml"
    expect "an evaluation of $((seed * 100)) tokens" 0 ranks 1 stac-eval "$work/in/right.eval.yaml" --quiet
    rm -r "$work/right/net"
done
rm "$work"/in/*

# Two conversions to three evaluations.
i=0
while [ $i -lt "$jobs" ]; do
    i=$((i + 1))
    name=$(printf 'j%04d' $i)
    kind=$((i % 3 + 1))
    case $((i % 5)) in
    0 | 2) conversion $kind "$out/$name" > "$work/in/$name.convert.yaml" ;;
    *)
        cp -r "$work/right/$kind" "$out/$name"
        evaluation $kind "$out/$name" "$out/$name.json" > "$work/in/$name.eval.yaml" ;;
    esac
done
expect 'all jobs into the queue' 0 stac-service "$spool" --submit "$work"/in/*

# One service works with one rank, the other with two.
serve() { # N
    env ${STAC_RENAMES_LIBRARY:+LD_PRELOAD="$STAC_RENAMES_LIBRARY"} STAC_RENAMES="$work/renames" \
        stac-service "$spool" --ranks "$1" --poll 0.2 --beat 1 --retries 1000 --returns 1000 --row 16 >> "$work/service-$1" 2>&1 &
    eval "service_$1=$!"
}
ended() { find "$spool/done" "$spool/failed" -name 'j*.yaml' | wc -l; }
kill_one() { # KIND PID
    [ -n "$2" ] && kill -9 "$2" 2> /dev/null && eval "killed_$1=\$((killed_$1 + 1))"
}
killed_services=0 killed_launchers=0 killed_ranks=0 turn=0
serve 1
serve 2
while [ "$(ended)" -lt "$jobs" ] && [ $(($(date +%s) - began)) -lt 3600 ]; do
    draw 40
    sleep "$((drawn / 10)).$((drawn % 10))"
    draw 2
    n=$((drawn + 1))
    eval "service=\$service_$n"
    launcher=$(pgrep -P "$service" | head -1)
    rank=$([ -z "$launcher" ] || pgrep -P "$launcher" | tail -1)
    turn=$(((turn + 1) % 3))
    case $turn in
    1) kill_one services "$service" && { wait "$service" 2> /dev/null; serve $n; } ;;
    2) kill_one launchers "$launcher" ;;
    *) kill_one ranks "$rank" ;;
    esac
done
# A service that the last kill has just started still takes back what the one before it left.
for service in $service_1 $service_2; do
    waited=0
    until [ $waited = 100 ] || ls -d "$spool"/running/*."$service".* > "$work/out" 2>&1; do
        waited=$((waited + 1))
        sleep 0.1
    done
    looked=$((looked + 1))
    kill -TERM "$service" && wait "$service" || fail "a service that was told to stop: exit code $?"
done

# ---- what came of it
lost=0 wrong=0 twice=0 unfinished=0
for file in "$work"/in/*; do
    job=$(basename "$file")
    name=${job%%.*}
    [ "$(find "$spool" -name "$job" | wc -l)" = 1 ] || lost=$((lost + 1))
    [ -f "$spool/done/$job" ] && cmp -s "$file" "$spool/done/$job" || unfinished=$((unfinished + 1))
    kind=$(($(echo "$name" | sed 's/^j0*//') % 3 + 1))
    case $job in
    *.eval.yaml)
        result=$out/$name.json
        [ -s "$out/$name/metrics.h5" ] && [ -s "$out/$name/report.html" ] || wrong=$((wrong + 1))
        figures "$work/right/$kind.json" > "$work/right.json"
        figures "$result" 2> /dev/null | cmp -s - "$work/right.json" || wrong=$((wrong + 1))
        result=$out/$name/metrics.h5 ;; # is written last
    *)
        result=$out/$name
        cmp -s "$work/right/$kind/snn_model.h5" "$result/snn_model.h5" && [ -s "$result/config.json" ] &&
            [ -s "$result/tokenizer/tokenizer.json" ] || wrong=$((wrong + 1)) ;;
    esac
    [ ! -f "$work/renames" ] || [ "$(grep -c -x -F "$result" "$work/renames")" -le 1 ] || twice=$((twice + 1))
done
tries=$(cat "$spool"/log/*.log | grep -c '^== .*: try ')
echo "$jobs jobs in $(($(date +%s) - began)) s, $tries tries; killed: $killed_services services, $killed_launchers launchers," \
    "$killed_ranks ranks; lost $lost, not done $unfinished, results wrong $wrong, results made twice $twice"
holds 'something was killed' "$killed_services > 0 && $killed_launchers + $killed_ranks > 0"
holds 'no job is lost' "$lost == 0"
holds 'all jobs are done' "$unfinished == 0"
holds 'all results are complete and right' "$wrong == 0"
[ ! -f "$work/renames" ] || holds 'no result was made twice' "$twice == 0"
looked=$((looked + 1))
rest=$(ls -A "$out" | grep -v -E '^j[0-9]*(.json)?$')
[ -z "$rest" ] || fail "left behind beside the results: $rest"
looked=$((looked + 1))
rest=$(find "$spool/running" "$spool/failed" -mindepth 1; find "$spool" -name '.*' -mindepth 1)
[ -z "$rest" ] || fail "left behind in the spool: $rest"
[ "$failures" = 0 ] || { for log in "$work"/service-*; do tail -5 "$log"; done; ls "$spool"/*/ | head -40; }
finish
