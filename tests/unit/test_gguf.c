/* model/gguf: metadata, number formats, and every way we know in which a header can lie. */
#include "fixture_files.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "model/gguf.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* A small file with a value of every type, two tensors, and data that the alignment pads. Returns the header's size. */
static size_t small_file(struct stac_strbuf *out) {
    static const int64_t shapes[2][2] = {{3, 32}, {5, 0}};
    struct fx_gguf g = {0};
    float x[96];
    for (size_t i = 0; i < 96; i++) x[i] = fx_value(1, i);
    fx_key(&g, "a.u8", 0), fx_put(&g.keys, "\xff", 1);
    fx_key(&g, "a.i8", 1), fx_put(&g.keys, "\xff", 1);
    fx_key(&g, "a.u16", 2), fx_put(&g.keys, "\xff\xff", 2);
    fx_key(&g, "a.i16", 3), fx_put(&g.keys, "\xfe\xff", 2);
    fx_key(&g, "a.u32", 4), fx_u32(&g.keys, 0xffffffff);
    fx_key(&g, "a.i32", 5), fx_u32(&g.keys, 0xfffffffd);
    fx_key(&g, "a.u64", 10), fx_u64(&g.keys, UINT64_MAX);
    fx_key(&g, "a.i64", 11), fx_u64(&g.keys, (uint64_t)INT64_MIN);
    fx_key_f32(&g, "a.f32", 0.1f);
    double d = 0.1;
    fx_key(&g, "a.f64", 12), fx_put(&g.keys, &d, 8);
    fx_key(&g, "a.true", 7), fx_put(&g.keys, "\1", 1);
    fx_key(&g, "a.two", 7), fx_put(&g.keys, "\2", 1);
    fx_key_text(&g, "a.text", "hello");
    fx_key_text(&g, "a.empty", "");
    fx_key_array(&g, "a.texts", 8, 3), fx_text(&g.keys, "one"), fx_text(&g.keys, ""), fx_text(&g.keys, "three");
    fx_key_array(&g, "a.i16s", 3, 2), fx_put(&g.keys, "\xff\xff\2\0", 4);
    fx_key_array(&g, "a.u64s", 10, 1), fx_u64(&g.keys, 1ull << 31);
    fx_key_array(&g, "a.none", 4, 0);
    fx_gguf_tensor(&g, "matrix", 2, shapes[0], FX_Q4_1, x);
    fx_gguf_tensor(&g, "vector", 1, shapes[1], FX_F32, x);
    return fx_gguf_finish(&g, out);
}

static int open_bytes(const struct fx_folder *f, const struct stac_strbuf *b, struct stac_gguf **g, struct stac_error *err) {
    return stac_gguf_open(fx_write(f, "x.gguf", stac_strbuf_text(b), b->size), g, err);
}

/* ---- what is right ---------------------------------------------------------------------------------------------- */

static void integers_of_every_type(void **state) {
    static const struct {
        const char *key;
        int64_t value;
    } wanted[] = {{"a.u8", 255}, {"a.i8", -1},          {"a.u16", 65535},    {"a.i16", -2},
                  {"a.i32", -3}, {"a.u32", 4294967295}, {"a.i64", INT64_MIN}};
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    int64_t n;
    small_file(&b);
    OK(open_bytes(*state, &b, &g, &err));
    for (size_t i = 0; i < LENGTH(wanted); i++) {
        OK(stac_gguf_int(g, wanted[i].key, INT64_MIN, INT64_MAX, &n, &err));
        assert_true(n == wanted[i].value);
    }
    OK(stac_gguf_int_or(g, "absent", 0, 1, 42, &n, &err));
    assert_int_equal(n, 42);
    FAILS(stac_gguf_int(g, "absent", 0, 1, &n, &err), STAC_ERR_INPUT, "key \"absent\" is missing");
    FAILS(stac_gguf_int(g, "a.u8", 0, 254, &n, &err), STAC_ERR_INPUT, "\"a.u8\" is 255; accepted are 0 to 254");
    FAILS(stac_gguf_int(g, "a.i8", 0, 254, &n, &err), STAC_ERR_INPUT, "\"a.i8\" is -1; accepted are 0 to 254");
    FAILS(stac_gguf_int_or(g, "a.u64", 0, INT64_MAX, 0, &n, &err), STAC_ERR_INPUT, "or more");
    FAILS(stac_gguf_int(g, "a.f32", 0, 9, &n, &err), STAC_ERR_INPUT, "is a float32, not a whole number");
    FAILS(stac_gguf_int(g, "a.i16s", 0, 9, &n, &err), STAC_ERR_INPUT, "is an array of int16, not a whole number");
    stac_gguf_close(g);
    stac_strbuf_clean(&b);
}

