#include "model/gguf.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/gguf_internal.h"

/* Limits of a sane file: what a header claims is compared with them, and with the bytes left, before any allocation. */
#define MAX_TENSORS 65536
#define MAX_KEYS 65536
#define MAX_KEY_NAME 65535
#define MAX_ALIGNMENT 65536
#define MAX_DIMS 4

#define LEAST_KEY_BYTES (8 + 1 + 4 + 1)            /* name, type, value */
#define LEAST_TENSOR_BYTES (8 + 1 + 4 + 8 + 4 + 8) /* name, number of dimensions, one dimension, type, offset */

/* ---- number formats --------------------------------------------------------------------------------------------- */

const struct stac_dtype *stac_gguf_dtype(int type) {
    switch (type) {
    case STAC_GGUF_F32: return &stac_f32;
    case STAC_GGUF_F16: return &stac_f16;
    case STAC_GGUF_BF16: return &stac_bf16;
    case STAC_GGUF_Q8_0: return &stac_q8_0;
    case STAC_GGUF_Q4_0: return &stac_q4_0;
    case STAC_GGUF_Q4_1: return &stac_q4_1;
    default: return NULL;
    }
}

/* ggml's names of the formats that are not read, for the refusal. */
static const char *unread_type_name(uint32_t type) {
    static const char *const names[] = {
        [6] = "Q5_0",   [7] = "Q5_1",   [9] = "Q8_1",     [10] = "Q2_K",   [11] = "Q3_K",    [12] = "Q4_K",  [13] = "Q5_K",
        [14] = "Q6_K",  [15] = "Q8_K",  [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL",
        [21] = "IQ3_S", [22] = "IQ2_S", [23] = "IQ4_XS",  [24] = "I8",     [25] = "I16",     [26] = "I32",   [27] = "I64",
        [28] = "F64",   [29] = "IQ1_M", [34] = "TQ1_0",   [35] = "TQ2_0",  [39] = "MXFP4",
    };
    return type < sizeof names / sizeof names[0] && names[type] ? names[type] : "unknown";
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static void scan_key(struct stac_cursor *c, struct stac_gguf_key *key) {
    uint64_t size = stac_cursor_u64(c, "the length of a metadata key");
    if (!stac_cursor_can_hold(c, size, 1, "a metadata key")) return;
    key->name = (const char *)stac_cursor_take(c, (size_t)size, "a metadata key");
    key->name_size = (size_t)size;
    if (size > MAX_KEY_NAME || !stac_name_is_clean(key->name, key->name_size)) {
        stac_fail(c->err, STAC_ERR_INPUT, "the metadata key at byte %zu is empty, too long or has control characters",
                  c->at - (size_t)size);
        return;
    }
    stac_gguf_scan_value(c, key);
}

static int scan_keys(struct stac_gguf *g, struct stac_cursor *c, uint64_t n) {
    struct stac_error *err = c->err;
    if (n > MAX_KEYS)
        return stac_fail(err, STAC_ERR_INPUT, "the header claims %" PRIu64 " metadata keys, more than the %d accepted", n,
                         MAX_KEYS);
    if (!stac_cursor_can_hold(c, n, LEAST_KEY_BYTES, "the metadata")) return err->status;
    STAC_TRY(STAC_NEW(g->keys, n, "metadata keys", err));
    STAC_TRY(STAC_NEW(g->key_names, n, "metadata keys", err));
    for (; g->n_keys < n; g->n_keys++) {
        struct stac_gguf_key *key = &g->keys[g->n_keys];
        scan_key(c, key);
        if (!stac_cursor_ok(c)) return err->status;
        g->key_names[g->n_keys] = (struct stac_name){key->name, key->name_size, g->n_keys};
    }
    const struct stac_name *twice = stac_names_sort(g->key_names, g->n_keys);
    if (!twice) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "the metadata key \"%.*s\" occurs twice",
                     (int)(twice->size < 100 ? twice->size : 100), twice->text);
}

/* general.alignment, a uint32 by the specification. */
static int read_alignment(const struct stac_gguf *g, size_t *alignment, struct stac_error *err) {
    int64_t n;
    STAC_TRY(stac_gguf_int_or(g, "general.alignment", 1, MAX_ALIGNMENT, 32, &n, err));
    if (n & (n - 1))
        return stac_fail(err, STAC_ERR_INPUT, "%s: key \"general.alignment\" is %" PRId64 ", not a power of two", g->path, n);
    *alignment = (size_t)n;
    return STAC_OK;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

static int scan_tensor_name(struct stac_cursor *c, char text[64]) {
    uint64_t size = stac_cursor_u64(c, "the length of a tensor name");
    if (!stac_cursor_can_hold(c, size, 1, "a tensor name")) return c->err->status;
    const uint8_t *name = stac_cursor_take(c, (size_t)size, "a tensor name");
    if (size > 63 || !stac_name_is_clean((const char *)name, (size_t)size))
        return stac_fail(c->err, STAC_ERR_INPUT,
                         "the tensor name at byte %zu is empty, longer than 63 bytes or has control characters",
                         c->at - (size_t)size);
    memcpy(text, name, (size_t)size);
    return STAC_OK;
}

/* Dimensions of a tensor and the number of its values. */
static int scan_dims(struct stac_cursor *c, struct stac_gguf_tensor *t, uint64_t *count) {
    uint32_t n_dims = stac_cursor_u32(c, "the number of dimensions of a tensor");
    *count = 1;
    if (!stac_cursor_ok(c)) return c->err->status;
    if (n_dims < 1 || n_dims > MAX_DIMS)
        return stac_fail(c->err, STAC_ERR_INPUT, "tensor %s has %" PRIu32 " dimensions; 1 to %d are accepted", t->name, n_dims,
                         MAX_DIMS);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < MAX_DIMS; i++) {
        uint64_t ne = i < t->n_dims ? stac_cursor_u64(c, "a dimension of a tensor") : 1;
        if (!stac_cursor_ok(c)) return c->err->status;
        if (ne < 1 || __builtin_mul_overflow(*count, ne, count) || *count > INT64_MAX)
            return stac_fail(c->err, STAC_ERR_INPUT, "tensor %s has the impossible dimension %" PRIu64 " (number %d)", t->name,
                             ne, i);
        t->ne[i] = (int64_t)ne;
    }
    return STAC_OK;
}

static int scan_type(struct stac_cursor *c, struct stac_gguf_tensor *t, uint64_t count) {
    uint32_t type = stac_cursor_u32(c, "the type of a tensor");
    if (!stac_cursor_ok(c)) return c->err->status;
    const struct stac_dtype *dtype = type <= INT_MAX ? stac_gguf_dtype((int)type) : NULL;
    if (!dtype)
        return stac_fail(c->err, STAC_ERR_INPUT,
                         "tensor %s is stored as %s (ggml type %" PRIu32 "); F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are read",
                         t->name, unread_type_name(type), type);
    t->type = (int)type;
    if ((uint64_t)t->ne[0] % dtype->block || !stac_dtype_size(dtype, count, &t->size))
        return stac_fail(c->err, STAC_ERR_INPUT,
                         "tensor %s: rows of %" PRId64 " values are no whole number of %s blocks, or too many", t->name,
                         t->ne[0], dtype->name);
    return STAC_OK;
}

/* Tensors follow one another, each padded to the alignment. *end: where the next one has to begin. */
static int scan_offset(struct stac_cursor *c, struct stac_gguf_tensor *t, size_t alignment, size_t *end) {
    uint64_t offset = stac_cursor_u64(c, "the offset of a tensor");
    if (!stac_cursor_ok(c)) return c->err->status;
    if (offset != *end)
        return stac_fail(c->err, STAC_ERR_INPUT,
                         "tensor %s begins at byte %" PRIu64 " of the data; the tensors before it end at %zu", t->name, offset,
                         *end);
    size_t padded;
    if (__builtin_add_overflow(t->size, alignment - 1, &padded) || __builtin_add_overflow(*end, padded & ~(alignment - 1), end))
        return stac_fail(c->err, STAC_ERR_INPUT, "tensor %s is larger than any file", t->name);
    return STAC_OK;
}

static int scan_tensors(struct stac_gguf *g, struct stac_cursor *c, uint64_t n, size_t alignment, size_t *data_size) {
    struct stac_error *err = c->err;
    *data_size = 0;
    if (n > MAX_TENSORS)
        return stac_fail(err, STAC_ERR_INPUT, "the header claims %" PRIu64 " tensors, more than the %d accepted", n,
                         MAX_TENSORS);
    if (!stac_cursor_can_hold(c, n, LEAST_TENSOR_BYTES, "the list of tensors")) return err->status;
    STAC_TRY(STAC_NEW(g->tensors, n, "tensor descriptions", err));
    STAC_TRY(STAC_NEW(g->tensor_texts, n, "tensor names", err));
    STAC_TRY(STAC_NEW(g->tensor_names, n, "tensor names", err));
    for (; g->n_tensors < n; g->n_tensors++) {
        struct stac_gguf_tensor *t = &g->tensors[g->n_tensors];
        uint64_t count;
        t->name = g->tensor_texts[g->n_tensors];
        STAC_TRY(scan_tensor_name(c, g->tensor_texts[g->n_tensors]));
        STAC_TRY(scan_dims(c, t, &count));
        STAC_TRY(scan_type(c, t, count));
        STAC_TRY(scan_offset(c, t, alignment, data_size));
        g->tensor_names[g->n_tensors] = (struct stac_name){t->name, strlen(t->name), g->n_tensors};
    }
    const struct stac_name *twice = stac_names_sort(g->tensor_names, g->n_tensors);
    return twice ? stac_fail(err, STAC_ERR_INPUT, "the tensor %s occurs twice", twice->text) : STAC_OK;
}

/* Point the tensors at their data and check that the file ends where the last one does, with or without its padding. */
static int place_tensors(struct stac_gguf *g, size_t header, size_t alignment, size_t data_size, struct stac_error *err) {
    size_t begin = (header + alignment - 1) & ~(alignment - 1), offset = 0, least = header, most;
    if (__builtin_add_overflow(begin, data_size, &most))
        return stac_fail(err, STAC_ERR_INPUT, "the tensors are larger than any file");
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct stac_gguf_tensor *t = &g->tensors[i];
        least = begin + offset + t->size;
        if (least > g->file.size)
            return stac_fail(err, STAC_ERR_INPUT,
                             "the file ends inside tensor %s: %zu bytes are missing (an incomplete download?)", t->name,
                             least - g->file.size);
        t->data = g->file.data + begin + offset;
        offset += (t->size + alignment - 1) & ~(alignment - 1);
    }
    if (g->file.size > most)
        return stac_fail(err, STAC_ERR_INPUT, "%zu bytes that belong to no tensor follow the last one", g->file.size - most);
    return STAC_OK;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

/* NAME-00001-of-00003.gguf: a part of a split model. */
static bool is_split_part(const char *path) {
    static const char pattern[] = "-#####-of-#####.gguf";
    size_t n = strlen(path), length = sizeof pattern - 1;
    if (n < length) return false;
    const char *tail = path + n - length;
    for (size_t i = 0; i < length; i++)
        if (pattern[i] == '#' ? !isdigit((unsigned char)tail[i]) : tail[i] != pattern[i]) return false;
    return memcmp(tail + 10, "00001", 5) != 0 || memcmp(tail + 1, "00001", 5) != 0;
}

static int refuse_split(const char *path, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_INPUT,
                     "%s is one part of a split GGUF model, which is not read: join the parts first "
                     "(llama-gguf-split --merge FIRST_PART WHOLE.gguf)",
                     path);
}

