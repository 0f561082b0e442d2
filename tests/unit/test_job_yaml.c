/* job/: YAML files that are malformed, surprising, made to take long, or damaged: refused with their place, in bounded time. */
#include "unit.h"

#include "base/clock.h"
#include "fixture_jobs.h"

/* ---- refusals of YAML ------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *part;
} refused_files[] = {
    {"", "the file holds no keys"},
    {"\n\n  \n", "the file holds no keys"},
    {"# only\n# comments\n", "the file holds no keys"},
    {"--- ", "a job file is one mapping"},
    {"---\n...\n", "one mapping"},
    {"16\n", "job.yaml:1:1: a job file is one mapping"},
    {"- timesteps: 16\n", "job.yaml:1:1: a job file is one mapping"},
    {"timesteps: 16\n---\ntimesteps: 8\n", "job.yaml:2:1: a second document begins here"},
    {"timesteps: 16\n---\n", "a second document"},
    {"timestep: 16\n", "job.yaml:1:1: unknown key \"timestep\"; did you mean \"timesteps\"?"},
    {"model_name: x\ntimesetps: 16\n", "job.yaml:2:1: unknown key \"timesetps\"; did you mean \"timesteps\"?"},
    {"seed: 1\n\n# more\n   \nquantise_bits: 8\n",
     "job.yaml:5:1: unknown key \"quantise_bits\"; did you mean \"quantize_bits\"?"},
    {"Timesteps: 16\n", "unknown key \"Timesteps\"; did you mean \"timesteps\"?"},
    {"test_all: true\n", "unknown key"}, /* a key of another program */
    {"set: 1\n", "unknown key"},
    {"help: true\n", "unknown key"},
    {"simplified: true\n", "unknown key"}, /* a flag, not a key */
    {"'': 1\n", "unknown key \"\""},
    {"timesteps: 16\nseed: 2\ntimesteps: 8\n", "job.yaml:3:1: the key \"timesteps\" is given twice"},
    {"{timesteps: 16, timesteps: 16}", "job.yaml:1:17: the key \"timesteps\" is given twice"},
    {"timesteps:\ntimesteps: 8\n", "given twice"},
    {"timesteps: [16]\n", "job.yaml:1:12: the value of \"timesteps\" must be a plain value, not a list"},
    {"timesteps:\n  - 16\n", "not a list"},
    {"model_name: [a, b]\n", "not a list"},
    {"timesteps: {a: 1}\n", "job.yaml:1:12: the value of \"timesteps\" must be a plain value, not a mapping"},
    {"Conversion:\n  timesteps: 16\n", "unknown key \"Conversion\""},
    {"seed: &a 3\n", "not an anchor"},
    {"seed: &a 3\ntimesteps: *a\n", "not an anchor"},
    {"timesteps: *a\n", "an alias"},
    {"&a timesteps: 16\n", "a key must be a plain value, not an anchor"},
    {"? [timesteps]\n: 16\n", "a key must be a plain value, not a list"},
    {"? {a: b}\n: 16\n", "a key must be a plain value, not a mapping"},
    {"*a : 16\n", "a key must be a plain value, not an alias"},
    {"timesteps: !!int 16\n", "not a tag"},
    {"model_name: !!python/object/apply:os.system [\"true\"]\n", "not a list"},
    {"model_name: !!python/name:os.system x\n", "not a tag"},
    {"!!python/object:job.Job {timesteps: 16}\n", "a tag"},
    {"!t {timesteps: 16}\n", "a tag"},
    {"&j {timesteps: 16}\n", "an anchor"},
    {"&x [*x]\n", "one mapping"},
    {"model_name: &x [*x]\n", "not a list"},
    {"<<: {timesteps: 16}\n", "unknown key \"<<\""},
    {"timesteps: 16\n\tseed: 1\n", "job.yaml:2:1: not valid YAML"},
    {"\ttimesteps: 16\n", "job.yaml:1:1: not valid YAML"},
    {"timesteps:\t- 16\n", "not valid YAML"},
    {"model_name: \"\\0\"\n", "not a NUL character"},
    {"model_name: \"a\\x00b\"\n", "not a NUL character"},
    {"\"times\\0teps\": 16\n", "a key must be a plain value, not a NUL character"},
    {"model_name: \xff\xfe\n", "not valid YAML"},
    {"model_name: \xc3(\n", "not valid YAML"},
    {"model_name: \xed\xa0\x80\n", "not valid YAML"}, /* a surrogate */
    {"model_name: \xc0\x80\n", "not valid YAML"},     /* an overlong NUL */
    {"model_name: a\x01z\n", "not valid YAML"},
    {"model_name: \"never closed\n", "not valid YAML"},
    {"{timesteps: 16", "not valid YAML"},
    {"timesteps: 16}\n", "must be a whole number, not \"16}\""},
    {"timesteps: 16\n  seed: 2\n", "must be a whole number, not \"16 seed\""},
    {"timesteps 16\n", "job.yaml:1:1: a job file is one mapping"},
    {"timesteps: 16 seed: 2\n", "must be a whole number, not \"16 seed\""},
    {"%YAML 3.0\n---\ntimesteps: 16\n", "not valid YAML"},
    {"timesteps: |\n  16\n", "must be a whole number"},
    {"layer_norm: spike\n", "job.yaml:1:13: layer_norm is refused"},
};

