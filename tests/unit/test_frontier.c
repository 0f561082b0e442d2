/* The table of the frontier and its picture. What fills it is tested with the programs (tests/cli/frontier.sh). */
#include "unit.h"

#include <fcntl.h>

#include "eval/frontier_table.h"
#include "fixture_files.h"
#include "fixture_networks.h"
#include "report/frontier_picture.h"
#include "report/published.h"
#include "store/h5_reader.h"
#include "store/h5_writer.h"

static struct stac_frontier_table table_at(const char *path) {
    struct stac_frontier_table t = {.ranks = &fx_ranks, .path = path, .target_ratio = 1.01};
    strcpy(t.common.network, "0123");
    strcpy(t.common.text, "4567");
    t.common.text_name = "some text";
    t.common.tokens = 100, t.common.context = 50, t.common.stride = 25;
    return t;
}

static struct stac_point point_of(const char *code, int timesteps, double budget, double ratio) {
    struct stac_point p = {.timesteps = timesteps, .spike_budget = budget, .ppl_ratio = ratio, .ac_per_mac = budget * 1.01};
    snprintf(p.code, sizeof p.code, "%s", code);
    p.kl = ratio - 1, p.seconds = 1.0 / 3, p.planned_ac_per_mac = budget;
    return p;
}

static void points_are_there_after_every_addition(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    const char *path = fx_path(f, "frontier.h5");
    struct stac_frontier_table t = table_at(path);
    OK(stac_table_open(&t, &err));
    assert_int_equal(t.n, 0);
    for (int i = 0; i < 40; i++) {
        struct stac_point p = point_of(i % 3 ? "ternary" : "if", 4 + i, 0.5 + 0.01 * i, 1.02 - 0.001 * i);
        OK(stac_table_add(&t, &p, &err));
        struct stac_frontier_table again = table_at(path); /* what another process would find */
        OK(stac_table_open(&again, &err));
        assert_int_equal(again.n, i + 1);
        assert_memory_equal(again.point, t.point, again.n * sizeof *again.point);
        const struct stac_point *found = stac_table_find(&again, p.code, p.timesteps, p.spike_budget);
        assert_non_null(found);
        assert_true(found->seconds == 1.0 / 3);
        assert_null(stac_table_find(&again, "other", p.timesteps, p.spike_budget));
        stac_table_clean(&again);
    }
    stac_table_clean(&t);
}

static void a_table_of_something_else_is_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    const char *path = fx_path(f, "frontier.h5"), *other = fx_path(f, "other.h5");
    struct stac_frontier_table t = table_at(path);
    OK(stac_table_open(&t, &err));
    for (int i = 0; i < 5; i++) {
        struct stac_frontier_table u = table_at(path);
        if (i == 0) u.common.network[0] = 'f';
        if (i == 1) u.common.text[0] = 'f';
        if (i == 2) u.common.tokens++;
        if (i == 3) u.common.context++;
        if (i == 4) u.common.stride++;
        FAILS(stac_table_open(&u, &err), STAC_ERR_INPUT, "of another network or text");
        stac_table_clean(&u);
    }
    struct stac_h5_writer h;
    OK(stac_h5_create(other, 0, &h, &err));
    OK(stac_h5_set_text(&h, "/", "schema", "stac-frontier", &err));
    OK(stac_h5_set_int(&h, "/", "schema_version", 2, &err));
    OK(stac_h5_commit(&h, &err));
    struct stac_frontier_table u = table_at(other);
    FAILS(stac_table_open(&u, &err), STAC_ERR_INPUT, "no attribute network_sha256");
    u.path = fx_path(f, "missing/frontier.h5"); /* known before anything is computed */
    FAILS(stac_table_open(&u, &err), STAC_ERR_IO, "missing/frontier.h5");
    stac_table_clean(&t), stac_table_clean(&u);
}

