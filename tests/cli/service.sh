#!/bin/sh
# The batch service: where jobs end, what is tried again, how it stops; spools and jobs that are not safe are refused.
. "$(dirname "$0")/../shell.sh"
spool=$work/spool
mkdir "$work/programs"
# A program that does what its job file says; it tells how often it was started and with what.
cat > "$work/programs/stac-convert" <<'END'
#!/bin/sh
printf '%s\n' "$@" >> "$STARTS"
. "$1"
END
chmod +x "$work/programs/stac-convert"
cp "$work/programs/stac-convert" "$work/programs/stac-eval"
export STARTS=$work/starts
serve() { timeout -k 5 60 stac-service "$spool" --programs "$work/programs" --poll 0.1 --beat 0.2 "$@"; }
fresh() {
    rm -rf "$spool" "$work/starts"
    mkdir "$spool"
    : > "$work/starts"
    serve --once -- > "$work/out" 2>&1 || fail "an empty spool: exit code $?"
}
job() { printf '%s\n' "$2" > "$spool/queue/$1"; }
is_in() { # FOLDER JOB
    looked=$((looked + 1))
    at=$(cd "$spool" && find . -name "$2" -type f)
    [ "$at" = "./$1/$2" ] || fail "$2 is in '$at' and not in $1/"
}
starts() { # NUMBER JOB
    looked=$((looked + 1))
    [ "$(grep -c "/$2$" "$work/starts")" = "$1" ] || fail "$2 was started $(grep -c "/$2$" "$work/starts") times and not $1"
}

lives() { [ -r "/proc/$1/stat" ] && ! grep -q ') Z' "/proc/$1/stat"; } # a zombie does not

# ---- where jobs end
fresh
job good.convert.yaml 'echo working; exit 0'
job checked.eval.yaml 'exit 0'
job bad.convert.yaml 'echo "error: a bad job"; exit 2'
job checks.eval.yaml 'echo "passed  temporal"; echo "FAILED  fidelity"; exit 1'
job launcher.convert.yaml 'exit 1'
job broken.eval.yaml 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo "line $i"; done; exit 4'
job killed.convert.yaml 'kill -9 $$'
job flaky.convert.yaml '[ -e "$STARTS.flaky" ] && exit 0; : > "$STARTS.flaky"; exit 3'
job waits.convert.yaml 'echo x >> "$STARTS.waits"; [ "$(wc -l < "$STARTS.waits")" -gt 2 ] || exit 75'
job forever.convert.yaml 'exit 75'
printf 'half' > "$spool/queue/.half.convert.yaml"
expect 'jobs of all kinds' 1 serve --once --retries 2 --returns 5 --
is_in done good.convert.yaml
is_in done checked.eval.yaml
is_in failed bad.convert.yaml && starts 1 bad.convert.yaml
is_in failed checks.eval.yaml && starts 1 checks.eval.yaml
says 'a check that failed' '^checks.eval.yaml: exit code 1 .a check failed. after 1 failures' "$spool/failed/checks.eval.yaml.txt"
is_in failed launcher.convert.yaml && starts 3 launcher.convert.yaml
is_in failed broken.eval.yaml && starts 3 broken.eval.yaml
is_in failed killed.convert.yaml && starts 3 killed.convert.yaml
is_in done flaky.convert.yaml && starts 2 flaky.convert.yaml
is_in done waits.convert.yaml && starts 3 waits.convert.yaml
is_in failed forever.convert.yaml && starts 6 forever.convert.yaml
is_in queue .half.convert.yaml
says 'the reason of a failed job' '^broken.eval.yaml: exit code 4 after 3 failures' "$spool/failed/broken.eval.yaml.txt"
says 'the end of its log' '^line 50$' "$spool/failed/broken.eval.yaml.txt"
holds 'not all of its log' "$(grep -c '^line ' "$spool/failed/broken.eval.yaml.txt") <= 20"
says 'a killed job' 'exit code 137' "$spool/failed/killed.convert.yaml.txt"
says 'a log' '^working$' "$spool/log/good.convert.yaml.log"
says 'a record' '"program": "stac-convert"' "$spool/done/good.convert.yaml.json"
says 'a record of failures' '"failures": 1' "$spool/done/flaky.convert.yaml.json"
expect 'the table' 0 stac-service "$spool" --watch
says 'the table' '^queued 0   running 0   done 4   failed 6$' "$work/out"
says 'the table' '^failed   bad.convert.yaml: exit code 2' "$work/out"
printf 'odd \033[2J\001\nmore\n' > "$spool/failed/bad.convert.yaml.txt"
expect 'the table of odd texts' 0 stac-service "$spool" --watch
says 'the table of odd texts' '^failed   odd  \[2J $' "$work/out"
job good.convert.yaml 'exit 0'
expect 'a name that is done already' 0 serve --once --
starts 1 good.convert.yaml
says 'a name that is done already' 'done already' "$spool/failed/good.convert.yaml.txt"

