/* convert/: what calibration learns merges exactly, damaged weights are found, and spikes are spent as the budget says. */
#include "unit.h"

#include <math.h>

#include "convert/sample.h"
#include "fixture_codes.h"
#include "fixture_networks.h"

enum { LENGTH = 40 };

static struct stac_hparams some_hparams(const char *name) {
    struct stac_model *model;
    fx_open(name, &model);
    struct stac_hparams hp = *stac_model_hparams(model);
    stac_model_close(model);
    return hp;
}

/* ---- statistics ------------------------------------------------------------------------------------------------- */

enum { WINDOWS = 12, ROWS = 9 };

static void add_window(struct stac_statistics *s, int window) {
    struct stac_error err = {0};
    for (int site = 0; site < s->n_sites; site++) {
        struct stac_random r = stac_random_seeded((uint64_t)window, (uint64_t)site);
        int width = (int)(s->sums_at[site + 1] - s->sums_at[site]), rows = 1 + window % ROWS;
        if (width == 0) continue;
        float *x = calloc((size_t)rows * (size_t)width, sizeof *x), magnitude[ROWS];
        for (int i = 0; i < rows * width; i++) x[i] = (float)(stac_random_normal(&r) * exp2(i % 30 - 15));
        OK(stac_statistics_add_rows(s, site, rows, x, &err));
        for (int i = 0; i < rows; i++) magnitude[i] = fabsf(x[i * width]);
        stac_histogram_add(&s->histogram[site], magnitude, rows);
        free(x);
    }
}

/* Merge by hand what another group of ranks collected. */
static void merge(struct stac_statistics *to, const struct stac_statistics *from) {
    for (int i = 0; i < to->n_sites; i++) {
        to->rows[i] += from->rows[i];
        stac_histogram_merge(&to->histogram[i], &from->histogram[i]);
    }
    for (size_t i = 0; i < to->sums_at[to->n_sites]; i++) to->sums[i] += from->sums[i];
}

static void windows_merge_to_the_same_integers_in_any_order(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_hparams hp = some_hparams("llama-3heads-1kv-untied");
    struct stac_statistics wanted;
    struct stac_random r = stac_random_seeded(3, 3);
    OK(stac_statistics_init(&wanted, &hp, &err));
    for (int w = 0; w < WINDOWS; w++) add_window(&wanted, w);
    for (int round = 0; round < 40; round++) {
        struct stac_statistics group[4], total;
        int order[WINDOWS], n_groups = 1 + round % 4;
        OK(stac_statistics_init(&total, &hp, &err));
        for (int i = 0; i < n_groups; i++) OK(stac_statistics_init(&group[i], &hp, &err));
        for (int i = 0; i < WINDOWS; i++) {
            int at = (int)(stac_random_u64(&r) % (uint64_t)(i + 1));
            order[i] = order[at];
            order[at] = i;
        }
        for (int i = 0; i < WINDOWS; i++) add_window(&group[stac_random_u64(&r) % (uint64_t)n_groups], order[i]);
        for (int i = n_groups - 1; i >= 0; i--) merge(&total, &group[i]);
        assert_memory_equal(total.rows, wanted.rows, (size_t)wanted.n_sites * sizeof *wanted.rows);
        assert_memory_equal(total.sums, wanted.sums, wanted.sums_at[wanted.n_sites] * sizeof *wanted.sums);
        for (int i = 0; i < wanted.n_sites; i++)
            assert_memory_equal(total.histogram[i].count, wanted.histogram[i].count, sizeof wanted.histogram[i].count);
        for (int i = 0; i < n_groups; i++) stac_statistics_clean(&group[i]);
        stac_statistics_clean(&total);
    }
    stac_statistics_clean(&wanted);
}

static void means_are_means(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_hparams hp = some_hparams("gpt2-1head-relu");
    struct stac_statistics s;
    int last = stac_site_count(&hp) - 1, width = hp.n_embd;
    float *x = calloc(100 * (size_t)width, sizeof *x), *mean = calloc((size_t)width, sizeof *mean);
    OK(stac_statistics_init(&s, &hp, &err));
    stac_statistics_mean(&s, last, mean); /* nothing seen yet */
    for (int j = 0; j < width; j++) assert_true(mean[j] == 0);
    struct stac_random r = stac_random_seeded(1, 2);
    for (int i = 0; i < 100 * width; i++) x[i] = (float)(stac_random_normal(&r) + i % width * 1000);
    for (int i = 0; i < 100; i += 10) OK(stac_statistics_add_rows(&s, last, 10, x + i * width, &err));
    stac_statistics_mean(&s, last, mean);
    for (int j = 0; j < width; j++) {
        double sum = 0;
        for (int i = 0; i < 100; i++) sum += x[i * width + j];
        assert_true(fabs(mean[j] - sum / 100) <= 1e-6 + 6e-8 * fabs(sum / 100)); /* 2^-20 a window, and the float itself */
    }
    assert_int_equal(s.rows[last], 100);
    for (int i = 0; i < last; i++) assert_int_equal(s.rows[i], 0);
    free(x), free(mean);
    stac_statistics_clean(&s);
}

