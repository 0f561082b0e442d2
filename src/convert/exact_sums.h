/* Sums of real numbers that do not depend on the order of their terms: every term is cut into three integers, of 2^-12, of
 * 2^-36 and of 2^-60, and integers add up exactly. Terms must be below 2^38, the sum of their magnitudes below 2^50, and there
 * may be 2^38 of them, over all ranks. */
#ifndef STAC_CONVERT_EXACT_SUMS_H
#define STAC_CONVERT_EXACT_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "dist/merge.h"

struct stac_exact_sums {
    size_t n;
    int64_t *part; /* [n][3] */
    bool overflow; /* a term was not a number, or too large; the sums are void */
};

int stac_exact_sums_init(struct stac_exact_sums *s, size_t n, struct stac_error *err);
void stac_exact_sums_clean(struct stac_exact_sums *s);

/* Add to sum i. Safe from several threads. */
void stac_exact_sums_add(struct stac_exact_sums *s, size_t i, double term);
double stac_exact_sums_value(const struct stac_exact_sums *s, size_t i);

/* The sums of this rank as a part of those of all. Borrowed from s. */
struct stac_partial stac_exact_sums_partial(struct stac_exact_sums *s);

/* Over all ranks of a communicator, and checked as below, with one answer on all of them. Collective. */
int stac_exact_sums_merge(struct stac_exact_sums *s, MPI_Comm comm, const char *what, struct stac_error *err);

/* STAC_ERR_INPUT naming `what` if a term was void on this rank. */
int stac_exact_sums_check(const struct stac_exact_sums *s, const char *what, struct stac_error *err);

#endif
