/* spike/: every code on every neuron it runs on. What a neuron sends step by step is what the table says, to the bit, at
 * random values and on both sides of every threshold; what is decoded comes near the value; theory is met. */
#include "unit.h"

#include <float.h>
#include <math.h>

#include "base/random.h"
#include "fixture_codes.h"
#include "fixture_schemes.h"
#include "spike/causal.h"
#include "spike/st_bif.h"
#include "spike/step_weights.h"
#include "spike/train.h"

enum { LARGEST = 11000 };

static struct stac_histogram *gaussian(void) {
    struct stac_histogram *h = calloc(1, sizeof *h);
    h->range = 16;
    for (int i = 0; i < STAC_BINS; i++) {
        double x = stac_histogram_centre(h, i);
        h->count[i] = (uint64_t)(1e9 * exp(-x * x / 2));
    }
    return h;
}

/* A code of a scheme for a Gaussian of variance 1. */
static struct stac_code_cost make(const struct stac_scheme *scheme, double lambda, struct stac_code *code) {
    struct stac_error err = {0};
    struct stac_histogram *h = gaussian();
    struct stac_recipe recipe;
    struct stac_code_cost cost;
    *code = (struct stac_code){0};
    OK(stac_recipe_design(scheme, h, true, lambda, LARGEST, &recipe, &cost, &err));
    OK(stac_recipe_build(&recipe, scheme->timesteps, lambda, LARGEST, code, &err));
    free(h);
    return cost;
}

static double decibels(double distortion) {
    return -10 * log10(distortion);
}

/* ---- tables and dynamics ---------------------------------------------------------------------------------------- */

/* Count mode's integer and spikes of one value, by the kernel. */
static int64_t looked_up(const struct stac_code *code, float x, int16_t *integer) {
    return stac_kernels_named("ref")->encode(&code->levels, 1, &x, NULL, 1.0f, integer);
}

static void assert_neuron_is_table(const struct stac_code *code, float x) {
    struct stac_word word;
    int16_t integer;
    int64_t spikes = looked_up(code, x, &integer);
    stac_neuron_run(code, stac_kernels_best(), 1, &x, NULL, 1.0f, &word);
    if (stac_code_value(code, word) != integer || stac_word_spikes(word) != spikes || (word.plus & word.minus))
        fail_msg("%s on %s, T = %d, x = %.9g: %d in %d spikes, not %d in %d", stac_code_name(code->kind),
                 stac_neuron_name(code->neuron.kind), code->timesteps, (double)x, stac_code_value(code, word),
                 stac_word_spikes(word), integer, (int)spikes);
}

static void neurons_send_what_their_tables_say(void **state) {
    (void)state;
    static const int timesteps[] = {1, 2, 7, 16, 33, 64};
    struct stac_random r = stac_random_seeded(17, 0);
    int compared = 0;
    for (int i = 0; i < FX_SCHEMES; i++)
        for (size_t t = 0; t < sizeof timesteps / sizeof *timesteps; t++) {
            struct stac_scheme scheme = fx_scheme(i, timesteps[t]);
            struct stac_code code;
            if (!fx_scheme_has_words(&scheme)) continue;
            make(&scheme, 0.004, &code);
            for (int k = 0; k < code.n_levels - 1; k++, compared++) { /* the last value below, and the first above */
                float edge = code.levels.threshold[k];
                assert_neuron_is_table(&code, edge);
                assert_neuron_is_table(&code, nextafterf(edge, 0));
                assert_neuron_is_table(&code, -edge);
                assert_neuron_is_table(&code, nextafterf(edge, FLT_MAX));
            }
            for (int k = 0; k < 4000; k++)
                assert_neuron_is_table(&code, (float)stac_random_normal(&r) * (k % 10 ? 1.0f : 30.0f) / code.unit);
            const float odd[] = {0, -0.0f, 1e-40f, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN};
            for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) assert_neuron_is_table(&code, odd[k]);
            stac_code_clean(&code);
        }
    assert_true(compared > 5000);
}

