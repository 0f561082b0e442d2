/* spike/surrogate, spike/tuning and convert/train_codes: gradients of codes against differences of a smooth forward pass, and
 * training that keeps the best and never loses. */
#include <float.h>
#include <math.h>

#include "convert/train_codes.h"
#include "fixture_networks.h"
#include "spike/recipe.h"

static const struct stac_surrogate surrogates[] = {
    {STAC_SURROGATE_ATAN, 2},    {STAC_SURROGATE_ATAN, 8},       {STAC_SURROGATE_SIGMOID, 2},
    {STAC_SURROGATE_SIGMOID, 8}, {STAC_SURROGATE_STBIF_PLUS, 2}, {STAC_SURROGATE_STBIF_PLUS, 8},
};
enum { SURROGATES = sizeof surrogates / sizeof *surrogates };

/* ---- surrogates --------------------------------------------------------------------------------------------------- */

/* Its formula. */
static double slope_of(const struct stac_surrogate *s, double z) {
    double a = s->alpha, sigma = 1.62 / a, e = exp(-a * z);
    switch (s->kind) {
    case STAC_SURROGATE_ATAN: return a / 2 / (1 + M_PI * a * z / 2 * (M_PI * a * z / 2));
    case STAC_SURROGATE_SIGMOID: return a * e / ((1 + e) * (1 + e));
    default: return exp(-z * z / (2 * sigma * sigma)) / (sigma * sqrt(2 * M_PI));
    }
}

static void surrogates_are_derivatives_of_smooth_steps(void **state) {
    (void)state;
    for (int i = 0; i < SURROGATES; i++) {
        const struct stac_surrogate *s = &surrogates[i];
        for (double z = -3; z <= 3; z += 0.125) {
            double slope = (stac_surrogate_step(s, z + 1e-5) - stac_surrogate_step(s, z - 1e-5)) / 2e-5;
            if (!(fabs(slope_of(s, z) - slope) < 1e-6 * s->alpha))
                fail_msg("surrogate %d at %g: %g, not %g", i, z, slope, slope_of(s, z));
        }
        assert_true(fabs(stac_surrogate_step(s, 0) - 0.5) < 1e-12);
        assert_true(stac_surrogate_step(s, -1e4) < 1e-4 && stac_surrogate_step(s, 1e4) > 1 - 1e-4);
    }
}

/* ---- one code ----------------------------------------------------------------------------------------------------- */

enum { VALUES = 40000, STRIDE = 16 }; /* the smooth pass needs fewer values than the cells */

/* A ternary code for a Gaussian. */
static void design(enum stac_neuron_kind neuron, struct stac_code *code) {
    struct stac_error err = {0};
    struct stac_histogram *h = calloc(1, sizeof *h);
    struct stac_random r = stac_random_seeded(4, 4);
    struct stac_scheme scheme = {.neuron = neuron, .timesteps = 8};
    struct stac_recipe recipe;
    struct stac_code_cost cost;
    h->range = 8;
    for (int i = 0; i < 100000; i++) {
        float x = fabsf((float)stac_random_normal(&r));
        stac_histogram_add(h, &x, 1);
    }
    OK(stac_recipe_design(&scheme, h, true, 0.01, 4000, &recipe, &cost, &err));
    OK(stac_recipe_build(&recipe, 8, 0.01, 4000, code, &err));
    free(h);
}

/* Values all over the range of a Gaussian, how many there are of each, and their pulls: no two levels are pulled alike. */
static double magnitude_of(int i) {
    return 4.5 * (i + 0.5) / VALUES;
}
static double weight_of(double a) {
    return exp(-a * a / 2);
}
static double pull_of(double a) {
    return weight_of(a) * (1 + 0.8 * sin(1.7 * a + 0.4));
}

/* Sums over the values of pull * decoded and of spikes, every threshold a smooth step. */
static void smooth_forward(const struct stac_code *code, const struct stac_surrogate *s, double *loss, double *spikes) {
    const struct stac_levels *l = &code->levels;
    *loss = *spikes = 0;
    for (int i = STRIDE / 2; i < VALUES; i += STRIDE) {
        double a = magnitude_of(i), r = a / (double)code->unit;
        for (int k = 0; k < code->n_levels - 1; k++) {
            double gap = l->value[k + 1] - l->value[k], step = stac_surrogate_step(s, (r - (double)l->threshold[k]) / gap);
            *loss += STRIDE * pull_of(a) * (double)code->unit * gap * step;
            *spikes += STRIDE * weight_of(a) * (l->spikes[k + 1] - l->spikes[k]) * step;
        }
    }
}

