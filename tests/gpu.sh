#!/bin/sh
# What needs a GPU: kernels and networks on it under compute-sanitizer, the programs, and how fast they are.
#
#   sh tests/gpu.sh
#
# Leaves out/gpu/figures.csv (name,value,unit) and ratios.md. Without a GPU it says so and ends with 77; the tests of tests/run.sh run the
# same kernels on the host.
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh
. jobs/spikingjelly.sh
command -v nvidia-smi > /dev/null && nvidia-smi -L 2> /dev/null | grep -q GPU || { echo "skipped: this machine has no GPU"; exit 77; }
# shellcheck disable=SC2086
install_packages $packages g++ libcmocka-dev python3-venv
mkdir -p build out/gpu
say "building"
build build/release -DBUILD_TESTING=ON
[ -f build/release/kernels/stac_cuda.so ] || die "nvcc was not found: set CUDACXX to it"
PATH=$PWD/build/release:$PWD/build/release/tests:$PATH
csv=out/gpu/figures.csv

say "kernels and networks"
for test in test_cuda test_device; do
    if command -v compute-sanitizer > /dev/null; then
        for tool in memcheck initcheck racecheck synccheck; do
            say "$test, $tool"
            compute-sanitizer --tool $tool --error-exitcode 1 $test
        done
    else
        $test
    fi
done
gpus=$(nvidia-smi -L | grep -c GPU)
if [ "$gpus" -gt 1 ]; then
    say "what $gpus ranks found, put together by NCCL"
    on_ranks "$gpus" test_merge
fi
say "programs"
ctest --test-dir build/release -R cli_device --output-on-failure

say "figures on $(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)"
fetch_model || die "the model could not be fetched; check the connection to PyPI"
: > $csv
figures gpu stac-bench device
if install_spikingjelly out/gpu; then
    figures gpu out/gpu/venv/bin/python tests/bench/peer_spikingjelly.py neurons cuda 1048576 16
else
    echo "SpikingJelly could not be installed: its ratio is left out"
fi
once out/gpu/snn/snn_model.h5 stac-convert --model_name "$model_file" --output_dir out/gpu/snn --force --simplified --spike_budget 1.2
figures 135M stac-bench network out/gpu/snn --device cuda
figures 135M stac-bench growth out/gpu/snn --device cuda
once out/gpu/1.7B/config.json stac-bench checkpoint 1.7B out/gpu/1.7B
cp out/gpu/snn/tokenizer/* out/gpu/1.7B/
figures 1.7B stac-bench network out/gpu/1.7B --mode baseline --device cuda
figures 1.7B_bfloat16 stac-bench network out/gpu/1.7B --mode baseline --device cuda --dense_products bfloat16
figures 1.7B_library stac-bench network out/gpu/1.7B --mode baseline --device cuda --dense_products library
for d in cpu cuda; do
    stac-eval out/gpu/snn --quiet --text tests/data/wikitext-2-valid.txt --limit_tokens 4096 --device $d --json out/gpu/$d.json
    echo "135M.ppl_snn_$d,$(value out/gpu/$d.json ppl_snn)," >> $csv
    echo "135M.spikes_$d,$(value out/gpu/$d.json spikes),spikes" >> $csv
done
for d in cpu cuda; do
    began=$(date +%s)
    stac-convert --model_name "$model_file" --output_dir out/gpu/converted --force --quiet --simplified --device $d
    echo "135M.conversion_$d,$(($(date +%s) - began)),s" >> $csv
    mv out/gpu/converted/snn_model.h5 out/gpu/converted.$d.h5
done
if cmp -s out/gpu/converted.cpu.h5 out/gpu/converted.cuda.h5; then same=the\ same; else same=other; fi
say "a conversion on the GPU gives $same bytes"

# ratio NAME GOAL EXPRESSION of figures as f["name"]
ratio() {
    awk -F, -v name="$1" -v goal="$2" '{ f[$1] = $2 } END { printf "| %s | %s | %.4g |\n", name, goal, '"$3"' }' $csv | tee -a out/gpu/ratios.md
}
printf '| ratio | goal | measured |\n|---|---|---|\n' | tee out/gpu/ratios.md
ratio 'dense decode, 1.7B in bfloat16: bytes/s / writing memory' '>= 0.6' 'f["1.7B.dense_decode"] * f["1.7B.dense_weight_bytes"] / f["gpu.write_bandwidth"]'
ratio 'dense prefill, 1.7B in bfloat16 by cuBLASLt: operations / of one large product of it' '>= 0.5' \
    'f["1.7B_bfloat16.dense_prefill"] * f["1.7B.dense_weight_bytes"] / f["gpu.bf16_library_rounded_512_rows"]'
ratio 'the same with activations as two numbers' '' \
    'f["1.7B_library.dense_prefill"] * f["1.7B.dense_weight_bytes"] / f["gpu.bf16_library_512_rows"]'
ratio 'SNN count mode time / dense time, prefill' '<= 2' 'f["135M.dense_prefill"] / f["135M.snn_count_prefill"]'
ratio 'encoders: bytes/s / writing memory' '>= 0.8' 'f["gpu.encode"] / f["gpu.write_bandwidth"]'
! grep -q '^gpu.spikingjelly_lif' $csv || ratio 'leaky neurons, steps/s / those of SpikingJelly' '>= 1.5' \
    'f["gpu.lif_neurons"] / f["gpu.spikingjelly_lif_neurons"]'
ratio '64 conversations / 1, SNN: tokens/s' '>= 32' 'f["135M.snn_count_conversations_64"] / f["135M.snn_count_conversations_1"]'
ratio 'simplified conversion: processors / GPU, seconds' '' 'f["135M.conversion_cpu"] / f["135M.conversion_cuda"]'
ratio 'perplexity of the SNN, GPU / processor' '0.999 to 1.001' 'f["135M.ppl_snn_cuda"] / f["135M.ppl_snn_cpu"]'
ratio 'spikes, GPU / processor' '1' 'f["135M.spikes_cuda"] / f["135M.spikes_cpu"]'
