#!/bin/sh
# Several machines (see ../machines.sh): a conversion over them has the bytes of one on a single rank; a conversation is put away
# where the first rank is; a machine that is cut off, or whose only rank is stopped, ends the job within seconds, and a line says
# so; a batch service that dies with its machine loses nothing.
. "$(dirname "$0")/../shell.sh"
. "$(dirname "$0")/../machines.sh"
began=$(date +%s)
make_machines 3 || { fail 'no machines'; finish; }
small='--num_samples 2 --calibration_length 64 --threads 1 --quiet'

# ---- the same bytes
expect 'on one rank' 0 ranks 1 stac-convert --model_name "$tiny" --output_dir "$work/one" $small
expect 'a rank on each machine' 0 over m1,m2,m3 3 stac-convert --model_name "$tiny" --output_dir "$work/three" $small
equal 'a rank on each machine' "$work/one/snn_model.h5" "$work/three/snn_model.h5"
expect 'stages over two machines' 0 over m1:2,m2:2 4 stac-convert --model_name "$tiny" --output_dir "$work/stages" --stages 4 $small
equal 'stages over two machines' "$work/one/snn_model.h5" "$work/stages/snn_model.h5"

# ---- a conversation is put away on the first machine, whose /tmp is its own, and taken up again on all of them
expect 'a conversation put away' 0 over m1,m2 2 stac-eval "$work/one" --test_tsp_state --threads 1 --quiet
says 'a conversation put away' '^passed  tsp_state ' "$work/out"
expect 'the same with stages' 0 over m1,m2 2 stac-eval "$work/one" --test_tsp_state --stages 2 --threads 1 --quiet

# ---- a machine that is lost. lose WHAT HOST LINE COMMAND...: runs a conversion of 3 ranks, and the command; the line tells of it
victims() { on "$1" pgrep -f "^stac-convert --model_name $tiny --output_dir $work"; }
lose() {
    what=$1 host=$2 line=$3
    shift 3
    over m1,m2,m3 3 stac-convert --model_name "$tiny" --output_dir "$work/lost" --num_samples 512 --threads 1 \
        > "$work/out" 2> "$work/err" &
    job=$!
    for i in $(seq 100); do
        sleep 0.1
        grep -q 'calibrate: texts' "$work/err" && victims "$host" > "$work/victim" && break
    done
    sleep 1
    before=$(date +%s%N)
    "$@"
    over_soon "$what" "$job" "$before"
    looked=$((looked + 1))
    grep -q "$line" "$work/err" || { fail "$what: no line that says so"; cat "$work/err"; }
    echo "$what: over after $took ms; $(grep "$line" "$work/err" | head -1)"
}
stop_it() { on m2 kill -STOP "$(cat "$work/victim")"; }
gone='^error: rank 2 on m3.*: no sign of life\|Remote daemon:.* on node m3' # whoever notices first, the ranks or mpirun
lose 'its only rank is stopped' m2 '^error: rank 1 on m2, in calibrate: texts: no sign of life from its machine' stop_it
if [ -z "${STAC_SANITIZED:-}" ]; then # the same as MPI begins, when no machine hears another yet (../fakes/mpi_signal.c)
    before=$(date +%s%N)
    over m1 1 stac-convert --model_name "$tiny" --output_dir "$work/lost" $small : --host m2 -n 1 env STAC_FAKE_AT=MPI_Init_thread \
        STAC_FAKE_SIGNAL=19 LD_PRELOAD="$STAC_FAKE_MPI_SIGNAL" stac-convert --model_name "$tiny" --output_dir "$work/lost" $small : \
        --host m3 -n 1 stac-convert --model_name "$tiny" --output_dir "$work/lost" $small > "$work/out" 2> "$work/err" &
    over_soon 'its only rank is stopped as MPI begins' $! "$before"
    says 'its only rank is stopped as MPI begins' '^error: rank 1 on m2, while ranks gather: it is stopped' "$work/err"
    echo "its only rank is stopped as MPI begins: over after $took ms; $(grep '^error' "$work/err")"
fi
lose 'a machine is cut off' m3 "$gone" cut_off m3
looked=$((looked + 1))
for i in $(seq 100); do victims m3 > "$work/victim" || break; sleep 0.1; done
[ "$i" -lt 100 ] || fail 'the ranks of a machine that is cut off go on'
join_again m3
on m3 pkill -9 orted
[ -n "${STAC_SANITIZED:-}" ] || lose 'a machine is lost' m3 "$gone" lose_machine m3

# ---- a batch service whose machine is lost in the middle of a job; another one takes it over
spool=$work/spool
mkdir "$work/in"
texts=32 # enough for a job to be in its middle when the machine is lost, but not minutes of it with sanitizers
[ -z "${STAC_SANITIZED:-}" ] || texts=8
for n in 1 2 3; do
    printf 'model_name: %s\noutput_dir: %s\nnum_samples: %s\ncalibration_length: 128\nthreads: 1\n' "$tiny" "$work/served-$n" "$texts" > "$work/in/$n.convert.yaml"
done
expect 'jobs for two services' 0 stac-service "$spool" --submit "$work"/in/*
for m in 1 2; do
    on "m$m" stac-service "$spool" --poll 0.2 --beat 1 --patience 5 > "$work/service-$m" 2>&1 &
    eval "service_$m=$!"
done
for i in $(seq 100); do
    [ "$(ls "$spool"/running/*/*.yaml 2> /dev/null | wc -l)" = 2 ] && break
    sleep 0.1
done
lose_machine m1
wait "$service_1"
n_done() { ls "$spool/done" | grep -c 'yaml$'; }
for i in $(seq 3000); do [ "$(n_done)" = 3 ] && break; sleep 0.1; done
on m2 pkill -TERM -x stac-service
wait "$service_2" || fail "the service that is left: exit code $?"
looked=$((looked + 4))
[ "$(n_done)" = 3 ] || { fail 'not all jobs are done'; cat "$work"/service-*; }
[ -z "$(find "$spool/queue" "$spool/failed" -name '*.yaml')" ] || fail 'jobs are left'
grep -q '^took back' "$work/service-2" || { fail 'nothing was taken back'; cat "$work/service-2"; }
for n in 2 3; do equal "result $n" "$work/served-1/snn_model.h5" "$work/served-$n/snn_model.h5"; done

echo "all of it took $(($(date +%s) - began)) s"
finish
