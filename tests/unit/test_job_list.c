/* job/: keys that take several values, keys that follow from others, and jobs that begin where a stored one ended. */
#include "unit.h"

#include "fixture_jobs.h"

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static void assert_list(const struct stac_job_list *list, int n, const double *wanted) {
    assert_int_equal(list->n, n);
    for (int i = 0; i < n; i++) assert_true(list->at[i] == wanted[i]);
}

static void lists_are_taken_from_files_and_flags(void **state) {
    (void)state;
    static const char *const files[] = {"timesteps: [4, 32, 8]\n", "timesteps: 4,32, 8\n",
                                        "timesteps:\n  - 4\n  - '32'\n  - 8\n", "timesteps: \"4 , 32,8\"\n",
                                        "{timesteps: [4, 32, 8]}"};
    static const char *const lines[] = {"--timesteps 4,32,8", "--timesteps=4,32,8", "--set timesteps=4,32,8"};
    const double wanted[] = {4, 32, 8}, budgets[] = {0.75, 1.5};
    const char *path;
    for (int i = 0; i < 8; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_EVAL);
        if (i < 5) OK(yaml_of(&job, files[i], strlen(files[i]), &err));
        if (i >= 5) OK(command_line(&job, lines[i - 5], NULL, &path, &err));
        assert_list(&job.sweep_timesteps, 3, wanted);
        OK(stac_job_set(&job, "spike_budget", "0.75,1.5", "here", &err));
        assert_list(&job.sweep_budget, 2, budgets);
        stac_job_clean(&job);
    }
}

static void a_printed_list_reads_back_equal(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    struct stac_job job = fresh(STAC_EVAL), again = fresh(STAC_EVAL);
    OK(stac_job_set(&job, "timesteps", "64,1,17", "here", &err));
    OK(stac_job_set(&job, "spike_budget", "0.3333333333333333,1.2", "here", &err));
    OK(stac_job_print(&job, &b, &err));
    assert_non_null(strstr(b.data, "timesteps: [64, 1, 17]\n"));
    OK(yaml_of(&again, b.data, b.size, &err));
    assert_equal_jobs(&again, &job, NULL);
    stac_strbuf_clean(&b);
    stac_job_clean(&job), stac_job_clean(&again);
}

static void bad_lists_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *part;
    } cases[] = {
        {"timesteps: [4, 65]\n", "accepted are 1 to 64 steps"},
        {"timesteps: [4, 8, 4]\n", "timesteps has 4 twice"},
        {"timesteps: [4, x]\n", "must be a whole number, not \"x\""},
        {"timesteps: [4.5]\n", "whole number"},
        {"timesteps: []\n", "must be a whole number, not \"\""},
        {"timesteps: \"4,\"\n", "must be a whole number, not \"\""},
        {"timesteps: [4, [8]]\n", "a value of \"timesteps\" must be a plain value, not a list"},
        {"timesteps: [4, {a: b}]\n", "not a mapping"},
        {"timesteps: !!seq [4]\n", "a tag or an anchor"},
        {"timesteps: &a [4]\n", "a tag or an anchor"},
        {"timesteps: {a: 4}\n", "not a mapping"},
        {"timesteps: [4\n", "not valid YAML"},
        {"code: [ternary, ternery]\n", "must be one of"},
        {"spike_budget: [1, 1e9]\n", "accepted are 0.05 to 16"},
        {"spike_budget: [1.01,1.02,1.03,1.04,1.05,1.06,1.07,1.08,1.09,1.1,1.11,1.12,1.13,1.14,1.15,1.16,1.17,1.18,1.19,1.2,"
         "1.21,1.22,1.23,1.24,1.25,1.26,1.27,1.28,1.29,1.3,1.31,1.32,1.33]\n",
         "at most 32 values"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_EVAL), untouched = fresh(STAC_EVAL);
        FAILS(yaml_of(&job, cases[i].yaml, strlen(cases[i].yaml), &err), STAC_ERR_USAGE, cases[i].part);
        assert_equal_jobs(&job, &untouched, NULL);
        stac_job_clean(&job), stac_job_clean(&untouched);
    }
}

