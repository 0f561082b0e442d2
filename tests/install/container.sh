#!/bin/sh
# Executes jobs/Containerfile without a container engine: each stage in a bare Debian made by debootstrap, its instructions in
# chroot. Then converts and evaluates the small GPT-2 in the result, on two ranks. As root; with a package mirror ($MIRROR), which
# is reached as apt of this machine does; minutes. Not part of CTest.
#
#   sh tests/install/container.sh [BASE]     BASE keeps the bare system between runs
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] && command -v debootstrap > /dev/null || { echo "skipped: wants root and debootstrap"; exit 77; }
top=$(mktemp -d /var/tmp/stac-container.XXXXXX)
base=${1:-$top/base}
root=

finish() {
    for stage in "$top"/*/; do umount -l "$stage"dev "$stage"proc "$stage"sys 2> /dev/null || true; done
    rm -rf --one-file-system "$top"
}
trap finish EXIT

# FROM: a copy of the bare system
enter() {
    cp -a "$base" "$root"
    for file in /etc/resolv.conf /etc/hosts; do cp -L $file "$root$file"; done
    cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    cp -aL /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2> /dev/null || true
    for d in proc dev sys; do mount --bind /$d "$root/$d"; done
    user=root folder=/ settings=
}

# RUN, as the instructions before say: no variables but theirs
# shellcheck disable=SC2086
run() {
    printf '%s' "$1" > "$root/tmp/step"
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp DEBIAN_FRONTEND=noninteractive $settings \
        chroot --userspec="$user" "$root" sh -c "cd $folder && . /tmp/step"
}

# COPY [--from=STAGE] FROM TO: folders; without a stage the sources, less what .dockerignore names
# shellcheck disable=SC2046
copy() {
    from=. without=.dockerignore
    case $1 in --from=*) from=$top/${1#--from=}$2 without=/dev/null && shift ;; esac
    mkdir -p "$root$2"
    tar -C "$from" $(sed 's|^|--exclude=./|' $without) -cf - . | tar -C "$root$2" -xf -
}

if [ ! -d "$base" ]; then
    debootstrap --variant=minbase --include=ca-certificates bookworm "$base.part" \
        "${MIRROR:-http://deb.debian.org/debian}" > "$top/log" 2>&1 || { tail "$top/log"; exit 1; }
    mv "$base.part" "$base"
fi
sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}' -e '/^#/d' -e '/^$/d' jobs/Containerfile > "$top/steps"
while read -r word rest; do
    echo "== $word $rest"
    case $word in
    FROM) # IMAGE [AS NAME]
        root=$top/${rest##* }
        [ "$rest" != "${rest% AS *}" ] || root=$top/result
        enter
        ;;
    ARG | ENV) settings="$settings $rest" ;;
    USER) user=$rest ;;
    WORKDIR) folder=$rest && mkdir -p "$root$rest" ;;
    COPY) copy ${rest% *} "${rest##* }" ;;
    RUN) run "$rest" > "$top/log" 2>&1 < /dev/null || { tail -20 "$top/log"; exit 1; } ;;
    CMD) ;;
    *) echo "unknown instruction $word" && exit 1 ;;
    esac
done < "$top/steps"

echo "== a conversion in the result, as user $user"
cp -r tests/models/gpt2-tiny-shakespeare "$root$folder/model"
run 'stac-convert --version
ranks="mpirun --oversubscribe --bind-to none -n 2"
$ranks stac-convert --model_name model --output_dir snn --simplified --quiet
$ranks stac-eval snn --text model/heldout.txt --limit_tokens 1024 --quiet --test_perplexity
printf "ROMEO:\n" | stac-chat snn --temperature 0 --max_new_tokens 8 --quiet
ls snn' < /dev/null
du -sh --exclude=proc --exclude=dev --exclude=sys "$root" | sed "s|$root|the result|"
