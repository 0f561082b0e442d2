#!/bin/sh
# What nvcc and ptxas make of the kernels: arithmetic rounded as IEEE says, no product fused with a sum that the source does not
# fuse, no registers spilled into memory. Skipped without nvcc.
. "$(dirname "$0")/../shell.sh"
ls "$STAC_BIN"/tests/*.ptx > /dev/null 2>&1 || skip 'no PTX: nvcc, a GNU C++ compiler or Python is missing, or this build has sanitizers'
ptxas=$(dirname "$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p' "$STAC_BIN/CMakeCache.txt")")/ptxas
[ -x "$ptxas" ] || skip 'no ptxas beside nvcc'

none() { # WHAT PATTERN FILE
    looked=$((looked + 1))
    grep -n -E "$2" "$3" > "$work/found" || return 0
    fail "$(basename "$3"): $1"
    head -5 "$work/found"
}
for ptx in "$STAC_BIN"/tests/*.ptx; do
    none 'approximations' '\.(approx|full|ftz)\b' "$ptx"
    none 'what ptxas may fuse' '^\s*(@!?%p[0-9]+\s+)?(add|sub|mul|mad)\.f(32|64)\b' "$ptx"
    for arch in sm_80 sm_90; do
        sed "s/^\.target .*/.target $arch/" "$ptx" > "$work/kernels.ptx"
        expect "$(basename "$ptx") for $arch" 0 "$ptxas" -v -arch=$arch -o "$work/kernels.cubin" "$work/kernels.ptx"
        none "spilled on $arch" '[1-9][0-9]* bytes spill' "$work/err"
        registers=$(sed -n 's/.*Used \([0-9]*\) registers.*/\1/p' "$work/err" | sort -n | tail -1)
        echo "$(basename "$ptx") on $arch: at most ${registers:-0} registers"
    done
done
finish
