#!/bin/sh
#SBATCH --job-name=stac-convert
#SBATCH --ntasks=2
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
# SmolLM2 becomes a spiking network. From the repository, after its model was fetched (jobs/quickstart.sh):
#
#   sbatch slurm/convert_smollm2.sh [--key value ...]       keys of stac-convert; they win over the job file
. "${STAC_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm/site.sh"
. "$STAC_HOME/slurm/batch.sh"
submit "$STAC_HOME/slurm/convert_smollm2.sh" "$@"

ranks stac-convert "$STAC_HOME/configs/full.yaml" --model_name "$STAC_MODEL" --output_dir "$STAC_OUTPUT" --once "$@"
finish