static void add_up(const struct stac_code *code, double *count, double *pull) {
    for (int i = 0; i < VALUES; i++) {
        double a = magnitude_of(i);
        int cell = stac_tuning_cell(code, (float)(a / (double)code->unit));
        assert_in_range(cell, 0, stac_tuning_cells(code) - 1);
        assert_true(a / (double)code->unit * (1 + 1e-6) < (double)code->levels.threshold[cell / STAC_LEVEL_CELLS] * (1 + 2e-6));
        count[cell] += weight_of(a), pull[cell] += pull_of(a);
    }
}

/* Slopes of dial i by differences of the smooth pass over rebuilt codes; false where the levels are not the same on both
 * sides. */
static bool differences(const struct stac_code *code, const struct stac_surrogate *s, double *dial, int i, double by,
                        double *loss, double *spikes) {
    struct stac_error err = {0};
    double at = dial[i], f[2], n[2];
    bool same = true;
    for (int side = 0; side < 2; side++) {
        struct stac_code other = {0};
        dial[i] = side ? at + by : at - by;
        OK(stac_tuning_build(code, dial, &other, &err));
        same = same && other.n_levels == code->n_levels;
        smooth_forward(&other, s, &f[side], &n[side]);
        stac_code_clean(&other);
    }
    dial[i] = at;
    *loss = (f[1] - f[0]) / (2 * by), *spikes = (n[1] - n[0]) / (2 * by);
    return same;
}

/* The slope of the pulls on decoded values when the unit grows and no value changes its level. */
static double direct_pull(const struct stac_code *code) {
    double sum = 0;
    for (int i = 0; i < VALUES; i++) {
        float r = (float)(magnitude_of(i) / (double)code->unit);
        int level = 0;
        while (r >= code->levels.threshold[level]) level++;
        sum += pull_of(magnitude_of(i)) * code->levels.value[level];
    }
    return sum;
}

static void slopes_of(enum stac_neuron_kind neuron, const struct stac_surrogate *s) {
    struct stac_code code = {0};
    design(neuron, &code);
    int n = stac_tuning_dials(&code), cells = stac_tuning_cells(&code), seen = 0;
    double *dial = calloc(4 * (size_t)n, sizeof *dial), *step = dial + n, *loss = dial + 2 * n, *spikes = dial + 3 * n;
    double *count = calloc(2 * (size_t)cells, sizeof *count), *pull = count + cells, largest[2] = {0};
    stac_tuning_read(&code, dial, step);
    add_up(&code, count, pull);
    struct stac_tuning_sums sums = {count, pull};
    stac_tuning_slopes(&code, s, &sums, loss, spikes);
    double direct = direct_pull(&code);
    for (int i = 1; i < n; i++) {
        largest[0] = fmax(largest[0], fabs(loss[i] * step[i]));
        largest[1] = fmax(largest[1], fabs(spikes[i] * step[i]));
    }
    for (int i = 0; i < n; i++) {
        double f, m;
        if (i == 0 && (neuron == STAC_NEURON_TABLE || s->alpha < 8)) continue; /* below */
        if (!(step[i] > 0) || !differences(&code, s, dial, i, 0.002 * step[i], &f, &m)) continue;
        double off = fabs(f - loss[i]) * step[i] / (i ? largest[0] : direct * step[0]);
        double off_spikes = fabs(m - spikes[i]) * step[i] / (i ? largest[1] : direct * step[0]);
        if (!(off < 0.04 && off_spikes < 0.04))
            fail_msg("%s, surrogate %d of alpha %g, dial %d: loss %g (differences %g), spikes %g (%g)",
                     stac_neuron_name(neuron), s->kind, s->alpha, i, loss[i], f, spikes[i], m);
        seen++;
    }
    if (neuron == STAC_NEURON_TABLE && !(fabs(loss[0] - direct) < 1e-9 * direct && spikes[0] == 0))
        fail_msg("the unit of a table: %g, not %g; spikes %g", loss[0], direct, spikes[0]);
    if (seen < 5) fail_msg("%s: %d of %d dials compared", stac_neuron_name(neuron), seen, n);
    free(dial), free(count);
    stac_code_clean(&code);
}

static void slopes_are_those_of_the_smooth_code(void **state) {
    (void)state;
    for (int i = 0; i < SURROGATES; i++) slopes_of(STAC_NEURON_TABLE, &surrogates[i]);
    for (int i = 0; i < SURROGATES; i++) slopes_of(STAC_NEURON_CAUSAL, &surrogates[i]);
}