static void reals_bools_and_texts(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    struct stac_gguf_string s;
    double x;
    bool yes;
    small_file(&b);
    OK(open_bytes(*state, &b, &g, &err));
    assert_true(stac_gguf_has(g, "a.f64") && !stac_gguf_has(g, "a.f6") && !stac_gguf_has(g, "a.f644"));
    OK(stac_gguf_real_or(g, "a.f32", 0, 1, 0, &x, &err));
    assert_true(x == (double)0.1f);
    OK(stac_gguf_real_or(g, "a.f64", 0, 1, 0, &x, &err));
    assert_true(x == 0.1);
    FAILS(stac_gguf_real_or(g, "a.f64", 1, 2, 0, &x, &err), STAC_ERR_INPUT, "\"a.f64\" is 0.1; accepted are 1 to 2");
    FAILS(stac_gguf_real_or(g, "a.u32", 1, 2, 0, &x, &err), STAC_ERR_INPUT, "is a uint32, not a real number");
    OK(stac_gguf_bool_or(g, "a.true", false, &yes, &err));
    assert_true(yes);
    FAILS(stac_gguf_bool_or(g, "a.two", false, &yes, &err), STAC_ERR_INPUT, "a bool of value 2");
    FAILS(stac_gguf_bool_or(g, "a.u8", false, &yes, &err), STAC_ERR_INPUT, "not a bool");
    OK(stac_gguf_string(g, "a.text", &s, &err));
    assert_true(s.size == 5 && memcmp(s.data, "hello", 5) == 0);
    OK(stac_gguf_string(g, "a.empty", &s, &err));
    assert_true(s.size == 0 && s.data);
    OK(stac_gguf_string(g, "absent", &s, &err));
    assert_true(s.size == 0 && !s.data);
    FAILS(stac_gguf_string(g, "a.u8", &s, &err), STAC_ERR_INPUT, "is a uint8, not a string");
    stac_gguf_close(g);
    stac_strbuf_clean(&b);
}

static void arrays(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    struct stac_gguf_string *texts;
    int32_t *ints;
    size_t n;
    small_file(&b);
    OK(open_bytes(*state, &b, &g, &err));
    OK(stac_gguf_strings(g, "a.texts", &texts, &n, &err));
    assert_int_equal(n, 3);
    assert_true(texts[0].size == 3 && texts[1].size == 0 && texts[2].size == 5 && memcmp(texts[2].data, "three", 5) == 0);
    free(texts);
    OK(stac_gguf_ints(g, "a.i16s", &ints, &n, &err));
    assert_true(n == 2 && ints[0] == -1 && ints[1] == 2);
    free(ints);
    OK(stac_gguf_ints(g, "a.none", &ints, &n, &err));
    assert_int_equal(n, 0);
    free(ints);
    FAILS(stac_gguf_ints(g, "a.u64s", &ints, &n, &err), STAC_ERR_INPUT, "item 0 of key \"a.u64s\" does not fit 32 bits");
    FAILS(stac_gguf_ints(g, "a.texts", &ints, &n, &err), STAC_ERR_INPUT,
          "is an array of string, not an array of whole numbers");
    FAILS(stac_gguf_ints(g, "a.u32", &ints, &n, &err), STAC_ERR_INPUT, "is a uint32, not an array of whole numbers");
    FAILS(stac_gguf_strings(g, "a.i16s", &texts, &n, &err), STAC_ERR_INPUT, "is an array of int16, not an array of strings");
    FAILS(stac_gguf_strings(g, "a.text", &texts, &n, &err), STAC_ERR_INPUT, "is a string, not an array of strings");
    stac_gguf_close(g);
    stac_strbuf_clean(&b);
}

