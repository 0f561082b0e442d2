/* Small writers of model files for the tests of model/: a temporary folder, raw bytes, safetensors, GGUF.
 *
 * The weights of fixtures are multiples of 1/8 from -1 to 7/8, which every number format holds exactly: the same model
 * can be written in each and must be read back equal. Values that are not so kind are tested on raw bytes. */
#ifndef STAC_TESTS_FIXTURE_FILES_H
#define STAC_TESTS_FIXTURE_FILES_H

#include "unit.h"

#include <ftw.h>
#include <math.h>
#include <unistd.h>

#include "base/random.h"
#include "base/strbuf.h"

#define FX __attribute__((unused)) static

/* What reading a damaged file may cost at most, in bytes of resident memory. */
#ifdef __SANITIZE_ADDRESS__
#define FX_MODEST ((size_t)512 << 20) /* freed memory waits in a quarantine */
#else
#define FX_MODEST ((size_t)64 << 20)
#endif

/* ---- a temporary folder ----------------------------------------------------------------------------------------- */

struct fx_folder {
    char path[64];
};

FX int fx_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Setup and teardown of a test whose *state is a struct fx_folder. */
FX int fx_folder_make(void **state) {
    struct fx_folder *f = calloc(1, sizeof *f);
    strcpy(f->path, "/tmp/stac-model-XXXXXX");
    *state = f;
    return mkdtemp(f->path) ? 0 : -1;
}