static int scan_version(struct stac_cursor *c) {
    const uint8_t *magic = stac_cursor_take(c, 4, "the magic number");
    if (magic && memcmp(magic, "GGUF", 4) != 0)
        return stac_fail(c->err, STAC_ERR_INPUT, "not a GGUF file (it does not begin with \"GGUF\")");
    uint32_t version = stac_cursor_u32(c, "the version");
    if (!stac_cursor_ok(c)) return c->err->status;
    if (version == 1 || version == 2)
        return stac_fail(c->err, STAC_ERR_INPUT, "GGUF version %" PRIu32 " is not read: convert the model again, to version 3",
                         version);
    if (version != 0 && (version & 0xffff) == 0)
        return stac_fail(c->err, STAC_ERR_INPUT, "the file was written for big-endian machines, which is not read");
    if (version != 3) return stac_fail(c->err, STAC_ERR_INPUT, "GGUF version %" PRIu32 " is not known; 3 is read", version);
    return STAC_OK;
}

/* Magic to the last metadata key. */
static int scan_front(struct stac_gguf *g, struct stac_cursor *c, uint64_t *n_tensors) {
    STAC_TRY(scan_version(c));
    *n_tensors = stac_cursor_u64(c, "the number of tensors");
    uint64_t n_keys = stac_cursor_u64(c, "the number of metadata keys");
    if (!stac_cursor_ok(c)) return c->err->status;
    return scan_keys(g, c, n_keys);
}

