# A Slurm for the tests: munged, slurmctld and slurmd in a folder of their own, on ports of their own, ended when the test ends.
# Sourced after shell.sh; needs root, because slurmd does. Its node is this machine, or $nodes: machines of ../machines.sh, which
# is sourced before; then slurmctld is on `head`.
repository=$(cd "$tests/.." && pwd)
cluster=$work/cluster
daemons=
nodes=${nodes:-}
controller=${nodes:+head}
controller=${controller:-$(hostname -s)}
at() { # MACHINE COMMAND...
    [ -n "$nodes" ] || shift
    ${nodes:+on} "$@"
}
if [ -n "$nodes" ]; then
    for program in sbatch scontrol scancel sinfo; do eval "$program() { on head $program \"\$@\"; }"; done
fi

for program in munged slurmctld slurmd sbatch srun scontrol; do
    command -v $program > /dev/null ||
        skip "no $program: install slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge libpmix2"
done
[ -z "${STAC_SANITIZED:-}" ] || skip "scripts are the same with sanitizers, and programs are tested with them outside of Slurm"
[ "$(id -u)" = 0 ] || skip "not root: slurmd needs it"
getent passwd munge > /dev/null || skip "no user munge"
grep -q ' /sys/fs/cgroup' /proc/mounts || skip "nothing is mounted on /sys/fs/cgroup, which slurmd needs"
[ -z "${SLURM_JOB_ID:-}" ] || skip "this runs inside a job of another Slurm"

end_cluster() {
    scancel --user=root > /dev/null 2>&1
    [ -z "$daemons" ] || sleep 1
    for pid in "$cluster/slurmctld.pid" "$cluster/slurmd-$controller.pid" "$cluster/munge-$controller/pid"; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2> /dev/null
    done
    [ -z "$nodes" ] || end_machines
    # Steps that outlive them would hold files in the folder that is about to go.
    for i in 1 2 3 4 5 6 7 8 9 10; do
        steps=$(pgrep -f "slurmstepd: " | while read -r p; do grep -q -z "SLURM_CONF=$cluster/" "/proc/$p/environ" 2> /dev/null && echo "$p"; done)
        [ -n "$steps" ] || [ -e "$cluster/slurmctld.pid" ] || break
        sleep 0.5
    done
    [ -z "$steps" ] || kill -9 $steps
    rm -rf "$work"
}
trap end_cluster EXIT
trap 'exit 1' INT TERM HUP

free_port() { # FROM: $port is one that nobody listens to
    port=$1
    while grep -q -i ":$(printf '%04X' "$port") 0*:0000 0A" /proc/net/tcp; do port=$((port + 1)); done
}

write_conf() {
    free_port $((20000 + $$ % 20000))
    controller_port=$port
    free_port $((port + 1))
    cat > "$cluster/slurm.conf" <<END
ClusterName=stac$$
SlurmctldHost=$controller$([ -n "$nodes" ] || echo '(127.0.0.1)')
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/munge/socket,cred_expire=5
SlurmctldPort=$controller_port
SlurmdPort=$port
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
SlurmdTimeout=${slurmd_timeout:-300}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
JobRequeue=1
NodeName=$(echo ${nodes:-$controller} | tr ' ' ,) CPUs=8 RealMemory=1000 $([ -n "$nodes" ] || echo NodeAddr=127.0.0.1)
PartitionName=debug Nodes=ALL Default=YES State=UP
END
}

# start_munge MACHINE: one on each, at the same place, for which each has a folder of its own
start_munge() {
    install -d -o munge -g munge -m 0755 "$cluster/munge-$1"
    [ -z "$nodes" ] || on "$1" mount -t tmpfs none "$cluster/munge" || return 1
    at "$1" install -o munge -g munge -m 0400 "$cluster/key" "$cluster/munge/key" && at "$1" chown munge "$cluster/munge" &&
        at "$1" chmod 755 "$cluster/munge" && at "$1" runuser -u munge -- munged --socket="$cluster/munge/socket" \
        --key-file="$cluster/munge/key" --pid-file="$cluster/munge-$1/pid" --log-file="$cluster/munge-$1/log" \
        --seed-file="$cluster/munge-$1/seed"
}

start_cluster() {
    chmod 755 "$work" # munged is another user
    mkdir "$cluster" "$cluster/state" "$cluster/munge"
    (umask 077 && dd if=/dev/urandom of="$cluster/key" bs=128 count=1 2> /dev/null)
    write_conf
    export SLURM_CONF="$cluster/slurm.conf"
    daemons=started
    start_munge "$controller" && at "$controller" slurmctld -f "$SLURM_CONF" || { tail -n 5 "$cluster"/slurmctld.log; return 1; }
    for node in ${nodes:-$controller}; do
        mkdir "$cluster/spool-$node"
        [ -z "$nodes" ] || start_munge "$node" || return 1
        at "$node" slurmd -f "$SLURM_CONF" || { tail -n 5 "$cluster"/slurmd*.log; return 1; }
    done
    for i in $(seq 30); do
        [ "$(sinfo -h -N -o %t 2> /dev/null | grep -c '^idle')" = "$(echo ${nodes:-one} | wc -w)" ] && return 0
        sleep 0.5
    done
    tail -n 5 "$cluster"/slurm*.log
    return 1
}

# A folder of programs of which stac-convert does what the file says that is its last argument, on each rank as $rank.
made_up_programs() {
    mkdir "$work/programs"
    ln -s "$STAC_BIN/stac-eval" "$STAC_BIN/stac-service" "$work/programs/"
    cat > "$work/programs/stac-convert" <<'END'
#!/bin/sh
rank=${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-0}}
for script in "$@"; do :; done
. "$script"
END
    chmod +x "$work/programs/stac-convert"
}

# batch ARGUMENT...: submit a job, in the repository; its number is $id
batch() {
    looked=$((looked + 1))
    id=$(cd "$repository" && sbatch --parsable "$@" 2> "$work/err") || { fail "sbatch $*"; cat "$work/err"; id=0; }
}
field() { # ID NAME: of what Slurm knows about a job
    scontrol show job -o "$1" 2> /dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -1
}
# until ID SECONDS STATE...: wait until a job is in one of these states
until_state() {
    until_id=$1
    until_end=$(($(date +%s) + $2))
    shift 2
    while :; do
        state=$(field "$until_id" JobState)
        case " $* " in *" $state "*) return 0 ;; esac
        [ "$(date +%s)" -lt "$until_end" ] || return 1
        sleep 0.5
    done
}
# ends WHAT ID SECONDS STATE: a job comes to its end, in this state
ends() {
    looked=$((looked + 1))
    until_state "$2" "$3" COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL && [ "$state" = "$4" ] && return 0
    fail "$1: job $2 is $state, and not $4"
    cat "$work"/*-"$2".out "$work"/*-"$2"_*.out 2> /dev/null | tail -20
    scontrol show job -o "$2"
    grep -h -E "(job|JobId=|StepId=)$2([^0-9]|$)" "$cluster"/slurm*.log | sort | tail -60
    return 1
}
# until_line FILE PATTERN SECONDS
until_line() {
    until_end=$(($(date +%s) + $3))
    while ! grep -q -E -- "$2" "$1" 2> /dev/null; do
        [ "$(date +%s)" -lt "$until_end" ] || return 1
        sleep 0.2
    done
}