# ---- a job that comes back, while a newer one has taken its name
# by_links COMMAND...: on a file system that does not know renames that replace nothing
by_links() { env STAC_FAULT='noreplace 1 22' LD_PRELOAD="$STAC_FAKE_FAULTS" "$@"; }
for how in env $([ -n "$STAC_SANITIZED" ] || echo by_links); do
    fresh
    job twin.convert.yaml "echo 'exit 0' > '$work/twin'; mv '$work/twin' '$spool/queue/twin.convert.yaml'; exit 75"
    cp "$spool/queue/twin.convert.yaml" "$work/older"
    expect "a newer job of the name, $how" 1 $how stac-service "$spool" --programs "$work/programs" --once --poll 0.1 --
    equal "the older one, $how" "$work/older" "$spool/failed/twin.convert.yaml"
    says "the older one, $how" 'a newer job has taken its name' "$spool/failed/twin.convert.yaml.txt"
    says "the newer one, $how" '^exit 0$' "$spool/done/twin.convert.yaml"
    job back.convert.yaml '[ -e "$STARTS.back" ] || { : > "$STARTS.back"; exit 75; }'
    expect "a job that comes back, $how" 0 $how stac-service "$spool" --programs "$work/programs" --once --poll 0.1 --
    is_in done back.convert.yaml
    rm "$STARTS.back"
done

# ---- a file server that does not answer takes no job away: all looks into running/ but the first two fail
if [ -z "$STAC_SANITIZED" ]; then
    fresh
    job slow.convert.yaml 'sleep 0.6; exit 0'
    expect 'a disk that cannot be looked at' 0 env STAC_FAULT='look 3 5' STAC_FAULT_DIR="$spool/running" STAC_FAULT_HIT="$work/hit" \
        LD_PRELOAD="$STAC_FAKE_FAULTS" stac-service "$spool" --programs "$work/programs" --once --poll 0.1 --beat 0.1 --
    is_in done slow.convert.yaml && starts 1 slow.convert.yaml
    expect 'looks that failed' 0 test -e "$work/hit"
fi

# ---- folders where jobs would go in failed/; a job that cannot be moved keeps no service from its work
fresh
mkdir "$spool/failed/a.convert.yaml" "$spool/failed/1.a.convert.yaml.txt"
job a.convert.yaml 'exit 2'
expect 'folders in failed/' 1 serve --once --
is_in failed 2.a.convert.yaml
says 'the reason beside it' '^a.convert.yaml: exit code 2' "$spool/failed/2.a.convert.yaml.txt"
other=$spool/running/elsewhere.0badcafe.12345.678
mkdir "$other" "$spool/log/stuck.convert.yaml.tries"
printf 'exit 0\n' | tee "$other/stuck.convert.yaml" > "$other/then.convert.yaml"
touch -d '1 minute ago' "$other"
expect 'a job that cannot be moved' 0 serve --once --patience 30 --
says 'a job that cannot be moved' '^warning: cannot rename a file to stuck' "$work/err"
touch -d '1 minute ago' "$other"
stac-service "$spool" --programs "$work/programs" --poll 0.1 --beat 0.2 --patience 30 -- 2> "$work/said" &
service=$!
sleep 1.5
kill -TERM $service
expect 'a service that meets it again and again' 0 wait $service
holds 'it is said once' "$(grep -c '^warning: cannot rename a file to stuck' "$work/said") == 1"
is_in running/elsewhere.0badcafe.12345.678 stuck.convert.yaml
is_in done then.convert.yaml

