#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/json_bound.h"
#include "model/name_index.h"

#define MAX_HEADER 100000000 /* of the reference implementation */
#define MAX_TENSORS 65536
#define MAX_VALUES ((size_t)MAX_TENSORS * 24) /* JSON values of a header: a tensor of eight dimensions has 14 */

struct stac_safetensors {
    struct stac_mapping file;
    struct stac_tensor *tensors;
    struct stac_name *names; /* sorted */
    char *texts;             /* the names, one after the other */
    size_t n;
};

/* Types of the format that are no weights of ours: their sizes are checked, their values are not read. */
static const struct stac_dtype unread_types[] = {
    {"BOOL", 1, 1, NULL},    {"U8", 1, 1, NULL},      {"I8", 1, 1, NULL},          {"F8_E5M2", 1, 1, NULL},
    {"F8_E4M3", 1, 1, NULL}, {"F8_E8M0", 1, 1, NULL}, {"F8_E5M2FNUZ", 1, 1, NULL}, {"F8_E4M3FNUZ", 1, 1, NULL},
    {"I16", 1, 2, NULL},     {"U16", 1, 2, NULL},     {"I32", 1, 4, NULL},         {"U32", 1, 4, NULL},
    {"F64", 1, 8, NULL},     {"I64", 1, 8, NULL},     {"U64", 1, 8, NULL},         {"C64", 1, 8, NULL},
    {"F4", 2, 1, NULL},      {"F6_E2M3", 4, 3, NULL}, {"F6_E3M2", 4, 3, NULL},
};

static const struct stac_dtype *find_type(const char *name) {
    static const struct stac_dtype *const read[] = {&stac_f32, &stac_f16, &stac_bf16};
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
        if (strcmp(read[i]->name, name) == 0) return read[i];
    for (size_t i = 0; i < sizeof unread_types / sizeof unread_types[0]; i++)
        if (strcmp(unread_types[i].name, name) == 0) return &unread_types[i];
    return NULL;
}

/* ---- one tensor ------------------------------------------------------------------------------------------------- */

/* Item i of an array as a non-negative whole number. */
static bool whole_number(const json_t *array, size_t i, int64_t *out) {
    const json_t *v = json_array_get(array, i);
    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= 0;
}

static int parse_shape(const json_t *entry, struct stac_tensor *t, uint64_t *count, struct stac_error *err) {
    const json_t *shape = json_object_get(entry, "shape");
    size_t n_dims = json_array_size(shape);
    *count = 1;
    if (!json_is_array(shape) || n_dims > STAC_TENSOR_DIMS)
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s: \"shape\" is not a list of at most %d numbers", t->name,
                         STAC_TENSOR_DIMS);
    t->n_dims = (int)n_dims;
    for (size_t i = 0; i < n_dims; i++) {
        if (!whole_number(shape, i, &t->shape[i]))
            return stac_fail(err, STAC_ERR_INPUT, "tensor %s: dimension %zu of its shape is not a whole number", t->name, i);
        if (__builtin_mul_overflow(*count, (uint64_t)t->shape[i], count))
            return stac_fail(err, STAC_ERR_INPUT, "tensor %s: its shape is larger than any file", t->name);
    }
    return STAC_OK;
}

static int parse_type(const json_t *entry, struct stac_tensor *t, uint64_t count, struct stac_error *err) {
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (!type) return stac_fail(err, STAC_ERR_INPUT, "tensor %s: \"dtype\" is missing or not a text", t->name);
    t->dtype = find_type(type);
    if (!t->dtype) return stac_fail(err, STAC_ERR_INPUT, "tensor %s: the dtype \"%.40s\" is unknown", t->name, type);
    if (!stac_dtype_size(t->dtype, count, &t->size))
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s: %" PRIu64 " values of %s are no whole number of bytes, or too many",
                         t->name, count, type);
    return STAC_OK;
}

/* The tensor's place in the data, whose size must be that of its type and shape. */
static int parse_place(const json_t *entry, struct stac_tensor *t, const uint8_t *data, size_t data_size,
                       struct stac_error *err) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin, end;
    if (json_array_size(offsets) != 2 || !whole_number(offsets, 0, &begin) || !whole_number(offsets, 1, &end))
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s: \"data_offsets\" is not a pair of whole numbers", t->name);
    if (begin > end || (uint64_t)end > data_size)
        return stac_fail(err, STAC_ERR_INPUT,
                         "tensor %s: bytes %" PRId64 " to %" PRId64 " do not lie within the %zu bytes of data", t->name, begin,
                         end, data_size);
    if ((uint64_t)(end - begin) != t->size)
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s: its type and shape need %zu bytes, its data_offsets span %" PRId64,
                         t->name, t->size, end - begin);
    t->data = data + begin;
    return STAC_OK;
}

static int parse_tensor(const json_t *entry, struct stac_tensor *t, const uint8_t *data, size_t data_size,
                        struct stac_error *err) {
    uint64_t count;
    if (!json_is_object(entry)) return stac_fail(err, STAC_ERR_INPUT, "tensor %s: its entry is not an object", t->name);
    STAC_TRY(parse_shape(entry, t, &count, err));
    STAC_TRY(parse_type(entry, t, count, err));
    return parse_place(entry, t, data, data_size, err);
}

/* ---- the header ------------------------------------------------------------------------------------------------- */

static int check_metadata(const json_t *metadata, struct stac_error *err) {
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata)) return stac_fail(err, STAC_ERR_INPUT, "\"__metadata__\" is not an object");
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value)) return stac_fail(err, STAC_ERR_INPUT, "\"__metadata__\" holds a value that is not a text");
    }
    return STAC_OK;
}

