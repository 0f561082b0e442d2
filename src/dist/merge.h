/* What ranks find out in parts and put together exactly, whatever their number and order: sums of integers, maxima, and figures
 * that one rank alone has while the others hold 0. */
#ifndef STAC_DIST_MERGE_H
#define STAC_DIST_MERGE_H

#include <stdint.h>

#include "dist/ranks.h"
#include "kernels/device.h"

struct stac_partial {
    enum stac_reduction how;
    void *data; /* borrowed */
    size_t n;   /* elements */
};

/* Bytes of all parts, one after the other. */
size_t stac_partial_bytes(const struct stac_partial *part, int n);

/* Every rank gets the whole. By the devices of the ranks where these are connected (r->device), else over MPI. Collective over
 * all ranks of the job. */
int stac_merge_to_all(const struct stac_ranks *r, const struct stac_partial *part, int n, struct stac_error *err);

/* Rank 0 gets the whole and the others are left with nothing, so that what they add later counts once. As above. */
int stac_merge_to_first(const struct stac_ranks *r, const struct stac_partial *part, int n, struct stac_error *err);

/* Every rank of `comm` gets the whole, over MPI. Collective over these. */
int stac_merge_among(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err);

#endif