# ---- a machine on which everything fails does not empty the queue into failed/
fresh
for n in 1 2 3 4 5 6 7; do job $n.convert.yaml 'exit 0'; done
expect 'everything fails' 4 serve --once -- sh -c 'exit 7'
says 'everything fails' '^error: 5 jobs failed one after the other, the last one 5.convert.yaml with exit code 7' "$work/err"
for n in 1 2 3 4 5 6 7; do is_in queue $n.convert.yaml; done
says 'tries that count' '^failures 1 ' "$spool/log/4.convert.yaml.tries"
says 'a try that does not count' '^failures 0 ' "$spool/log/5.convert.yaml.tries"
expect 'everything goes on' 0 serve --once --
for n in 1 2 3 4 5 6 7; do is_in done $n.convert.yaml; done
fresh
job one.convert.yaml 'exit 7'
stac-service "$spool" --programs "$work/programs" --poll 30 -- > "$work/out" 2>&1 &
service=$!
sleep 2
kill -TERM $service
expect 'a rest that ends with a signal' 75 wait $service
is_in queue one.convert.yaml

# ---- whoever starts a service may have its children ignored
if env --ignore-signal=CHLD true 2> /dev/null; then
    fresh
    job sad.convert.yaml 'exit 4'
    expect 'a service that begins with SIGCHLD ignored' 1 timeout -k 5 60 env --ignore-signal=CHLD stac-service "$spool" \
        --programs "$work/programs" --poll 0.1 --retries 0 --once --
    is_in failed sad.convert.yaml
fi

# ---- a conversion that does not pass its verification: not tried again, and not done when somebody tries
fresh
real() { timeout -k 5 60 stac-service "$spool" --once --poll 0.1 "$@" --; }
job poor.convert.yaml "model_name: '$tiny'
output_dir: '$work/poor'
mode: simplified
num_samples: 1
calibration_length: 32
timesteps: 2
spike_budget: 0.2
verify: true
quiet: true"
expect 'a poor conversion' 1 real
is_in failed poor.convert.yaml
says 'a poor conversion' 'exit code 1 .a check failed. after 1 failures' "$spool/failed/poor.convert.yaml.txt"
says 'its verification' '^FAILED  fidelity' "$work/poor/verification.txt"
mv "$spool/failed/poor.convert.yaml" "$spool/queue"
expect 'a poor conversion that is there already' 1 real
is_in failed poor.convert.yaml
says 'a poor conversion that is there already' '^FAILED  fidelity' "$spool/failed/poor.convert.yaml.txt"
rm "$work/poor/verification.txt"
expect 'a conversion of which nobody knows whether it passed' 1 stac-convert "$spool/failed/poor.convert.yaml" --once

# ---- the launcher is an array of words: no shell sees them
fresh
job a.convert.yaml 'exit 0'
printf '#!/bin/sh\nprintf "<%%s>\\n" "$@" > "$STARTS.words"\n' > "$work/a launcher"
chmod +x "$work/a launcher"
expect 'a launcher with odd words' 0 serve --once --ranks 3 -- "$work/a launcher" -n '{ranks}' '$(id)' 'two words' '*' "a'b\"c" ''
for word in -n 3 '\$\(id\)' 'two words' '\*' "a'b\"c" ''; do says 'words of a launcher' "^<$word>\$" "$work/starts.words"; done
says 'a job that may be there already' '^<--once>$' "$work/starts.words"
says 'the job of a launcher' "^<$spool/running/.*/a.convert.yaml>$" "$work/starts.words"
expect 'mpirun without a launcher' 0 env OMPI_MCA_rmaps_base_oversubscribe=0 stac-service "$spool" --once --ranks 3
job b.eval.yaml 'echo "rank $OMPI_COMM_WORLD_RANK"'
expect 'three ranks' 0 serve --once --ranks 3
for n in 0 1 2; do says 'three ranks' "^rank $n$" "$spool/log/b.eval.yaml.log"; done

# ---- stopping: the job checkpoints and waits for another service
fresh
job long.convert.yaml 'trap "exit 75" USR1; [ ! -e "$STARTS.again" ] || exit 0; : > "$STARTS.again"; while :; do sleep 0.1; done'
job next.convert.yaml 'exit 0'
for signal in USR1 TERM; do
    rm -f "$STARTS.again" "$spool/done/long.convert.yaml"
    [ -e "$spool/queue/long.convert.yaml" ] || [ $signal = USR1 ] ||
        job long.convert.yaml 'trap "exit 75" USR1; while :; do sleep 0.1; done'
    stac-service "$spool" --programs "$work/programs" --poll 0.1 -- > "$work/out" 2>&1 &
    service=$!
    for i in $(seq 100); do sleep 0.1; grep -q 'long' "$work/starts" && break; done
    sleep 0.3
    kill -$signal $service
    expect "a service that gets $signal" 75 wait $service
    is_in queue long.convert.yaml
    is_in queue next.convert.yaml
