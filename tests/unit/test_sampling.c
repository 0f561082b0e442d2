/* net/: what logits say, and the choice of the next token against an independent one. */
#include "unit.h"

#include <math.h>

#include "fixture_networks.h"
#include "net/logits.h"
#include "net/sampling.h"

/* ---- logits ----------------------------------------------------------------------------------------------------- */

static void partitions_and_divergences_equal_sums_in_double(void **state) {
    (void)state;
    const struct stac_kernels *k = stac_kernels_best();
    struct stac_random r = stac_random_seeded(1, 1);
    for (int round = 0; round < 200; round++) {
        int n = 1 + (int)(stac_random_u64(&r) % 700);
        float *a = calloc((size_t)n, sizeof *a), *b = calloc((size_t)n, sizeof *b), *scratch = calloc((size_t)n, sizeof *a);
        double za = 0, zb = 0, divergence = 0, scale = round % 3 == 0 ? 0.1 : round % 3 == 1 ? 5 : 30;
        for (int i = 0; i < n; i++) {
            a[i] = (float)(scale * stac_random_normal(&r) + 100);
            b[i] = a[i] + (float)(0.3 * stac_random_normal(&r));
            za += exp((double)a[i] - 100), zb += exp((double)b[i] - 100);
        }
        za = 100 + log(za), zb = 100 + log(zb);
        for (int i = 0; i < n; i++) divergence += exp(a[i] - za) * ((a[i] - za) - (b[i] - zb));
        double got_a = stac_log_partition(k, n, a, scratch), got_b = stac_log_partition(k, n, b, scratch);
        assert_true(fabs(got_a - za) < 1e-5 && fabs(got_b - zb) < 1e-5);
        double got = stac_divergence(k, n, a, got_a, b, got_b, scratch);
        if (fabs(got - divergence) > 1e-5) fail_msg("divergence of %d logits is %.9g, not %.9g", n, got, divergence);
        assert_true(fabs(stac_divergence(k, n, a, got_a, a, got_a, scratch)) < 1e-6);
        assert_true(got > -1e-6);
        free(a), free(b), free(scratch);
    }
}

static void the_most_likely_is_the_first_of_equals(void **state) {
    (void)state;
    const float logits[] = {1, 3, -2, 3, 0}, below[] = {-5, -INFINITY, -4, -4};
    assert_int_equal(stac_most_likely(5, logits), 1);
    assert_int_equal(stac_most_likely(1, logits), 0);
    assert_int_equal(stac_most_likely(4, below), 2);
}

/* ---- the choice ------------------------------------------------------------------------------------------------- */

enum { DRAWS = 20000, MOST = 400 };

/* The probabilities from which a token must be drawn, by the definition: sort, cut to k, cut to the nucleus. */
static void wanted_probabilities(const struct stac_sampling *how, int n, const float *logits, double *p) {
    int order[MOST], kept = how->top_k > 0 && how->top_k < n ? how->top_k : n;
    double total = 0, within = 0;
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && logits[i] > logits[order[at - 1]]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < kept; i++) total += exp(((double)logits[order[i]] - logits[order[0]]) / how->temperature);
    if (how->top_p < 1)
        for (int i = 0; i < kept; i++) {
            within += exp(((double)logits[order[i]] - logits[order[0]]) / how->temperature);
            if (within >= how->top_p * total) kept = i + 1, total = within;
        }
    memset(p, 0, (size_t)n * sizeof *p);
    for (int i = 0; i < kept; i++) p[order[i]] = exp(((double)logits[order[i]] - logits[order[0]]) / how->temperature) / total;
}

