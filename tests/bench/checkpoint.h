/* A checkpoint of the shape of a llama model with random weights: stands in for one that cannot be fetched. */
#ifndef STAC_TESTS_BENCH_CHECKPOINT_H
#define STAC_TESTS_BENCH_CHECKPOINT_H

#include "base/status.h"

/* The shapes that are known by name: "135M", "360M" and "1.7B" of SmolLM2. Embeddings are tied. */
struct shape {
    const char *name;
    int layers, width, heads, kv_heads, hidden;
};
const struct shape *shape_named(const char *name); /* NULL: none */

/* Write config.json and a safetensors file for the embeddings and for each layer, in bfloat16, with their index. The weights
 * are normal with a deviation of 0.02, gains are 1; the same for the same shape. */
int checkpoint_write(const struct shape *shape, const char *folder, struct stac_error *err);

#endif
