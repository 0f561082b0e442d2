/* model/safetensors and model/shard_index: what a header may say, and what it may not. */
#include "fixture_files.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "model/safetensors.h"
#include "model/shard_index.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static int open_bytes(const struct fx_folder *f, const struct stac_strbuf *b, struct stac_safetensors **s,
                      struct stac_error *err) {
    return stac_safetensors_open(fx_write(f, "x.safetensors", stac_strbuf_text(b), b->size), s, err);
}

/* A file of this header and so many zero bytes of data. */
static int open_header(const struct fx_folder *f, const char *header, size_t data, struct stac_safetensors **s,
                       struct stac_error *err) {
    struct stac_strbuf b = {0};
    fx_frame(&b, header, strlen(header), "", 0);
    fx_zeros(&b, data);
    int status = open_bytes(f, &b, s, err);
    stac_strbuf_clean(&b);
    return status;
}

/* ---- what is right ---------------------------------------------------------------------------------------------- */

static void every_type_is_decoded_exactly(void **state) {
    static const enum fx_type types[] = {FX_F32, FX_F16, FX_BF16};
    struct stac_error err = {0};
    float values[3][20], got[20];
    struct fx_tensor t[] = {{"a", 2, {4, 5}, values[0]}, {"b.c", 1, {3}, values[1]}, {"scalar", 0, {0}, values[2]}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 20; k++) values[i][k] = fx_value(i, k);
    for (size_t k = 0; k < LENGTH(types); k++) {
        struct stac_strbuf b = {0};
        struct stac_safetensors *s;
        fx_safetensors(&b, t, LENGTH(t), types[k]);
        OK(open_bytes(*state, &b, &s, &err));
        assert_int_equal(stac_safetensors_count(s), 3);
        for (size_t i = 0; i < LENGTH(t); i++) {
            const struct stac_tensor *found = stac_safetensors_find(s, t[i].name);
            assert_ptr_equal(found, stac_safetensors_at(s, i));
            assert_string_equal(found->dtype->name, fx_type_name(types[k]));
            assert_int_equal(found->n_dims, t[i].n_dims);
            for (int d = 0; d < found->n_dims; d++) assert_true(found->shape[d] == t[i].shape[d]);
            found->dtype->decode(found->data, fx_count(&t[i]), got);
            assert_memory_equal(got, t[i].values, fx_count(&t[i]) * sizeof *got);
        }
        assert_null(stac_safetensors_find(s, "b"));
        stac_safetensors_close(s);
        stac_strbuf_clean(&b);
    }
}

/* Headers that the reference accepts, with the size of their data. */
static void unusual_headers_are_read(void **state) {
    static const struct {
        const char *header;
        size_t data, count;
    } cases[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":{}}   \n", 0, 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]}}", 0, 1},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_"
         "offsets\":[0,1]}}",
         2, 2},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_"
         "offsets\":[0,0]}}",
         4, 2},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16, 1},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2, 1},
        {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, 1},
        {"{\"\\u00e9\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[0,2],\"later\":1}}", 2, 1},
    };
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_safetensors *s;
        OK(open_header(*state, cases[i].header, cases[i].data, &s, &err));
        assert_int_equal(stac_safetensors_count(s), cases[i].count);
        stac_safetensors_close(s);
    }
    stac_safetensors_close(NULL);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------------- */

static void first_bytes_that_lie(void **state) {
    static const struct {
        uint64_t length;
        size_t bytes; /* that follow it */
        const char *says;
    } cases[] = {
        {0, 0, "the header does not begin with '{'"},
        {1ull << 63, 100, "a header of 9223372036854775808 bytes is larger than the 100000000 accepted"},
        {UINT64_MAX, 100, "a header of 18446744073709551615 bytes"},
        {100000001, 100, "a header of 100000001 bytes is larger"},
        {100000000, 100, "the file ends at byte 108 inside the header"},
        {101, 100, "the file ends at byte 108 inside the header"},
        {100, 100, "the header does not begin with '{'"},
    };
    struct stac_error err = {0};
    struct stac_safetensors *s;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_strbuf b = {0};
        fx_u64(&b, cases[i].length);
        fx_zeros(&b, cases[i].bytes);
        FAILS(open_bytes(*state, &b, &s, &err), STAC_ERR_INPUT, cases[i].says);
        assert_null(s);
        stac_strbuf_clean(&b);
    }
    FAILS(stac_safetensors_open(fx_write_text(*state, "seven", "1234567"), &s, &err), STAC_ERR_INPUT,
          "inside the header length");
    FAILS(stac_safetensors_open(fx_write_text(*state, "empty", ""), &s, &err), STAC_ERR_INPUT, "is empty");
    FAILS(stac_safetensors_open(fx_path(*state, "absent"), &s, &err), STAC_ERR_IO, "cannot open");
    FAILS(stac_safetensors_open((*(struct fx_folder **)state)->path, &s, &err), STAC_ERR_INPUT, "is a folder");
}