static void tokens_are_drawn_with_the_probabilities_of_the_definition(void **state) {
    (void)state;
    static const struct {
        int n;
        struct stac_sampling how;
        double spread;
    } cases[] = {
        {7, {1, 0, 1}, 1},       {7, {0.5, 0, 1}, 1},       {7, {2, 0, 1}, 1},     {7, {100, 0, 1}, 1},
        {7, {1, 3, 1}, 1},       {7, {1, 7, 1}, 1},         {7, {1, 99, 1}, 1},    {7, {1, 2, 1}, 0}, /* equals */
        {7, {1, 0, 0.6}, 1},     {7, {1, 0, 0.999}, 1},     {7, {1, 0, 0.5}, 0},   {7, {0.7, 5, 0.8}, 1},
        {7, {1, 0, 1e-9}, 1},    {400, {1, 20, 1}, 2},      {400, {1, 256, 1}, 2}, {400, {1, 257, 1}, 2},
        {400, {1, 399, 0.9}, 2}, {400, {0.8, 40, 0.95}, 2}, {400, {1, 0, 0.3}, 0}, {1, {1, 0, 1}, 1},
    };
    struct stac_random r = stac_random_seeded(77, 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int n = cases[c].n, count[MOST] = {0};
        float logits[MOST];
        double p[MOST], chi = 0, freedom = -1;
        int32_t scratch[MOST];
        for (int i = 0; i < n; i++) logits[i] = (float)(cases[c].spread * stac_random_normal(&r));
        wanted_probabilities(&cases[c].how, n, logits, p);
        for (int i = 0; i < DRAWS; i++) {
            int32_t token = stac_sample(&cases[c].how, &r, n, logits, scratch);
            assert_in_range(token, 0, n - 1);
            count[token]++;
        }
        double rest_wanted = 0, rest_got = 0; /* rare tokens are put together */
        for (int i = 0; i < n; i++) {
            double wanted = DRAWS * p[i];
            if (p[i] == 0 && count[i] > 0) fail_msg("case %zu: token %d must not be drawn", c, i);
            if (wanted < 10) {
                rest_wanted += wanted, rest_got += count[i];
                continue;
            }
            chi += (count[i] - wanted) * (count[i] - wanted) / wanted;
            freedom++;
        }
        if (rest_wanted >= 10) chi += (rest_got - rest_wanted) * (rest_got - rest_wanted) / rest_wanted, freedom++;
        double bound = freedom + 5 * sqrt(2 * freedom) + 10; /* five standard deviations of chi square, and its tail */
        if (chi > bound) fail_msg("case %zu: chi square %.1f of %.0f degrees", c, chi, freedom);
    }
}

static void the_choice_is_greedy_where_it_should_be(void **state) {
    (void)state;
    static const struct stac_sampling greedy[] = {{0, 0, 1}, {0, 5, 0.5}, {1, 1, 1}, {1, 0, 0}, {1e-9, 0, 1}, {1e-9, 3, 0.5}};
    const float logits[] = {0.5f, 4, 3.9f, 4, -1}, masked[] = {-INFINITY, -3, -INFINITY, -INFINITY, -INFINITY};
    int32_t scratch[5];
    struct stac_random r = stac_random_seeded(1, 1);
    for (size_t g = 0; g < 4; g++)
        for (int i = 0; i < 50; i++)
            assert_int_equal(stac_sample(&greedy[g], &r, 5, logits, scratch), 1); /* the first of equals */
    for (size_t g = 4; g < 6; g++)
        for (int i = 0; i < 50; i++) { /* next to no temperature: one of the two equals */
            int32_t token = stac_sample(&greedy[g], &r, 5, logits, scratch);
            assert_true(token == 1 || token == 3);
        }
    static const struct stac_sampling plain = {1, 0, 1}, few = {1, 3, 1}, nucleus = {1, 0, 0.9};
    for (int i = 0; i < 200; i++) {
        assert_int_equal(stac_sample(&plain, &r, 5, masked, scratch), 1); /* what is impossible is never drawn */
        assert_int_equal(stac_sample(&few, &r, 5, masked, scratch), 1);
        assert_int_equal(stac_sample(&nucleus, &r, 5, masked, scratch), 1);
    }
}

static void draws_repeat_with_their_seed(void **state) {
    (void)state;
    static const struct stac_sampling how = {1, 20, 0.95};
    float logits[100];
    int32_t scratch[100], same = 0;
    struct stac_random fill = stac_random_seeded(9, 9), a = stac_random_seeded(1, 4), b = a, c = stac_random_seeded(2, 4);
    for (int i = 0; i < 100; i++) logits[i] = (float)stac_random_normal(&fill);
    for (int i = 0; i < 500; i++) {
        int32_t token = stac_sample(&how, &a, 100, logits, scratch);
        assert_int_equal(token, stac_sample(&how, &b, 100, logits, scratch));
        same += token == stac_sample(&how, &c, 100, logits, scratch);
    }
    assert_in_range(same, 1, 250); /* another seed gives other tokens, from the same distribution */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_and_divergences_equal_sums_in_double),
        cmocka_unit_test(the_most_likely_is_the_first_of_equals),
        cmocka_unit_test(tokens_are_drawn_with_the_probabilities_of_the_definition),
        cmocka_unit_test(the_choice_is_greedy_where_it_should_be),
        cmocka_unit_test(draws_repeat_with_their_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
