#!/bin/sh
# How fast reading and writing text is: beside what this machine can do at most, and beside others.
#
#   sh jobs/bench.sh            with its peers: llama.cpp out of PyPI's llama-cpp-python, built for this machine (once, minutes),
#                               and SpikingJelly on torch from PyPI (once, 6 GB of disk)
#   sh jobs/bench.sh --alone    the project alone
#   sh jobs/bench.sh --large    besides, conversions of the 1.7B shape, simplified and full: an hour
#
# Leaves out/bench/figures.csv (name,value,unit), ratios.md and ratios.png. Nothing else should run meanwhile.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh
. jobs/spikingjelly.sh

alone='' large=''
for arg in "$@"; do
    case $arg in
    --alone) alone=1 ;;
    --large) large=1 ;;
    *) die "unknown argument $arg; see the head of this script" ;;
    esac
done
llama_package=llama-cpp-python==0.3.36
out=out/bench
csv=$out/figures.csv

# shellcheck disable=SC2086
install_packages $packages libcmocka-dev $([ -n "$alone" ] || echo python3-venv)
mkdir -p $out build
say "building"
build build/release -DBUILD_TESTING=ON
PATH=$PWD/build/release:$PWD/build/release/tests:$PATH
fetch_model || die "the model could not be fetched; check the connection to PyPI"

# The peer as a program, in $out/llama: for this processor, or where that crashes (AMX that the system does not grant), without AMX.
build_llama() {
    [ ! -x $out/llama/bin/llama-bench ] || return 0
    say "building llama.cpp"
    make_llama '' || return 1
    once $out/q8_0.gguf $out/llama/bin/llama-quantize --allow-requantize "$model_file" $out/q8_0.gguf Q8_0
    $out/llama/bin/llama-bench -m $out/q8_0.gguf -p 8 -n 1 -r 1 > $out/log 2>&1 && return 0
    echo "llama.cpp crashes on this processor: built again without AMX"
    rm -rf $out/llama
    make_llama "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
}

make_llama() {
    work=$(mktemp -d) || return 1
    python3 -m pip download -q --no-deps --no-binary :all: --no-build-isolation --disable-pip-version-check -d "$work" \
        $llama_package > $out/log 2>&1 || python3 -m pip download -q --no-deps --disable-pip-version-check -d "$work" $llama_package
    tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
    cmake -S "$work"/llama_cpp_python-*/vendor/llama.cpp -B $out/llama -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
        -DCMAKE_C_FLAGS="$1" -DCMAKE_CXX_FLAGS="$1" -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DBUILD_SHARED_LIBS=OFF > $out/log 2>&1 &&
        cmake --build $out/llama -j "$(nproc)" --target llama-bench llama-quantize >> $out/log 2>&1
    got=$?
    rm -rf "$work"
    return $got
}

# llama FILE: tokens a second, as our own figures
llama() {
    $out/llama/bin/llama-bench -m "$1" -p 512 -n 64 -t "$(nproc)" -r 3 -o csv 2> $out/log | tr -d '"' | awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { printf "llama_%s,%s,tokens/s\n", ($column["n_gen"] > 0 ? "decode" : "prefill"), $column["avg_ts"] }'
}

# seconds N ARGUMENT...: of an evaluation by N ranks of one thread each
seconds() {
    n=$1
    shift
    on_ranks "$n" stac-eval $out/snn --mode snn --quiet --threads 1 --text tests/data/wikitext-2-valid.txt --limit_tokens 8192 \
        --json $out/ranks.json "$@" > $out/log
    value $out/ranks.json seconds
}

# converted NAME MODEL ARGUMENT...: seconds and most memory of a conversion on one rank
converted() {
    name=$1 converts=$2
    shift 2
    rm -rf $out/large
    on_ranks 1 stac-convert --model_name "$converts" --output_dir $out/large "$@" > $out/log 2>&1 || { cat $out/log >&2; exit 1; }
    sed -n 's/.* in \(.*\), \([0-9]*\) MiB at most.*/\1,\2/p' $out/log | tr -d ' ' | awk -F, -v name="$name" '
        { t = $1; s = 0
          if (match(t, /[0-9]+h/)) s += 3600 * substr(t, RSTART, RLENGTH - 1)
          if (match(t, /[0-9]+min/)) s += 60 * substr(t, RSTART, RLENGTH - 3)
          if (match(t, /[0-9.]+s$/)) s += substr(t, RSTART, RLENGTH - 1)
          printf "%s_seconds,%.1f,s\n%s_memory,%.0f,bytes\n", name, s, name, $2 * 1048576 }' | tee -a $csv
    rm -rf $out/large
}