#define ENTRY(name, dtype, shape, offsets)                                                                                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{" ENTRY("a", dtype, shape, offsets) "}"
#define TWO(first, second) "{" ENTRY("a", "F32", "[1]", first) "," ENTRY("b", "F32", "[1]", second) "}"

static void headers_that_lie(void **state) {
    static const struct {
        const char *header;
        size_t data;
        const char *says;
    } cases[] = {
        {"{", 0, "not valid JSON"},
        {"[]", 0, "does not begin with '{'"},
        {" {}", 0, "does not begin with '{'"},
        {"{}{}", 0, "not valid JSON"},
        {"{\"\xff\":1}", 0, "not valid JSON"},
        {"{\"a\\u0000b\":1}", 0, "not valid JSON"},
        {"{\"\\ud800\":1}", 0, "not valid JSON"},
        {"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("a", "F32", "[1]", "[4,8]") "}", 8, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "duplicate"},
        {"{\"__metadata__\":[]}", 0, "\"__metadata__\" is not an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "\"__metadata__\" holds a value that is not a text"},
        {"{\"\":{}}", 0, "a tensor name is empty, too long or has control characters"},
        {"{\"a\\u001b[2J\":{}}", 0, "a tensor name is empty, too long or has control characters"},
        {"{\"a\":[]}", 0, "tensor a: its entry is not an object"},
        {"{\"a\":{}}", 0, "tensor a: \"shape\" is not a list"},
        {ONE("F32", "1", "[0,4]"), 4, "\"shape\" is not a list"},
        {ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "at most 8 numbers"},
        {ONE("F32", "[-1]", "[0,4]"), 4, "dimension 0 of its shape is not a whole number"},
        {ONE("F32", "[1.0]", "[0,4]"), 4, "dimension 0 of its shape is not a whole number"},
        {ONE("F32", "[1,\"1\"]", "[0,4]"), 4, "dimension 1 of its shape is not a whole number"},
        {ONE("F32", "[9223372036854775808]", "[0,4]"), 4, "not valid JSON"},
        {ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, "its shape is larger than any file"},
        {ONE("F32", "[4611686018427387904]", "[0,0]"), 0, "are no whole number of bytes, or too many"},
        {ONE("F4", "[3]", "[0,2]"), 2, "3 values of F4 are no whole number of bytes"},
        {ONE("F31", "[1]", "[0,4]"), 4, "the dtype \"F31\" is unknown"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" is missing or not a text"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"data_offsets\" is not a pair of whole numbers"},
        {ONE("F32", "[1]", "[0]"), 4, "\"data_offsets\" is not a pair of whole numbers"},
        {ONE("F32", "[1]", "[0,4,8]"), 4, "\"data_offsets\" is not a pair of whole numbers"},
        {ONE("F32", "[1]", "[-4,0]"), 4, "\"data_offsets\" is not a pair of whole numbers"},
        {ONE("F32", "[1]", "[0.0,4.0]"), 4, "\"data_offsets\" is not a pair of whole numbers"},
        {ONE("F32", "[1]", "[4,0]"), 4, "bytes 4 to 0 do not lie within the 4 bytes of data"},
        {ONE("F32", "[2]", "[0,8]"), 4, "bytes 0 to 8 do not lie within the 4 bytes of data"},
        {ONE("F32", "[1]", "[9223372036854775803,9223372036854775807]"), 4, "do not lie within the 4 bytes of data"},
        {ONE("F32", "[1]", "[0,8]"), 8, "its type and shape need 4 bytes, its data_offsets span 8"},
        {ONE("F32", "[2]", "[0,4]"), 4, "its type and shape need 8 bytes, its data_offsets span 4"},
        {ONE("F32", "[1]", "[4,8]"), 8, "tensor a begins at byte 4 of the data; the tensors before it end at 0"},
        {TWO("[0,4]", "[8,12]"), 12, "tensor b begins at byte 8 of the data; the tensors before it end at 4"},
        {TWO("[0,4]", "[2,6]"), 8, "tensor b begins at byte 2 of the data; the tensors before it end at 4"},
        {TWO("[0,4]", "[0,4]"), 4, "begins at byte 0 of the data; the tensors before it end at 4"},
        {TWO("[0,4]", "[4,8]"), 9, "1 bytes at the end of the file belong to no tensor"},
        {"{}", 1, "1 bytes at the end of the file belong to no tensor"},
    };
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_safetensors *s;
        FAILS(open_header(*state, cases[i].header, cases[i].data, &s, &err), STAC_ERR_INPUT, cases[i].says);
        assert_null(s);
        if (!strstr(err.text, "x.safetensors")) fail_msg("\"%s\" does not name the file", err.text);
    }
}

