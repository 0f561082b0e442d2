/* What ranks find out in parts and put together exactly, whatever their number and order: sums of integers, maxima, and figures
 * that one rank alone has while the others hold 0. */
#ifndef STAC_DIST_MERGE_H
#define STAC_DIST_MERGE_H

#include <stdint.h>

#include "dist/ranks.h"

enum stac_merge { STAC_ADD_I64, STAC_MAX_I64, STAC_ADD_I32, STAC_MAX_F32, STAC_ADD_F64, STAC_OR_U8 };

struct stac_partial {
    enum stac_merge how;
    void *data; /* borrowed */
    size_t n;   /* elements */
};

/* Bytes of all parts, one after the other. */
size_t stac_partial_bytes(const struct stac_partial *part, int n);

/* Every rank gets the whole. Collective. */
int stac_merge_to_all(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err);

/* Rank 0 gets the whole and the others are left with nothing, so that what they add later counts once. Collective. */
int stac_merge_to_first(MPI_Comm comm, const struct stac_partial *part, int n, struct stac_error *err);

#endif
