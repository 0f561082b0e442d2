/* Number formats of stored weights, and how they become float32. */
#ifndef STAC_MODEL_DTYPE_H
#define STAC_MODEL_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stac_dtype {
    const char *name; /* as the file formats spell it */
    size_t block;     /* values that are stored together */
    size_t bytes;     /* bytes of such a block */

    /* Convert n_blocks blocks, at any alignment. NULL: the format is known by its size only and cannot be read. */
    void (*decode)(const uint8_t *restrict data, size_t n_blocks, float *restrict out);
};

extern const struct stac_dtype stac_f32, stac_f16, stac_bf16;
extern const struct stac_dtype stac_q8_0; /* 32 x int8 with a float16 scale:         x = d q      */
extern const struct stac_dtype stac_q4_0; /* 32 x 4 bits, float16 scale:             x = d (q-8)  */
extern const struct stac_dtype stac_q4_1; /* 32 x 4 bits, float16 scale and minimum: x = d q + m  */

/* Bytes of n values. False when they are no whole number of blocks or more than memory can hold. */
bool stac_dtype_size(const struct stac_dtype *t, uint64_t n, size_t *bytes);

/* Whether no value is NaN or infinite. */
bool stac_all_finite(const float *x, size_t n);

#endif