static void the_same_dials_make_the_same_code(void **state) {
    (void)state;
    for (int neuron = 0; neuron < 2; neuron++) {
        struct stac_error err = {0};
        struct stac_code code = {0}, again = {0};
        design(neuron ? STAC_NEURON_CAUSAL : STAC_NEURON_TABLE, &code);
        double *dial = calloc(2 * (size_t)stac_tuning_dials(&code), sizeof *dial);
        stac_tuning_read(&code, dial, dial + stac_tuning_dials(&code));
        OK(stac_tuning_build(&code, dial, &again, &err));
        assert_int_equal(code.n_levels, again.n_levels);
        assert_same_bits(&code.unit, &again.unit, 1, "unit");
        assert_same_bits(code.levels.threshold, again.levels.threshold, code.n_levels, "thresholds");
        assert_same_bits(code.levels.emit, again.levels.emit, code.n_levels, "levels");
        stac_code_clean(&again);
        dial[2] = 0.5 * dial[1]; /* thresholds that have passed each other, and one that is negative */
        dial[1] = neuron ? dial[1] : -1;
        OK(stac_tuning_build(&code, dial, &again, &err));
        for (int k = 1; k < again.n_levels; k++) assert_true(again.levels.threshold[k] > again.levels.threshold[k - 1]);
        assert_true(again.levels.threshold[0] > 0);
        stac_code_clean(&again);
        dial[0] = -1;
        FAILS(stac_tuning_build(&code, dial, &again, &err), STAC_ERR_INPUT, "unit");
        stac_code_clean(&code);
        free(dial);
    }
}

/* With every value at its level, the loss is the pull on the integers of the levels: a mantissa that is moved makes it fall. */
static void a_mantissa_moves_as_the_pulls_promise(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_code code = {0}, other = {0};
    int by, none;
    design(STAC_NEURON_TABLE, &code);
    double *count = calloc(2 * (size_t)stac_tuning_cells(&code), sizeof *count), *pull = count + stac_tuning_cells(&code);
    struct stac_tuning_sums sums = {count, pull};
    stac_tuning_mantissa(&code, &sums, &by);
    assert_int_equal(by, 0); /* nothing pulls */
    for (int sign = -1; sign <= 1; sign += 2) {
        memset(count, 0, 2 * (size_t)stac_tuning_cells(&code) * sizeof *count);
        add_up(&code, count, pull);
        for (int i = 0; i < stac_tuning_cells(&code); i++) pull[i] *= sign;
        int mantissa = stac_tuning_mantissa(&code, &sums, &by);
        double before = 0, after = 0;
        assert_true(by * sign < 0); /* all decoded values are to fall, or to grow */
        OK(stac_tuning_reweigh(&code, mantissa, by, &other, &err));
        assert_int_equal(other.mantissa[mantissa], code.mantissa[mantissa] + by);
        assert_same_bits(code.levels.threshold, other.levels.threshold, code.n_levels, "thresholds");
        for (int i = 0; i < stac_tuning_cells(&code); i++) {
            before += pull[i] * code.levels.value[i / STAC_LEVEL_CELLS];
            after += pull[i] * other.levels.value[i / STAC_LEVEL_CELLS];
        }
        assert_true(after < before);
        stac_code_clean(&other);
    }
    FAILS(stac_tuning_reweigh(&code, 0, -code.mantissa[0], &other, &err), STAC_ERR_INPUT, "mantissa 0 is 0");
    stac_code_clean(&code);
    design(STAC_NEURON_CAUSAL, &code);
    none = stac_tuning_mantissa(&code, &sums, &by);
    assert_true(none == 0 && by == 0);
    stac_code_clean(&code);
    free(count);
}

/* ---- a block ------------------------------------------------------------------------------------------------------ */

enum { WINDOWS = 5, LENGTH = 24 };

/* Residual streams in front of block 0 and behind it. */
struct streams {
    float *entered, *left;
    size_t n; /* of a window */
};

static struct stac_lone_rows rows_of(void *ctx, int window) {
    const struct streams *s = ctx;
    return (struct stac_lone_rows){s->entered + (size_t)window * s->n, s->left + (size_t)window * s->n};
}

static void dense_streams(struct stac_calibration *c, struct streams *s) {
    struct stac_error err = {0};
    s->n = (size_t)LENGTH * (size_t)c->hp->n_embd;
    s->entered = calloc(2 * WINDOWS * s->n, sizeof *s->entered);
    s->left = s->entered + WINDOWS * s->n;
    for (int w = 0; w < WINDOWS; w++) {
        struct stac_batch batch = stac_calibration_window(c, w);
        stac_cache_reset(&c->cache, -1);
        OK(stac_run_begin(&c->run, &batch, &err));
        stac_run_embed(&c->run, s->entered + (size_t)w * s->n);
        memcpy(s->left + (size_t)w * s->n, s->entered + (size_t)w * s->n, s->n * sizeof *s->left);
        OK(stac_run_block(&c->run, 0, s->left + (size_t)w * s->n, &err));
    }
}

