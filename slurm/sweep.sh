#!/bin/sh
#SBATCH --job-name=stac-sweep
#SBATCH --ntasks=2
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.out
# Many jobs, as elements of an array:
#
#   sbatch --array=0-7%4 slurm/sweep.sh LIST [--key value ...]
#
# LIST has a job in each line: a job file (.eval.yaml: stac-eval, other .yaml: stac-convert), or "T BUDGET" for a conversion
# of the model of site.sh into STAC_OUTPUT-T-BUDGET; # begins a comment. Element k of n does the lines k, k + n, k + 2n, ...
# The indices of the array are a range without gaps: with 2,5 or 0-6:2 lines would be left out, and nobody told.
# A line that fails does not stop the others; the element fails in the end.
. "${STAC_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm/site.sh"
. "$STAC_HOME/slurm/batch.sh"
[ -n "${SLURM_JOB_ID:-}" ] || [ -z "${1:-}" ] || array=0-$(($(grep -c -v -E '^(#|$)' "$1") - 1))
submit "$STAC_HOME/slurm/sweep.sh" "$@"

list=${1:?LIST is missing: see the head of sweep.sh}
shift
[ -r "$list" ] || { echo "error: $list cannot be read" >&2; exit 2; }
first=${SLURM_ARRAY_TASK_MIN:-0}
element=$((${SLURM_ARRAY_TASK_ID:-0} - first))
elements=${SLURM_ARRAY_TASK_COUNT:-1}
last=${SLURM_ARRAY_TASK_MAX:-$first}
[ $((last - first + 1)) = "$elements" ] || { echo "error: the array has gaps: give --array=0-$((elements - 1))" >&2; exit 2; }

# one LINE ARGUMENT...: leaves its exit code in $code
one() {
    line=$1
    shift
    echo "$(date '+%F %T') $line" >&2
    case $line in
    *.eval.yaml) ranks stac-eval "$line" --once "$@" ;;
    *.yaml | *.yml) ranks stac-convert "$line" --once "$@" ;;
    *[!0-9.\ ]* | *\ *\ * | \ * | *\ ) code=2 ;;
    *\ *)
        ranks stac-convert --model_name "$STAC_MODEL" --timesteps "${line% *}" --spike_budget "${line#* }" \
            --output_dir "$STAC_OUTPUT-${line% *}-${line#* }" --once "$@" ;;
    *) code=2 ;;
    esac
    [ "$code" = 0 ] || echo "$(date '+%F %T') exit code $code: $line" >&2
}

n=0
worst=0
while IFS= read -r line <&3 || [ -n "$line" ]; do
    case $line in '' | '#'*) continue ;; esac
    mine=$((n % elements))
    n=$((n + 1))
    [ "$mine" = "$element" ] || continue
    one "$line" "$@" 3<&-
    [ "$code" = 0 ] || worst=$code
    if is_unfinished || [ "$stopped" = TERM ]; then break; fi
done 3< "$list"
code=$worst
finish
