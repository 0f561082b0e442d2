/* spool/: what killed processes leave in the folders, and second names. How jobs move is tested by tests/cli/service.sh. */
#include "fixture_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/draft.h"
#include "spool/claim.h"

static const struct stac_log silent;

/* In a process that is gone afterwards, a draft called ".NAME.MARK" with the second name `link`, if any. */
static void leave_draft(const struct fx_folder *f, const char *folder, const char *link_name) {
    pid_t child = fork();
    if (child == 0) {
        char mark[STAC_DRAFT_MARK], path[128];
        stac_draft_mark(mark);
        snprintf(path, sizeof path, "spool/%s/.a.convert.yaml.%s", folder, mark);
        fx_write_text(f, path, "seed: 1\n");
        _exit(link_name && link(fx_path(f, path), fx_path(f, link_name)) != 0);
    }
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static int count_entries(int folder) {
    int n = 0, fd = openat(folder, ".", O_RDONLY | O_DIRECTORY);
    DIR *dir = fdopendir(fd);
    for (const struct dirent *e; (e = readdir(dir));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void open_spool(const struct fx_folder *f, struct stac_spool *s) {
    struct stac_error err = {0};
    *s = (struct stac_spool){.log = &silent, .make = true};
    OK(stac_spool_open(s, fx_path(f, "spool"), &err));
}

static void drafts_of_the_dead_are_swept(void **state) {
    const struct fx_folder *f = *state;
    struct stac_spool s;
    char mark[STAC_DRAFT_MARK], path[128];
    open_spool(f, &s);
    leave_draft(f, "queue", NULL);
    stac_draft_mark(mark);
    snprintf(path, sizeof path, "spool/queue/.mine.%s", mark);
    fx_write_text(f, path, "");
    mark[0] = mark[0] == '0' ? '1' : '0';
    snprintf(path, sizeof path, "spool/queue/.of_another_machine.%s", mark);
    fx_write_text(f, path, "");
    fx_write_text(f, "spool/queue/.half.convert.yaml", "");
    fx_write_text(f, "spool/queue/whole.convert.yaml", "");
    assert_int_equal(count_entries(s.queue), 5);
    stac_spool_sweep(s.queue);
    assert_int_equal(count_entries(s.queue), 4);
    stac_spool_close(&s);
}

/* A submission by links that was killed between its two steps is a job none the less, after some seconds. */
static void a_submission_that_was_killed_is_claimed(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_spool s;
    struct stac_owner owner;
    struct stac_spool_names names = {0};
    struct stac_claim c;
    bool found = false;
    open_spool(f, &s);
    OK(stac_owner_begin(&owner, &s, &err));
    leave_draft(f, "queue", "spool/queue/a.convert.yaml");
    OK(stac_claim_next(&owner, &names, &c, &found, &err));
    assert_false(found);
    assert_int_equal(count_entries(s.failed), 0);
    for (int i = 0; i < 60 && !found; i++) {
        usleep(100000);
        OK(stac_claim_next(&owner, &names, &c, &found, &err));
    }
    assert_true(found);
    assert_string_equal(c.name, "a.convert.yaml");
    assert_int_equal(count_entries(s.queue) + count_entries(s.failed), 0);
    stac_spool_free_names(&names);
    unlinkat(owner.folder, c.name, 0);
    stac_owner_end(&owner);
    stac_spool_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(drafts_of_the_dead_are_swept, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_submission_that_was_killed_is_claimed, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
