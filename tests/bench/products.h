/* Products alone, on the shapes of reading 512 tokens: of floats beside OpenBLAS, which decides which of the two runs a dense model; of
 * codes of 8 and 16 bits. */
#ifndef STAC_TESTS_BENCH_PRODUCTS_H
#define STAC_TESTS_BENCH_PRODUCTS_H

#include "base/status.h"

/* Prints lines of CSV: operations a second of both, each the best of some tries, by all threads of OpenMP. */
int products_bench(struct stac_error *err);

#endif