static void tensors_are_described_and_found(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    small_file(&b);
    OK(open_bytes(*state, &b, &g, &err));
    assert_int_equal(stac_gguf_n_tensors(g), 2);
    const struct stac_gguf_tensor *t = stac_gguf_find(g, "matrix");
    assert_ptr_equal(t, stac_gguf_tensor_at(g, 0));
    assert_string_equal(t->name, "matrix");
    assert_true(t->n_dims == 2 && t->ne[0] == 32 && t->ne[1] == 3 && t->ne[2] == 1 && t->ne[3] == 1);
    assert_true(t->type == STAC_GGUF_Q4_1 && t->size == 60);
    assert_null(stac_gguf_find(g, "matri"));
    float x[96];
    OK(stac_gguf_decode(t, x, &err));
    for (size_t i = 0; i < 96; i++) assert_true(x[i] == fx_value(1, i));
    OK(stac_gguf_decode(stac_gguf_find(g, "vector"), x, &err));
    for (size_t i = 0; i < 5; i++) assert_true(x[i] == fx_value(1, i));
    stac_gguf_close(g);
    stac_gguf_close(NULL);
    b.size -= 12; /* the padding of the last tensor may be missing */
    OK(open_bytes(*state, &b, &g, &err));
    stac_gguf_close(g);
    stac_strbuf_clean(&b);
}

/* One tensor of raw bytes. */
static void decode_raw(const struct fx_folder *f, int type, size_t n, const void *bytes, size_t size, float *out) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct fx_gguf g = {0};
    struct stac_gguf *file;
    uint64_t ne = n;
    fx_info(&g, "t", 1, &ne, (uint32_t)type, 0);
    fx_put(&g.data, bytes, size);
    fx_gguf_finish(&g, &b);
    OK(open_bytes(f, &b, &file, &err));
    OK(stac_gguf_decode(stac_gguf_tensor_at(file, 0), out, &err));
    stac_gguf_close(file);
    stac_strbuf_clean(&b);
}

static void assert_same(const float *got, const float *wanted, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (isnan(wanted[i]) && isnan(got[i])) continue;
        if (memcmp(&got[i], &wanted[i], sizeof got[i]) != 0)
            fail_msg("value %zu is %a, not %a", i, (double)got[i], (double)wanted[i]);
    }
}

static void every_half_is_decoded_exactly(void **state) {
    enum { N = 65536 };
    static const struct {
        uint16_t bits;
        float value;
    } known[] = {{0x0000, 0.0f},     {0x8000, -0.0f},    {0x0001, 0x1p-24f}, {0x03ff, 0x3ffp-24f},
                 {0x0400, 0x1p-14f}, {0x3c00, 1.0f},     {0xc000, -2.0f},    {0x3555, 0x1.554p-2f},
                 {0x7bff, 65504.0f}, {0x7c00, INFINITY}, {0xfc00, -INFINITY}};
    uint16_t *bits = malloc(N * sizeof *bits);
    float *got = malloc(N * sizeof *got), *wanted = malloc(N * sizeof *wanted);
    for (size_t i = 0; i < N; i++) wanted[i] = fx_half(bits[i] = (uint16_t)i);
    decode_raw(*state, STAC_GGUF_F16, N, bits, N * sizeof *bits, got);
    assert_same(got, wanted, N);
    for (size_t i = 0; i < LENGTH(known); i++) assert_true(memcmp(&got[known[i].bits], &known[i].value, sizeof(float)) == 0);
    decode_raw(*state, STAC_GGUF_F16, 1029, bits, 1029 * sizeof *bits, got); /* no multiple of a vector: the plain tail */
    assert_same(got, wanted, 1029);
    for (size_t i = 0; i < N; i += 97) { /* one at a time: the plain loop only */
        decode_raw(*state, STAC_GGUF_F16, 1, bits + i, sizeof *bits, got);
        assert_same(got, wanted + i, 1);
    }
    free(bits);
    free(got);
    free(wanted);
}

