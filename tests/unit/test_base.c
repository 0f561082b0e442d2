/* base/: error text, allocation, buffers, the cursor, files, hashes, JSON, random numbers, processes. */
#include "unit.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/random.h"
#include "base/strbuf.h"

static void first_error_wins_and_stays_one_line(void **state) {
    (void)state;
    struct stac_error err = {0};
    assert_int_equal(stac_fail(&err, STAC_ERR_INPUT, "a\nb"), STAC_ERR_INPUT);
    stac_error_record(&err, STAC_ERR_MEMORY, "later");
    assert_int_equal(err.status, STAC_ERR_INPUT);
    assert_string_equal(err.text, "a b");
    stac_fail_in(&err, "file %d", 7);
    assert_string_equal(err.text, "file 7: a b");
}

static void allocation_refuses_overflow(void **state) {
    (void)state;
    struct stac_error err = {0};
    assert_null(stac_alloc(SIZE_MAX / 2, 4, "rows", &err));
    assert_int_equal(err.status, STAC_ERR_MEMORY);
    stac_error_clear(&err);
    char *p = stac_alloc(3, 5, "rows", &err);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (int i = 0; i < 15; i++) assert_int_equal(p[i], 0);
    free(p);
}

static void string_buffer_grows(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    assert_string_equal(stac_strbuf_text(&b), "");
    for (int i = 0; i < 1000; i++) OK(stac_strbuf_printf(&b, &err, "%d,", i));
    OK(stac_strbuf_add(&b, "x\0y", 3, &err));
    assert_int_equal(b.size, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    assert_memory_equal(b.data + b.size - 3, "x\0y", 4);
    stac_strbuf_clean(&b);
}

static void cursor_stops_at_the_first_error(void **state) {
    (void)state;
    struct stac_error err = {0};
    const uint8_t bytes[] = {1, 2, 0, 0, 0, 0, 0, 128, 63};
    struct stac_cursor c = stac_cursor_over(bytes, sizeof bytes, &err);
    assert_int_equal(stac_cursor_u8(&c, "a"), 1);
    assert_int_equal(stac_cursor_u32(&c, "b"), 2);
    assert_true(stac_cursor_f32(&c, "c") == 1.0f);
    assert_true(stac_cursor_ok(&c));
    assert_int_equal(stac_cursor_u16(&c, "the tail"), 0);
    assert_non_null(strstr(err.text, "the tail"));
    assert_int_equal(stac_cursor_u8(&c, "d"), 0);
    stac_error_clear(&err);
    c = stac_cursor_over(bytes, sizeof bytes, &err);
    assert_false(stac_cursor_can_hold(&c, UINT64_MAX, 8, "the list"));
}

static void files_are_whole_or_absent(void **state) {
    (void)state;
    struct stac_error err = {0};
    char folder[] = "/tmp/stac-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *deep = stac_file_join(folder, "a/b/c", &err), *file = stac_file_join(deep, "x", &err), *text;
    size_t size;
    OK(stac_file_make_folder(deep, &err));
    OK(stac_file_make_folder(deep, &err));
    OK(stac_file_write(file, "hello", 5, &err));
    OK(stac_file_read(file, 100, &text, &size, &err));
    assert_int_equal(size, 5);
    assert_string_equal(text, "hello");
    free(text);
    FAILS(stac_file_read(file, 4, &text, &size, &err), STAC_ERR_INPUT, "more than the 4 accepted");
    FAILS(stac_file_read(deep, 4, &text, &size, &err), STAC_ERR_INPUT, "is a folder");
    FAILS(stac_file_make_folder(file, &err), STAC_ERR_IO, "is a file");
    struct stac_mapping map;
    OK(stac_file_map(file, &map, &err));
    assert_memory_equal(map.data, "hello", 5);
    stac_file_unmap(&map);
    OK(stac_file_write(file, "", 0, &err));
    FAILS(stac_file_map(file, &map, &err), STAC_ERR_INPUT, "is empty");
    FAILS(stac_file_map("/nonexistent/x", &map, &err), STAC_ERR_IO, "cannot open");
    unlink(file);
    for (int i = 0; i < 3; i++) {
        rmdir(deep);
        *strrchr(deep, '/') = 0;
    }
    assert_int_equal(rmdir(folder), 0);
    free(deep);
    free(file);
}

static void sha256_of_known_texts(void **state) {
    (void)state;
    struct stac_error err = {0};
    char hex[STAC_SHA256_HEX], parts[STAC_SHA256_HEX];
    OK(stac_sha256_bytes("abc", 3, hex, &err)); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct stac_bytes two[] = {{"a", 1}, {"bc", 2}};
    OK(stac_sha256_parts(two, 2, parts, &err));
    assert_string_equal(hex, parts);
}

static void json_names_file_key_and_range(void **state) {
    (void)state;
    struct stac_error err = {0};
    json_t *o;
    int64_t n;
    double x;
    const char *good = "{\"n\": 5, \"x\": 2.5, \"s\": \"t\", \"z\": null}";
    OK(stac_json_parse("f.json", good, strlen(good), &o, &err));
    OK(stac_json_int(o, "f.json", "n", 0, 9, &n, &err));
    assert_int_equal(n, 5);
    OK(stac_json_int_or(o, "f.json", "z", 0, 9, 3, &n, &err));
    assert_int_equal(n, 3);
    OK(stac_json_real_or(o, "f.json", "n", 0, 9, 0, &x, &err));
    FAILS(stac_json_int(o, "f.json", "n", 6, 9, &n, &err), STAC_ERR_INPUT, "\"n\" is 5; accepted are 6 to 9");
    FAILS(stac_json_int(o, "f.json", "x", 0, 9, &n, &err), STAC_ERR_INPUT, "not a whole number");
    FAILS(stac_json_int(o, "f.json", "q", 0, 9, &n, &err), STAC_ERR_INPUT, "missing");
    json_decref(o);
    FAILS(stac_json_parse("f.json", "{\"a\":1,\"a\":2}", 13, &o, &err), STAC_ERR_INPUT, "duplicate");
    FAILS(stac_json_parse("f.json", "[1]", 3, &o, &err), STAC_ERR_INPUT, "does not hold a JSON object");
}

static void random_numbers_repeat_and_look_normal(void **state) {
    (void)state;
    struct stac_random a = stac_random_seeded(1, 2), b = stac_random_seeded(1, 2), c = stac_random_seeded(1, 3);
    assert_true(stac_random_u64(&a) == stac_random_u64(&b));
    assert_true(stac_random_u64(&a) != stac_random_u64(&c));
    double sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++) {
        double x = stac_random_normal(&a);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / 1e5) < 0.02);
    assert_true(fabs(squares / 1e5 - 1) < 0.02);
}

/* One that has ended is gone before its parent asks for it, although its number is still taken. */
static void a_process_that_has_ended_is_gone(void **state) {
    (void)state;
    siginfo_t info;
    assert_false(stac_process_is_gone(getpid()));
    assert_true(stac_process_began(getpid()) > 0 && stac_process_began(getpid()) == stac_process_began(getpid()));
    pid_t child = fork();
    if (child == 0) _exit(0);
    assert_true(child > 0 && waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    assert_true(kill(child, 0) == 0 && stac_process_is_gone(child) && stac_process_began(child) == 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(stac_process_is_gone(child));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins_and_stays_one_line),
        cmocka_unit_test(allocation_refuses_overflow),
        cmocka_unit_test(string_buffer_grows),
        cmocka_unit_test(cursor_stops_at_the_first_error),
        cmocka_unit_test(files_are_whole_or_absent),
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(json_names_file_key_and_range),
        cmocka_unit_test(random_numbers_repeat_and_look_normal),
        cmocka_unit_test(a_process_that_has_ended_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
