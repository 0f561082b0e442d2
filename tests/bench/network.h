/* How fast a network reads and continues texts: lines of CSV. */
#ifndef STAC_TESTS_BENCH_NETWORK_H
#define STAC_TESTS_BENCH_NETWORK_H

#include <stdbool.h>

#include "dist/start.h"

/* Both sides of the job's subject that run, on one rank: their weights, and tokens a second in reading and in continuing; or
 * how these grow with the length of the text and with the number of conversations, and the memory of it all. */
int network_bench(struct stac_start *start, bool growth, struct stac_error *err);

#endif