/* What training did to block 0, looked at from outside. Returns the step that was kept. */
static int check_training(struct stac_training *t, struct stac_calibration *c, struct stac_block *block, struct streams *s,
                          const char *name) {
    struct stac_error err = {0};
    struct stac_lone_block lone = {0};
    struct stac_lone_score score;
    const double *note = t->note;
    int best = (int)note[STAC_TRAINING_BEST];
    double spikes = 0;
    for (int i = 0; i <= t->steps; i++)
        if (!(t->loss[i] > 0 && t->loss[best] <= t->loss[i]))
            fail_msg("%s: loss %d is %g, %d was kept", name, i, t->loss[i], best);
    assert_true(note[STAC_TRAINING_LOSS_KEPT] <= t->loss[best]);
    OK(stac_lone_block_init(&lone, c, block, 0, &err));
    OK(stac_lone_block_score(&lone, WINDOWS - 1, WINDOWS, rows_of, s, &score, &err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) spikes += score.spikes[k];
    assert_same_bits(&score.error, &note[STAC_TRAINING_ERROR_KEPT], 1, "%s: error of the codes that were left", name);
    assert_same_bits(&spikes, &note[STAC_TRAINING_SPIKES_KEPT], 1, "%s: spikes of the codes that were left", name);
    printf("%-24s loss %.5g -> %.5g, step %d, %d reweighed, error %.4g -> %.4g, spikes %.4g -> %.4g\n", name, t->loss[0],
           note[STAC_TRAINING_LOSS_KEPT], best, (int)note[STAC_TRAINING_REWEIGHED], note[STAC_TRAINING_ERROR],
           note[STAC_TRAINING_ERROR_KEPT], note[STAC_TRAINING_SPIKES], note[STAC_TRAINING_SPIKES_KEPT]);
    stac_lone_block_clean(&lone);
    return best;
}

static int train_model(const char *name, enum stac_neuron_kind neuron, enum stac_surrogate_kind surrogate, int code_bits) {
    static const double price[STAC_SITE_KINDS] = {0.01, 0.02, 1e-4, 0.02, 0.01, 0.01, 0.01};
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net;
    struct streams s;
    struct stac_scheme scheme = {.neuron = neuron, .timesteps = 8, .code_bits = code_bits};
    int32_t tokens[WINDOWS * LENGTH];
    fx_open(name, &model);
    fx_load(model, &net);
    stac_model_close(model);
    fx_rewrite(&net, 1);
    fx_tokens(tokens, WINDOWS * LENGTH, net.hp.n_vocab, 31);
    struct stac_calibration c = fx_calibration(&net, tokens, WINDOWS, LENGTH);
    OK(stac_calibrate_begin(&c, &err));
    OK(stac_calibrate_means(&c, &err));
    OK(stac_calibrate_histograms(&c, &err));
    dense_streams(&c, &s);
    struct stac_plan *plan = calloc((size_t)c.stats.n_sites, sizeof *plan);
    OK(stac_plan_trial(&c.stats, &scheme, price, plan, &err));
    OK(stac_quantise_network(&net, &c.stats, plan, 8, 8, &err));
    struct stac_training t = {.steps = 6, .surrogate = {surrogate, 4}};
    OK(stac_training_init(&t, net.hp.n_layer, &err));
    OK(stac_train_codes(&t, &c, &net.block[0], 0, plan, rows_of, &s, &err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
        assert_true(stac_code_reach(&net.block[0].site[k].code) <=
                    plan[stac_site_index(&net.hp, &net.block[0].site[k])].max_integer);
    int best = check_training(&t, &c, &net.block[0], &s, name);
    stac_training_clean(&t);
    stac_calibrate_end(&c);
    stac_network_clean(&net);
    free(s.entered);
    free(plan);
    return best;
}

static void training_keeps_the_best_and_never_loses(void **state) {
    (void)state;
    int gained = 0, trained = 0;
    for (int g = 0; g < FX_GOLDEN; g++)
        for (int neuron = 0; neuron < 2; neuron++, trained++)
            gained += train_model(fx_golden[g], neuron ? STAC_NEURON_CAUSAL : STAC_NEURON_TABLE,
                                  (enum stac_surrogate_kind)(g % STAC_SURROGATE_KINDS), 16) > 0;
    if (2 * gained < trained) fail_msg("training gained for %d of %d", gained, trained);
}

/* Their plans allow no larger integers, which train_model asserts. */
static void codes_of_8_bits_are_trained(void **state) {
    (void)state;
    for (int neuron = 0; neuron < 2; neuron++)
        train_model(fx_golden[1], neuron ? STAC_NEURON_CAUSAL : STAC_NEURON_TABLE, STAC_SURROGATE_ATAN, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surrogates_are_derivatives_of_smooth_steps), cmocka_unit_test(slopes_are_those_of_the_smooth_code),
        cmocka_unit_test(the_same_dials_make_the_same_code),          cmocka_unit_test(a_mantissa_moves_as_the_pulls_promise),
        cmocka_unit_test(training_keeps_the_best_and_never_loses),    cmocka_unit_test(codes_of_8_bits_are_trained),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
