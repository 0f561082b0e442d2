/* dist/checkpoint: whose folder beside a result is, and what becomes of one that is nobody's. One rank; what is resumed is
 * tested by tests/mpi/resume.sh. */
#include "fixture_files.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/draft.h"
#include "base/file.h"
#include "dist/checkpoint.h"

static struct stac_ranks ranks;
static const struct stac_log silent;
static const char mine[] = "1111111111111111111111111111111111111111111111111111111111111111",
                  theirs[] = "2222222222222222222222222222222222222222222222222222222222222222";

static int begin(const struct fx_folder *f, const char *job, bool replace, bool *resumed, struct stac_error *err) {
    struct stac_checkpoint c;
    int status = stac_checkpoint_begin(&c, fx_path(f, "out"), job, 1e9, replace, &ranks, &silent, err);
    *resumed = c.resumed;
    stac_checkpoint_clean(&c);
    return status;
}

/* out.checkpoint with a record, and the name of that file. */
static const char *leave_record(const struct fx_folder *f, const char *name, const char *job) {
    struct stac_error err = {0};
    char path[128];
    mkdir(fx_path(f, "out.checkpoint"), 0777);
    OK(stac_record_write(fx_path(f, "out.checkpoint"), name, job, NULL, 0, &err));
    snprintf(path, sizeof path, "out.checkpoint/%s", name);
    return fx_path(f, path);
}

static void the_folder_of_a_job_is_its_own(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    bool resumed;
    OK(begin(f, mine, false, &resumed, &err));
    assert_false(resumed);
    leave_record(f, "job", mine);
    OK(begin(f, mine, false, &resumed, &err));
    assert_true(resumed);
    FAILS(begin(f, theirs, false, &resumed, &err), STAC_ERR_USAGE, "was left by a job that is not this one");
    assert_true(stac_file_exists(fx_path(f, "out.checkpoint/job")));
    OK(begin(f, theirs, true, &resumed, &err));
    assert_false(resumed || stac_file_exists(fx_path(f, "out.checkpoint")));
}

/* What a kill leaves between the making of the folder and the rename of its first record, or in the middle of its removal. */
static void a_folder_of_nobody_is_no_checkpoint(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    bool resumed;
    mkdir(fx_path(f, "out.checkpoint"), 0777);
    OK(begin(f, mine, false, &resumed, &err));
    assert_false(resumed);
    fx_write_text(f, "out.checkpoint/job.tmp-00000000-1", "");
    leave_record(f, "means", theirs);
    OK(begin(f, mine, false, &resumed, &err));
    assert_false(resumed || stac_file_exists(fx_path(f, "out.checkpoint/means")));
    assert_false(stac_file_exists(fx_path(f, "out.checkpoint/job.tmp-00000000-1")));
    assert_int_equal(truncate(leave_record(f, "job", theirs), 40), 0); /* not whole */
    OK(begin(f, mine, false, &resumed, &err));
    assert_false(resumed || stac_file_exists(fx_path(f, "out.checkpoint/job")));
    leave_record(f, "means", theirs);
    stac_checkpoint_tidy(fx_path(f, "out"), mine);
    assert_false(stac_file_exists(fx_path(f, "out.checkpoint")));
}

static void what_a_checkpoint_never_holds_stays(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    bool resumed;
    leave_record(f, "means", mine);
    fx_write_text(f, "out.checkpoint/notes", "of a person");
    FAILS(begin(f, mine, false, &resumed, &err), STAC_ERR_USAGE, "holds something that is no checkpoint");
    stac_checkpoint_tidy(fx_path(f, "out"), mine);
    assert_true(stac_file_exists(fx_path(f, "out.checkpoint/notes")));
    assert_true(stac_file_exists(fx_path(f, "out.checkpoint/means")));
}

/* Under the name that a process gave it which is dead now. */
static void a_removal_that_was_cut_short_goes_on(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    bool resumed;
    leave_record(f, "means", mine);
    pid_t child = fork();
    if (child == 0) {
        char *aside = stac_draft_name(fx_path(f, "out.checkpoint"), "old", &err);
        _exit(aside && rename(fx_path(f, "out.checkpoint"), aside) == 0 ? 0 : 1);
    }
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    OK(begin(f, mine, false, &resumed, &err));
    assert_int_equal(rmdir(f->path), 0); /* nothing is left */
    assert_int_equal(mkdir(f->path, 0700), 0);
}

static int begin_ranks(void **state) {
    struct stac_error err = {0};
    (void)state;
    return stac_ranks_begin(&ranks, &err);
}

static int end_ranks(void **state) {
    struct stac_error err = {0};
    (void)state;
    return stac_ranks_end(&ranks, 0, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_folder_of_a_job_is_its_own, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_folder_of_nobody_is_no_checkpoint, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(what_a_checkpoint_never_holds_stays, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_removal_that_was_cut_short_goes_on, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, begin_ranks, end_ranks);
}