done
job long.convert.yaml 'trap "" USR1; while :; do sleep 0.1; done'
stac-service "$spool" --programs "$work/programs" --grace 0.5 -- > "$work/out" 2>&1 &
service=$!
sleep 1
kill -TERM $service
expect 'a job that does not listen' 75 wait $service
is_in queue long.convert.yaml
looked=$((looked + 1))
left=$(find "$spool/running" -mindepth 1)
[ -z "$left" ] || fail "left in running/: $left"

# ---- a service that dies: its job ends with it, and the next one takes it back
fresh
job orphan.convert.yaml 'if [ -e "$STARTS.orphan" ]; then exit 0; fi; echo $$ > "$STARTS.orphan"; trap "" TERM; while :; do sleep 0.1; done'
stac-service "$spool" --programs "$work/programs" -- > "$work/out" 2>&1 &
service=$!
for i in $(seq 100); do sleep 0.1; [ -s "$STARTS.orphan" ] && break; done
orphan=$(cat "$STARTS.orphan")
kill -9 $service
expect 'a killed service' 137 wait $service
expect 'its job lives on' 0 lives "$orphan"
expect 'the next service' 0 serve --once --
is_in done orphan.convert.yaml
says 'a record of returns' '"returns": 1' "$spool/done/orphan.convert.yaml.json"
expect 'its job is gone' 1 lives "$orphan"

# A service of another machine: its heartbeat counts, and no process.
other=$spool/running/elsewhere.0badcafe.12345.678
mkdir "$other"
: > "$other/.heartbeat"
printf 'exit 0\n' > "$other/far.convert.yaml"
expect 'a heartbeat of now' 0 serve --once --patience 30 --
is_in running/elsewhere.0badcafe.12345.678 far.convert.yaml
touch -d '1 minute ago' "$other/.heartbeat"
expect 'a heartbeat of a minute ago' 0 serve --once --patience 30 --
is_in done far.convert.yaml

# ---- jobs that are refused
fresh
printf 'exit 0\n' > "$work/outside"
ln -s "$work/outside" "$spool/queue/link.convert.yaml"
ln -s /nowhere "$spool/queue/dangling.convert.yaml"
mkdir "$spool/queue/folder.convert.yaml"
mkfifo "$spool/queue/fifo.convert.yaml"
head -c 1048577 /dev/zero > "$spool/queue/large.convert.yaml"
for name in writable.convert.yaml for_all.convert.yaml noprogram.yaml 'blank name.convert.yaml' '$(touch pwned).convert.yaml' \
    '-n.convert.yaml' "quote'\".convert.yaml" 'line
break.convert.yaml' "$(printf 'n%.0s' $(seq 188)).convert.yaml"; do
    job "$name" 'exit 0'
done
chmod g+w "$spool/queue/writable.convert.yaml"
chmod o+w "$spool/queue/for_all.convert.yaml"
if [ "$(id -u)" = 0 ]; then
    job foreign.convert.yaml 'exit 0'
    chown nobody "$spool/queue/foreign.convert.yaml"
fi
ln "$work/outside" "$spool/queue/hard.convert.yaml"
expect 'jobs that are refused' 0 serve --once --
says 'a second name of just now may be of a submission' . "$spool/queue/hard.convert.yaml"
sleep 3.2
expect 'jobs that are refused' 0 serve --once --
says 'a name that begins with a minus is fine' . "$spool/done/-n.convert.yaml"
looked=$((looked + 1))
[ "$(grep -c 'yaml$' "$work/starts")" = 1 ] || fail "refused jobs were started: $(cat "$work/starts")"
refused() { says "$1" "$2" "$spool/failed/$1.txt"; }
refused link.convert.yaml 'is a link'
refused dangling.convert.yaml 'is a link'
refused hard.convert.yaml 'hard links'
refused folder.convert.yaml 'not a regular file'
refused fifo.convert.yaml 'not a regular file'
refused large.convert.yaml 'more than 1 MiB'
refused writable.convert.yaml 'written by its group'
refused for_all.convert.yaml 'written by everybody'
refused noprogram.yaml 'ends neither in'
[ "$(id -u)" != 0 ] || refused foreign.convert.yaml 'belongs to another user'
cat "$spool"/failed/refused-*.txt > "$work/refused"
says 'a name with a blank' '^blank name.convert.yaml: its name is not' "$work/refused"
says 'a name with a command' '^\$\(touch pwned\).convert.yaml: its name' "$work/refused"
says 'a name with quotes' "^quote'\".convert.yaml: its name" "$work/refused"
says 'a name with a line break' '^line\\x0abreak.convert.yaml: its name' "$work/refused"
says 'a long name' '^nnnn.*: its name' "$work/refused"
expect 'the outside is untouched' 0 grep -q '^exit 0$' "$work/outside"

