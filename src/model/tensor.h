/* A tensor as a weight file stores it, whatever the file format. */
#ifndef STAC_MODEL_TENSOR_H
#define STAC_MODEL_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "model/dtype.h"

#define STAC_TENSOR_DIMS 8

struct stac_tensor {
    const char *name; /* borrowed */
    const struct stac_dtype *dtype;
    int n_dims;                      /* 0: a single value */
    int64_t shape[STAC_TENSOR_DIMS]; /* slowest dimension first */
    const uint8_t *data;             /* inside the mapped file, at any alignment */
    size_t size;                     /* bytes */
};

#endif