static void bfloats_and_floats_keep_their_bits(void **state) {
    enum { N = 4099 };
    struct stac_random r = stac_random_seeded(3, 0);
    static uint16_t bits[N];
    static float got[N], wanted[N];
    for (size_t i = 0; i < N; i++) {
        bits[i] = (uint16_t)stac_random_u64(&r);
        uint32_t word = (uint32_t)bits[i] << 16;
        memcpy(&wanted[i], &word, sizeof word);
    }
    decode_raw(*state, STAC_GGUF_BF16, N, bits, sizeof bits, got);
    assert_same(got, wanted, N);
    decode_raw(*state, STAC_GGUF_F32, N, wanted, sizeof wanted, got);
    assert_memory_equal(got, wanted, sizeof got);
}

/* The block formats, one value at a time, from the description in ggml-common.h. */
static float block_value(int type, const uint8_t *block, int i) {
    uint16_t d, m;
    memcpy(&d, block, 2);
    memcpy(&m, block + 2, 2);
    if (type == STAC_GGUF_Q8_0) return fx_half(d) * (float)(int8_t)block[2 + i];
    uint8_t pair = block[(type == STAC_GGUF_Q4_1 ? 4 : 2) + i % 16];
    int q = i < 16 ? pair & 15 : pair >> 4;
    if (type == STAC_GGUF_Q4_0) return fx_half(d) * (float)(q - 8);
    float scaled = fx_half(d) * (float)q;
    return scaled + fx_half(m);
}

static void quantised_blocks_are_decoded_exactly(void **state) {
    enum { BLOCKS = 501 };
    static const struct {
        int type;
        size_t bytes;
    } formats[] = {{STAC_GGUF_Q8_0, 34}, {STAC_GGUF_Q4_0, 18}, {STAC_GGUF_Q4_1, 20}};
    static uint8_t bytes[BLOCKS * 34];
    static float got[BLOCKS * 32], wanted[BLOCKS * 32];
    struct stac_random r = stac_random_seeded(4, 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)stac_random_u64(&r); /* scales of all kinds, NaN too */
    for (size_t f = 0; f < LENGTH(formats); f++) {
        for (int i = 0; i < BLOCKS * 32; i++)
            wanted[i] = block_value(formats[f].type, bytes + (size_t)(i / 32) * formats[f].bytes, i % 32);
        decode_raw(*state, formats[f].type, BLOCKS * 32, bytes, BLOCKS * formats[f].bytes, got);
        assert_same(got, wanted, BLOCKS * 32);
    }
}

static void any_alignment_is_honoured(void **state) {
    static const uint32_t alignments[] = {1, 8, 64, 4096, 65536};
    static const int64_t shape[] = {3};
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(alignments); i++) {
        struct stac_strbuf b = {0};
        struct fx_gguf g = {.alignment = alignments[i]};
        struct stac_gguf *file;
        float x[3] = {-1, 0.5f, 0.125f}, got[3];
        fx_key_u32(&g, "general.alignment", alignments[i]);
        fx_gguf_tensor(&g, "half", 1, shape, FX_F16, x);
        fx_gguf_tensor(&g, "full", 1, shape, FX_F32, x);
        fx_gguf_finish(&g, &b);
        OK(open_bytes(*state, &b, &file, &err));
        OK(stac_gguf_decode(stac_gguf_find(file, "full"), got, &err));
        assert_memory_equal(got, x, sizeof x);
        stac_gguf_close(file);
        stac_strbuf_clean(&b);
    }
}

static void a_vocabulary_alone_is_a_file(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct fx_gguf g = {0};
    struct stac_gguf *file;
    fx_key_array(&g, "tokenizer.ggml.tokens", 8, 1), fx_text(&g.keys, "a");
    fx_gguf_finish(&g, &b);
    OK(open_bytes(*state, &b, &file, &err));
    assert_int_equal(stac_gguf_n_tensors(file), 0);
    assert_null(stac_gguf_find(file, "a"));
    assert_string_equal(stac_gguf_path(file), fx_path(*state, "x.gguf"));
    stac_gguf_close(file);
    assert_true(stac_gguf_is(fx_path(*state, "x.gguf")));
    assert_false(stac_gguf_is((*(struct fx_folder **)state)->path));
    assert_false(stac_gguf_is(fx_write_text(*state, "y", "GGU")));
    stac_strbuf_clean(&b);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------------- */

/* Write the file, which must be refused with a line that names it and says so. */
static void assert_refused(const struct fx_folder *f, struct fx_gguf *g, const char *says) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *file;
    fx_gguf_finish(g, &b);
    FAILS(open_bytes(f, &b, &file, &err), STAC_ERR_INPUT, says);
    assert_null(file);
    if (!strstr(err.text, "x.gguf")) fail_msg("\"%s\" does not name the file", err.text);
    stac_strbuf_clean(&b);
}

