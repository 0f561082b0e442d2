/* OpenBLAS, whose only work is the factorisations of a conversion. */
#ifndef STAC_CONVERT_BLAS_H
#define STAC_CONVERT_BLAS_H

#include "base/status.h"

/* OpenBLAS rounds otherwise on every kind of processor, and takes one that it does not know for one of 2004, at a fifth of the
 * speed (0.3.21 does so with an Emerald Rapids).
 * STAC_BLAS_ALIKE: a Haswell, which every processor with AVX2 can be, so that results have the same bits on all of them.
 * STAC_BLAS_FAST: what OpenBLAS chooses; of a processor that it does not know, the most that this one can. */
enum stac_blas_kind { STAC_BLAS_ALIKE, STAC_BLAS_FAST };

/* Have OpenBLAS work so. It listens to OPENBLAS_CORETYPE only while it is loaded: where that is not set, the program is begun
 * anew with it. Call it first of all, before MPI; on failure everything is as it was. */
void stac_blas_wake(enum stac_blas_kind kind, char *const *argv);

/* Before the first factorisation: one thread, so that the bits of results do not depend on the ranks of a machine; and the
 * memory that OpenBLAS works in, for which it would ask again and again for ever when there is none. STAC_ERR_MEMORY. */
int stac_blas_begin(struct stac_error *err);

#endif