FX int fx_folder_remove(void **state) {
    struct fx_folder *f = *state;
    int failed = nftw(f->path, fx_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return failed;
}

/* "folder/name" in one of eight buffers used in turn. */
FX const char *fx_path(const struct fx_folder *f, const char *name) {
    static char paths[8][512];
    static int turn;
    char *p = paths[turn++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", f->path, name);
    return p;
}

FX const char *fx_write(const struct fx_folder *f, const char *name, const void *data, size_t size) {
    const char *path = fx_path(f, name);
    unlink(path); /* some file systems write a file that is truncated to disk at once */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

FX const char *fx_write_text(const struct fx_folder *f, const char *name, const char *text) {
    return fx_write(f, name, text, strlen(text));
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

FX void fx_put(struct stac_strbuf *b, const void *data, size_t size) {
    struct stac_error err = {0};
    OK(stac_strbuf_add(b, data, size, &err));
}

FX void fx_puts(struct stac_strbuf *b, const char *text) {
    fx_put(b, text, strlen(text));
}

FX void fx_zeros(struct stac_strbuf *b, size_t n) {
    for (; n; n--) fx_put(b, "", 1);
}

FX void fx_u16(struct stac_strbuf *b, uint16_t v) {
    fx_put(b, &v, sizeof v);
}

FX void fx_u32(struct stac_strbuf *b, uint32_t v) {
    fx_put(b, &v, sizeof v);
}

FX void fx_u64(struct stac_strbuf *b, uint64_t v) {
    fx_put(b, &v, sizeof v);
}

/* A length and the bytes of a text, as GGUF has it. */
FX void fx_text(struct stac_strbuf *b, const char *text) {
    fx_u64(b, strlen(text));
    fx_puts(b, text);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* IEEE half precision by the definition, one value at a time. */
FX float fx_half(uint16_t h) {
    int sign = h & 0x8000 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31) return fraction ? NAN : (float)sign * INFINITY;
    if (exponent == 0) return copysignf((float)ldexp(fraction, -24), (float)sign);
    return (float)(sign * ldexp(1024 + fraction, exponent - 25));
}

/* Half precision of a value that it holds exactly. */
FX uint16_t fx_to_half(float v) {
    if (v == 0) return signbit(v) ? 0x8000 : 0;
    int exponent;
    double fraction = frexp(fabs((double)v), &exponent);
    return (uint16_t)((v < 0 ? 0x8000 : 0) | (exponent + 14) << 10 | ((int)(fraction * 2048) - 1024));
}

FX uint16_t fx_to_bfloat(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Item i of the stream of fixture weights that a number names. */
FX float fx_value(uint64_t stream, size_t i) {
    struct stac_random r = stac_random_seeded(stream, i);
    return (float)((int)(stac_random_u64(&r) >> 60) - 8) / 8;
}

enum fx_type { FX_F32 = 0, FX_F16 = 1, FX_Q4_0 = 2, FX_Q4_1 = 3, FX_Q8_0 = 8, FX_BF16 = 30 }; /* ggml's numbers */

/* Fixture weights in a number format; a quantised one takes whole blocks of 32. */
FX void fx_encode(struct stac_strbuf *b, enum fx_type type, const float *x, size_t n) {
    if (type == FX_F32) fx_put(b, x, n * sizeof *x);
    for (size_t i = 0; type == FX_F16 && i < n; i++) fx_u16(b, fx_to_half(x[i]));
    for (size_t i = 0; type == FX_BF16 && i < n; i++) fx_u16(b, fx_to_bfloat(x[i]));
    if (type != FX_Q4_0 && type != FX_Q4_1 && type != FX_Q8_0) return;
    assert_int_equal(n % 32, 0);
    for (size_t block = 0; block < n; block += 32) {
        const float *v = x + block;
        fx_u16(b, fx_to_half(0.125f));
        if (type == FX_Q4_1) fx_u16(b, fx_to_half(-1));
        for (int i = 0; i < 32; i++) {
            int8_t q = (int8_t)(v[i] * 8);
            if (type == FX_Q8_0) fx_put(b, &q, 1);
        }
        for (int i = 0; i < 16 && type != FX_Q8_0; i++) {
            uint8_t pair = (uint8_t)((int)(v[i] * 8 + 8) | (int)(v[i + 16] * 8 + 8) << 4);
            fx_put(b, &pair, 1);
        }
    }
}

/* ---- safetensors ------------------------------------------------------------------------------------------------ */

struct fx_tensor {
    char name[96];
    int n_dims;
    int64_t shape[4]; /* slowest first */
    float *values;    /* owned */
};

FX size_t fx_count(const struct fx_tensor *t) {
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n *= (size_t)t->shape[i];
    return n;
}

FX const char *fx_type_name(enum fx_type type) {
    return type == FX_F32 ? "F32" : type == FX_F16 ? "F16" : type == FX_BF16 ? "BF16" : "?";
}

/* Header length, header and data. */
FX void fx_frame(struct stac_strbuf *b, const char *header, size_t header_size, const void *data, size_t size) {
    fx_u64(b, header_size);
    fx_put(b, header, header_size);
    fx_put(b, data, size);
}

FX void fx_safetensors(struct stac_strbuf *b, const struct fx_tensor *tensors, size_t n, enum fx_type type) {
    struct stac_error err = {0};
    struct stac_strbuf header = {0}, data = {0};
    fx_puts(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        size_t begin = data.size;
        fx_encode(&data, type, tensors[i].values, fx_count(&tensors[i]));
        OK(stac_strbuf_printf(&header, &err, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensors[i].name, fx_type_name(type)));
        for (int d = 0; d < tensors[i].n_dims; d++)
            OK(stac_strbuf_printf(&header, &err, "%s%lld", d ? "," : "", (long long)tensors[i].shape[d]));
        OK(stac_strbuf_printf(&header, &err, "],\"data_offsets\":[%zu,%zu]}", begin, data.size));
    }
    fx_puts(&header, "}");
    while (header.size % 8) fx_puts(&header, " ");
    fx_frame(b, header.data, header.size, stac_strbuf_text(&data), data.size);
    stac_strbuf_clean(&header);
    stac_strbuf_clean(&data);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

struct fx_gguf {
    struct stac_strbuf keys, tensors, data;
    uint64_t n_keys, n_tensors;
    uint64_t alignment; /* 0: 32 */
};

FX void fx_key(struct fx_gguf *g, const char *key, uint32_t type) {
    fx_text(&g->keys, key);
    fx_u32(&g->keys, type);
    g->n_keys++;
}

FX void fx_key_u32(struct fx_gguf *g, const char *key, uint32_t v) {
    fx_key(g, key, 4);
    fx_u32(&g->keys, v);
}

FX void fx_key_bool(struct fx_gguf *g, const char *key, int v) {
    fx_key(g, key, 7);
    fx_put(&g->keys, &(uint8_t){v != 0}, 1);
}

FX void fx_key_f32(struct fx_gguf *g, const char *key, float v) {
    fx_key(g, key, 6);
    fx_put(&g->keys, &v, sizeof v);
}

FX void fx_key_text(struct fx_gguf *g, const char *key, const char *v) {
    fx_key(g, key, 8);
    fx_text(&g->keys, v);
}

/* The head of an array; the caller appends the items to g->keys. */
FX void fx_key_array(struct fx_gguf *g, const char *key, uint32_t item, uint64_t n) {
    fx_key(g, key, 9);
    fx_u32(&g->keys, item);
    fx_u64(&g->keys, n);
}

/* A tensor description as it is given, true or not. */
FX void fx_info(struct fx_gguf *g, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset) {
    fx_text(&g->tensors, name);
    fx_u32(&g->tensors, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) fx_u64(&g->tensors, ne[i]);
    fx_u32(&g->tensors, type);
    fx_u64(&g->tensors, offset);
    g->n_tensors++;
}

FX void fx_pad(struct stac_strbuf *b, uint64_t alignment) {
    while (b->size % (alignment ? alignment : 32)) fx_zeros(b, 1);
}

/* A tensor of fixture weights; the shape is given slowest first, as in fx_tensor. */
FX void fx_gguf_tensor(struct fx_gguf *g, const char *name, int n_dims, const int64_t *shape, enum fx_type type,
                       const float *x) {
    uint64_t ne[4];
    size_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= (size_t)(ne[i] = (uint64_t)shape[n_dims - 1 - i]);
    fx_pad(&g->data, g->alignment);
    fx_info(g, name, (uint32_t)n_dims, ne, type, g->data.size);
    fx_encode(&g->data, type, x, n);
}

/* The whole file; the last tensor is padded too. Returns the size of everything before the data. */
FX size_t fx_gguf_finish(struct fx_gguf *g, struct stac_strbuf *out) {
    fx_puts(out, "GGUF");
    fx_u32(out, 3);
    fx_u64(out, g->n_tensors);
    fx_u64(out, g->n_keys);
    fx_put(out, stac_strbuf_text(&g->keys), g->keys.size);
    fx_put(out, stac_strbuf_text(&g->tensors), g->tensors.size);
    if (g->n_tensors) fx_pad(out, g->alignment);
    size_t header = out->size;
    fx_put(out, stac_strbuf_text(&g->data), g->data.size);
    if (g->n_tensors) fx_pad(out, g->alignment);
    stac_strbuf_clean(&g->keys);
    stac_strbuf_clean(&g->tensors);
    stac_strbuf_clean(&g->data);
    *g = (struct fx_gguf){0};
    return header;
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

/* Change a copy of a file in one of the ways in which files break: flipped bits, wild bytes and words, a block moved,
 * the end cut off. The damage is a function of the seed. */
FX void fx_damage(struct stac_strbuf *copy, const struct stac_strbuf *whole, uint64_t seed) {
    static const uint64_t wild[] = {0, 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, 1ull << 31, 1ull << 62, 1ull << 63, UINT64_MAX};
    struct stac_random r = stac_random_seeded(seed, 0);
    stac_strbuf_clean(copy);
    fx_put(copy, whole->data, whole->size);
    for (uint64_t left = 1 + stac_random_u64(&r) % 3; left; left--) {
        size_t at = stac_random_u64(&r) % copy->size, room = copy->size - at;
        uint64_t word = wild[stac_random_u64(&r) % (sizeof wild / sizeof wild[0])];
        switch (stac_random_u64(&r) % 6) {
        case 0: copy->data[at] = (char)(copy->data[at] ^ 1 << stac_random_u64(&r) % 8); break;
        case 1: copy->data[at] = (char)stac_random_u64(&r); break;
        case 2: memcpy(copy->data + at, &word, room < 8 ? room : 8); break;
        case 3: memcpy(copy->data + at, &word, room < 4 ? room : 4); break;
        case 4: memmove(copy->data + at, copy->data + at / 2, room < 16 ? room : 16); break;
        default: copy->size = at + 1; break;
        }
    }
}

#endif
