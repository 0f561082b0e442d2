/* One safetensors file: what is accepted covers the data without hole or overlap and can be read to the last byte. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model/safetensors.h"
#include "model/stored_matrix.h"

enum { MOST_VALUES = 1 << 20 };

/* Values of a format that is read are finite or refused. */
static void read_values(const struct stac_tensor *t, size_t count) {
    struct stac_error err = {0};
    struct stac_stored whole = {.tensor = t, .cols = count, .n_rows = 1, .n_cols = count};
    if (count > MOST_VALUES) return;
    float *out = malloc(count * sizeof *out + 1);
    PROMISE(out != NULL);
    if (fuzz_accepted(stac_stored_copy(&whole, out, &err), &err))
        for (size_t i = 0; i < count; i++) PROMISE(isfinite(out[i]));
    free(out);
}

static void look_at(const struct stac_safetensors *s, const struct stac_tensor *t) {
    size_t count = 1;
    PROMISE(stac_safetensors_find(s, t->name) == t);
    PROMISE(*t->name && t->n_dims >= 0 && t->n_dims <= STAC_TENSOR_DIMS);
    for (int d = 0; d < t->n_dims; d++) {
        PROMISE(t->shape[d] >= 0);
        count *= (size_t)t->shape[d];
    }
    fuzz_touch(t->data, t->size);
    read_values(t, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stac_error err = {0};
    struct stac_safetensors *s;
    size_t covered = 0;
    if (!fuzz_accepted(stac_safetensors_open(fuzz_file(0, data, size), &s, &err), &err)) {
        PROMISE(s == NULL);
        return 0;
    }
    for (size_t i = 0; i < stac_safetensors_count(s); i++) {
        const struct stac_tensor *t = stac_safetensors_at(s, i);
        PROMISE(i == 0 || t->data == stac_safetensors_at(s, i - 1)->data + stac_safetensors_at(s, i - 1)->size);
        look_at(s, t);
        covered += t->size;
    }
    PROMISE(covered < size);
    stac_safetensors_close(s);
    return 0;
}