/* What the metadata say about the file itself. */
static int read_layout(const struct stac_gguf *g, size_t *alignment, struct stac_error *err) {
    int64_t parts, version;
    STAC_TRY(stac_gguf_int_or(g, "split.count", 0, UINT16_MAX, 1, &parts, err));
    if (parts > 1) return refuse_split(g->path, err);
    STAC_TRY(stac_gguf_int_or(g, "general.quantization_version", 2, 2, 2, &version, err));
    return read_alignment(g, alignment, err);
}

static int scan(struct stac_gguf *g, struct stac_error *err) {
    struct stac_cursor c = stac_cursor_over(g->file.data, g->file.size, err);
    size_t alignment, data_size;
    uint64_t n_tensors;
    if (scan_front(g, &c, &n_tensors) != STAC_OK) return stac_fail_in(err, "%s", g->path);
    STAC_TRY(read_layout(g, &alignment, err));
    if (scan_tensors(g, &c, n_tensors, alignment, &data_size) != STAC_OK ||
        place_tensors(g, c.at, alignment, data_size, err) != STAC_OK)
        return stac_fail_in(err, "%s", g->path);
    return STAC_OK;
}

int stac_gguf_open(const char *path, struct stac_gguf **out, struct stac_error *err) {
    struct stac_gguf *g;
    *out = NULL;
    if (is_split_part(path)) return refuse_split(path, err);
    STAC_TRY(STAC_NEW(g, 1, "a GGUF file", err));
    g->path = stac_strdup(path, err);
    int status = g->path ? stac_file_map(path, &g->file, err) : err->status;
    if (status == STAC_OK) status = scan(g, err);
    if (status == STAC_OK)
        *out = g;
    else
        stac_gguf_close(g);
    return status;
}