static void numbers_that_are_none_are_refused_with_their_site(void **state) {
    (void)state;
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, 3e12f, -3e12f, 3e38f};
    struct stac_error err = {0};
    struct stac_hparams hp = some_hparams("gpt2-2heads");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int where = 0; where < 3; where++) {
            struct stac_statistics s;
            struct stac_site site = {.kind = where == 2 ? STAC_SITE_HEAD_IN : STAC_SITE_MLP_IN,
                                     .layer = where == 2 ? 0 : where};
            float x[3 * 16] = {0};
            char part[80];
            OK(stac_statistics_init(&s, &hp, &err));
            x[(i * 7) % 48] = bad[i];
            snprintf(part, sizeof part, "the activations at %s of layer %d are not finite", stac_site_name(site.kind),
                     site.layer);
            FAILS(stac_statistics_add_rows(&s, stac_site_index(&hp, &site), 3, x, &err), STAC_ERR_INPUT, part);
            stac_statistics_clean(&s);
        }
}

/* A weight that is no number spoils what comes after it; calibration must stop where it shows first. */
static void damaged_weights_stop_calibration(void **state) {
    (void)state;
    static const struct {
        const char *what, *part;
    } cases[] = {{"qkv", "o_in of layer 1"},         {"o", "mlp_in of layer 1"},   {"up", "down_in of layer 1"},
                 {"down", "attn_in of layer 2"},     {"last", "head_in of layer"}, {"bias", "down_in of layer 0"},
                 {"embedding", "attn_in of layer 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_model *model;
        struct stac_network net;
        int32_t tokens[2 * LENGTH];
        fx_open("gpt2-3heads-bare-f16", &model);
        fx_load(model, &net);
        fx_rewrite(&net, 1);
        fx_tokens(tokens, 2 * LENGTH, net.hp.n_vocab, 1);
        struct stac_block *b = net.block;
        float *at[] = {b[1].qkv.w + stac_q_width(&net.hp),
                       b[1].o.w,
                       b[1].up.w,
                       b[1].down.w,
                       b[2].down.w,
                       b[0].up.bias,
                       net.token_embd + (size_t)tokens[3] * (size_t)net.hp.n_embd};
        *at[i] = NAN;
        struct stac_calibration c = fx_calibration(&net, tokens, 2, LENGTH);
        OK(stac_calibrate_begin(&c, &err));
        FAILS(stac_calibrate_means(&c, &err), STAC_ERR_INPUT, cases[i].part);
        stac_calibrate_end(&c);
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

/* What passes the probes is what the network computes: rows, ranges of v, and a histogram of every value that is coded. */
static void calibration_sees_every_row(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_network net;
        struct stac_statistics s;
        fx_learn(fx_golden[g], 3, LENGTH, &net, &s);
        const struct stac_hparams *hp = &net.hp;
        for (int i = 0; i < s.n_sites; i++) {
            enum stac_site_kind kind = stac_site_kind_at(hp, i);
            double width = s.sums_at[i + 1] - s.sums_at[i], pairs = LENGTH * (LENGTH + 1) / 2;
            double wanted = 3 * (kind == STAC_SITE_P   ? pairs * hp->n_head
                                 : kind == STAC_SITE_Q ? LENGTH * stac_q_width(hp)
                                                       : LENGTH * width);
            double total = stac_histogram_total(&s.histogram[i]);
            /* a weight of attention may be so small that it is zero, and is then not seen */
            if (kind == STAC_SITE_P ? total > wanted || total < 0.9 * wanted : total != wanted)
                fail_msg("%s, %s: %.0f values of %.0f", fx_golden[g], stac_site_name(kind), total, wanted);
            if (kind != STAC_SITE_Q && kind != STAC_SITE_P) assert_int_equal(s.rows[i], 3 * LENGTH);
            bool token = kind == STAC_SITE_Q || kind == STAC_SITE_O_IN || kind == STAC_SITE_DOWN_IN;
            if (token) assert_true(fabs(stac_histogram_power(&s.histogram[i]) - 1) < 0.01); /* each row has unit power */
        }
        for (int i = 0; i < hp->n_layer * stac_kv_width(hp); i++) assert_true(s.v_max[i] > 0 && isfinite(s.v_max[i]));
        stac_statistics_clean(&s);
        stac_network_clean(&net);
    }
}

/* ---- budget ----------------------------------------------------------------------------------------------------- */

static void shares_are_those_of_the_products(void **state) {
    (void)state;
    static const int contexts[] = {1, 2, 3, LENGTH, 512, 131072};
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_hparams hp = some_hparams(fx_golden[g]);
        double share[STAC_SITE_KINDS];
        for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
            double sum = 0;
            stac_mac_shares(&hp, contexts[c], share);
            for (int k = 0; k < STAC_SITE_KINDS; k++) {
                assert_true(share[k] > 0);
                sum += share[k] * (k == STAC_SITE_HEAD_IN ? 1 : hp.n_layer);
            }
            assert_true(fabs(sum - 1) < 1e-12);
        }
        struct stac_model *model; /* against the multiply-accumulates of a run over as many tokens */
        struct stac_network net;
        int32_t token[LENGTH];
        struct stac_counts *counts = calloc((size_t)stac_site_count(&hp), sizeof *counts);
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        fx_tokens(token, LENGTH, hp.n_vocab, 1);
        free(fx_logits(&net, STAC_MODE_DENSE, NULL, token, LENGTH, counts));
        stac_mac_shares(&hp, LENGTH, share);
        double total = 0;
        for (int i = 0; i < stac_site_count(&hp); i++) total += (double)counts[i].macs;
        for (int i = 0; i < stac_site_count(&hp); i++)
            assert_true(fabs((double)counts[i].macs / total - share[stac_site_kind_at(&hp, i)]) < 1e-12);
        free(counts);
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

static void the_largest_integer_overflows_no_sum(void **state) {
    (void)state;
    static const int widths[] = {1, 2, 8, 16, 64, 576, 1024, 1536, 2048, 8192, 65536};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int w = widths[i];
        struct stac_hparams hp = {.n_layer = 1, .n_embd = w, .n_head = 1, .n_head_kv = 1, .head_dim = w, .n_ff = w, .n_ctx = w};
        for (int k = 0; k < STAC_SITE_KINDS; k++) {
            int64_t largest = stac_largest_integer(&hp, (enum stac_site_kind)k, hp.n_ctx), sum = largest * 127 * w;
            assert_true(largest >= 1 && largest <= INT16_MAX);
            assert_true(sum <= INT32_MAX);
            assert_true(largest == INT16_MAX || sum + 127 * (int64_t)w > INT32_MAX); /* and nothing is given away */
        }
    }
    struct stac_hparams hp = {
        .n_layer = 1, .n_embd = 10, .n_head = 4, .n_head_kv = 1, .head_dim = 1000, .n_ff = 3000, .n_ctx = 9000};
    static const int inputs[STAC_SITE_KINDS] = {10, 1000, 9000, 4000, 10, 3000, 10}; /* what each site sums over */
    for (int k = 0; k < STAC_SITE_KINDS; k++) {
        int wanted = INT32_MAX / (127 * inputs[k]);
        assert_int_equal(stac_largest_integer(&hp, (enum stac_site_kind)k, hp.n_ctx), wanted < INT16_MAX ? wanted : INT16_MAX);
    }
}

/* Additions per multiply-accumulate that the codes of a plan cost on the distributions they were made for. */
static double cost_of(const struct stac_statistics *s, const struct stac_plan *plan, int timesteps, int context) {
    double share[STAC_SITE_KINDS], sum = 0;
    stac_mac_shares(&s->hp, context, share);
    for (int i = 0; i < s->n_sites; i++) {
        struct stac_error err = {0};
        struct stac_code code = {0};
        enum stac_site_kind kind = stac_site_kind_at(&s->hp, i);
        OK(stac_plan_build(&plan[i], timesteps, &code, &err));
        sum += share[kind] * fx_code_cost(&code, &s->histogram[i]).spikes;
        assert_true(code.levels.value[code.n_levels - 1] <= stac_largest_integer(&s->hp, kind, s->longest));
        assert_true(plan[i].recipe.unit > 0 && plan[i].lambda >= 0 && isfinite(plan[i].recipe.unit) &&
                    isfinite(plan[i].lambda));
        stac_code_clean(&code);
    }
    return sum;
}

/* A plan for sensitivities that are the same in every layer. */
static int plan_by_kind(const struct stac_statistics *s, int timesteps, const double of_kind[STAC_SITE_KINDS], double target,
                        struct stac_plan *plan, double *expected, struct stac_error *err) {
    double *sensitivity = calloc((size_t)s->n_sites, sizeof *sensitivity);
    for (int i = 0; i < s->n_sites; i++) sensitivity[i] = of_kind[stac_site_kind_at(&s->hp, i)];
    int status =
        stac_plan_budget(s, &(struct stac_scheme){.timesteps = timesteps}, sensitivity, target, LENGTH, plan, expected, err);
    free(sensitivity);
    return status;
}

static void the_budget_is_met(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int timesteps;
        double target;
    } cases[] = {
        {"gpt2-1head-relu", 1, 0.3},      {"gpt2-1head-relu", 2, 0.6},        {"gpt2-1head-relu", 4, 0.9},
        {"gpt2-1head-relu", 8, 1.2},      {"gpt2-1head-relu", 16, 0.05},      {"gpt2-1head-relu", 16, 0.2},
        {"gpt2-1head-relu", 16, 0.9},     {"gpt2-1head-relu", 16, 1.2},       {"gpt2-1head-relu", 16, 1.5},
        {"gpt2-1head-relu", 32, 1.0},     {"llama-4heads-2kv-tied", 4, 0.5},  {"llama-4heads-2kv-tied", 16, 0.5},
        {"llama-4heads-2kv-tied", 16, 1}, {"llama-4heads-2kv-tied", 16, 1.4}, {"gpt2-2heads", 64, 0.9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        struct stac_network net;
        struct stac_statistics s;
        double expected;
        fx_learn(cases[i].name, 3, LENGTH, &net, &s);
        struct stac_plan *plan = calloc((size_t)s.n_sites, sizeof *plan);
        OK(plan_by_kind(&s, cases[i].timesteps, stac_default_sensitivity, cases[i].target, plan, &expected, &err));
        double cost = cost_of(&s, plan, cases[i].timesteps, LENGTH);
        printf("%-24s T = %2d, target %.2f: planned %.4f, cost %.4f\n", cases[i].name, cases[i].timesteps, cases[i].target,
               expected, cost);
        if (fabs(expected / cases[i].target - 1) > 0.01) fail_msg("planned %.4f", expected);
        if (fabs(cost / expected - 1) > 0.01) fail_msg("the codes cost %.4f", cost);
        free(plan);
        stac_statistics_clean(&s);
        stac_network_clean(&net);
    }
}

static void a_budget_beyond_reach_is_not_exceeded(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_network net;
    struct stac_statistics s;
    double rich, poor;
    fx_learn("gpt2-1head-relu", 3, LENGTH, &net, &s);
    struct stac_plan *plan = calloc((size_t)s.n_sites, sizeof *plan);
    OK(plan_by_kind(&s, 2, stac_default_sensitivity, 16, plan, &rich, &err));
    assert_true(rich > 1 && rich <= 2); /* two steps hold two spikes */
    OK(plan_by_kind(&s, 1, stac_default_sensitivity, 16, plan, &poor, &err));
    assert_true(poor > 0.5 && poor <= 1);
    FAILS(plan_by_kind(&s, 65, stac_default_sensitivity, 1, plan, &poor, &err), STAC_ERR_USAGE, "timesteps is 65");
    free(plan);
    stac_statistics_clean(&s);
    stac_network_clean(&net);
}

/* A kind of site that hurts more gets more spikes, at the cost of the others. */
static void spikes_go_where_errors_hurt(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_network net;
    struct stac_statistics s;
    fx_learn("gpt2-2heads", 3, LENGTH, &net, &s);
    struct stac_plan *plan = calloc((size_t)s.n_sites, sizeof *plan), *other = calloc((size_t)s.n_sites, sizeof *other);
    double even[STAC_SITE_KINDS], expected;
    for (int k = 0; k < STAC_SITE_KINDS; k++) even[k] = 1;
    OK(plan_by_kind(&s, 8, even, 1, plan, &expected, &err));
    for (int k = 0; k < STAC_SITE_KINDS; k++) {
        double sensitivity[STAC_SITE_KINDS];
        memcpy(sensitivity, even, sizeof even);
        sensitivity[k] = 30;
        OK(plan_by_kind(&s, 8, sensitivity, 1, other, &expected, &err));
        for (int i = 0; i < s.n_sites; i++) {
            double change = other[i].expected.spikes - plan[i].expected.spikes;
            bool favoured = (int)stac_site_kind_at(&s.hp, i) == k;
            if (favoured ? change <= 0 : change > 0.01)
                fail_msg("with %s more sensitive, site %d gets %+.3f spikes a value", stac_site_name((enum stac_site_kind)k), i,
                         change);
        }
    }
    free(plan), free(other);
    stac_statistics_clean(&s);
    stac_network_clean(&net);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

static void finer_codes_do_less_damage(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net;
    int32_t tokens[3 * LENGTH];
    fx_open("llama-4heads-2kv-tied", &model);
    fx_load(model, &net);
    fx_rewrite(&net, 1);
    fx_tokens(tokens, 3 * LENGTH, net.hp.n_vocab, 99);
    struct stac_calibration c = fx_calibration(&net, tokens, 3, LENGTH);
    double damage[3][STAC_SITE_KINDS];
    OK(stac_calibrate_begin(&c, &err));
    OK(stac_calibrate_means(&c, &err));
    OK(stac_calibrate_histograms(&c, &err));
    struct stac_plan *plan = calloc((size_t)c.stats.n_sites, sizeof *plan);
    for (int k = 0; k < 3; k++) {
        double price[STAC_SITE_KINDS];
        struct stac_code *codes = calloc((size_t)c.stats.n_sites, sizeof *codes);
        for (int i = 0; i < STAC_SITE_KINDS; i++) price[i] = k == 0 ? 0.3 : k == 1 ? 0.01 : 1e-7;
        OK(stac_plan_trial(&c.stats, &(struct stac_scheme){.timesteps = 16}, price, plan, &err));
        for (int i = 0; i < c.stats.n_sites; i++) OK(stac_plan_build(&plan[i], 16, &codes[i], &err));
        OK(stac_calibrate_damage(&c, codes, 2, damage[k], &err));
        for (int i = 0; i < c.stats.n_sites; i++) stac_code_clean(&codes[i]);
        free(codes);
    }
    for (int i = 0; i < STAC_SITE_KINDS; i++) {
        printf("%-8s damage %.2e, %.2e, %.2e nats\n", stac_site_name((enum stac_site_kind)i), damage[0][i], damage[1][i],
               damage[2][i]);
        assert_true(damage[0][i] > 2 * damage[1][i] && damage[1][i] > 2 * fabs(damage[2][i]));
    }
    free(plan);
    stac_calibrate_end(&c);
    stac_network_clean(&net);
    stac_model_close(model);
}

/* ---- the model's own texts -------------------------------------------------------------------------------------- */

static void a_text_depends_on_its_seed_and_number_only(void **state) {
    (void)state;
    enum { FEW = 3, MANY = 70, SIZE = 12 }; /* more than are written side by side */
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net;
    int32_t few[FEW][SIZE], many[MANY][SIZE], other[FEW][SIZE];
    fx_open("gpt2-2heads", &model);
    fx_load(model, &net);
    struct stac_sample_request request = {.ranks = &fx_ranks,
                                          .grid = &fx_grid,
                                          .log = &fx_silent,
                                          .net = &net,
                                          .n_vocab = net.hp.n_vocab,
                                          .first = 5,
                                          .seed = 1,
                                          .n = FEW,
                                          .length = SIZE};
    OK(stac_sample_windows(&request, few[0], &err));
    request.n = MANY;
    OK(stac_sample_windows(&request, many[0], &err));
    request.n = FEW, request.seed = 2;
    OK(stac_sample_windows(&request, other[0], &err));
    assert_memory_equal(few, many, sizeof few);
    assert_memory_not_equal(few, other, sizeof few);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i][0], 5);
        for (int k = 0; k < i; k++) assert_memory_not_equal(many[i], many[k], sizeof many[i]);
        for (int t = 0; t < SIZE; t++) assert_in_range(many[i][t], 0, net.hp.n_vocab - 1);
    }
    stac_network_clean(&net);
    stac_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_merge_to_the_same_integers_in_any_order),
        cmocka_unit_test(means_are_means),
        cmocka_unit_test(numbers_that_are_none_are_refused_with_their_site),
        cmocka_unit_test(damaged_weights_stop_calibration),
        cmocka_unit_test(calibration_sees_every_row),
        cmocka_unit_test(shares_are_those_of_the_products),
        cmocka_unit_test(the_largest_integer_overflows_no_sum),
        cmocka_unit_test(the_budget_is_met),
        cmocka_unit_test(a_budget_beyond_reach_is_not_exceeded),
        cmocka_unit_test(spikes_go_where_errors_hurt),
        cmocka_unit_test(finer_codes_do_less_damage),
        cmocka_unit_test(a_text_depends_on_its_seed_and_number_only),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
