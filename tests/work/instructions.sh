#!/bin/sh
# Instructions of the main kernels, counted by callgrind, within 5 % of the stored ones: who makes a kernel do more work is told,
# on whatever machine. What is better than stored is told too: then store it, with
#
#   STAC_BIN=build/release sh tests/work/instructions.sh --store
#
# Callgrind knows no AVX-512; that set shares its algorithms with AVX2's.
. "$(dirname "$0")/../shell.sh"
stored=$tests/work/instructions.txt

command -v valgrind > /dev/null || skip "no valgrind here"
[ "${STAC_SANITIZED:-}" != 1 ] || skip "a sanitized build executes other instructions"
compiler="$(${CC:-cc} -dumpversion | cut -d. -f1)-$(uname -m)"
[ "${1:-}" = --store ] || grep -q "^compiler $compiler\$" "$stored" || skip "the stored counts are of another compiler than $compiler"

# counts SET: name and instructions of every operator
counts() {
    OMP_NUM_THREADS=1 valgrind -q --tool=callgrind --callgrind-out-file="$work/$1.out" "$STAC_BIN/tests/work_of_kernels" "$1" \
        > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
    callgrind_annotate --inclusive=yes --threshold=100 "$work/$1.out" |
        sed -n 's/^ *\([0-9,]*\) .*:count_\([a-z0-9_]*\).*/\2 \1/p' | tr -d , | sort -u -k1,1
}

for set in ref avx2; do
    counts $set > "$work/$set" || skip "valgrind cannot run the set $set: $(head -1 "$work/log")"
    [ "$(wc -l < "$work/$set")" -ge 20 ] || fail "$set: only $(wc -l < "$work/$set") operators were counted"
done
if [ "${1:-}" = --store ]; then
    { echo "compiler $compiler"; for set in ref avx2; do sed "s/^/$set /" "$work/$set"; done; } > "$stored"
    echo "stored in $stored"
    exit 0
fi
for set in ref avx2; do
    while read -r name now; do
        looked=$((looked + 1))
        was=$(sed -n "s/^$set $name //p" "$stored")
        [ -n "$was" ] || { fail "$set $name is not stored"; continue; }
        change=$(awk "BEGIN { printf \"%.1f\", 100 * ($now / $was - 1) }")
        [ "$(awk "BEGIN { print ($change > 5 || $change < -5) }")" = 0 ] ||
            fail "$set $name: $now instructions, $change % from the stored $was"
    done < "$work/$set"
done
finish