static bool is_metadata(const char *key) {
    return strcmp(key, "__metadata__") == 0;
}

/* Own copies of the names, so that the parsed JSON can go. */
static int copy_names(struct stac_safetensors *s, json_t *header, struct stac_error *err) {
    const char *key;
    json_t *value;
    size_t bytes = 0, n = 0;
    json_object_foreach(header, key, value) bytes += strlen(key) + 1;
    STAC_TRY(STAC_NEW(s->texts, bytes, "tensor names", err));
    char *at = s->texts;
    json_object_foreach(header, key, value) {
        if (is_metadata(key)) continue;
        if (!stac_tensor_name_is_clean(key))
            return stac_fail(err, STAC_ERR_INPUT, "a tensor name is empty, too long or has control characters");
        size_t size = strlen(key) + 1;
        s->tensors[n++].name = memcpy(at, key, size);
        at += size;
    }
    return STAC_OK;
}

static int by_place(const void *a, const void *b) {
    const struct stac_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size); /* empty tensors before the one that begins where they are */
}

/* Sort the tensors as their data lie and check that these follow one another over all of the file. */
static int check_cover(struct stac_safetensors *s, const uint8_t *data, size_t data_size, struct stac_error *err) {
    const uint8_t *end = data;
    if (s->n) qsort(s->tensors, s->n, sizeof *s->tensors, by_place);
    for (size_t i = 0; i < s->n; i++) {
        const struct stac_tensor *t = &s->tensors[i];
        if (t->data != end)
            return stac_fail(err, STAC_ERR_INPUT, "tensor %s begins at byte %td of the data; the tensors before it end at %td",
                             t->name, t->data - data, end - data);
        end += t->size;
    }
    if (end != data + data_size)
        return stac_fail(err, STAC_ERR_INPUT, "%zu bytes at the end of the file belong to no tensor",
                         data_size - (size_t)(end - data));
    return STAC_OK;
}

static int parse_entries(struct stac_safetensors *s, json_t *header, const uint8_t *data, size_t data_size,
                         struct stac_error *err) {
    const char *key;
    json_t *entry;
    const json_t *metadata = json_object_get(header, "__metadata__");
    size_t n = json_object_size(header) - (metadata != NULL);
    STAC_TRY(check_metadata(metadata, err));
    if (n > MAX_TENSORS) return stac_fail(err, STAC_ERR_INPUT, "%zu tensors are more than the %d accepted", n, MAX_TENSORS);
    STAC_TRY(STAC_NEW(s->tensors, n, "tensor descriptions", err));
    STAC_TRY(STAC_NEW(s->names, n, "tensor names", err));
    STAC_TRY(copy_names(s, header, err));
    json_object_foreach(header, key, entry) {
        if (!is_metadata(key)) STAC_TRY(parse_tensor(entry, &s->tensors[s->n++], data, data_size, err));
    }
    STAC_TRY(check_cover(s, data, data_size, err));
    for (size_t i = 0; i < n; i++) s->names[i] = (struct stac_name){s->tensors[i].name, strlen(s->tensors[i].name), i};
    stac_names_sort(s->names, n); /* no duplicates: the JSON parser refuses them */
    return STAC_OK;
}

static int parse(struct stac_safetensors *s, const char *path, struct stac_error *err) {
    struct stac_cursor c = stac_cursor_over(s->file.data, s->file.size, err);
    uint64_t size = stac_cursor_u64(&c, "the header length");
    if (stac_cursor_ok(&c) && size > MAX_HEADER)
        return stac_fail(err, STAC_ERR_INPUT, "%s: a header of %" PRIu64 " bytes is larger than the %d accepted", path, size,
                         MAX_HEADER);
    const char *text = (const char *)stac_cursor_take(&c, (size_t)size, "the header");
    if (!text) return stac_fail_in(err, "%s", path);
    if (size == 0 || text[0] != '{') return stac_fail(err, STAC_ERR_INPUT, "%s: the header does not begin with '{'", path);
    json_t *header;
    STAC_TRY(stac_json_parse_bounded(path, text, (size_t)size, MAX_VALUES, &header, err));
    int status = parse_entries(s, header, c.data + c.at, stac_cursor_left(&c), err);
    json_decref(header);
    return status == STAC_OK ? STAC_OK : stac_fail_in(err, "%s", path);
}

int stac_safetensors_open(const char *path, struct stac_safetensors **out, struct stac_error *err) {
    struct stac_safetensors *s;
    *out = NULL;
    STAC_TRY(STAC_NEW(s, 1, "a safetensors file", err));
    int status = stac_file_map(path, &s->file, err);
    if (status == STAC_OK) status = parse(s, path, err);
    if (status == STAC_OK)
        *out = s;
    else
        stac_safetensors_close(s);
    return status;
}

void stac_safetensors_close(struct stac_safetensors *s) {
    if (!s) return;
    stac_file_unmap(&s->file);
    free(s->tensors);
    free(s->names);
    free(s->texts);
    free(s);
}

size_t stac_safetensors_count(const struct stac_safetensors *s) {
    return s->n;
}

const struct stac_tensor *stac_safetensors_at(const struct stac_safetensors *s, size_t i) {
    return &s->tensors[i];
}

const struct stac_tensor *stac_safetensors_find(const struct stac_safetensors *s, const char *name) {
    const struct stac_name *found = stac_names_find(s->names, s->n, name);
    return found ? &s->tensors[found->at] : NULL;
}