static void counts_that_lie(void **state) {
    static const struct {
        const char *says;
        uint64_t n_keys, n_tensors;
        size_t extra; /* bytes after the counts */
    } cases[] = {
        {"18446744073709551615 metadata keys, more than the 65536 accepted", UINT64_MAX, 0, 0}, /* CVE-2024-23605 */
        {"65537 metadata keys", 65537, 0, 0},
        {"the metadata claims 60000 items, which the 0 bytes left", 60000, 0, 0},
        {"the metadata claims 2 items, which the 27 bytes left", 2, 0, 27},
        {"9223372036854775808 tensors, more than the 65536 accepted", 0, 1ull << 63, 0}, /* CVE-2024-21836 */
        {"the list of tensors claims 60000 items", 0, 60000, 0},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct fx_gguf g = {.n_keys = cases[i].n_keys, .n_tensors = cases[i].n_tensors};
        fx_zeros(&g.tensors, cases[i].extra);
        assert_refused(*state, &g, cases[i].says);
    }
}

static void metadata_that_lie(void **state) {
    enum { U16 = 2, U32 = 4, F32 = 6, TEXT = 8, ARRAY = 9, F64 = 12, MIB = 1 << 20 };
    static const struct {
        const char *says, *key;
        uint32_t type;
        struct {
            int bytes;
            uint64_t v;
        } words[3];
        size_t zeros;
    } cases[] = {
        {"the metadata key at byte 32 is empty", "", U32, {{4, 1}}, 0}, /* llama.cpp #24263 */
        {"control characters", "a\033[2Jb", U32, {{4, 1}}, 0},
        {"key \"k\" is of the unknown type 13", "k", 13, {{8, 0}}, 0},
        {"unknown type 2147483648", "k", ARRAY, {{4, 1ull << 31}, {8, 1}}, 64},
        {"an array of arrays", "k", ARRAY, {{4, ARRAY}, {8, 1}}, 64},
        {"a metadata value claims 2305843009213693952 items", "k", ARRAY, {{4, F64}, {8, 1ull << 61}}, 64}, /* CVE-2024-21825 */
        {"a metadata value claims 1073741824 items", "k", ARRAY, {{4, 0}, {8, 1 << 30}}, 64},               /* ggml #1516 */
        {"a metadata value claims 1152921504606846976", "k", ARRAY, {{4, TEXT}, {8, 1ull << 60}}, 64},
        {"a metadata value claims 9223372036854775808", "k", ARRAY, {{4, TEXT}, {8, 1ull << 63}}, 64},   /* llama.cpp #27188 */
        {"a string claims 18446744073709551608 items", "k", ARRAY, {{4, TEXT}, {8, 1}, {8, ~7ull}}, 64}, /* CVE-2025-49847 */
        {"a string claims 18446744073709551615 items", "k", TEXT, {{8, UINT64_MAX}}, 64}, /* CVE-2024-23496: length + 1 wraps */
        {"a string claims 9223372036854775808 items", "k", TEXT, {{8, 1ull << 63}}, 64},
        {"\"k\" holds a string of 1048577 bytes, more than the 1048576", "k", TEXT, {{8, MIB + 1}}, MIB + 1},
        {"16777217 bytes, more than the 16777216", "tokenizer.chat_template", TEXT, {{8, 16 * MIB + 1}}, 16 * MIB + 1},
        {"\"general.alignment\" is a string, not a whole number",
         "general.alignment",
         TEXT,
         {{8, 0}},
         0}, /* llama.cpp #26318 */
        {"\"general.alignment\" is a float32, not a whole number", "general.alignment", F32, {{4, 0x42000000}}, 0},
        {"\"general.alignment\" is 0; accepted are 1 to 65536", "general.alignment", U32, {{4, 0}}, 0},
        {"\"general.alignment\" is 48, not a power of two", "general.alignment", U32, {{4, 48}}, 0},
        {"\"general.alignment\" is 131072", "general.alignment", U32, {{4, 1 << 17}}, 0},
        {"one part of a split GGUF model", "split.count", U16, {{2, 3}}, 0},
        {"\"general.quantization_version\" is 1", "general.quantization_version", U32, {{4, 1}}, 0},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct fx_gguf g = {0};
        fx_key(&g, cases[i].key, cases[i].type);
        for (int w = 0; w < 3; w++) fx_put(&g.keys, &cases[i].words[w].v, (size_t)cases[i].words[w].bytes);
        fx_zeros(&g.keys, cases[i].zeros);
        assert_refused(*state, &g, cases[i].says);
    }
}