: > $csv
say "limits of this machine"
figures limits stac-bench limits
figures products stac-bench products
say "SmolLM2-135M-Instruct"
once $out/snn/snn_model.h5 on_ranks 2 stac-convert --model_name "$model_file" --output_dir $out/snn --force --simplified --spike_budget 1.2
once $out/int8/snn_model.h5 stac-convert --from $out/snn --output_dir $out/int8 --force --code integer --activation_bits 8
figures 135M stac-bench network $out/snn
figures 135M_int8 stac-bench network $out/int8 --mode snn
figures 135M stac-bench network $out/snn --mode snn --execution temporal
figures 135M stac-bench load $out/snn
figures 135M stac-bench tokenizer $out/snn/tokenizer tests/data/wikitext-2-valid.txt
for interval in 1e9 3 1e9 3; do converted 135M.interval_$interval "$model_file" --simplified --spike_budget 1.2 --checkpoint_interval $interval; done
for n in 1 2; do echo "135M.ranks_$n,$(seconds $n),s" | tee -a $csv; done
say "the shape of SmolLM2-1.7B in bfloat16, random weights"
once $out/1.7B/config.json stac-bench checkpoint 1.7B $out/1.7B
cp $out/snn/tokenizer/* $out/1.7B/
figures 1.7B stac-bench network $out/1.7B --mode baseline
figures limits stac-bench limits
if [ -n "$large" ]; then
    converted 1.7B.simplified $out/1.7B --simplified
    converted 1.7B.full $out/1.7B
fi
if [ -z "$alone" ]; then
    if build_llama; then
        say "llama.cpp, SmolLM2-135M-Instruct in Q8_0"
        for turn in 1 2; do
            figures 135M llama $out/q8_0.gguf
            figures 135M_int8 stac-bench network $out/int8 --mode snn
            figures 135M stac-bench network $out/snn
        done
    else
        tail -5 $out/log >&2
        echo "llama.cpp could not be built: its ratios are left out"
    fi
    if install_spikingjelly $out; then
        say "SpikingJelly, the products of SmolLM2-135M at T = 16"
        figures 135M $out/venv/bin/python tests/bench/peer_spikingjelly.py 576 1536 576 192 30 16 512
    else
        tail -5 $out/log >&2
        echo "SpikingJelly could not be installed: its ratios are left out"
    fi
fi

# ratio NAME GOAL EXPRESSION of figures as f["name"]: a row; left out where a figure is not there. Of what was measured more than
# once, beside its peer, the best counts: neighbours of the machine only make things slower.
ratio() {
    awk -F, -v name="$1" -v goal="$2" '!($1 in f) || ($3 == "s" ? $2 < f[$1] : $2 > f[$1]) { f[$1] = $2 } END { value = '"$3"'; if (value > 0 && value < 1e6) printf "| %s | %s | %.3g |\n", name, goal, value }' \
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
ratio 'SNN temporal mode, a token of T = 16 / streaming the touched weight rows once' '<= 1.5' \
    'f["limits.read_bandwidth"] / f["135M.snn_temporal_touched"] / f["135M.snn_temporal_decode"]'
ratio 'SpikingJelly, products alone: its time / ours of the whole network, count mode' '>= 100' \
    'f["135M.snn_count_prefill"] / f["135M.spikingjelly_products"]'
ratio 'the same, temporal mode' '>= 20' 'f["135M.snn_temporal_prefill"] / f["135M.spikingjelly_products"]'
ratio 'simplified conversion of 1.7B: (bytes in / time) / reading from disk' '>= 0.5' \
    'f["1.7B.dense_weight_bytes"] / f["1.7B.simplified_seconds"] / f["135M.read_cold"]'
ratio 'full conversion of 1.7B: hours' '< 1' 'f["1.7B.full_seconds"] / 3600'
ratio 'full conversion of 1.7B: GiB at most, one rank' '< 8' 'f["1.7B.full_memory"] / 1073741824'
ratio 'our float product / OpenBLAS, 512 rows of 2048 to 16384' '>= 1' 'f["products.float_2048x16384"] / f["products.openblas_2048x16384"]'
ratio 'the same, 576 to 3072' '>= 1' 'f["products.float_576x3072"] / f["products.openblas_576x3072"]'
ratio 'products of 8-bit codes alone, 512 rows of 2048 to 16384: operations/s / 8-bit peak' 'a bound' \
    'f["products.int8_2048x16384"] / f["limits.int8_peak"]'
ratio 'the same, 16-bit codes: operations/s / 16-bit peak' 'a bound' 'f["products.int16_2048x16384"] / f["limits.int16_peak"]'
ratio 'a conversion with checkpoints every 3 s (ten times as often as usual) / without: time' '<= 1.02' \
    'f["135M.interval_3_seconds"] / f["135M.interval_1e9_seconds"]'
ratio '2 ranks / 1 rank, throughput of an evaluation' '>= 1.8' 'f["135M.ranks_1"] / f["135M.ranks_2"]'
ratio 'tokenizer, one core, MB/s' '>= 20' 'f["135M.tokenizer"] / 1e6'
ratio 'loading a stored SNN / reading the file, from disk' '>= 0.8' 'f["135M.load_cold"] / f["135M.read_cold"]'

# Measured over goal, in the direction that is better; a bar that reaches 1 meets its goal.
awk -F'|' 'NR > 2 && $3 ~ /[0-9]/ { goal = $3; limit = goal; gsub(/[^0-9.]/, "", limit); met = goal ~ />/ ? $4 / limit : limit / $4
    gsub(/^ +| +$/, "", $2); gsub(/"/, "", $2); printf "\"%s\" %.4f\n", $2, (met > 4 ? 4 : met) }' $out/ratios.md > $out/ratios.dat
gnuplot << EOD || echo "no picture: gnuplot is missing"
set terminal pngcairo size 1100,620 font 'sans,9'
set output '$out/ratios.png'
set style data boxes
set style fill solid 0.7
set boxwidth 0.7
set yrange [] reverse
set xrange [0:4.2]
set xlabel 'goal met when 1 or more (cut at 4)'
set arrow from 1, graph 0 to 1, graph 1 nohead dt 2
unset key
plot '$out/ratios.dat' using (\$2 / 2):0:(\$2 / 2):(0.35):ytic(1) with boxxyerror lc rgb '#0072b2'
EOD
say "figures in $csv, ratios in $out/ratios.md"
