#!/bin/sh
# Fuzzes the readers of files with libFuzzer and the address and undefined-behaviour sanitizers, one after the other, at the
# lowest priority. Installs what is missing.
#
#   sh tests/fuzz/run.sh [NAME|all] [SECONDS] [keep]
#
# NAME: as in fuzz_NAME.c here; SECONDS: for each (default 60). What is found goes to out/fuzz: found/NAME (inputs that reach
# new code), crashes/NAME-* (inputs to reproduce a crash, a hang or too much memory with: build/fuzz/tests/fuzz/fuzz_NAME FILE)
# and logs; hours.csv gets a line, with the seconds of a processor that it had. With `keep`, inputs that reach what the kept
# ones do not are added to corpus/NAME (SECONDS 0: only that), and the line to hours.csv here.
#
# The same harnesses under AFL++ (package afl++):
#
#   cmake -S . -B build/afl -DCMAKE_C_COMPILER=afl-clang-fast -DSTAC_FUZZ=ON && cmake --build build/afl --target fuzzers
#   afl-fuzz -m none -i tests/fuzz/corpus/gguf -o out/fuzz/afl -- build/afl/tests/fuzz/fuzz_gguf
set -eu
cd "$(dirname "$0")/../.."
. jobs/setup.sh

name=${1:-all} seconds=${2:-60} keep=${3:-}
# shellcheck disable=SC2086
install_packages $packages libcmocka-dev clang-14 libclang-rt-14-dev libomp-14-dev
mkdir -p out/fuzz/found out/fuzz/crashes out/fuzz/logs "out/fuzz/tmp/$$" build
if [ -z "${STAC_FUZZ_BUILT:-}" ]; then
    say "building"
    cmake -S . -B build/fuzz -DCMAKE_C_COMPILER=clang-14 -DSTAC_FUZZ=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo > build/fuzz.log 2>&1 ||
        die "cmake failed, see build/fuzz.log"
    cmake --build build/fuzz -j "$(nproc)" --target fuzzers >> build/fuzz.log 2>&1 || die "the build failed, see build/fuzz.log"
fi
TMPDIR=$PWD/out/fuzz/tmp/$$
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=2048
UBSAN_OPTIONS=print_stacktrace=1
OMP_NUM_THREADS=1
export TMPDIR ASAN_OPTIONS UBSAN_OPTIONS OMP_NUM_THREADS

# Bytes of the largest input worth trying.
longest() {
    case $1 in
    snn_file | windows_file | session_file | metrics) echo 128 ;;
    gguf) echo 12000 ;;
    tokenizer | job | chat_template) echo 4096 ;;
    hub) echo 512 ;;
    *) echo 2048 ;;
    esac
}

# Seconds of processor time of all that ended so far; `times` in a pipe would tell those of the pipe.
processor_seconds() {
    times > "$TMPDIR/times"
    spent=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' "$TMPDIR/times")
}

fuzz() {
    log=out/fuzz/logs/$1.log
    mkdir -p "out/fuzz/found/$1"
    before=$(find out/fuzz/crashes -name "$1-*" | wc -l)
    processor_seconds
    spent_before=$spent
    nice -n 19 build/fuzz/tests/fuzz/fuzz_"$1" "out/fuzz/found/$1" "tests/fuzz/corpus/$1" -fork=1 -ignore_crashes=1 \
        -ignore_timeouts=1 -ignore_ooms=1 -max_total_time="$seconds" -max_len="$(longest "$1")" -timeout=10 -rss_limit_mb=2500 \
        -artifact_prefix="out/fuzz/crashes/$1-" > "$log" 2>&1 || true
    processor_seconds
    rm -rf "$TMPDIR"/*
    last=$(grep -E '^#[0-9]+: cov:' "$log" | tail -1)
    executions=$(echo "$last" | sed -n 's/^#\([0-9]*\): .*/\1/p')
    coverage=$(echo "$last" | sed -n 's/.* cov: \([0-9]*\) .*/\1/p')
    crashes=$(($(find out/fuzz/crashes -name "$1-*" | wc -l) - before))
    line="$(date -u +%Y-%m-%dT%H:%M:%SZ),$1,libfuzzer,$seconds,$((spent - spent_before)),${executions:-0},${coverage:-0},$crashes"
    [ -e out/fuzz/hours.csv ] || head -1 tests/fuzz/hours.csv > out/fuzz/hours.csv
    echo "$line" >> out/fuzz/hours.csv
    [ -z "$keep" ] || echo "$line" >> tests/fuzz/hours.csv
    echo "$line"
}

# Inputs of a folder, the smallest first: bytes, name.
inputs() {
    find "tests/fuzz/corpus/$1" -type f -printf '%s %p\n' | sort -n
}

# Kept inputs stay; those found are added where they reach more, the smallest first, until there are 150 of 150 kB.
keep() {
    inputs "$1" > "$TMPDIR/kept"
    nice -n 19 build/fuzz/tests/fuzz/fuzz_"$1" -merge=1 -max_len="$(longest "$1")" -timeout=10 "tests/fuzz/corpus/$1" \
        "out/fuzz/found/$1" > "out/fuzz/logs/$1-merge.log" 2>&1 || die "merging failed, see out/fuzz/logs/$1-merge.log"
    inputs "$1" | cat "$TMPDIR/kept" - | awk '
        $2 in seen { next }
        { seen[$2] = 1; n++; bytes += $1 }
        NR > kept && (n > 150 || bytes > 150000) { print $2; n--; bytes -= $1 }' kept="$(wc -l < "$TMPDIR/kept")" | xargs -r rm -f
    echo "$1: $(find "tests/fuzz/corpus/$1" -type f | wc -l) inputs, $(cat tests/fuzz/corpus/"$1"/* | wc -c) bytes"
}

if [ "$name" = all ]; then name=$(ls tests/fuzz/corpus); fi
for parser in $name; do
    [ "$seconds" = 0 ] || fuzz "$parser"
    [ -z "$keep" ] || keep "$parser"
done
