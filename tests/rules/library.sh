#!/bin/sh
# Rules of the library: only programs print and exit, memory comes through base/memory, files stay short, names are unique.
cd "$(dirname "$0")/../.." || exit 1
status=0
bad() { echo "$*"; status=1; }

# rule WHAT PATTERN FILE...: no line of the files matches
rule() {
    what=$1
    pattern=$2
    shift 2
    found=$(grep -n -E "$pattern" "$@" /dev/null) && bad "$what:
$found"
}
library=$(ls src/*/*.c kernels/*.c kernels/*/*.c)
# shellcheck disable=SC2086
{
    # threads that watch have nobody to return an error to
    rule 'the library exits' '\b(exit|_exit|abort|assert)\(' $(echo "$library" | grep -v -E 'src/dist/(sentry|muster).c')
    rule 'the library prints' '\b(printf|puts|putchar|perror)\(' $library
    rule 'unbounded text functions' '\b(strcpy|strcat|sprintf|gets|strtok|atoi|atof|v?asprintf)\(' $library src/*.c
    rule 'commands in a shell' '\bsystem\(' $library src/*.c
    rule 'memory that is not checked' '\b(malloc|calloc|realloc)\(' $(echo "$library" | grep -v -E 'src/base/memory.c')
    rule 'unfinished work' '\b(TODO|FIXME|XXX|HACK)\b' $library src/*.c src/*/*.h tests/unit/*
    rule 'errors to the screen outside of log and ranks' '\bstderr\b' $(echo "$library" | grep -v -E 'src/(base/log|dist/ranks|dist/sentry|dist/muster|dist/start)\.c')
}
for file in $library src/*.c src/*/*.h kernels/*.h tests/unit/*; do
    lines=$(wc -l < "$file")
    [ "$lines" -le 600 ] || bad "$file has $lines lines; 600 are the limit"
done
twice=$(for file in $library src/*.c; do basename "$file"; done | grep -v -E '^(gemm|add_rows|encode|hadamard|table)' | sort | uniq -d)
[ -z "$twice" ] || bad "two files of one name: $twice"
for header in src/*/*.h kernels/*.h; do
    guard=$(echo "$header" | sed 's|^src/||; s|^kernels/kernels|kernels|; s|[/.-]|_|g' | tr a-z A-Z)
    grep -q "^#ifndef STAC_$guard" "$header" || bad "$header: the guard is not STAC_$guard"
done
exit $status
