/* How fast what a program reads comes in. Both print lines of CSV. */
#ifndef STAC_TESTS_BENCH_INPUT_H
#define STAC_TESTS_BENCH_INPUT_H

#include "base/status.h"

/* A converted folder's network: reading the file alone, and loading it with all its checks, out of the page cache and from the
 * disk. The best of some tries. */
int input_bench_load(const char *folder, struct stac_error *err);

/* Text into tokens by one thread, with a tokenizer that has seen no word before. */
int input_bench_tokenizer(const char *folder, const char *text, struct stac_error *err);

#endif
