/* Our float product beside OpenBLAS, on the shapes of reading 512 tokens: what decides which of the two runs a dense model. */
#ifndef STAC_TESTS_BENCH_PRODUCTS_H
#define STAC_TESTS_BENCH_PRODUCTS_H

#include "base/status.h"

/* Prints lines of CSV: operations a second of both, each the best of some tries, by all threads of OpenMP. */
int products_bench(struct stac_error *err);

#endif
