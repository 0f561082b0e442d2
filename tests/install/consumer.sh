#!/bin/sh
# An installation in a folder that is then moved: programs, manual pages, and a program of somebody else that finds the library
# by find_package and by pkg-config, and computes what stac-eval computes.
. "$(dirname "$0")/../shell.sh"
[ -z "${STAC_SANITIZED:-}" ] || skip 'a sanitized library needs its consumer built with the same sanitizers'
command -v cmake > /dev/null || skip 'no cmake here'
build=$STAC_BIN
unset DESTDIR

# ---- install, by prefix and by DESTDIR
expect 'an installation' 0 cmake --install "$build" --prefix "$work/first"
expect 'an installation below DESTDIR' 0 env DESTDIR="$work/stage" cmake --install "$build" --prefix /opt/stac
expect 'one like the other' 0 diff -r "$work/first" "$work/stage/opt/stac"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
for file in bin/stac-convert bin/stac-eval bin/stac-chat bin/stac-service include/stac/stac.h share/stac/configs/full.yaml \
    share/stac/configs/energy/horowitz_45nm_memory.yaml share/doc/stac/LICENSE; do
    looked=$((looked + 1))
    [ -f "$prefix/$file" ] || fail "no $file"
done
looked=$((looked + 1))
! grep -r -l -e "$work/first" -e "$build" "$prefix/include" "$prefix/share" "$(find "$prefix" -name cmake -type d)" \
    "$(find "$prefix" -name stac.pc)" || fail 'these files name a folder of the build'

# ---- programs
PATH=$prefix/bin:$PATH
version=$(sed -n 's/^project(stac VERSION \([0-9.]*\) .*/\1/p' "$tests/../CMakeLists.txt")
for program in stac-convert stac-eval stac-chat; do
    expect "$program" 0 command -v $program
    says "$program" "^$prefix/bin/$program" "$work/out"
    expect "$program --version" 0 $program --version
    says "$program --version" "^stac $version " "$work/out"
    expect "$program --help" 0 $program --help
    sed -n 's/^ *\(--[a-z0-9_]*\) .*/\1/p' "$work/out" | sort -u > "$work/keys"
    page=$prefix/share/man/man1/$program.1
    sed 's/\\-/-/g; s/\\fB//g; s/\\fR//g' "$page" > "$work/page"
    while read -r key; do says "the page of $program" "^$key($|[ =,])" "$work/page"; done < "$work/keys"
    looked=$((looked + 1))
    [ "$(wc -l < "$work/keys")" -gt 15 ] || fail "the help of $program has hardly any keys"
    for part in NAME SYNOPSIS DESCRIPTION OPTIONS '"EXIT STATUS"' '"?ENVIRONMENT' '"?FILES' '"?EXAMPLES'; do
        says "the page of $program" "^\\.SH \"?$(echo "$part" | tr -d '"?')\"?\$" "$work/page"
    done
    if command -v mandoc > /dev/null; then
        expect "mandoc on the page of $program" 0 mandoc -Tlint -Wwarning "$page"
    fi
    if command -v groff > /dev/null; then
        expect "groff on the page of $program" 0 groff -ww -man -Tascii "$page"
        looked=$((looked + 1))
        [ ! -s "$work/err" ] || { fail "groff complains about the page of $program"; cat "$work/err"; }
    fi
done

# ---- the library
expect 'a conversion' 0 stac-convert --model_name "$tiny" --output_dir "$work/snn" --simplified --num_samples 1 --quiet
expect 'logits of stac-eval' 0 stac-eval "$work/snn" --mode snn --quiet --ids 5,17,42,300,8,99 --logits_out "$work/logits.h5"
expect 'its logits' 0 h5dump -d /logits -b LE -o "$work/wanted" "$work/logits.h5"
try() { # WHAT PROGRAM
    expect "$1" 0 "$2" "$work/snn" --mode snn --quiet --logits_out "$work/found"
    says "$1" '^6144 logits, then token [0-9]+$' "$work/out"
    equal "$1: logits" "$work/wanted" "$work/found"
    rm -f "$work/found"
}
expect 'configuring with find_package' 0 cmake -S "$tests/install" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$version"
expect 'building with find_package' 0 cmake --build "$work/consumer"
try 'a program by find_package' "$work/consumer/consumer"
expect 'a version that is not there' 1 cmake -S "$tests/install" -B "$work/later" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED=99.1
says 'a version that is not there' 'requested version "99.1"' "$work/err"

if command -v pkg-config > /dev/null; then
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name stac.pc)")
    export PKG_CONFIG_PATH
    expect 'pkg-config' 0 pkg-config --exact-version="$version" stac
    # shellcheck disable=SC2046
    expect 'building with pkg-config' 0 "${CC:-cc}" -std=c11 -Wall -Werror -o "$work/by-pkg-config" "$tests/install/consumer.c" \
        $(pkg-config --cflags --libs stac)
    try 'a program by pkg-config' "$work/by-pkg-config"
fi
finish
