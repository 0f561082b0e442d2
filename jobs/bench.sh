#!/bin/sh
# How fast reading and writing text is: beside what this machine can do at most, and beside llama.cpp.
#
#   sh jobs/bench.sh            with the peer: llama.cpp out of PyPI's llama-cpp-python, built for this machine (once, minutes)
#   sh jobs/bench.sh --alone    the project alone
#
# Leaves out/bench/figures.csv (name,value,unit) and out/bench/ratios.md. Nothing else should run meanwhile.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

alone=
case ${1:-} in
--alone) alone=1 ;;
'') ;;
*) die "unknown argument $1; see the head of this script" ;;
esac
llama_package=llama-cpp-python==0.3.36
out=out/bench
csv=$out/figures.csv

# shellcheck disable=SC2086
install_packages $packages libcmocka-dev
mkdir -p $out build
say "building"
build build/release -DBUILD_TESTING=ON
PATH=$PWD/build/release:$PWD/build/release/tests:$PATH
export OMP_NUM_THREADS="$(nproc)"
fetch_model || die "the model could not be fetched; check the connection to PyPI"

# figures PREFIX COMMAND...: its lines of CSV, with the prefix
figures() {
    prefix=$1
    shift
    "$@" | sed "s/^/$prefix./" | tee -a $csv
}

# once FILE COMMAND...: unless the file is there
once() {
    file=$1
    shift
    [ -e "$file" ] || "$@" > $out/log 2>&1 || { cat $out/log >&2; exit 1; }
}

# The peer as a program, in $out/llama.
build_llama() {
    [ ! -x $out/llama/bin/llama-bench ] || return 0
    say "building llama.cpp"
    work=$(mktemp -d) || return 1
    python3 -m pip download -q --no-deps --no-binary :all: --no-build-isolation --disable-pip-version-check -d "$work" \
        $llama_package > $out/log 2>&1 || python3 -m pip download -q --no-deps --disable-pip-version-check -d "$work" $llama_package
    tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
    cmake -S "$work"/llama_cpp_python-*/vendor/llama.cpp -B $out/llama -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DBUILD_SHARED_LIBS=OFF > $out/log 2>&1 &&
        cmake --build $out/llama -j "$(nproc)" --target llama-bench llama-quantize >> $out/log 2>&1
    got=$?
    rm -rf "$work"
    return $got
}

# llama FILE: tokens a second, as our own figures
llama() {
    $out/llama/bin/llama-bench -m "$1" -p 512 -n 64 -t "$(nproc)" -r 3 -o csv 2> $out/log | tr -d '"' | awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { printf "llama_%s,%s,tokens/s\n", $column["n_gen"] > 0 ? "decode" : "prefill", $column["avg_ts"] }'
}

: > $csv
say "limits of this machine"
figures limits stac-bench limits
say "SmolLM2-135M-Instruct"
once $out/snn/snn_model.h5 on_ranks 2 stac-convert --model_name "$model_file" --output_dir $out/snn --force --simplified --spike_budget 1.2
once $out/int8/snn_model.h5 stac-convert --from $out/snn --output_dir $out/int8 --force --code integer --activation_bits 8
figures 135M stac-bench network $out/snn
figures 135M_int8 stac-bench network $out/int8 --mode snn
figures 135M stac-bench network $out/snn --mode snn --execution temporal
say "the shape of SmolLM2-1.7B in bfloat16, random weights"
once $out/1.7B/config.json stac-bench checkpoint 1.7B $out/1.7B
cp $out/snn/tokenizer/* $out/1.7B/
figures 1.7B stac-bench network $out/1.7B --mode baseline
if [ -z "$alone" ]; then
    if build_llama; then
        once $out/q8_0.gguf $out/llama/bin/llama-quantize --allow-requantize "$model_file" $out/q8_0.gguf Q8_0
        say "llama.cpp, SmolLM2-135M-Instruct in Q8_0"
        figures 135M llama $out/q8_0.gguf
    else
        tail -5 $out/log >&2
        echo "llama.cpp could not be built: its ratios are left out"
    fi
fi

# ratio NAME GOAL EXPRESSION of figures as f["name"]: a row; left out where a figure is not there
ratio() {
    awk -F, -v name="$1" -v goal="$2" '{ f[$1] = $2 } END { value = '"$3"'; if (value > 0 && value < 1e6) printf "| %s | %s | %.3g |\n", name, goal, value }' \
        $csv 2> /dev/null | tee -a $out/ratios.md || true
}
say "ratios"
printf '| ratio | goal | measured |\n|---|---|---|\n' | tee $out/ratios.md
ratio 'dense decode, 1.7B in bfloat16: tokens/s × weight bytes / bandwidth' '>= 0.90' \
    'f["1.7B.dense_decode"] * f["1.7B.dense_weight_bytes"] / f["limits.read_bandwidth"]'
ratio 'dense prefill, 1.7B: operations/s / float peak' '>= 0.75' '2 * f["1.7B.dense_prefill"] * f["1.7B.dense_macs"] / f["limits.float_peak"]'
ratio 'decode, 135M: INT8 / llama.cpp Q8_0' '>= 1.1' 'f["135M_int8.snn_count_decode"] / f["135M.llama_decode"]'
ratio 'prefill, 135M: INT8 / llama.cpp Q8_0' '>= 1.5' 'f["135M_int8.snn_count_prefill"] / f["135M.llama_prefill"]'
ratio 'prefill, 135M: INT8 operations/s / 8-bit peak' '>= 0.45' \
    '2 * f["135M_int8.snn_count_prefill"] * f["135M.dense_macs"] / f["limits.int8_peak"]'
ratio 'SNN count mode time / dense INT8 time, prefill' '<= 1.5' 'f["135M_int8.snn_count_prefill"] / f["135M.snn_count_prefill"]'
ratio 'SNN count mode time / dense INT8 time, decode' '<= 1.3' 'f["135M_int8.snn_count_decode"] / f["135M.snn_count_decode"]'
ratio 'SNN temporal mode time / dense float time, prefill, T = 16' '<= 3' 'f["135M.dense_prefill"] / f["135M.snn_temporal_prefill"]'
ratio 'SNN temporal mode time / dense float time, decode, T = 16' '<= 3' 'f["135M.dense_decode"] / f["135M.snn_temporal_decode"]'
say "figures in $csv, ratios in $out/ratios.md"
