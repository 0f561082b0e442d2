#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/gguf_internal.h"

#define MAX_STRING ((size_t)1 << 20)
#define MAX_TOKENIZER_STRING ((size_t)16 << 20) /* chat templates, an embedded tokenizer.json */

static const struct {
    const char *name;
    size_t bytes; /* 0: of its own length */
} value_types[STAC_GV_COUNT] = {
    [STAC_GV_U8] = {"uint8", 1},    [STAC_GV_I8] = {"int8", 1},    [STAC_GV_U16] = {"uint16", 2},
    [STAC_GV_I16] = {"int16", 2},   [STAC_GV_U32] = {"uint32", 4}, [STAC_GV_I32] = {"int32", 4},
    [STAC_GV_F32] = {"float32", 4}, [STAC_GV_BOOL] = {"bool", 1},  [STAC_GV_STRING] = {"string", 0},
    [STAC_GV_ARRAY] = {"array", 0}, [STAC_GV_U64] = {"uint64", 8}, [STAC_GV_I64] = {"int64", 8},
    [STAC_GV_F64] = {"float64", 8},
};

/* ---- scanning --------------------------------------------------------------------------------------------------- */

/* A name of at most 100 bytes of it as the two arguments of "%.*s". */
#define SHOWN(key) (int)((key)->name_size < 100 ? (key)->name_size : 100), (key)->name

static void scan_string(struct stac_cursor *c, const struct stac_gguf_key *key) {
    size_t limit = key->name_size > 10 && memcmp(key->name, "tokenizer.", 10) == 0 ? MAX_TOKENIZER_STRING : MAX_STRING;
    uint64_t size = stac_cursor_u64(c, "the length of a string");
    if (!stac_cursor_can_hold(c, size, 1, "a string")) return;
    if (size > limit) {
        stac_fail(c->err, STAC_ERR_INPUT, "key \"%.*s\" holds a string of %" PRIu64 " bytes, more than the %zu accepted",
                  SHOWN(key), size, limit);
        return;
    }
    stac_cursor_take(c, (size_t)size, "a string");
}

static void scan_items(struct stac_cursor *c, const struct stac_gguf_key *key, uint64_t n) {
    size_t bytes = value_types[key->item].bytes;
    if (!stac_cursor_can_hold(c, n, bytes ? bytes : sizeof(uint64_t), "a metadata value")) return;
    if (bytes) stac_cursor_take(c, (size_t)n * bytes, "a metadata value");
    for (uint64_t i = 0; !bytes && i < n && stac_cursor_ok(c); i++) scan_string(c, key);
}

void stac_gguf_scan_value(struct stac_cursor *c, struct stac_gguf_key *key) {
    uint64_t n = 1;
    key->type = key->item = stac_cursor_u32(c, "the type of a metadata value");
    if (key->type == STAC_GV_ARRAY) {
        key->item = stac_cursor_u32(c, "the item type of an array");
        n = stac_cursor_u64(c, "the length of an array");
    }
    if (!stac_cursor_ok(c)) return;
    if (key->item >= STAC_GV_COUNT || key->item == STAC_GV_ARRAY) {
        stac_fail(c->err, STAC_ERR_INPUT, "key \"%.*s\" is of the unknown type %" PRIu32 "%s", SHOWN(key), key->item,
                  key->item == STAC_GV_ARRAY ? " (an array of arrays)" : "");
        return;
    }
    size_t begin = c->at;
    scan_items(c, key, n);
    if (!stac_cursor_ok(c)) return;
    key->n = (size_t)n;
    key->data = c->data + begin;
    key->size = c->at - begin;
}

/* ---- typed access ----------------------------------------------------------------------------------------------- */

/* A cursor over a value. It has an error of its own, which stays clear: the value was scanned when the file was opened. */
struct value_cursor {
    struct stac_error none;
    struct stac_cursor c;
};

static struct stac_cursor *over(struct value_cursor *v, const struct stac_gguf_key *k) {
    v->none.status = STAC_OK;
    v->c = stac_cursor_over(k->data, k->size, &v->none);
    return &v->c;
}

static const struct stac_gguf_key *find(const struct stac_gguf *g, const char *key) {
    const struct stac_name *name = stac_names_find(g->key_names, g->n_keys, key);
    return name ? &g->keys[name->at] : NULL;
}

static int wrong_type(const struct stac_gguf *g, const struct stac_gguf_key *k, const char *wanted, struct stac_error *err) {
    bool array = k->type == STAC_GV_ARRAY;
    return stac_fail(err, STAC_ERR_INPUT, "%s: key \"%.*s\" is %s%s, not %s", g->path, SHOWN(k), array ? "an array of " : "a ",
                     value_types[k->item].name, wanted);
}

static bool is_integer(uint32_t type) {
    return type <= STAC_GV_I32 || type == STAC_GV_U64 || type == STAC_GV_I64;
}

/* One integer of any type; *big is set for a uint64 that int64 cannot hold. */
static int64_t take_integer(struct stac_cursor *c, uint32_t type, bool *big) {
    uint64_t u;
    *big = false;
    switch (type) {
    case STAC_GV_U8: return stac_cursor_u8(c, "a number");
    case STAC_GV_I8: return (int8_t)stac_cursor_u8(c, "a number");
    case STAC_GV_U16: return stac_cursor_u16(c, "a number");
    case STAC_GV_I16: return (int16_t)stac_cursor_u16(c, "a number");
    case STAC_GV_U32: return stac_cursor_u32(c, "a number");
    case STAC_GV_I32: return (int32_t)stac_cursor_u32(c, "a number");
    case STAC_GV_I64: return (int64_t)stac_cursor_u64(c, "a number");
    default:
        u = stac_cursor_u64(c, "a number");
        *big = u > INT64_MAX;
        return *big ? INT64_MAX : (int64_t)u;
    }
}

