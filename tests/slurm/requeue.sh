#!/bin/sh
# Jobs that are stopped and go on, on a real Slurm of one node: by a signal, before the time limit, in a batch service.
. "$(dirname "$0")/../shell.sh"
. "$(dirname "$0")/cluster.sh"
began=$(date +%s)
start_cluster || { fail "Slurm does not start"; finish; }
made_up_programs
export STAC_HOME="$repository" STAC_BIN STAC_MODEL="$tiny" STAC_MPI=pmix
scripts=$repository/slurm
small='--num_samples 32 --calibration_length 256 --threads 1'

# ---- what the scripts make of exit codes: programs that say 75
printf 'echo "$rank" >> "%s"; trap "exit 75" USR1; i=0; while [ $i -lt 400 ]; do i=$((i + 1)); [ "${SLURM_RESTART_COUNT:-0}" -lt 1 ] || exit 0; sleep 0.1; done; exit 9\n' "$work/told.starts" > "$work/told"
printf 'echo "$rank" >> "%s"; exit 75\n' "$work/always.starts" > "$work/always"
printf 'echo "$rank" >> "%s"; exit 3\n' "$work/never.starts" > "$work/never"
for launcher in pmix none; do
    STAC_BIN=$work/programs STAC_MPI=$launcher batch -n 1 -o "$work/told-%j.out" "$scripts/convert_smollm2.sh" "$work/told"
    eval "told_$launcher=$id"
done
STAC_BIN=$work/programs STAC_RESTARTS=1 batch -n 1 -o "$work/always-%j.out" "$scripts/convert_smollm2.sh" "$work/always"
always=$id
STAC_BIN=$work/programs batch -n 1 -o "$work/never-%j.out" "$scripts/convert_smollm2.sh" "$work/never"
never=$id
# Before the limit: Slurm sends USR1 when 100 s, or up to a minute more, are left of two minutes.
printf 'trap "exit 75" USR1; i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); [ "${SLURM_RESTART_COUNT:-0}" -lt 1 ] || exit 0; sleep 0.1; done; exit 9\n' > "$work/near"
STAC_BIN=$work/programs batch -n 1 --time=2 --signal=B:USR1@100 -o "$work/near-%j.out" "$scripts/convert_smollm2.sh" "$work/near"
near=$id
for id in $told_pmix $told_none; do
    until_state "$id" 60 RUNNING || fail "job $id does not begin"
done
looked=$((looked + 1))
for i in $(seq 100); do
    [ "$(cat "$work/told.starts" 2> /dev/null | wc -l)" = 2 ] && break
    sleep 0.2
done
[ "$i" -lt 100 ] || fail 'the programs do not begin'
for id in $told_pmix $told_none; do scancel --batch --signal=USR1 "$id"; done

# ---- a conversion that is pre-empted, by both launchers
expect 'a conversion without Slurm' 0 ranks 2 stac-convert --model_name "$tiny" --output_dir "$work/right" $small --quiet
for launcher in pmix none; do
    STAC_MPI=$launcher batch -n 2 -o "$work/real-%j.out" "$scripts/convert_smollm2.sh" $small --output_dir "$work/result-$launcher"
    eval "real_$launcher=$id"
    until_line "$work/real-$id.out" 'texts +done' 90 || fail 'a conversion does not begin'
    scancel --batch --signal=USR1 "$id"
done

# ---- a service that is pre-empted: eight jobs, the signal after the first
export STAC_SPOOL="$work/spool"
mkdir "$work/in"
for n in 1 2 3 4 5 6; do
    printf 'model_name: "%s"\noutput_dir: "%s"\nmode: simplified\nnum_samples: 1\ncalibration_length: 32\n' "$tiny" "$work/served-$n" > "$work/in/$n.convert.yaml"
done
expect 'jobs for the service' 0 stac-service "$STAC_SPOOL" --submit "$work"/in/*
batch -n 2 -o "$work/service-%j.out" "$scripts/service.sh" --once --poll 0.2
service=$id
until_line "$work/service-$service.out" '^done ' 90 || fail 'the service does nothing'
scancel --batch --signal=USR1 "$service"

# ---- what came of it
requeued() { # WHAT ID
    ends "$1" "$2" 120 COMPLETED
    looked=$((looked + 1))
    [ "$(field "$2" Restarts)" = 1 ] || fail "$1: $(field "$2" Restarts) restarts and not 1"
}
for launcher in pmix none; do
    eval "id=\$told_$launcher"
    requeued "a program that is told to stop, $launcher" "$id"
    says "its first part, $launcher" 'exit code 75: requeued' "$work/told-$id.out"
done
ends 'a program that is never done' "$always" 120 FAILED
says 'it stops at its last restart' 'exit code 75, but this job began 2 times: not requeued' "$work/always-$always.out"
holds 'it began twice' "$(wc -l < "$work/always.starts") == 2"
ends 'a program that fails' "$never" 30 FAILED
looked=$((looked + 1))
[ "$(field "$never" ExitCode)" = 3:0 ] || fail "its exit code is $(field "$never" ExitCode)"
holds 'it began once' "$(wc -l < "$work/never.starts") == 1"
for launcher in pmix none; do
    eval "id=\$real_$launcher"
    requeued "a conversion that is told to stop, $launcher" "$id"
    equal "its result, $launcher" "$work/right/snn_model.h5" "$work/result-$launcher/snn_model.h5"
    says "its first part, $launcher" 'exit code 75: requeued' "$work/real-$id.out"
    says "its second part, $launcher" "going on from $work/result-$launcher.checkpoint" "$work/real-$id.out"
    looked=$((looked + 1))
    [ ! -e "$work/result-$launcher.checkpoint" ] || fail "its checkpoint is left, $launcher"
done
requeued 'a service' "$service"
holds 'its jobs are done' "$(ls "$STAC_SPOOL/done" | grep -c 'yaml$') == 6"
for n in 1 2 3 4 5 6; do equal "its result $n" "$work/served-1/snn_model.h5" "$work/served-$n/snn_model.h5"; done
requeued 'a job near its limit' "$near"
says 'it was told in time' 'USR1: passed on' "$work/near-$near.out"
echo "all of it took $(($(date +%s) - began)) s"
finish