void stac_gguf_close(struct stac_gguf *g) {
    if (!g) return;
    stac_file_unmap(&g->file);
    free(g->keys);
    free(g->key_names);
    free(g->tensors);
    free(g->tensor_texts);
    free(g->tensor_names);
    free(g->path);
    free(g);
}

const char *stac_gguf_path(const struct stac_gguf *g) {
    return g->path;
}

bool stac_gguf_is(const char *path) {
    struct stac_error ignored = {0};
    struct stac_mapping file = {0};
    bool is = stac_file_map(path, &file, &ignored) == STAC_OK && file.size >= 4 && memcmp(file.data, "GGUF", 4) == 0;
    stac_file_unmap(&file);
    return is;
}

size_t stac_gguf_n_tensors(const struct stac_gguf *g) {
    return g->n_tensors;
}

const struct stac_gguf_tensor *stac_gguf_tensor_at(const struct stac_gguf *g, size_t i) {
    return &g->tensors[i];
}

const struct stac_gguf_tensor *stac_gguf_find(const struct stac_gguf *g, const char *name) {
    const struct stac_name *found = stac_names_find(g->tensor_names, g->n_tensors, name);
    return found ? &g->tensors[found->at] : NULL;
}

int stac_gguf_decode(const struct stac_gguf_tensor *t, float *out, struct stac_error *err) {
    const struct stac_dtype *dtype = stac_gguf_dtype(t->type);
    if (!dtype) return stac_fail(err, STAC_ERR_INTERNAL, "tensor %s is of the unread type %d", t->name, t->type);
    dtype->decode(t->data, t->size / dtype->bytes, out);
    return STAC_OK;
}
