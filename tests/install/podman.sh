#!/bin/sh
# Builds the image of jobs/Containerfile with podman, and runs a conversion and an evaluation of the small GPT-2 on two ranks and a
# conversation in it by `podman run`, as a user without rights. As root; with the network of this machine; minutes. Not part of CTest.
#
#   sh tests/install/podman.sh [BASE]     BASE: the folder of a bare Debian 12, where no registry can be reached
#
# PODMAN: podman and options of a site (--runtime runc; --root FOLDER), RUN_OPTIONS: those of `podman run`. Limits of open files and
# processes are given, since podman's own are above what a machine may allow.
set -eu
cd "$(dirname "$0")/../.."
podman=${PODMAN:-podman --cgroup-manager=cgroupfs} base=${1:-}
command -v "${podman%% *}" > /dev/null || { echo "skipped: no ${podman%% *}"; exit 77; }
work=$(mktemp -d /var/tmp/stac-podman.XXXXXX)
trap 'rm -rf "$work"' EXIT
limits='--ulimit nofile=4096:4096 --ulimit nproc=4096:4096'

# shellcheck disable=SC2086
{
    [ -z "$base" ] || tar -C "$base" --exclude=./proc/* --exclude=./sys/* -cf - . | $podman import - docker.io/library/debian:12-slim
    $podman build --network=host --isolation=chroot $limits -f jobs/Containerfile -t stac \
        --build-arg REVISION="$(git describe --always --dirty)" . > "$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
    cp -r tests/models/gpt2-tiny-shakespeare "$work/model"
    printf 'ROMEO:\n' > "$work/said"
    chown -R 1000 "$work"
    in_image() { $podman run --rm -i --network=host --shm-size=1g $limits ${RUN_OPTIONS:-} -v "$work:/work" stac "$@"; }
    in_image stac-convert --version
    in_image mpirun --oversubscribe --bind-to none -n 2 stac-convert --model_name model --output_dir snn --simplified --quiet
    in_image mpirun --oversubscribe --bind-to none -n 2 stac-eval snn --text model/heldout.txt --limit_tokens 1024 --quiet \
        --test_perplexity
    in_image stac-chat snn --temperature 0 --max_new_tokens 8 --quiet < "$work/said"
}
[ "$(stat -c %u "$work/snn/snn_model.h5")" = 1000 ]
echo "passed: $(ls "$work/snn" | tr '\n' ' ')"
