# What a site sets; every script here reads it, inside a job and outside. `sh slurm/NAME.sh ARGUMENT ...` at a login node
# submits NAME.sh with the partition, account and ranks below; `sbatch slurm/NAME.sh` takes what its head says instead.
# Each value can also come from the environment.

# Programs and libraries: module commands, or nothing where they are found anyway.
# module load openmpi hdf5 openblas

# The repository, with its programs built in build/release. Absolute: jobs run elsewhere.
: "${STAC_HOME:=${SLURM_SUBMIT_DIR:-$PWD}}"
: "${STAC_BIN:=$STAC_HOME/build/release}"

# Where jobs run: empty is the site's default.
: "${STAC_PARTITION:=}"
: "${STAC_ACCOUNT:=}"

# Ranks of a job that is submitted with sh; inside a job it has as many as Slurm gave it.
: "${STAC_RANKS:=2}"

# How ranks are started: the name that `srun --mpi=list` has for the PMIx of the MPI library, or none: always mpirun.
: "${STAC_MPI:=pmix}"

# How often a job may be put back into the queue of Slurm.
: "${STAC_RESTARTS:=20}"

# The model of convert_smollm2.sh, and where results go.
: "${STAC_MODEL:=$STAC_HOME/out/models/SmolLM2-135M-Instruct.Q4_1.gguf}"
: "${STAC_OUTPUT:=$STAC_HOME/out/smollm2}"

# The folder of service.sh: on a file system that all nodes share, writable by the user alone.
: "${STAC_SPOOL:=$STAC_HOME/out/spool}"

export STAC_HOME STAC_BIN STAC_RANKS STAC_MPI STAC_RESTARTS