static void a_long_name_leaves_room_for_the_error(void **state) {
    struct stac_error err = {0};
    struct stac_safetensors *s;
    char header[600];
    snprintf(header, sizeof header, "{\"%0256d\":{}}", 0);
    FAILS(open_header(*state, header, 0, &s, &err), STAC_ERR_INPUT, "a tensor name is empty, too long");
    snprintf(header, sizeof header, "{\"%0255d\":{}}", 0);
    FAILS(open_header(*state, header, 0, &s, &err), STAC_ERR_INPUT, "\"shape\" is not a list");
}

static void small_file(struct stac_strbuf *b) {
    float values[12];
    struct fx_tensor t[] = {{"one", 2, {3, 4}, values}, {"two", 1, {5}, values}};
    for (size_t i = 0; i < 12; i++) values[i] = fx_value(0, i);
    fx_safetensors(b, t, LENGTH(t), FX_BF16);
}

static void a_file_cut_at_any_byte_is_refused(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_safetensors *s;
    small_file(&b);
    for (size_t n = b.size; n-- > 0;) {
        b.size = n;
        FAILS(open_bytes(*state, &b, &s, &err), STAC_ERR_INPUT, "x.safetensors");
        assert_null(s);
    }
    stac_strbuf_clean(&b);
}

static void damaged_files_open_cleanly_or_not(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf whole = {0}, copy = {0};
    size_t opened = 0, before = stac_peak_memory();
    small_file(&whole);
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct stac_safetensors *s;
        fx_damage(&copy, &whole, seed);
        stac_error_clear(&err);
        int status = open_bytes(*state, &copy, &s, &err);
        if (status != STAC_OK) {
            if (status != STAC_ERR_INPUT || !*err.text || s)
                fail_msg("seed %zu: status %d (%s)", (size_t)seed, status, err.text);
            continue;
        }
        opened++;
        for (size_t i = 0; i < stac_safetensors_count(s); i++) {
            const struct stac_tensor *t = stac_safetensors_at(s, i);
            float *x = calloc(t->size + 1, sizeof *x);
            if (t->dtype->decode) t->dtype->decode(t->data, t->size / t->dtype->bytes, x);
            free(x);
        }
        stac_safetensors_close(s);
    }
    assert_true(opened > 0 && opened < 4000);
    assert_true(stac_peak_memory() - before < FX_MODEST);
    stac_strbuf_clean(&whole);
    stac_strbuf_clean(&copy);
}

/* ---- what is large ---------------------------------------------------------------------------------------------- */

