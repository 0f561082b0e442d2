/* A device's operators beside what its memory can do. */
#ifndef STAC_TESTS_BENCH_DEVICE_H
#define STAC_TESTS_BENCH_DEVICE_H

#include "base/status.h"

/* Prints lines of CSV: the device, writing its memory, copying to and from it, launching; then products of the shapes of
 * the 1.7B model and encoders, each the best of some tries. */
int device_bench(struct stac_error *err);

#endif
