/* GGUF version 3: metadata and tensors of one file. Source of the format: ggml, docs/gguf.md. */
#ifndef STAC_MODEL_GGUF_H
#define STAC_MODEL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct stac_gguf;

/* Map the file and check its whole header: counts, lengths, types, duplicate names, offsets and sizes against the
 * file. No length in the file is trusted before it is compared with the bytes left. *out is owned by the caller. */
int stac_gguf_open(const char *path, struct stac_gguf **out, struct stac_error *err);
void stac_gguf_close(struct stac_gguf *g); /* accepts NULL */
const char *stac_gguf_path(const struct stac_gguf *g);

/* Whether a file starts like GGUF (its four first bytes). */
bool stac_gguf_is(const char *path);

/* Typed metadata. The plain forms refuse a missing key; the _or forms give `otherwise`. A value of another type, or
 * outside [low, high], is refused with the key's name. Any integer type of the file satisfies _int. */
bool stac_gguf_has(const struct stac_gguf *g, const char *key);
int stac_gguf_int(const struct stac_gguf *g, const char *key, int64_t low, int64_t high, int64_t *out, struct stac_error *err);
int stac_gguf_int_or(const struct stac_gguf *g, const char *key, int64_t low, int64_t high, int64_t otherwise, int64_t *out,
                     struct stac_error *err);
int stac_gguf_real_or(const struct stac_gguf *g, const char *key, double low, double high, double otherwise, double *out,
                      struct stac_error *err);
int stac_gguf_bool_or(const struct stac_gguf *g, const char *key, bool otherwise, bool *out, struct stac_error *err);

/* A byte string inside the mapped file: not NUL-terminated, borrowed from the gguf. */
struct stac_gguf_string {
    const char *data;
    size_t size;
};

/* A string; data == NULL and size 0 when the key is missing. */
int stac_gguf_string(const struct stac_gguf *g, const char *key, struct stac_gguf_string *out, struct stac_error *err);

/* An array of strings (new array of borrowed strings, owned by the caller) or of integers (new int32 array, every
 * value checked to fit). *n = 0 and *out = NULL when the key is missing. */
int stac_gguf_strings(const struct stac_gguf *g, const char *key, struct stac_gguf_string **out, size_t *n,
                      struct stac_error *err);
int stac_gguf_ints(const struct stac_gguf *g, const char *key, int32_t **out, size_t *n, struct stac_error *err);

enum stac_gguf_type { /* ggml's numbers of the formats that can be read */
                      STAC_GGUF_F32 = 0,
                      STAC_GGUF_F16 = 1,
                      STAC_GGUF_Q4_0 = 2,
                      STAC_GGUF_Q4_1 = 3,
                      STAC_GGUF_Q8_0 = 8,
                      STAC_GGUF_BF16 = 30,
};

struct stac_gguf_tensor {
    const char *name; /* NUL-terminated, borrowed */
    int n_dims;
    int64_t ne[4]; /* ne[0] is the fastest dimension; unused ones are 1 */
    int type;      /* enum stac_gguf_type */
    const uint8_t *data;
    size_t size; /* bytes */
};

size_t stac_gguf_n_tensors(const struct stac_gguf *g);
const struct stac_gguf_tensor *stac_gguf_tensor_at(const struct stac_gguf *g, size_t i);
const struct stac_gguf_tensor *stac_gguf_find(const struct stac_gguf *g, const char *name); /* NULL: none */

/* Decode a tensor to float32, out[product of ne], in the order of the file. Values are not checked to be finite. */
int stac_gguf_decode(const struct stac_gguf_tensor *t, float *out, struct stac_error *err);

#endif