# A link in place of a log, and of what is written beside a job
fresh
job a.convert.yaml 'echo into the log; exit 2'
ln -s "$work/outside" "$spool/log/a.convert.yaml.log"
expect 'a link in place of the log' 3 serve --once --
expect 'what it points to is untouched' 0 grep -q '^exit 0$' "$work/outside"
rm "$spool/log/a.convert.yaml.log"
ln -s "$work/outside" "$spool/failed/a.convert.yaml.txt"
expect 'a link in place of the reason' 1 serve --once --
expect 'what it points to is untouched' 0 grep -q '^exit 0$' "$work/outside"

# ---- spools that are refused
refuse_spool() { # WHAT CODE PATTERN ARGUMENT...
    what=$1
    pattern=$3
    code=$2
    shift 3
    expect "$what" "$code" serve --once "$@" --
    says "$what" "^error: .*$pattern" "$work/err"
}
fresh
real=$spool
ln -s "$real" "$work/link"
spool=$work/link refuse_spool 'a spool that is a link' 3 'is a link'
spool=$work/link/ refuse_spool 'a spool that is a link, with a slash' 3 'is a link'
spool=$work/outside refuse_spool 'a spool that is a file' 3 'no folder'
spool=$work/no/where refuse_spool 'a spool nowhere' 3 'No such file'
spool= refuse_spool 'a spool without a name' 2 'no name'
for folder in queue running done failed log; do
    mv "$real/$folder" "$work/held"
    ln -s "$work/held" "$real/$folder"
    refuse_spool "a link in place of $folder" 3 "$folder is a link"
    rm "$real/$folder"
    mv "$work/held" "$real/$folder"
    chmod o+w "$real/$folder"
    refuse_spool "$folder open to all" 3 "$folder can be written by everybody"
    chmod o-w "$real/$folder"
done
chmod g+w "$real" "$real/queue"
refuse_spool 'a spool of a group' 3 'by its group'
expect 'a spool of the own group' 0 serve --once --group --
if [ "$(id -u)" = 0 ]; then
    chgrp 54321 "$real"
    refuse_spool 'a spool of another group' 3 'not the user' --group
    chgrp 0 "$real"
fi
chmod g-w "$real" "$real/queue"
if [ "$(id -u)" = 0 ]; then
    chown nobody "$real/queue"
    refuse_spool 'a queue of another user' 3 'queue belongs to another user'
    chown root "$real/queue"
fi
mkdir "$work/open"
chmod 777 "$work/open"
spool=$work/open/spool refuse_spool 'a spool in a folder open to all' 3 'above the spool can be written by everybody'

# ---- arrays of Slurm, without Slurm: every line is done once, or the array is refused
printf '%s\n' one.yaml '' '# none' two.yaml three.eval.yaml four.yaml five.yaml > "$work/list"
printf '#!/bin/sh\necho "$6" >> "$STARTS"\n' > "$work/programs/mpirun"
chmod +x "$work/programs/mpirun"
element() { # MIN MAX COUNT ID
    env SLURM_JOB_ID=1 SLURM_ARRAY_TASK_MIN="$1" SLURM_ARRAY_TASK_MAX="$2" SLURM_ARRAY_TASK_COUNT="$3" SLURM_ARRAY_TASK_ID="$4" \
        STAC_HOME="$tests/.." STAC_BIN="$work/programs" STAC_LAUNCHER=mpirun PATH="$work/programs:$PATH" sh "$tests/../slurm/sweep.sh" "$work/list"
}
: > "$STARTS"
for id in 3 4; do expect "element $id of 3-4" 0 element 3 4 2 $id; done
looked=$((looked + 1))
[ "$(wc -l < "$STARTS")" = 5 ] || fail "an array of two does $(wc -l < "$STARTS") lines of 5"
: > "$STARTS"
for gap in '2 5 2 2' '2 5 2 5' '0 6 4 4'; do
    # shellcheck disable=SC2086
    expect "an array with gaps, $gap" 2 element $gap
    says "an array with gaps, $gap" '^error: the array has gaps' "$work/err"
