# Shared by the tests that run the programs. CTest sets STAC_BIN (folder of the programs) and runs in the sources' root.
# A test prints what it does and ends with `finish`: 0 all went well, 1 something did not, 77 skipped.
set -u
tests=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/stac-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
PATH=$STAC_BIN:$PATH
tiny=$tests/models/gpt2-tiny-shakespeare
export OMP_WAIT_POLICY=passive OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
failures=0
looked=0

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
finish() {
    echo "$looked checks, $failures failed"
    [ "$looked" -gt 0 ] && [ "$failures" = 0 ] || exit 1
    exit 0
}

# ranks N COMMAND...: over MPI, at most 15 minutes
ranks() {
    n=$1
    shift
    timeout -k 10 900 mpirun -q -n "$n" "$@"
}

# expect WHAT CODE COMMAND...: its output goes to $work/out, its errors to $work/err
expect() {
    what=$1
    code=$2
    shift 2
    looked=$((looked + 1))
    "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}"
    got=$?
    [ "$got" = "$code" ] && return 0
    fail "$what: exit code $got instead of $code"
    tail -5 "$work/err"
    return 1
}

# over_soon WHAT JOB BEGAN: a job that lost something at BEGAN (date +%s%N) ends by itself within 10 s, and not well; $took is in ms
over_soon() {
    wait "$2"
    code=$?
    took=$((($(date +%s%N) - $3) / 1000000))
    looked=$((looked + 2))
    [ "$code" != 0 ] && [ "$code" != 124 ] || fail "$1: exit code $code"
    [ "$took" -lt 10000 ] || fail "$1: over after $took ms"
}

# says WHAT PATTERN FILE: a line of the file matches
says() {
    looked=$((looked + 1))
    grep -q -E -- "$2" "$3" || { fail "$1: no line matches '$2'"; head -5 "$3"; }
}

# equal WHAT FILE FILE: byte for byte
equal() {
    looked=$((looked + 1))
    cmp "$2" "$3" || fail "$1"
}

# holds WHAT EXPRESSION: arithmetic of awk
holds() {
    looked=$((looked + 1))
    awk "BEGIN { exit !($2) }" || fail "$1: $2"
}

# value FILE KEY: of a flat JSON object
value() { sed -n 's/^ *"'"$2"'": \(.*[^,]\),*$/\1/p' "$1" | tr -d '"'; }