static void malformed_and_surprising_yaml_is_refused_with_its_place(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused_files / sizeof *refused_files; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        unsigned line, column;
        FAILS(yaml_of(&job, refused_files[i].text, strlen(refused_files[i].text), &err), STAC_ERR_USAGE, refused_files[i].part);
        if (sscanf(err.text, "job.yaml:%u:%u: ", &line, &column) != 2) fail_msg("no place in \"%s\"", err.text);
        stac_job_clean(&job);
    }
    struct stac_error err = {0};
    struct stac_job job = fresh(STAC_CONVERT);
    FAILS(yaml_of(&job, "timesteps: 16\0\n", 15, &err), STAC_ERR_USAGE, "NUL bytes");
    FAILS(yaml_of(&job,
                  "\xff\xfet\0:\0 \0"
                  "1\0",
                  10, &err),
          STAC_ERR_USAGE, "NUL bytes"); /* UTF-16 */
    stac_job_clean(&job);
}

static void unusual_but_valid_yaml_is_taken(void **state) {
    (void)state;
    static const char *const files[] = {
        "timesteps: 9\nmodel_name: x", /* no newline at the end */
        "\xef\xbb\xbf"
        "timesteps: 9\nmodel_name: x\n",                          /* byte order mark */
        "timesteps: 9\r\nmodel_name: x\r\n",                      /* CRLF */
        "timesteps: 9\rmodel_name: x\r",                          /* CR */
        "---\ntimesteps: 9\nmodel_name: x\n...\n",                /* marks of a document */
        "%YAML 1.1\n---\ntimesteps: 9\nmodel_name: x\n",          /* a directive */
        "{timesteps: 9, model_name: x}",                          /* flow style */
        "{\"timesteps\": 9, \"model_name\": \"x\"}",              /* JSON */
        "? timesteps\n: 9\n? model_name\n: x\n",                  /* explicit keys */
        "timesteps: +9.0e0 # steps\n\n\nmodel_name: 'x' # name\n" /* comments and a number written otherwise */
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        OK(yaml_of(&job, files[i], strlen(files[i]), &err));
        assert_int_equal(job.timesteps, 9);
        assert_string_equal(job.model_name, "x");
        stac_job_clean(&job);
    }
}

/* ---- files made to take long ------------------------------------------------------------------------------------ */

static void repeat(struct stac_strbuf *b, const char *piece, size_t times) {
    for (size_t i = 0; i < times; i++) fx_puts(b, piece);
}

static void hostile_files_are_refused_in_bounded_time(void **state) {
    (void)state;
    static const struct {
        const char *before, *piece, *after;
        size_t times;
    } shapes[] = {
        {"", "[", "", 200000},
        {"model_name: ", "[", "", 200000},
        {"", "{a: ", "", 50000},
        {"model_name: ", "{a: ", "", 50000},
        {"", "? ", "", 100000},
        {"", "- ", "", 100000},
        {"", "# comment\n", "", 20000},
        {"", "a: 1\n", "", 40000},
        {"x", "x", ": 1\n", 250000},
        {"model_name: \"", "\\", "", 200000},
        {"model_name: ", "x", "\n", 1 << 20},
        {"timesteps: \"", "x\n\n", "\"\n", 80000},
        {"a: &a [x,x,x,x,x,x,x,x,x]\n", "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n", "", 9}, /* a billion laughs */
        {"", "---\n", "", 60000},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        struct stac_strbuf b = {0};
        fx_puts(&b, shapes[i].before);
        repeat(&b, shapes[i].piece, shapes[i].times);
        fx_puts(&b, shapes[i].after);
        double began = stac_clock_now();
        FAILS(yaml_of(&job, b.data, b.size, &err), STAC_ERR_USAGE, "job.yaml");
        double took = stac_clock_now() - began;
        if (took > 2) fail_msg("%.12s%s %zu times took %.1f s", shapes[i].before, shapes[i].piece, shapes[i].times, took);
        stac_strbuf_clean(&b);
        stac_job_clean(&job);
    }
    struct stac_error err = {0}; /* the limit itself, and one byte more */
    struct stac_job job = fresh(STAC_CONVERT);
    struct stac_strbuf b = {0};
    fx_puts(&b, "timesteps: 9\n#");
    repeat(&b, "x", 256 * 1024 - b.size);
    OK(yaml_of(&job, b.data, b.size, &err));
    assert_int_equal(job.timesteps, 9);
    fx_puts(&b, "x");
    FAILS(yaml_of(&job, b.data, b.size, &err), STAC_ERR_USAGE, "at most 262144 are read");
    stac_strbuf_clean(&b);
    stac_job_clean(&job);
}

static void damaged_files_are_refused_or_read_never_worse(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_strbuf whole = {0}, copy = {0};
    int read = 0, refused = 0;
    OK(stac_job_reference(STAC_CONVERT, &whole, &err));
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct stac_job job = fresh(STAC_CONVERT);
        fx_damage(&copy, &whole, seed);
        stac_error_clear(&err);
        int status = yaml_of(&job, copy.data, copy.size, &err);
        if (status != STAC_OK && (status != STAC_ERR_USAGE || strncmp(err.text, "job.yaml:", 9) != 0 || strchr(err.text, '\n')))
            fail_msg("seed %d: status %d, \"%s\"", (int)seed, status, err.text);
        status == STAC_OK ? read++ : refused++;
        stac_job_clean(&job);
    }
    printf("%d files: %d read, %d refused\n", read + refused, read, refused);
    assert_true(read > 100 && refused > 1000); /* most damage falls into comments */
    stac_strbuf_clean(&whole);
    stac_strbuf_clean(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_and_surprising_yaml_is_refused_with_its_place),
        cmocka_unit_test(unusual_but_valid_yaml_is_taken),
        cmocka_unit_test(hostile_files_are_refused_in_bounded_time),
        cmocka_unit_test(damaged_files_are_refused_or_read_never_worse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
