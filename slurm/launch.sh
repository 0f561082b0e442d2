#!/bin/sh
# launch.sh [--ranks N] PROGRAM ARGUMENT ...: a program over N ranks, or over those of this allocation, by srun where that works,
# else by mpirun. The launcher takes the place of this script, so signals and exit codes are its own.
#
#   STAC_RANKS      number of ranks without N and Slurm; else 1
#   STAC_MPI        as in site.sh
#   STAC_LAUNCHER   srun or mpirun, where that is known already
ranks=${SLURM_NTASKS:-${STAC_RANKS:-1}}
if [ "${1:-}" = --ranks ]; then
    ranks=$2
    shift 2
fi
bin=${STAC_BIN:?STAC_BIN is not set: see slurm/site.sh}

# Two ranks that do not find each other would be two programs that do the same: rank 0 alone tells the version.
srun_works() {
    [ -n "${SLURM_JOB_ID:-}" ] && [ "${STAC_MPI:-pmix}" != none ] && command -v srun > /dev/null || return 1
    said=$(timeout 60 srun --mpi="${STAC_MPI:-pmix}" -n "$ranks" "$bin/stac-eval" --version 2> /dev/null < /dev/null) || return 1
    [ "$(printf '%s\n' "$said" | wc -l)" = 1 ]
}

case ${STAC_LAUNCHER:-} in
srun | mpirun) launcher=$STAC_LAUNCHER ;;
*) launcher=mpirun && srun_works && launcher=srun ;;
esac
if [ "${1:-}" = --which ]; then
    echo "$launcher"
    exit 0
fi
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
if [ "$launcher" = srun ]; then
    exec srun --kill-on-bad-exit=1 --mpi="${STAC_MPI:-pmix}" -n "$ranks" "$@"
fi
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[ "$ranks" -le "$(nproc)" ] || export OMPI_MCA_rmaps_base_oversubscribe=1
# A machine that is gone is noticed after 6 s; mpirun by itself waits for a quarter of an hour or longer.
: "${OMPI_MCA_oob_tcp_keepalive_time:=4}" "${OMPI_MCA_oob_tcp_keepalive_intvl:=1}" "${OMPI_MCA_oob_tcp_keepalive_probes:=2}"
export OMPI_MCA_oob_tcp_keepalive_time OMPI_MCA_oob_tcp_keepalive_intvl OMPI_MCA_oob_tcp_keepalive_probes
exec mpirun --bind-to none -n "$ranks" "$@"