/* Played over time into weights: the integer product of the codes. */
static void trains_of_every_code_equal_the_collapsed_product(void **state) {
    (void)state;
    enum { IN = 90, OUT = 530 };
    struct stac_error err = {0};
    struct stac_random r = stac_random_seeded(19, 0);
    static int16_t scratch[STAC_TRAIN_SCRATCH];
    static int32_t y[OUT], want[OUT];
    static int8_t w[IN * OUT];
    struct stac_train train;
    struct stac_sent sent;
    OK(stac_train_init(&train, IN, STAC_MAX_TIMESTEPS, &err));
    OK(stac_sent_init(&sent, IN, &err));
    for (int i = 0; i < IN * OUT; i++) w[i] = (int8_t)((int)(stac_random_u64(&r) % 255) - 127);
    for (int i = 0; i < FX_SCHEMES; i++) {
        struct stac_scheme scheme = fx_scheme(i, 16);
        const struct stac_kernels *k = stac_kernels_best();
        struct stac_code code;
        float x[IN], mean[IN];
        int16_t integer[IN];
        int64_t sum = 0;
        if (!fx_scheme_has_words(&scheme)) continue;
        make(&scheme, 0.004, &code);
        for (int j = 0; j < IN; j++) x[j] = (float)stac_random_normal(&r), mean[j] = (float)stac_random_normal(&r) * 0.1f;
        int64_t spikes = k->encode(&code.levels, IN, x, mean, 1.0f / code.unit, integer);
        assert_true(stac_train_play(&train, &sent, &code, k, IN, x, mean, 1.0f / code.unit) == spikes && spikes > 0);
        struct stac_steps steps = stac_code_steps(&code);
        stac_train_drive(&train, &steps, k, OUT, w, OUT, scratch, y);
        k->gemm_i16i8(1, OUT, IN, integer, IN, w, OUT, want, OUT);
        assert_memory_equal(y, want, sizeof y);
        for (int j = 0; j < IN; j++) sum += integer[j];
        assert_true(stac_train_sum(&train, &steps) == sum);
        stac_code_clean(&code);
    }
    stac_train_clean(&train);
    stac_sent_clean(&sent);
}

/* ---- decoding ----------------------------------------------------------------------------------------------------- */

/* dB on a Gaussian, and no more spikes than so many. Rate and integer codes are uniform quantisers of 2 n + 1 levels: Max,
 * "Quantizing for minimum distortion", 1960, has 19.38 dB for 16 levels, 24.57 for 32, 40.34 for 256, and 6 dB for twice as
 * many, so 31 levels (T = 15) must come out just below 24.57, 17 (T = 8) just above 19.38, 15 (4 bits) below it. Phase code at
 * T = 8 is a uniform quantiser of 511 levels or a finer one with a smaller base. One spike and LIF have steps that grow. */
static void codes_come_as_near_as_theory_says(void **state) {
    (void)state;
    static const struct {
        int code, neuron, timesteps, bits;
        double db, most_db, spikes;
    } rows[] = {
        {STAC_CODE_RATE, STAC_NEURON_TABLE, 15, 0, 24.0, 24.57, 4.5},
        {STAC_CODE_RATE, STAC_NEURON_IF, 15, 0, 24.0, 24.57, 4.5},
        {STAC_CODE_RATE, STAC_NEURON_ST_BIF, 15, 0, 24.0, 24.57, 4.5},
        {STAC_CODE_RATE, STAC_NEURON_TABLE, 8, 0, 19.38, 20.2, 3},
        {STAC_CODE_RATE, STAC_NEURON_LIF, 16, 0, 15, 24, 6},
        {STAC_CODE_INTEGER, STAC_NEURON_TABLE, 1, 4, 18.5, 19.38, 0},
        {STAC_CODE_INTEGER, STAC_NEURON_TABLE, 1, 8, 40.0, 40.4, 0},
        {STAC_CODE_PHASE, STAC_NEURON_TABLE, 8, 0, 40, 47, 4.2},
        {STAC_CODE_PHASE, STAC_NEURON_CAUSAL, 8, 0, 40, 47, 4.2},
        {STAC_CODE_ONE_SPIKE, STAC_NEURON_CAUSAL, 16, 0, 18, 27, 1},
        {STAC_CODE_ONE_SPIKE, STAC_NEURON_TABLE, 32, 0, 24, 32, 1},
    };
    struct stac_random r = stac_random_seeded(23, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stac_scheme scheme = {.code = (enum stac_code_kind)rows[i].code,
                                     .neuron = (enum stac_neuron_kind)rows[i].neuron,
                                     .timesteps = rows[i].timesteps,
                                     .activation_bits = rows[i].bits,
                                     .leak = 0.9};
        struct stac_code code;
        struct stac_code_cost cost = make(&scheme, 0, &code);
        double sum = 0, spikes = 0;
        enum { N = 200000 };
        for (int k = 0; k < N; k++) {
            float x = (float)stac_random_normal(&r);
            int16_t integer;
            spikes += (double)looked_up(&code, x / code.unit, &integer);
            sum += pow((double)x - (double)integer * (double)code.unit, 2);
        }
        double db = decibels(sum / N);
        if (!(db > rows[i].db && db < rows[i].most_db) || spikes / N > rows[i].spikes)
            fail_msg("%s on %s, T = %d: %.2f dB in %.3f spikes", stac_code_name(code.kind), stac_neuron_name(code.neuron.kind),
                     rows[i].timesteps, db, spikes / N);
        if (!(fabs(db - decibels(cost.distortion)) <
              (db < 35 ? 0.15 : 0.5))) /* as the search expected; far out, values are rare */
            fail_msg("%s, T = %d: %.2f dB instead of %.2f", stac_code_name(code.kind), rows[i].timesteps, db,
                     decibels(cost.distortion));
        assert_true(fabs(spikes / N - cost.spikes) < 0.02 * (1 + cost.spikes));
        stac_code_clean(&code);
    }
}