static int read_integer(const struct stac_gguf *g, const struct stac_gguf_key *k, int64_t low, int64_t high, int64_t *out,
                        struct stac_error *err) {
    if (k->type == STAC_GV_ARRAY || !is_integer(k->type)) return wrong_type(g, k, "a whole number", err);
    struct value_cursor v;
    bool big;
    int64_t n = take_integer(over(&v, k), k->type, &big);
    if (big || n < low || n > high)
        return stac_fail(err, STAC_ERR_INPUT, "%s: key \"%.*s\" is %" PRId64 "%s; accepted are %" PRId64 " to %" PRId64,
                         g->path, SHOWN(k), n, big ? " or more" : "", low, high);
    *out = n;
    return STAC_OK;
}

bool stac_gguf_has(const struct stac_gguf *g, const char *key) {
    return find(g, key) != NULL;
}

int stac_gguf_int(const struct stac_gguf *g, const char *key, int64_t low, int64_t high, int64_t *out, struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    if (!k) return stac_fail(err, STAC_ERR_INPUT, "%s: key \"%s\" is missing", g->path, key);
    return read_integer(g, k, low, high, out, err);
}

int stac_gguf_int_or(const struct stac_gguf *g, const char *key, int64_t low, int64_t high, int64_t otherwise, int64_t *out,
                     struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = otherwise;
    return k ? read_integer(g, k, low, high, out, err) : STAC_OK;
}

int stac_gguf_real_or(const struct stac_gguf *g, const char *key, double low, double high, double otherwise, double *out,
                      struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = otherwise;
    if (!k) return STAC_OK;
    if (k->type != STAC_GV_F32 && k->type != STAC_GV_F64) return wrong_type(g, k, "a real number", err);
    struct value_cursor v;
    struct stac_cursor *c = over(&v, k);
    double x = k->type == STAC_GV_F32 ? (double)stac_cursor_f32(c, "a number") : stac_cursor_f64(c, "a number");
    if (!(x >= low && x <= high))
        return stac_fail(err, STAC_ERR_INPUT, "%s: key \"%.*s\" is %g; accepted are %g to %g", g->path, SHOWN(k), x, low, high);
    *out = x;
    return STAC_OK;
}

int stac_gguf_bool_or(const struct stac_gguf *g, const char *key, bool otherwise, bool *out, struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = otherwise;
    if (!k) return STAC_OK;
    if (k->type != STAC_GV_BOOL) return wrong_type(g, k, "a bool", err);
    if (k->data[0] > 1)
        return stac_fail(err, STAC_ERR_INPUT, "%s: key \"%.*s\" is a bool of value %d", g->path, SHOWN(k), k->data[0]);
    *out = k->data[0] == 1;
    return STAC_OK;
}

static struct stac_gguf_string take_string(struct stac_cursor *c) {
    uint64_t size = stac_cursor_u64(c, "the length of a string");
    const uint8_t *data = stac_cursor_take(c, (size_t)size, "a string");
    return data ? (struct stac_gguf_string){(const char *)data, (size_t)size} : (struct stac_gguf_string){0};
}

int stac_gguf_string(const struct stac_gguf *g, const char *key, struct stac_gguf_string *out, struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = (struct stac_gguf_string){0};
    if (!k) return STAC_OK;
    if (k->type != STAC_GV_STRING) return wrong_type(g, k, "a string", err);
    struct value_cursor v;
    *out = take_string(over(&v, k));
    return STAC_OK;
}

int stac_gguf_strings(const struct stac_gguf *g, const char *key, struct stac_gguf_string **out, size_t *n,
                      struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = NULL;
    *n = 0;
    if (!k) return STAC_OK;
    if (k->type != STAC_GV_ARRAY || k->item != STAC_GV_STRING) return wrong_type(g, k, "an array of strings", err);
    struct stac_gguf_string *strings;
    STAC_TRY(STAC_NEW(strings, k->n, key, err));
    struct value_cursor v;
    struct stac_cursor *c = over(&v, k);
    for (size_t i = 0; i < k->n; i++) strings[i] = take_string(c);
    *out = strings;
    *n = k->n;
    return STAC_OK;
}

int stac_gguf_ints(const struct stac_gguf *g, const char *key, int32_t **out, size_t *n, struct stac_error *err) {
    const struct stac_gguf_key *k = find(g, key);
    *out = NULL;
    *n = 0;
    if (!k) return STAC_OK;
    if (k->type != STAC_GV_ARRAY || !is_integer(k->item)) return wrong_type(g, k, "an array of whole numbers", err);
    int32_t *values;
    STAC_TRY(STAC_NEW(values, k->n, key, err));
    struct value_cursor v;
    struct stac_cursor *c = over(&v, k);
    for (size_t i = 0; i < k->n; i++) {
        bool big;
        int64_t value = take_integer(c, k->item, &big);
        if (value < INT32_MIN || value > INT32_MAX) {
            free(values);
            return stac_fail(err, STAC_ERR_INPUT, "%s: item %zu of key \"%.*s\" does not fit 32 bits", g->path, i, SHOWN(k));
        }
        values[i] = (int32_t)value;
    }
    *out = values;
    *n = k->n;
    return STAC_OK;
}