static void names_that_lie(void **state) {
    struct fx_gguf g = {0};
    fx_key_u32(&g, "k", 1), fx_key_f32(&g, "k", 2);
    assert_refused(*state, &g, "the metadata key \"k\" occurs twice");
    static const uint64_t lengths[] = {1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        fx_u64(&g.keys, lengths[i]), fx_zeros(&g.keys, 64), g.n_keys = 1;
        assert_refused(*state, &g, "a metadata key claims");
        fx_u64(&g.tensors, lengths[i]), fx_zeros(&g.tensors, 64), g.n_tensors = 1;
        assert_refused(*state, &g, "a tensor name claims");
    }
}

/* Among them: dimensions beyond the array (CVE-2024-21802), a division by zero (llama.cpp #24263), sizes that wrap
 * (CVE-2026-33298), their padding, their sum (CVE-2025-53630), the sum with the header (CVE-2026-27940), and data that
 * are not there (CVE-2026-7482). */
static void tensors_that_lie(void **state) {
    enum { F32 = 0, Q8_0 = 8, Q4_K = 12 };
    static const uint64_t half = 1ull << 61, wrap = 1ull << 62, top = 1ull << 63, most = (1ull << 63) - 32;
    static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static const struct {
        const char *says;
        size_t data; /* bytes */
        struct {
            const char *name;
            uint32_t n_dims;
            uint64_t ne[5];
            uint32_t type;
            uint64_t offset;
        } t[2];
    } cases[] = {
        {"tensor t has 0 dimensions", 32, {{"t", 0, {0}, F32, 0}}},
        {"tensor t has 5 dimensions; 1 to 4 are accepted", 32, {{"t", 5, {1, 1, 1, 1, 1}, F32, 0}}},
        {"tensor t has the impossible dimension 0", 32, {{"t", 1, {0}, F32, 0}}},
        {"tensor t has the impossible dimension 9223372036854775808", 32, {{"t", 1, {top}, F32, 0}}},
        {"tensor t has the impossible dimension 2147483648 (number 1)", 32, {{"t", 2, {1ull << 33, 1ull << 31}, F32, 0}}},
        {"tensor t: rows of 4611686018427387904 values", 32, {{"t", 1, {wrap}, F32, 0}}},
        {"tensor t is larger than any file", 32, {{"t", 1, {wrap - 1}, F32, 0}}},
        {"tensor b is larger than any file", 32, {{"a", 1, {most}, Q8_0, 0}, {"b", 1, {most}, Q8_0, most / 32 * 34 + 2}}},
        {"tensor b is larger than any file", 32, {{"a", 1, {half}, F32, 0}, {"b", 1, {half}, F32, top}}},
        {"the tensors are larger than any file", 32, {{"a", 1, {half}, F32, 0}, {"b", 1, {half - 8}, F32, top}}},
        {"tensor t: rows of 3 values are no whole number of Q8_0 blocks", 32, {{"t", 1, {3}, Q8_0, 0}}},
        {"tensor t: rows of 16 values", 64, {{"t", 2, {16, 2}, Q8_0, 0}}},
        {"t is stored as Q4_K (ggml type 12); F32, F16, BF16, Q8_0, Q4_0", 160, {{"t", 1, {256}, Q4_K, 0}}},
        {"stored as unknown (ggml type 4294967295)", 32, {{"t", 1, {32}, UINT32_MAX, 0}}},
        {"stored as unknown (ggml type 4)", 32, {{"t", 1, {32}, 4, 0}}},
        {"tensor t begins at byte 32 of the data; the tensors before it end at 0", 64, {{"t", 1, {3}, F32, 32}}},
        {"tensor t begins at byte 18446744073709551615 of the data", 32, {{"t", 1, {3}, F32, UINT64_MAX}}},
        {"tensor b begins at byte 64 of the data", 96, {{"a", 1, {3}, F32, 0}, {"b", 1, {3}, F32, 64}}},
        {"tensor b begins at byte 0 of the data", 64, {{"a", 1, {3}, F32, 0}, {"b", 1, {3}, F32, 0}}},
        {"the file ends inside tensor t: 64 bytes are missing", 64, {{"t", 1, {32}, F32, 0}}},
        {"32 bytes that belong to no tensor follow", 33, {{"t", 1, {3}, F32, 0}}},
        {"the tensor t occurs twice", 64, {{"t", 1, {3}, F32, 0}, {"t", 1, {3}, F32, 32}}},
        {"the tensor name at byte 32 is empty", 32, {{"", 1, {3}, F32, 0}}},
        {"control characters", 32, {{"a\nb", 1, {3}, F32, 0}}},
        {"longer than 63 bytes", 32, {{long_name, 1, {3}, F32, 0}}},
    };
    size_t before = stac_peak_memory();
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct fx_gguf g = {0};
        for (int t = 0; t < 2 && cases[i].t[t].name; t++) {
            uint32_t n_dims = cases[i].t[t].n_dims;
            fx_info(&g, cases[i].t[t].name, n_dims, cases[i].t[t].ne, cases[i].t[t].type, cases[i].t[t].offset);
        }
        fx_zeros(&g.data, cases[i].data);
        assert_refused(*state, &g, cases[i].says);
    }
    assert_true(stac_peak_memory() - before < FX_MODEST);
}