/* IF with soft reset is the quantiser of QCFS; its thresholds lie where a sum of floats puts them. */
static void integrate_and_fire_counts_as_qcfs_says(void **state) {
    (void)state;
    struct stac_random r = stac_random_seeded(29, 0);
    for (int T = 1; T <= 64; T += 7) {
        struct stac_scheme scheme = {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_IF, .timesteps = T};
        struct stac_code code;
        make(&scheme, 0, &code);
        assert_int_equal(code.n_levels, T + 1);
        for (int k = 0; k < T; k++) assert_true(fabs((double)code.levels.threshold[k] - (k + 0.5)) < 1e-5 * (k + 1) * T);
        for (int k = 0; k < 3000; k++) {
            float x = (float)stac_random_uniform(&r) * 1.5f * (float)T;
            double want = fmin(floor((double)x + 0.5), T);
            if (fabs((double)x + 0.5 - rint((double)x + 0.5)) < 1e-3) continue; /* too near to a threshold to tell */
            assert_int_equal(stac_word_spikes(stac_neuron_word(&code, x)), (int)want);
        }
        stac_code_clean(&code);
    }
}

/* At T = 16 the causal neuron needs at most a tenth of a spike more than the table for the same error. */
static void causal_thresholds_are_close_behind_the_table(void **state) {
    (void)state;
    static const double price[] = {.04, .02, .01, .006, .004, .003, .002, .0015, .001, .0007, .0005, .00035};
    enum { N = sizeof price / sizeof *price };
    double db[N], spikes[N];
    for (int i = 0; i < N; i++) {
        struct stac_code code;
        struct stac_code_cost cost =
            make(&(struct stac_scheme){.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_TABLE, .timesteps = 16}, price[i],
                 &code);
        db[i] = decibels(cost.distortion), spikes[i] = cost.spikes;
        stac_code_clean(&code);
    }
    int compared = 0;
    for (int i = 0; i < N; i++) {
        struct stac_code code;
        struct stac_code_cost cost =
            make(&(struct stac_scheme){.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_CAUSAL, .timesteps = 16}, price[i],
                 &code);
        double mine = decibels(cost.distortion);
        struct stac_histogram *h = gaussian();
        struct stac_code_cost again = fx_code_cost(&code, h); /* of the table that was derived from the neuron */
        assert_true(fabs(again.distortion - cost.distortion) < 2e-3 * cost.distortion &&
                    fabs(again.spikes - cost.spikes) < 2e-3);
        for (int k = 0; k + 1 < N; k++) { /* the table's spikes at this error, between two of its prices */
            if (mine < db[k] || mine > db[k + 1] || spikes[k + 1] > 1.3) continue; /* words of two spikes become usual */
            double table = spikes[k] + (spikes[k + 1] - spikes[k]) * (mine - db[k]) / (db[k + 1] - db[k]);
            if (cost.spikes > table + 0.1) fail_msg("%.2f dB: causal %.3f, table %.3f spikes", mine, cost.spikes, table);
            compared++;
        }
        free(h);
        stac_code_clean(&code);
    }
    assert_true(compared >= 6);
}

/* ---- ST-BIF+ ------------------------------------------------------------------------------------------------------ */

