# What the batch scripts share; sourced after site.sh.
#
# Slurm sends USR1 to the script some time before the limit (--signal=B:USR1@120), and so does whoever pre-empts it. The
# program gets it too, writes a checkpoint and ends with 75: then the job goes back into Slurm's queue and begins again where
# the checkpoint ends. TERM comes from scancel and at the limit itself: the program gets it, and nothing is put back.

# submit SCRIPT ARGUMENT...: outside of a job, have Slurm run the script with what site.sh says, and end; as the array $array
# where that is set
submit() {
    [ -z "${SLURM_JOB_ID:-}" ] || return 0
    script=$1
    shift
    exec sbatch ${STAC_PARTITION:+--partition="$STAC_PARTITION"} ${STAC_ACCOUNT:+--account="$STAC_ACCOUNT"} \
        --ntasks="$STAC_RANKS" ${array:+--array="$array"} "$script" "$@"
}

stopped=
child=
forward() { # SIGNAL
    stopped=$1
    echo "$(date '+%F %T') $1: passed on" >&2
    [ -z "$child" ] || kill -"$1" "$child" 2> /dev/null
}
trap 'forward USR1' USR1
trap 'forward TERM' TERM

# here COMMAND...: run it while this shell listens; its exit code is $code, the signal that stopped it $stopped. What has not
# begun when a signal comes does not begin.
here() {
    code=75
    [ -z "$stopped" ] || return 0
    "$@" &
    child=$!
    [ -z "$stopped" ] || kill -"$stopped" "$child" 2> /dev/null # it came between these two lines
    while :; do
        wait "$child"
        code=$?
        kill -0 "$child" 2> /dev/null || break # else it was the wait that a signal ended
    done
    child=
}

# Whether a machine of this job does not answer any more.
lost_machine() {
    [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ] || return 1
    ! timeout 20 srun --overlap --mpi=none -N "$SLURM_JOB_NUM_NODES" -n "$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 true > /dev/null 2>&1 < /dev/null
}

# Whether to begin again: it was checkpointed, or a signal to stop met it where it could not write a checkpoint yet, or it failed
# (and not by a bad job or bad input) because a machine was lost.
is_unfinished() {
    [ "$stopped" != TERM ] || return 1
    case $code in
    75) return 0 ;;
    138) [ "$stopped" != USR1 ] || return 0 ;;
    0 | 2 | 3) return 1 ;;
    esac
    lost_machine
}

# Back into Slurm's queue; it ends this script, at the latest when the wait is over.
requeue() {
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "$STAC_RESTARTS" ]; then
        echo "$(date '+%F %T') exit code $code, but this job began $((SLURM_RESTART_COUNT + 1)) times: not requeued" >&2
        return
    fi
    echo "$(date '+%F %T') exit code $code: requeued" >&2
    trap 'exit 75' TERM
    scontrol requeue "$SLURM_JOB_ID" || return
    sleep 60 &
    wait $!
}

# finish: the end of a script, with the exit code of what ran
finish() {
    is_unfinished && requeue
    exit "$code"
}

# ranks PROGRAM ARGUMENT...: over the ranks of the job
ranks() {
    program=$1
    shift
    here "$STAC_HOME/slurm/launch.sh" "$STAC_BIN/$program" "$@"
}
