/* dist/: how many stages, which layers on which, against a search over all cuts; agreement and reductions of one rank.
 * What needs several ranks is tested by tests/mpi. */
#include "unit.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "dist/grid.h"
#include "dist/merge.h"
#include "dist/muster.h"
#include "dist/share.h"

/* ---- stages ----------------------------------------------------------------------------------------------------- */

static void stages_fit_ranks_layers_and_memory(void **state) {
    (void)state;
    static const struct {
        int ranks, layers, wanted;
        double model, rank; /* bytes */
        int stages;
    } cases[] = {
        {1, 12, 0, 100, 1000, 1},  {4, 12, 0, 100, 1000, 1},  /* it fits on one: four groups */
        {4, 12, 0, 1000, 1000, 1},                            /* exactly */
        {4, 12, 0, 1001, 1000, 2}, {4, 12, 0, 2001, 1000, 4}, /* three would do, but leave a rank over */
        {4, 12, 0, 4001, 1000, 4},                            /* more than all ranks hold: do what can be done */
        {4, 12, 0, 1e300, 1, 4},   {3, 12, 0, 1001, 1000, 3}, /* two would leave a rank over */
        {5, 3, 0, 1001, 1000, 2},                             /* neither 2 nor 3 divides 5: the fewest that fit */
        {6, 12, 0, 3500, 1000, 6}, {6, 2, 0, 3500, 1000, 2},  /* never more than layers */
        {8, 12, 0, 2500, 1000, 4}, {1, 1, 0, 1e9, 1, 1},
        {4, 12, 1, 1e9, 1, 1},     {4, 12, 3, 1, 1000, 3}, /* what was asked for is taken */
        {4, 4, 4, 1, 1000, 4},     {7, 12, 5, 1, 1000, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        int got = -1;
        OK(stac_grid_stages(cases[i].ranks, cases[i].layers, cases[i].wanted, cases[i].model, cases[i].rank, &got, &err));
        if (got != cases[i].stages)
            fail_msg("%d ranks, %d layers, %g bytes of %g: %d stages, not %d", cases[i].ranks, cases[i].layers, cases[i].model,
                     cases[i].rank, got, cases[i].stages);
    }
    struct stac_error err = {0};
    int got;
    FAILS(stac_grid_stages(4, 12, 5, 1, 1, &got, &err), STAC_ERR_USAGE, "stages is 5, but the job has 4 ranks");
    FAILS(stac_grid_stages(4, 3, 4, 1, 1, &got, &err), STAC_ERR_USAGE, "stages is 4, but the model has 3 layers");
}

/* ---- partition -------------------------------------------------------------------------------------------------- */

enum { MOST_LAYERS = 10 };

struct cut {
    int n_layers, n_stages;
    double cost[64], before, after;
};

/* The cost of the most expensive stage. */
static double price(const struct cut *c, const int *begin) {
    double most = 0;
    for (int s = 0; s < c->n_stages; s++) {
        double sum = (s == 0 ? c->before : 0) + (s == c->n_stages - 1 ? c->after : 0);
        for (int l = begin[s]; l < begin[s + 1]; l++) sum += c->cost[l];
        most = fmax(most, sum);
    }
    return most;
}

/* The best price of all ways to cut: begin[stage] and what follows is still open. */
static double search(const struct cut *c, int *begin, int stage) {
    if (stage == c->n_stages) return price(c, begin);
    double best = INFINITY;
    for (int l = begin[stage - 1] + 1; l <= c->n_layers - (c->n_stages - stage); l++) {
        begin[stage] = l;
        best = fmin(best, search(c, begin, stage + 1));
    }
    return best;
}

static double partition(const struct cut *c) {
    int begin[66];
    memset(begin, 0x7f, sizeof begin); /* what is not written shows */
    stac_partition(c->n_layers, c->cost, c->before, c->after, c->n_stages, begin);
    assert_int_equal(begin[0], 0);
    for (int s = 0; s < c->n_stages; s++)
        if (begin[s + 1] <= begin[s]) fail_msg("stage %d of %d holds layers [%d, %d)", s, c->n_stages, begin[s], begin[s + 1]);
    assert_int_equal(begin[c->n_stages], c->n_layers);
    return price(c, begin);
}

static double best_price(const struct cut *c) {
    int begin[66] = {0};
    begin[c->n_stages] = c->n_layers;
    return search(c, begin, 1);
}

static void no_cut_is_better_than_the_one_that_is_made(void **state) {
    (void)state;
    struct stac_random r = stac_random_seeded(3, 1);
    int compared = 0;
    for (int n = 1; n <= MOST_LAYERS; n++)
        for (int stages = 1; stages <= n; stages++)
            for (int kind = 0; kind < 24; kind++) {
                struct cut c = {.n_layers = n, .n_stages = stages};
                for (int l = 0; l < n; l++) {
                    double u = stac_random_uniform(&r);
                    c.cost[l] = kind % 4 == 0   ? 1                    /* all alike, as blocks of a model are */
                                : kind % 4 == 1 ? floor(10 * u)        /* some cost nothing */
                                : kind % 4 == 2 ? u                    /* fractions, whose sums are rounded */
                                                : exp2(floor(20 * u)); /* one outweighs the rest */
                }
                if (kind >= 8) c.after = kind >= 16 ? 100 * stac_random_uniform(&r) : n / 3.0; /* a head */
                if (kind % 3 == 1) c.before = 5 * stac_random_uniform(&r);
                double got = partition(&c), best = best_price(&c);
                if (got > best * (1 + 1e-12))
                    fail_msg("%d layers over %d stages, kind %d: the dearest stage costs %.17g, %.17g is possible", n, stages,
                             kind, got, best);
                compared++;
            }
    printf("%d partitions compared with a search over all\n", compared);
}

/* Costs whose float sum depends on the order: the whole must still count as fitting into itself. */
static void rounding_never_leaves_a_stage_open(void **state) {
    (void)state;
    struct stac_random r = stac_random_seeded(4, 1);
    for (int i = 0; i < 20000; i++) {
        struct cut c = {.n_layers = 1 + (int)(stac_random_u64(&r) % 64), .before = 1.0 / 3, .after = 0.1};
        for (int l = 0; l < c.n_layers; l++) c.cost[l] = 1 / (1 + 1000 * stac_random_uniform(&r));
        c.n_stages = 1 + (int)(stac_random_u64(&r) % (uint64_t)c.n_layers);
        if (i % 2) c.n_stages = 1;
        partition(&c);
    }
    struct cut zero = {.n_layers = 5, .n_stages = 3};
    partition(&zero); /* nothing costs anything */
}

/* ---- items ------------------------------------------------------------------------------------------------------ */

/* The load of the busiest group under the best of all assignments of items [i, n). */
static double best_share(const double *cost, size_t n, size_t i, int groups, double *load) {
    double best = INFINITY;
    if (i == n) {
        best = 0;
        for (int g = 0; g < groups; g++) best = fmax(best, load[g]);
        return best;
    }
    for (int g = 0; g < groups; g++) {
        load[g] += cost[i];
        best = fmin(best, best_share(cost, n, i + 1, groups, load));
        load[g] -= cost[i];
    }
    return best;
}

static void items_are_shared_once_and_nearly_evenly(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_random r = stac_random_seeded(6, 1);
    for (int round = 0; round < 300; round++) {
        double cost[9], load[4] = {0}, busiest = 0;
        size_t n = stac_random_u64(&r) % 10, order[9], begin[5];
        int groups = 1 + (int)(stac_random_u64(&r) % 4), seen = 0;
        for (size_t i = 0; i < n; i++) cost[i] = floor((round % 2 ? 50 : 3) * stac_random_uniform(&r));
        OK(stac_share_items(n, cost, groups, order, begin, &err));
        assert_true(begin[0] == 0 && begin[groups] == n);
        for (int g = 0; g < groups; g++) {
            for (size_t i = begin[g]; i < begin[g + 1]; i++) {
                seen |= 1 << order[i];
                load[g] += cost[order[i]];
                if (i > begin[g]) assert_true(cost[order[i]] <= cost[order[i - 1]]);
            }
            busiest = fmax(busiest, load[g]);
        }
        assert_int_equal(seen, (1 << n) - 1);
        memset(load, 0, sizeof load);
        assert_true(busiest <= best_share(cost, n, 0, groups, load) * 4 / 3 + 1e-9);
    }
}

/* ---- ranks gather ------------------------------------------------------------------------------------------------ */

/* What is said of a rank of a launcher's job, and how it ends (as waitpid has it), when it waits `wait` seconds for others, or
 * (0) is stopped, at a limit of `limit` seconds.
 */
static int gathering_rank(double wait, double limit, char *text, size_t size) {
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct stac_muster muster;
        struct stac_error err = {0};
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        if (setenv("PMIX_NAMESPACE", "test_dist", 1) != 0 || setenv("PMIX_RANK", "7", 1) != 0) _exit(9);
        if (stac_muster_begin(&muster, limit, &err) != STAC_OK) _exit(9);
        if (wait > 0)
            stac_clock_pause(wait);
        else
            raise(SIGSTOP);
        stac_muster_end(&muster);
        stac_muster_end(&muster);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t n = read(ends[0], text, size - 1);
    text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    return status;
}

static void was_ended(int status, const char *text, const char *why) {
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_non_null(strstr(text, "error: rank 7 on "));
    assert_non_null(strstr(text, why));
}

static void a_rank_does_not_wait_for_ever_for_others(void **state) {
    (void)state;
    char text[400];
    int status = gathering_rank(20, 0.5, text, sizeof text);
    was_ended(status, text, "while ranks gather: others are missing");
    assert_int_equal(gathering_rank(0.01, 0.5, text, sizeof text), 0);
    assert_string_equal(text, "");
}

static void a_rank_that_is_stopped_as_ranks_gather_is_ended(void **state) {
    (void)state;
    char text[400];
    int status = gathering_rank(0, 300, text, sizeof text);
    was_ended(status, text, "while ranks gather: it is stopped");
}

/* ---- one rank --------------------------------------------------------------------------------------------------- */

static void one_rank_agrees_with_itself(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_ranks ranks;
    struct stac_grid grid;
    OK(stac_ranks_begin(&ranks, &err));
    assert_int_equal(ranks.rank, 0);
    assert_int_equal(ranks.size, 1);
    assert_int_equal(ranks.local_size, 1);
    OK(stac_agree(&ranks, ranks.comm, STAC_OK, &err));
    int status = stac_fail(&err, STAC_ERR_INPUT, "a file is damaged");
    assert_int_equal(stac_agree(&ranks, ranks.comm, status, &err), STAC_ERR_INPUT);
    assert_string_equal(err.text, "a file is damaged"); /* no rank is named where there is one only */
    assert_int_equal(err.agreed, 1);
    OK(stac_grid_init(&grid, &ranks, 1, &err));
    assert_int_equal(grid.n_groups, 1);
    assert_int_equal(grid.stage, 0);
    assert_int_equal(grid.group, 0);
    int64_t sums[3] = {INT64_MAX, INT64_MIN, -5};
    float most[3] = {-1, 0, INFINITY};
    char bytes[5] = "abcd";
    OK(stac_merge_among(grid.group_comm, (struct stac_partial[]){{STAC_ADD_I64, sums, 3}, {STAC_MAX_F32, most, 3}}, 2, &err));
    OK(stac_broadcast(ranks.comm, bytes, sizeof bytes, 0, &err));
    OK(stac_merge_to_all(&ranks, &(struct stac_partial){STAC_ADD_I64, NULL, 0}, 1, &err));
    assert_true(sums[0] == INT64_MAX && sums[1] == INT64_MIN && sums[2] == -5);
    assert_true(most[0] == -1 && most[1] == 0 && most[2] == INFINITY);
    assert_string_equal(bytes, "abcd");
    FAILS(stac_broadcast(ranks.comm, bytes, sizeof bytes, 7, &err), STAC_ERR_RANK,
          "cannot broadcast"); /* returned, not fatal */
    stac_grid_clean(&grid);
    stac_error_clear(&err);
    assert_int_equal(stac_ranks_end(&ranks, 1, &err), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_fit_ranks_layers_and_memory),
        cmocka_unit_test(no_cut_is_better_than_the_one_that_is_made),
        cmocka_unit_test(rounding_never_leaves_a_stage_open),
        cmocka_unit_test(items_are_shared_once_and_nearly_evenly),
        cmocka_unit_test(a_rank_does_not_wait_for_ever_for_others),
        cmocka_unit_test(a_rank_that_is_stopped_as_ranks_gather_is_ended),
        cmocka_unit_test(one_rank_agrees_with_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