/* A header of n tensors of one byte each. */
static void many_tensors(struct stac_strbuf *b, size_t n) {
    struct stac_error err = {0};
    struct stac_strbuf header = {0};
    for (size_t i = 0; i < n; i++)
        OK(stac_strbuf_printf(&header, &err, "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                              i ? ',' : '{', i, i, i + 1));
    fx_puts(&header, "}");
    fx_frame(b, header.data, header.size, "", 0);
    stac_strbuf_clean(&header);
    struct stac_strbuf data = {0};
    OK(stac_grow(&data.data, &data.cap, n + 1, 1, "zeros", &err));
    fx_put(b, data.data, n);
    stac_strbuf_clean(&data);
}

static void many_tensors_take_seconds_at_most(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_safetensors *s;
    many_tensors(&b, 65536);
    double began = stac_clock_now();
    OK(open_bytes(*state, &b, &s, &err));
    assert_non_null(stac_safetensors_find(s, "t65535"));
    stac_safetensors_close(s);
    stac_strbuf_clean(&b);
    many_tensors(&b, 65537);
    FAILS(open_bytes(*state, &b, &s, &err), STAC_ERR_INPUT, "65537 tensors are more than the 65536 accepted");
    stac_strbuf_clean(&b);
    size_t before = stac_peak_memory();
    many_tensors(&b, 1000000);
    FAILS(open_bytes(*state, &b, &s, &err), STAC_ERR_INPUT, "the JSON text holds more than");
    stac_strbuf_clean(&b);
    assert_true(stac_clock_now() - began < 60); /* three files on a busy machine with sanitizers; a second otherwise */
    assert_true(stac_peak_memory() - before < (size_t)1 << 30);
}

/* Text that a parser would turn into a hundred times its size, or into a deep recursion. */
static void bombs_are_refused(void **state) {
    static const struct {
        const char *repeated, *says;
    } cases[] = {{"[],", "the JSON text holds more than"},
                 {"1,", "the JSON text holds more than"},
                 {"[", "the JSON text holds more than"}};
    struct stac_error err = {0};
    struct stac_safetensors *s;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_strbuf header = {0}, b = {0};
        fx_puts(&header, "{\"a\":[");
        for (size_t n = 0; n < 2000000; n++) fx_puts(&header, cases[i].repeated);
        fx_frame(&b, header.data, header.size, "", 0);
        FAILS(open_bytes(*state, &b, &s, &err), STAC_ERR_INPUT, cases[i].says);
        stac_strbuf_clean(&header);
        stac_strbuf_clean(&b);
    }
    struct stac_strbuf deep = {0};
    fx_puts(&deep, "{\"a\":");
    for (size_t n = 0; n < 100000; n++) fx_puts(&deep, "[");
    FAILS(open_header(*state, deep.data, 0, &s, &err), STAC_ERR_INPUT, "not valid JSON");
    stac_strbuf_clean(&deep);
}

/* ---- the index of shards ---------------------------------------------------------------------------------------- */

static int read_index(const struct fx_folder *f, const char *text, struct stac_shard_index *index, struct stac_error *err) {
    return stac_shard_index_read(fx_write_text(f, "index.json", text), index, err);
}

static void an_index_lists_shards_and_tensors(void **state) {
    struct stac_error err = {0};
    struct stac_shard_index index = {0};
    OK(read_index(*state,
                  "{\"metadata\":{\"total_size\":-12e300},\"weight_map\":"
                  "{\"x\":\"b.safetensors\",\"y\":\"a.safetensors\",\"z\":\"b.safetensors\"}}",
                  &index, &err)); /* total_size is not believed, so it may lie */
    assert_true(index.n == 3 && index.n_files == 2);
    assert_string_equal(index.files[0], "a.safetensors");
    assert_string_equal(index.files[1], "b.safetensors");
    for (size_t i = 0; i < index.n; i++)
        assert_int_equal(index.entries[i].file, strcmp(index.entries[i].tensor, "y") == 0 ? 0 : 1);
    stac_shard_index_clean(&index);
}

static void an_index_that_lies_is_refused(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "does not hold a JSON object"},
        {"{}", "\"weight_map\" is missing or not an object"},
        {"{\"weight_map\":[]}", "\"weight_map\" is missing or not an object"},
        {"{\"weight_map\":{}}", "\"weight_map\" lists 0 tensors"},
        {"{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}}", "duplicate"},
        {"{\"weight_map\":{\"a\":{\"file\":\"x.safetensors\"}}}", "the shard of tensor a is not a text"},
        {"{\"weight_map\":{\"a\":null}}", "the shard of tensor a is not a text"},
        {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "the shard of tensor a is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\".hidden.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"sub/x.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"sub\\\\x.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"passwd\"}}", "not a plain file name that ends in .safetensors"},
        {"{\"weight_map\":{\"a\":\"x\\u001b[2J.safetensors\"}}", "not a plain file name"},
        {"{\"weight_map\":{\"\\u0007\":\"x.safetensors\"}}", "a tensor name is empty, too long or has control characters"},
    };
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_shard_index index = {0};
        FAILS(read_index(*state, cases[i].text, &index, &err), STAC_ERR_INPUT, cases[i].says);
        if (!strstr(err.text, "index.json")) fail_msg("\"%s\" does not name the file", err.text);
        stac_shard_index_clean(&index);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_type_is_decoded_exactly),
        IN_FOLDER(unusual_headers_are_read),
        IN_FOLDER(first_bytes_that_lie),
        IN_FOLDER(headers_that_lie),
        IN_FOLDER(a_long_name_leaves_room_for_the_error),
        IN_FOLDER(a_file_cut_at_any_byte_is_refused),
        IN_FOLDER(damaged_files_open_cleanly_or_not),
        IN_FOLDER(many_tensors_take_seconds_at_most),
        IN_FOLDER(bombs_are_refused),
        IN_FOLDER(an_index_lists_shards_and_tensors),
        IN_FOLDER(an_index_that_lies_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