/* While its input stands still, the sum walks to what rounding would give at once, and stays. */
static void bistable_neurons_come_to_rest_at_the_rounded_value(void **state) {
    (void)state;
    enum { N = 3000 };
    struct stac_random r = stac_random_seeded(31, 0);
    static float x[N];
    static int16_t sum[N], want[N];
    static int8_t step[N];
    struct stac_code code;
    make(&(struct stac_scheme){.code = STAC_CODE_RATE, .neuron = STAC_NEURON_ST_BIF, .timesteps = 16, .levels = 9}, 0, &code);
    for (int round = 0; round < 3; round++) { /* from nothing, then from what came before: it takes spikes back */
        for (int i = 0; i < N; i++) x[i] = (float)stac_random_normal(&r) * 5 * code.unit;
        for (int i = 0; i < 41; i++) x[i] = ((float)i * 0.5f - 10) * code.unit; /* ties */
        x[41] = INFINITY, x[42] = -INFINITY;
        int64_t last = 1, t = 0;
        for (; last > 0 && t < 100; t++) last = stac_st_bif_step(&code, N, x, NULL, 1.0f / code.unit, sum, step);
        assert_true(t <= 9 * (round ? 2 : 1) + 1);
        stac_kernels_best()->encode(&code.levels, N, x, NULL, 1.0f / code.unit, want);
        assert_memory_equal(sum, want, sizeof sum);
    }
    float nan = NAN;
    assert_int_equal(stac_st_bif_step(&code, 1, &nan, NULL, 1.0f, sum, step), 0);
    stac_code_clean(&code);
}

/* ---- what goes together ------------------------------------------------------------------------------------------- */

static void pairs_that_make_no_sense_are_refused(void **state) {
    (void)state;
    int accepted = 0;
    for (int code = 0; code < STAC_CODE_KINDS; code++)
        for (int neuron = 0; neuron < STAC_NEURON_KINDS; neuron++) {
            struct stac_error err = {0};
            struct stac_scheme s = {.code = (enum stac_code_kind)code,
                                    .neuron = (enum stac_neuron_kind)neuron,
                                    .timesteps = 16};
            if (stac_scheme_check(&s, &err) == STAC_OK)
                accepted++;
            else
                assert_true(err.status == STAC_ERR_USAGE && strstr(err.text, "does not run on the neuron") &&
                            !strchr(err.text, '\n'));
        }
    assert_int_equal(accepted, 11);
    static const struct {
        struct stac_scheme scheme;
        const char *part;
    } cases[] = {
        {{.code = STAC_CODE_INTEGER, .neuron = STAC_NEURON_IF, .timesteps = 8}, "integer does not run on the neuron if"},
        {{.code = STAC_CODE_RATE, .neuron = STAC_NEURON_CAUSAL, .timesteps = 8}, "it runs on table, if, lif, st_bif"},
        {{.code = STAC_CODE_RATE, .neuron = STAC_NEURON_TABLE, .timesteps = 8, .levels = 9},
         "9 levels need as many time steps"},
        {{.code = STAC_CODE_RATE, .neuron = STAC_NEURON_IF, .timesteps = 8, .levels = 4}, "levels is for the code rate"},
        {{.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_TABLE, .timesteps = 8, .levels = 4}, "levels is for the code rate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_error err = {0};
        FAILS(stac_scheme_check(&cases[i].scheme, &err), STAC_ERR_USAGE, cases[i].part);
    }
}

static void codes_that_overflow_are_refused(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_histogram *h = gaussian();
    struct stac_recipe recipe;
    struct stac_code_cost cost;
    struct stac_scheme integer = {.code = STAC_CODE_INTEGER, .timesteps = 16, .activation_bits = 10};
    FAILS(stac_recipe_design(&integer, h, true, 0, 510, &recipe, &cost, &err), STAC_ERR_USAGE, "no integer code");
    OK(stac_recipe_design(&integer, h, true, 0, 511, &recipe, &cost, &err));
    struct stac_scheme phase = {.code = STAC_CODE_PHASE, .timesteps = 64};
    FAILS(stac_recipe_design(&phase, h, true, 0, 200, &recipe, &cost, &err), STAC_ERR_USAGE, "no phase code of 64 time steps");
    free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neurons_send_what_their_tables_say),
        cmocka_unit_test(trains_of_every_code_equal_the_collapsed_product),
        cmocka_unit_test(codes_come_as_near_as_theory_says),
        cmocka_unit_test(integrate_and_fire_counts_as_qcfs_says),
        cmocka_unit_test(causal_thresholds_are_close_behind_the_table),
        cmocka_unit_test(bistable_neurons_come_to_rest_at_the_rounded_value),
        cmocka_unit_test(pairs_that_make_no_sense_are_refused),
        cmocka_unit_test(codes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