static void versions_and_magics(void **state) {
    static const struct {
        const char *front;
        const char *says;
    } cases[] = {
        {"GGUF\1\0\0\0", "GGUF version 1 is not read: convert the model again, to version 3"},
        {"GGUF\2\0\0\0", "GGUF version 2 is not read"},
        {"GGUF\4\0\0\0", "GGUF version 4 is not known"},
        {"GGUF\0\0\0\3", "written for big-endian machines"},
        {"GGUF\0\0\0\2", "written for big-endian machines"},
        {"FUGG\3\0\0\0", "not a GGUF file"},
    };
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    small_file(&b);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        memcpy(b.data, cases[i].front, 8);
        FAILS(open_bytes(*state, &b, &g, &err), STAC_ERR_INPUT, cases[i].says);
    }
    stac_strbuf_clean(&b);
}

static void what_is_no_file_is_refused(void **state) {
    struct stac_error err = {0};
    struct stac_gguf *g;
    const char *fifo = fx_path(*state, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    FAILS(stac_gguf_open(fifo, &g, &err), STAC_ERR_INPUT, "not a regular file");
    FAILS(stac_gguf_open((*(struct fx_folder **)state)->path, &g, &err), STAC_ERR_INPUT, "is a folder");
    FAILS(stac_gguf_open(fx_path(*state, "absent"), &g, &err), STAC_ERR_IO, "cannot open");
    FAILS(stac_gguf_open(fx_write_text(*state, "empty", ""), &g, &err), STAC_ERR_INPUT, "is empty");
    FAILS(stac_gguf_open("m-00001-of-00003.gguf", &g, &err), STAC_ERR_INPUT, "llama-gguf-split --merge");
    FAILS(stac_gguf_open("m-00003-of-00003.gguf", &g, &err), STAC_ERR_INPUT, "one part of a split GGUF model");
    FAILS(stac_gguf_open("m-00001-of-00001.gguf", &g, &err), STAC_ERR_IO, "cannot open"); /* a whole */
}

/* CVE-2024-32878 and -41130 were truncated headers. */
static void a_file_cut_at_any_byte_is_refused(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_gguf *g;
    size_t header = small_file(&b), whole = b.size - 12; /* without the final padding */
    assert_true(header < whole);
    for (size_t n = 0; n < whole; n++) {
        b.size = n;
        FAILS(open_bytes(*state, &b, &g, &err), STAC_ERR_INPUT, "x.gguf");
        assert_null(g);
    }
    stac_strbuf_clean(&b);
}

/* Everything that a file which opened offers. */
static void read_everything(struct stac_gguf *g) {
    static const char *const keys[] = {"a.u8", "a.f32", "a.text", "a.texts", "a.i16s", "a.true", "general.alignment"};
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(keys); i++) {
        struct stac_gguf_string s, *texts;
        int64_t n;
        int32_t *ints;
        size_t count;
        double x;
        bool yes;
        stac_gguf_int(g, keys[i], 0, 9, &n, &err);
        stac_gguf_real_or(g, keys[i], 0, 9, 0, &x, &err);
        stac_gguf_bool_or(g, keys[i], false, &yes, &err);
        stac_gguf_string(g, keys[i], &s, &err);
        if (stac_gguf_strings(g, keys[i], &texts, &count, &err) == STAC_OK) free(texts);
        stac_error_clear(&err);
        if (stac_gguf_ints(g, keys[i], &ints, &count, &err) == STAC_OK) free(ints);
        stac_error_clear(&err);
    }
    for (size_t i = 0; i < stac_gguf_n_tensors(g); i++) {
        const struct stac_gguf_tensor *t = stac_gguf_tensor_at(g, i);
        float *x = malloc((size_t)(t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]) * sizeof *x);
        OK(stac_gguf_decode(t, x, &err));
        free(x);
    }
}