/* ---- what follows from another key ------------------------------------------------------------------------------ */

/* How many windows are read depends on the mode, unless the job says it. */
static void a_mode_has_its_number_of_windows(void **state) {
    (void)state;
    static const char yaml[] = "num_samples: 16\n";
    static const struct {
        const char *line;
        int64_t windows;
    } cases[] = {
        {"--timesteps 8", 16},
        {"--simplified", 4},
        {"--mode simplified --mode full", 16},
        {"--simplified --num_samples 6", 6},
        {"--num_samples 16 --simplified", 16},
        {"--simplified job.yaml", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_job job = fresh(STAC_CONVERT);
        const char *path;
        OK(command_line(&job, cases[i].line, strstr(cases[i].line, ".yaml") ? yaml : NULL, &path, &err));
        assert_int_equal(job.num_samples, cases[i].windows);
        stac_job_clean(&job);
    }
}

/* ---- inheritance ------------------------------------------------------------------------------------------------ */

static char *printed(const struct stac_job *job) {
    struct stac_error err = {0};
    struct stac_strbuf b = {0};
    OK(stac_job_print(job, &b, &err));
    return b.data;
}

static void what_was_not_given_is_inherited(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_job old = fresh(STAC_CONVERT), job = fresh(STAC_CONVERT);
    const char *path;
    OK(command_line(&old,
                    "--model_name=a/b --timesteps=32 --spike_budget=0.9 --num_samples=3 --seed=7 --simplified --verify "
                    "--output_dir=old --stages=2",
                    NULL, &path, &err));
    char *stored = printed(&old);
    OK(command_line(&job, "--from DIR --timesteps 8 --output_dir new --num_samples 3", NULL, &path, &err));
    OK(stac_job_inherit(&job, "DIR", stored, &err));
    assert_int_equal(job.timesteps, 8);
    assert_true(job.spike_budget == 0.9);
    assert_string_equal(job.model_name, "a/b");
    assert_int_equal(job.num_samples, 3);
    assert_int_equal(job.seed, 7);
    assert_int_equal(job.mode, STAC_JOB_SIMPLIFIED);
    assert_string_equal(job.from, "DIR");
    assert_string_equal(job.output_dir, "new");
    assert_int_equal(job.stages, 0);
    assert_false(job.verify); /* is of its own run */
    free(stored);
    stac_job_clean(&old), stac_job_clean(&job);
}

static void what_stays_cannot_be_given_another_value(void **state) {
    (void)state;
    static const char *const lines[] = {"--num_samples 4",     "--model_name b", "--seed 2",
                                        "--quantize_bits 4",   "--mode full",    "--set activation=relu",
                                        "--calibration_text x"};
    struct stac_error err = {0};
    struct stac_job old = fresh(STAC_CONVERT);
    const char *path;
    OK(command_line(&old, "--model_name a --num_samples 3 --simplified", NULL, &path, &err));
    char *stored = printed(&old);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct stac_job job = fresh(STAC_CONVERT);
        OK(command_line(&job, lines[i], NULL, &path, &err));
        FAILS(stac_job_inherit(&job, "DIR", stored, &err), STAC_ERR_USAGE, "DIR was converted with another ");
        stac_job_clean(&job);
    }
    struct stac_job job = fresh(STAC_CONVERT);
    FAILS(stac_job_inherit(&job, "DIR", "nonsense: 1\n", &err), STAC_ERR_USAGE, "DIR:1:1: unknown key");
    stac_job_clean(&job), stac_job_clean(&old);
    free(stored);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_taken_from_files_and_flags),
        cmocka_unit_test(a_printed_list_reads_back_equal),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(a_mode_has_its_number_of_windows),
        cmocka_unit_test(what_was_not_given_is_inherited),
        cmocka_unit_test(what_stays_cannot_be_given_another_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
