/* Ranks: MPI begun and ended, errors agreed upon, exact reductions. MPI errors are returned, never fatal by default. */
#ifndef STAC_DIST_RANKS_H
#define STAC_DIST_RANKS_H

#include <mpi.h>
#include <stdint.h>

#include "base/status.h"

struct stac_device;

struct stac_ranks {
    MPI_Comm comm; /* all ranks of the job */
    int rank, size;
    int local_rank, local_size; /* among the ranks of this machine */
    char host[64];
    const struct stac_device *device; /* of this rank, where those of all ranks are connected (dist/hardware.h); or NULL */
};

/* Begin MPI (also without mpirun: one rank) and set the number of OpenMP threads of this rank: `threads`, or for 0 the
 * processors of this machine divided among its ranks. Collective over all ranks. */
int stac_ranks_begin(struct stac_ranks *r, struct stac_error *err);
void stac_ranks_set_threads(const struct stac_ranks *r, int threads);

/* The end of a program: its exit code, `code` when err is clear. A failure is told in one line on standard error: by rank
 * 0 when all ranks agreed on it, else by the rank that failed alone, which then ends the whole job. */
int stac_ranks_end(struct stac_ranks *r, int code, const struct stac_error *err);

/* The check at the end of a phase. Every rank brings its own status; all leave with the same one. When some failed,
 * err holds on every rank the text of the lowest failing rank, "rank 2 on HOST: ..." (without the name when there is
 * one rank only). Collective over `comm`. */
int stac_agree(const struct stac_ranks *r, MPI_Comm comm, int status, struct stac_error *err);

/* Turn the result of an MPI call into a status. */
int stac_mpi_check(int code, const char *what, struct stac_error *err);

/* Bytes from one rank to another, of any size. The two ranks call it in pairs; from == to copies nothing. */
int stac_send_bytes(MPI_Comm comm, const void *data, size_t size, int to, struct stac_error *err);
int stac_receive_bytes(MPI_Comm comm, void *data, size_t size, int from, struct stac_error *err);

/* Bytes from rank `root` to all. Collective. */
int stac_broadcast(MPI_Comm comm, void *data, size_t size, int root, struct stac_error *err);

#endif
