#!/bin/sh
#SBATCH --job-name=stac-eval
#SBATCH --ntasks=2
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
# A converted network is measured against its original:
#
#   sbatch slurm/evaluate.sh [FOLDER [--key value ...]]     the result of convert_smollm2.sh and all checks without arguments
. "${STAC_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm/site.sh"
. "$STAC_HOME/slurm/batch.sh"
submit "$STAC_HOME/slurm/evaluate.sh" "$@"

[ $# -gt 0 ] || set -- "$STAC_OUTPUT"
[ $# -gt 1 ] || set -- "$1" --test_all --text "$STAC_HOME/tests/data/wikitext-2-valid.txt" --limit_tokens 8192
ranks stac-eval "$@" --once
finish
