#!/bin/sh
# Jobs on a real Slurm of three machines (see ../machines.sh): over all of them by both launchers; slurmd and slurmctld that begin
# anew below a job; a machine that is lost, after which the job goes on with the others.
. "$(dirname "$0")/../shell.sh"
. "$(dirname "$0")/../machines.sh"
nodes='m1 m2 m3'
. "$(dirname "$0")/cluster.sh"
began=$(date +%s)
make_machines 3 && start_cluster || { fail "Slurm does not start"; finish; }
export STAC_HOME="$repository" STAC_BIN STAC_MODEL="$tiny" STAC_MPI=pmix
convert=$repository/slurm/convert_smollm2.sh
small='--num_samples 80 --calibration_length 256 --threads 1 --checkpoint_interval 1'

expect 'a conversion without Slurm' 0 ranks 2 stac-convert --model_name "$tiny" --output_dir "$work/right" $small --quiet

# ---- over three machines
for launcher in pmix none; do
    STAC_MPI=$launcher batch -N 3 -n 3 -o "$work/over-%j.out" "$convert" --simplified --num_samples 2 --calibration_length 64 \
        --output_dir "$work/over-$launcher"
    ends "over three machines, $launcher" "$id" 120 COMPLETED
    says "ranks, $launcher" 'on 3 ranks' "$work/over-$id.out"
done
equal 'over three machines' "$work/over-pmix/snn_model.h5" "$work/over-none/snn_model.h5"

# ---- the daemons begin anew below a job
again() { # MACHINE PID_FILE COMMAND...
    machine=$1 pid_file=$2
    shift 2
    looked=$((looked + 1))
    at "$machine" kill -9 "$(cat "$pid_file")" && sleep 0.3 && at "$machine" "$@" || fail "$1 on $machine does not begin anew"
}
batch -N 2 -n 2 -w m1,m2 -o "$work/daemons-%j.out" "$convert" $small --output_dir "$work/daemons"
until_line "$work/daemons-$id.out" 'texts +done' 90 || fail 'a conversion does not begin'
again m1 "$cluster/slurmd-m1.pid" slurmd -f "$SLURM_CONF"
again m2 "$cluster/slurmd-m2.pid" slurmd -f "$SLURM_CONF"
again head "$cluster/slurmctld.pid" slurmctld -f "$SLURM_CONF"
looked=$((looked + 1))
! grep -q '^written to' "$work/daemons-$id.out" || fail 'the job was over before its daemons began anew'
ends 'a job whose daemons began anew' "$id" 120 COMPLETED
equal 'its result' "$work/right/snn_model.h5" "$work/daemons/snn_model.h5"
looked=$((looked + 1))
[ "$(field "$id" Restarts)" = 0 ] || fail 'it began again'

# ---- a machine is lost: the job goes on with the two that are left. Its own script puts it back into the queue; but sometimes srun waits
# for the machine until Slurm gives it up, which then does so itself. It gives it up when it is told to, as by whoever looks after
# a cluster, some seconds after the script was first: at the same moment Slurm 22.05 would begin the job at once and fail it, with a
# credential no younger than the end of its first try.
begins_again() { # SECONDS
    for i in $(seq $((2 * $1))); do [ "$(field "$id" Restarts)" = 1 ] && return; sleep 0.5; done
    return 1
}
for launcher in pmix none; do
    STAC_MPI=$launcher batch -N 2 -n 2 -o "$work/lost-%j.out" "$convert" $small --output_dir "$work/lost-$launcher"
    until_line "$work/lost-$id.out" 'texts +done' 90 || fail 'a conversion does not begin'
    before=$(date +%s)
    lost=$(scontrol show hostnames "$(field "$id" NodeList)" | tail -1)
    cut_off "$lost"
    begins_again 45 && echo "$launcher: in the queue again after $(($(date +%s) - before)) s"
    sleep 3
    scontrol update NodeName="$lost" State=DOWN Reason=lost
    begins_again 5 || { fail "$launcher: it does not begin again"; cat "$work/lost-$id.out"; }
    ends "a job that lost a machine, $launcher" "$id" 180 COMPLETED
    equal "its result, $launcher" "$work/right/snn_model.h5" "$work/lost-$launcher/snn_model.h5"
    says "its first part, $launcher" "error: rank 1 on $lost.* no sign of life|on node $lost" "$work/lost-$id.out"
    says "its second part, $launcher" "going on from $work/lost-$launcher.checkpoint" "$work/lost-$id.out"
    grep -E 'no sign of life|on node|requeued' "$work/lost-$id.out"
    join_again "$lost"
    again "$lost" "$cluster/slurmd-$lost.pid" slurmd -f "$SLURM_CONF"
    for i in $(seq 60); do [ "$(sinfo -h -N -o %t | grep -c '^idle$')" = 3 ] && break; sleep 1; done
done
echo "all of it took $(($(date +%s) - began)) s"
finish
