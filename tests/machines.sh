# Several machines, for tests, made of namespaces of Linux: each has a host name, a network, processes and shared memory of its
# own; files are common to all but for those in /tmp. They hang on one bridge, which is in `head`, where nothing is computed. Sourced after shell.sh;
# needs root. Machines end when the test ends.
machines=$work/machines
agent=$machines/agent # for Open MPI, in place of ssh

[ "$(dirname "$work")" = /tmp ] || skip "the folder of the test is not in /tmp: TMPDIR is $TMPDIR"
command -v ip > /dev/null || skip "no ip: install iproute2"
[ "$(id -u)" = 0 ] || skip "not root: namespaces need it"
unshare --uts --net --ipc --pid --mount --fork --mount-proc true 2> /dev/null || skip "no namespaces here: machines are made of them"

end_machines() {
    for machine in "$machines"/*.pid; do [ ! -e "$machine" ] || kill -9 $(pgrep -P "$(cat "$machine")") "$(cat "$machine")"; done
    rm -rf "$work"
}
trap end_machines EXIT
trap 'exit 1' INT TERM HUP

# make_machine NAME UNSHARE_OPTION...: its first process does nothing but bury others
make_machine() {
    name=$1
    shift
    mkfifo "$machines/$name.up"
    unshare --uts --net --ipc --mount --propagation private "$@" sh -c "
        hostname $name && mount -t tmpfs none /dev/shm && mount --bind '$machines/hosts' /etc/hosts && ip link set lo up &&
        mount -t tmpfs none '$machines/tmp' && mkdir -p '$machines/tmp/$(basename "$work")' &&
        mount --bind '$work' '$machines/tmp/$(basename "$work")' && mount --rbind '$machines/tmp' /tmp
        echo \$? > '$machines/$name.up'
        while :; do sleep 1000 & wait; done" > /dev/null 2>&1 &
    pid=$!
    read -r failed < "$machines/$name.up"
    [ "$failed" = 0 ] || return 1
    case $* in *--fork*) pid=$(pgrep -P $pid) ;; esac
    echo "$pid" > "$machines/$name.pid"
}

# make_machines N: head, and m1 to mN
make_machines() {
    mkdir "$machines" "$machines/tmp"
    echo '127.0.0.1 localhost' > "$machines/hosts"
    echo '10.77.0.254 head' >> "$machines/hosts"
    for i in $(seq "$1"); do echo "10.77.0.$i m$i" >> "$machines/hosts"; done
    make_machine head && on head ip link add bridge type bridge && on head ip addr add 10.77.0.254/24 dev bridge && on head ip link set bridge up || return 1
    for i in $(seq "$1"); do
        make_machine "m$i" --pid --fork --mount-proc &&
            on head ip link add "port$i" type veth peer name eth0 netns "$(cat "$machines/m$i.pid")" &&
            on head ip link set "port$i" master bridge up &&
            on "m$i" ip addr add "10.77.0.$i/24" dev eth0 && on "m$i" ip link set eth0 up || return 1
    done
    # Where a machine is gone, ssh would not notice.
    cat > "$agent" <<END
#!/bin/sh
host=\$1
shift
nsenter --target "\$(cat '$machines'/\$host.pid)" --uts --net --ipc --pid --mount --wd="\$PWD" sh -c "\$*"
code=\$?
[ \$code != 137 ] || sleep 100
exit \$code
END
    chmod +x "$agent"
}

# on MACHINE COMMAND...; processes of head are those of the test
on() {
    [ "$1" = head ] && of_its_own= || of_its_own=--pid
    pid=$(cat "$machines/$1.pid")
    shift
    nsenter --target "$pid" --uts --net --ipc $of_its_own --mount --wd="$PWD" "$@"
}

cut_off() { on head ip link set "port${1#m}" down; }
join_again() { on head ip link set "port${1#m}" up; }

# The machine is gone with all that ran there; nobody is told.
lose_machine() {
    cut_off "$1"
    kill -9 "$(cat "$machines/$1.pid")"
    rm "$machines/$1.pid"
}

# over HOST:RANKS,... N COMMAND...: ranks on these machines, at most two minutes; mpirun looks at its connections as slurm/launch.sh
# has it do
export OMPI_MCA_oob_tcp_keepalive_time=4 OMPI_MCA_oob_tcp_keepalive_intvl=1 OMPI_MCA_oob_tcp_keepalive_probes=2
over() {
    hosts=$1 n=$2
    shift 2
    on head timeout -k 5 120 mpirun --mca plm_rsh_agent "$agent" -x PATH --host "$hosts" -n "$n" "$@"
}