static void a_damaged_table_is_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    const char *path = fx_path(f, "frontier.h5");
    struct stac_frontier_table t = table_at(path);
    struct stac_point p = point_of("ternary", 8, 1, 1.01);
    OK(stac_table_open(&t, &err));
    OK(stac_table_add(&t, &p, &err));
    int fd = open(path, O_RDWR);
    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    int refused = 0;
    for (size_t at = 0; at < size; at += 3) { /* turn one bit after the other over */
        unsigned char byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        unsigned char turned = byte ^ 0x10;
        assert_int_equal(pwrite(fd, &turned, 1, (off_t)at), 1);
        struct stac_frontier_table u = table_at(path);
        struct stac_h5_reader h;
        stac_error_clear(&err);
        int status = stac_h5_open(path, "stac-frontier", 2, &h, &err); /* without writing it again */
        if (status == STAC_OK) stac_h5_close(&h);
        refused += status != STAC_OK;
        assert_null(strchr(err.text, '\n'));
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        stac_table_clean(&u);
    }
    close(fd);
    assert_true(refused > 20);
    stac_table_clean(&t);
}

static void the_cheapest_that_meet_the_target_are_marked(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_frontier_table t = table_at(fx_path(f, "frontier.h5"));
    const struct stac_point points[] = {
        point_of("dense", 0, 0, 1),    point_of("a", 8, 0.8, 1.02),   point_of("a", 8, 1.2, 1.005), point_of("a", 8, 1.0, 1.01),
        point_of("a", 8, 0.9, 1.0101), point_of("a", 16, 0.5, 1.002), point_of("b", 8, 0.7, 1.3),   point_of("b", 8, 1.4, 1.2),
    };
    static const int wanted[] = {0, 0, 0, 1, 0, 1, 0, 0};
    OK(stac_table_open(&t, &err));
    for (int i = 0; i < 8; i++) OK(stac_table_add(&t, &points[i], &err));
    OK(stac_table_mark(&t, &err));
    for (int i = 0; i < 8; i++) assert_int_equal(t.point[i].cheapest, wanted[i]);
    t.target_ratio = 0;
    OK(stac_table_mark(&t, &err));
    for (int i = 0; i < 8; i++) assert_int_equal(t.point[i].cheapest, 0);
    stac_table_clean(&t);
}

static void published_points_name_their_sources(void **state) {
    (void)state;
    size_t n;
    const struct stac_published *p = stac_published_points(&n);
    assert_true(n >= 6);
    for (size_t i = 0; i < n; i++) {
        assert_true(*p[i].name && *p[i].source && p[i].timesteps > 0 && p[i].ppl_ratio > 1 && p[i].ac_per_mac >= 0);
        assert_null(strpbrk(p[i].name, "\"\\\n"));
    }
}

static void the_picture_is_drawn(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_frontier_table t = table_at(fx_path(f, "frontier.h5"));
    struct stac_mapping png = {0};
    bool drawn;
    const char *path = fx_path(f, "it's.png");
    OK(stac_table_open(&t, &err));
    for (int i = 0; i < 12; i++) { /* the first picture has no line at all */
        if (i == 0 || i == 11) OK(stac_picture_frontier(&t, path, &drawn, &err));
        struct stac_point p = point_of(i % 2 ? "a" : "b_c", i < 6 ? 8 : 16, 0.6 + 0.1 * (i % 6), 1.1 - 0.01 * i);
        if (i == 10) p = point_of("dense", 0, 0, 1);
        OK(stac_table_add(&t, &p, &err));
    }
    if (drawn) { /* there may be no gnuplot */
        OK(stac_file_map(path, &png, &err));
        assert_true(png.size > 5000);
        assert_memory_equal(png.data, "\x89PNG", 4);
        stac_file_unmap(&png);
    }
    stac_table_clean(&t);
}

/* gnuplot would take what follows a line break as a command. */
static void a_name_is_no_command(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_frontier_table t = table_at(fx_path(f, "frontier.h5"));
    char path[600];
    bool drawn = false;
    OK(stac_table_open(&t, &err));
    snprintf(path, sizeof path, "%s\nset print 'made'\nprint 1\n.png", fx_path(f, "it's"));
    unlink("made");
    OK(stac_picture_frontier(&t, path, &drawn, &err));
    assert_true(drawn == stac_file_exists(path) && !stac_file_exists("made")); /* there may be no gnuplot */
    stac_table_clean(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(points_are_there_after_every_addition, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_table_of_something_else_is_refused, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_damaged_table_is_refused, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(the_cheapest_that_meet_the_target_are_marked, fx_folder_make, fx_folder_remove),
        cmocka_unit_test(published_points_name_their_sources),
        cmocka_unit_test_setup_teardown(the_picture_is_drawn, fx_folder_make, fx_folder_remove),
        cmocka_unit_test_setup_teardown(a_name_is_no_command, fx_folder_make, fx_folder_remove),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
