#!/bin/sh
#SBATCH --job-name=stac-service
#SBATCH --ntasks=2
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
# Works through the folder STAC_SPOOL (see stac-service --help). Before the time limit the job at work checkpoints and waits in
# the folder, and the service goes back into Slurm's queue. Any number of these may run at once.
#
#   sbatch slurm/service.sh [--once] [--key value ...]      --once: end when the queue of the folder is empty; --ranks N: of a
#                                                           job, where they are not to be all that Slurm gave
. "${STAC_HOME:-${SLURM_SUBMIT_DIR:-.}}/slurm/site.sh"
. "$STAC_HOME/slurm/batch.sh"
submit "$STAC_HOME/slurm/service.sh" "$@"

# Whether srun works is found out once, not for every job.
STAC_LAUNCHER=$("$STAC_HOME/slurm/launch.sh" --which)
export STAC_LAUNCHER
here "$STAC_BIN/stac-service" "$STAC_SPOOL" --programs "$STAC_BIN" --ranks "${SLURM_NTASKS:-$STAC_RANKS}" --grace 90 "$@" -- \
    "$STAC_HOME/slurm/launch.sh" --ranks '{ranks}'
# One that waits for more was not asked to end by being told to checkpoint.
case " $* " in
*' --once '*) ;;
*) [ "$stopped" != USR1 ] || [ "$code" != 0 ] || code=75 ;;
esac
finish