done
expect 'nothing was done' 1 test -s "$STARTS"

# ---- a service in Slurm, without Slurm: its ranks are those that run
fresh
ln -s "$STAC_BIN/stac-service" "$work/programs/stac-service"
printf '#!/bin/sh\necho "$*" >> "$STARTS"\n' > "$work/programs/mpirun"
in_slurm() { # ARGUMENT...
    env SLURM_JOB_ID=1 SLURM_NTASKS=2 STAC_HOME="$tests/.." STAC_BIN="$work/programs" STAC_MPI=none STAC_SPOOL="$spool" \
        PATH="$work/programs:$PATH" sh "$tests/../slurm/service.sh" --once --poll 0.1 "$@"
}
job all.convert.yaml ''
expect 'ranks of Slurm' 0 in_slurm
says 'ranks of Slurm' ' -n 2 .*/all.convert.yaml --once$' "$STARTS"
job some.convert.yaml ''
expect 'ranks of its own' 0 in_slurm --ranks 3
says 'ranks of its own' ' -n 3 .*/some.convert.yaml --once$' "$STARTS"
rm "$work/programs/mpirun" "$work/programs/stac-service"

# ---- the command line
bad() { # PATTERN ARGUMENT...
    pattern=$1
    shift
    expect "stac-service $*" 2 stac-service "$@"
    says "stac-service $*" "^error: .*$pattern" "$work/err"
}
bad 'name the SPOOL'
bad 'unknown flag --rank' "$spool" --rank 3
bad 'ranks takes a whole number' "$spool" --ranks 0
bad 'ranks takes a whole number' "$spool" --ranks 1.5
bad 'beat takes a number' "$spool" --beat nan
bad 'at least twice --beat' "$spool" --patience 15 --
bad 'row takes a whole number' "$spool" --row 17
bad 'poll takes a number' "$spool" --poll
bad 'unexpected argument' "$spool" again
bad 'no stac-convert in' "$spool" --programs /nowhere
bad 'cannot be run' "$spool" -- no-such-launcher
bad 'needs job files' "$spool" --submit
bad 'ends neither' "$spool" --submit "$work/outside"
expect 'the table of no spool' 3 stac-service "$work/none" --watch
expect 'no spool was made' 1 test -e "$work/none"
printf 'exit 0\n' > "$work/same.convert.yaml"
expect 'submitted' 0 stac-service "$spool" --submit "$work/same.convert.yaml"
bad 'in the queue already' "$spool" --submit "$work/same.convert.yaml"
if [ -z "$STAC_SANITIZED" ]; then
    mv "$work/same.convert.yaml" "$work/links.convert.yaml"
    expect 'submitted by links' 0 by_links stac-service "$spool" --submit "$work/links.convert.yaml"
    says 'submitted by links' '^exit 0$' "$spool/queue/links.convert.yaml"
    expect 'submitted again by links' 2 by_links stac-service "$spool" --submit "$work/links.convert.yaml"
    mv "$work/links.convert.yaml" "$work/unsure.convert.yaml"
    expect 'a queue that is not known to be on the disk' 3 env STAC_FAULT='fsync 2 5' STAC_FAULT_DIR="$spool/queue" \
        LD_PRELOAD="$STAC_FAKE_FAULTS" stac-service "$spool" --submit "$work/unsure.convert.yaml"
    says 'a queue that is not known to be on the disk' 'cannot sync the queue' "$work/err"
fi
looked=$((looked + 1))
left=$(find "$spool" -name '.*' -mindepth 1)
[ -z "$left" ] || fail "drafts are left: $left"
expect 'help' 0 stac-service --help
says 'help' '^Usage: stac-service SPOOL' "$work/out"
expect 'version' 0 stac-service --version
says 'version' '^stac ' "$work/out"
finish
