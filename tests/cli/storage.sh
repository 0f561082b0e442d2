#!/bin/sh
# Disks that are full, read-only or broken, memory that runs out, small limits: a clear line, the earlier result as it was, nothing
# left behind. Calls that fail are those of tests/fakes/faults.c.
. "$(dirname "$0")/../shell.sh"
[ -z "$STAC_SANITIZED" ] || skip "the sanitizers' allocator and a preloaded library do not go together"
convert="stac-convert --model_name $tiny --num_samples 1 --calibration_length 16 --simplified --threads 1 --quiet"
mkdir "$work/disk"
expect "a first result" 0 $convert --output_dir "$work/first"
sum() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }

# as_it_was WHAT: the earlier result, and only it
as_it_was() {
    looked=$((looked + 2))
    [ "$(sum "$work/disk/old")" = "$before" ] || fail "$1: the earlier result is not what it was"
    left=$(ls -A "$work/disk" | grep -v '^old$')
    [ -z "$left" ] || fail "$1: left behind: $left"
}
restore() {
    rm -rf "$work/disk"/*
    cp -r "$work/first" "$work/disk/old"
    before=$(sum "$work/disk/old")
}

# with_fault FAULT COMMAND...: exit code in $got; $hit: it happened, to a file whose path begins with $below
below=$work/disk
with_fault() {
    fault=$1
    shift
    rm -f "$work/hit"
    LD_PRELOAD=$STAC_FAKE_FAULTS STAC_FAULT=$fault STAC_FAULT_DIR=$below STAC_FAULT_HIT=$work/hit timeout -k 5 60 "$@" \
        > "$work/out" 2> "$work/err"
    got=$?
    hit=$([ -e "$work/hit" ] && echo yes)
}

# The nth call that writes, syncs or renames fails, and all after it; until none is left.
tried=0
for call in 'write:28:No space left' 'write:5:Input/output error' 'write:122:quota' 'fsync:5:Input/output error' 'rename:30:Read-only'; do
    name=${call%%:*} rest=${call#*:}
    error=${rest%%:*} text=${rest#*:}
    for nth in 1 2 3 5 8 13 21 34 55 89 144; do
        restore
        with_fault "$name $nth $error" $convert --output_dir "$work/disk/old" --force
        [ "$hit" = yes ] || break
        tried=$((tried + 1))
        looked=$((looked + 1))
        [ "$got" = 3 ] || fail "$name $nth fails with $error: exit code $got instead of 3"
        says "$name $nth fails with $error" "^error: .*($text|cannot)" "$work/err"
        rm -rf "$work/disk/old.draft-"* # of a disk that lets nothing be written nothing can be asked
        as_it_was "$name $nth fails with $error"
    done
done
holds "$tried calls that failed" "$tried > 15"

# Half of what is asked: gone on with.
restore
with_fault "short 1 0" $convert --output_dir "$work/disk/old" --force
looked=$((looked + 1))
[ "$got" = 0 ] || { fail "short writes: exit code $got"; cat "$work/err"; }
equal "short writes" "$work/first/snn_model.h5" "$work/disk/old/snn_model.h5"

# A checkpoint that cannot be written does not end the job, which says so once.
below=$work/disk/new.checkpoint
for call in 'write 1 28' 'write 3 28' 'fsync 1 5' 'rename 1 30'; do
    rm -rf "$work/disk"/*
    with_fault "$call" $convert --output_dir "$work/disk/new" --checkpoint_interval 0
    looked=$((looked + 3))
    [ "$hit" = yes ] || fail "a checkpoint, $call: nothing failed"
    [ "$got" = 0 ] || { fail "a checkpoint, $call: exit code $got"; cat "$work/err"; }
    [ "$(grep -c '^warning: no checkpoint can be written, the job goes on without: ' "$work/err")" = 1 ] ||
        { fail "a checkpoint, $call: not said, or more than once"; cat "$work/err"; }
    equal "a checkpoint, $call" "$work/first/snn_model.h5" "$work/disk/new/snn_model.h5"
done
below=$work/disk
rm -rf "$work/disk"/*
ln -s "$work/disk/nowhere/at/all" "$work/disk/new.checkpoint"
expect "a checkpoint that leads nowhere" 2 $convert --output_dir "$work/disk/new" --checkpoint_interval 0
expect "a checkpoint that leads nowhere" 0 $convert --output_dir "$work/disk/new" --checkpoint_interval 0 --force
equal "a checkpoint that leads nowhere" "$work/first/snn_model.h5" "$work/disk/new/snn_model.h5"

# A job that is told to stop and cannot keep what it has says so, and not that it can go on.
if env --block-signal=USR1 true 2> /dev/null; then
    printf '#!/bin/sh\nexec env --block-signal=USR1 sh -c '"'"'kill -USR1 $$; exec "$@"'"'"' sh "$@"\n' > "$work/asked"
    chmod +x "$work/asked"
    for nth in 1 99; do
        rm -rf "$work/disk"/*
        with_fault "write $nth 28" "$work/asked" $convert --output_dir "$work/disk/new"
        looked=$((looked + 1))
        case $nth-$got in
        1-3) says "told to stop on a full disk" '^error: stopped by SIGUSR1, and what is done could not be kept in ' "$work/err" ;;
        99-75) says "told to stop" '^stopped: by SIGUSR1; what is done is kept in ' "$work/err" ;;
        *) fail "told to stop, write $nth fails: exit code $got" ;;
        esac
    done
fi

# The nth allocation fails.
tried=0
for nth in 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181 6765 10946; do
    restore
    with_fault "memory $nth 12" $convert --output_dir "$work/disk/old" --force
    [ "$hit" = yes ] || break
    tried=$((tried + 1))
    looked=$((looked + 1))
    [ "$got" = 4 ] || { fail "allocation $nth fails: exit code $got instead of 4"; tail -2 "$work/err"; }
    says "allocation $nth fails" '^error: .*(not to be had|memory)' "$work/err"
    as_it_was "allocation $nth fails"
done
holds "$tried allocations that failed" "$tried > 10"

# Small limits.
limited() {
    limit=$1
    shift
    # shellcheck disable=SC2086
    sh -c "ulimit $limit; exec \"\$@\"" sh "$@"
}
for limit in '-v 330000' '-v 400000' '-v 450000' '-n 16' '-s 256' '-f 200'; do
    restore
    looked=$((looked + 1))
    limited "$limit" timeout -k 5 60 $convert --output_dir "$work/disk/old" --force > "$work/out" 2> "$work/err"
    got=$?
    case $got in
    0) [ -e "$work/disk/old/snn_model.h5" ] || fail "ulimit $limit: no result" ;;
    *) as_it_was "ulimit $limit (exit code $got)" ;;
    esac
done

# File systems of their own, where they may be mounted: too small, and read-only.
if mount -t tmpfs -o size=64k none "$work/disk" 2> /dev/null; then
    umount "$work/disk"
    for size in 4k 64k 256k 512k 1m 1500k; do
        mount -t tmpfs -o size=$size none "$work/disk"
        $convert --output_dir "$work/disk/new" > "$work/out" 2> "$work/err"
        got=$?
        looked=$((looked + 1))
        [ "$got" = 3 ] || fail "a disk of $size: exit code $got instead of 3"
        says "a disk of $size" '^error: .*(No space left|cannot|unable)' "$work/err"
        looked=$((looked + 1))
        left=$(ls -A "$work/disk")
        [ -z "$left" ] || fail "a disk of $size: left behind: $left"
        umount "$work/disk"
    done
    mount -t tmpfs none "$work/disk"
    restore
    mount -o remount,ro "$work/disk"
    expect "a read-only disk" 3 $convert --output_dir "$work/disk/old" --force
    says "a read-only disk" '^error: .*Read-only' "$work/err"
    expect "an evaluation on a read-only disk" 3 stac-eval "$work/disk/old" --test_fidelity --text "$tiny/heldout.txt" \
        --limit_tokens 64 --fidelity_top1_min 0 --fidelity_ratio_max 1e6 --quiet
    as_it_was "a read-only disk"
    umount "$work/disk"
else
    echo "no file systems can be mounted here: full and read-only ones are left out"
fi
finish