static void damaged_files_open_cleanly_or_not(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf whole = {0}, copy = {0};
    size_t opened = 0, before = stac_peak_memory();
    small_file(&whole);
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct stac_gguf *g;
        fx_damage(&copy, &whole, seed);
        stac_error_clear(&err);
        int status = open_bytes(*state, &copy, &g, &err);
        if (status != STAC_OK) {
            if (status != STAC_ERR_INPUT || !*err.text || g)
                fail_msg("seed %zu: status %d (%s)", (size_t)seed, status, err.text);
            continue;
        }
        opened++;
        read_everything(g);
        stac_gguf_close(g);
    }
    assert_true(opened > 0 && opened < 4000);
    assert_true(stac_peak_memory() - before < FX_MODEST);
    stac_strbuf_clean(&whole);
    stac_strbuf_clean(&copy);
}

static void sixty_thousand_names_take_no_time(void **state) {
    static const uint64_t three = 3;
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct fx_gguf g = {0};
    struct stac_gguf *file;
    char name[32];
    for (uint64_t i = 0; i < 60000; i++) {
        snprintf(name, sizeof name, "key.%llu", (unsigned long long)i);
        fx_key_u32(&g, name, (uint32_t)i);
        fx_info(&g, name, 1, &three, 0, i * 32);
    }
    fx_zeros(&g.data, 60000 * 32);
    fx_gguf_finish(&g, &b);
    double began = stac_clock_now();
    OK(open_bytes(*state, &b, &file, &err));
    assert_true(stac_clock_now() - began < 5);
    assert_ptr_equal(stac_gguf_find(file, "key.31415"), stac_gguf_tensor_at(file, 31415));
    stac_gguf_close(file);
    stac_strbuf_clean(&b);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(integers_of_every_type),
        IN_FOLDER(reals_bools_and_texts),
        IN_FOLDER(arrays),
        IN_FOLDER(tensors_are_described_and_found),
        IN_FOLDER(every_half_is_decoded_exactly),
        IN_FOLDER(bfloats_and_floats_keep_their_bits),
        IN_FOLDER(quantised_blocks_are_decoded_exactly),
        IN_FOLDER(any_alignment_is_honoured),
        IN_FOLDER(a_vocabulary_alone_is_a_file),
        IN_FOLDER(counts_that_lie),
        IN_FOLDER(metadata_that_lie),
        IN_FOLDER(names_that_lie),
        IN_FOLDER(tensors_that_lie),
        IN_FOLDER(versions_and_magics),
        IN_FOLDER(what_is_no_file_is_refused),
        IN_FOLDER(a_file_cut_at_any_byte_is_refused),
        IN_FOLDER(damaged_files_open_cleanly_or_not),
        IN_FOLDER(sixty_thousand_names_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
