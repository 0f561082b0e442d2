/* spike/: codes and trains. */
#include "unit.h"

#include <math.h>

#include "base/random.h"
#include "fixture_codes.h"
#include "spike/code.h"
#include "spike/integer.h"
#include "spike/step_weights.h"
#include "spike/ternary.h"
#include "spike/train.h"

static struct stac_histogram *gaussian(void) {
    struct stac_histogram *h = calloc(1, sizeof *h);
    h->range = 16;
    for (int i = 0; i < STAC_BINS; i++) {
        double x = stac_histogram_centre(h, i);
        h->count[i] = (uint64_t)(1e9 * exp(-x * x / 2));
    }
    return h;
}

/* Rate and distortion on a Gaussian, against a prototype of the recipe in numpy: dB at spikes. */
static void designs_reach_the_rates_of_the_recipe(void **state) {
    (void)state;
    static const struct {
        int timesteps;
        double lambda, db, spikes;
    } rows[] = {{8, .004, 29.75, 1.282},  {16, .01, 28.59, 0.958},  {16, .004, 31.14, 1.065}, {16, .001, 36.04, 1.326},
                {32, .004, 33.84, 0.972}, {32, .001, 37.62, 1.100}, {64, .001, 38.62, 1.062}};
    struct stac_error err = {0};
    struct stac_histogram *h = gaussian();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stac_code code = {0};
        struct stac_code_cost cost, again;
        OK(stac_ternary_design(&code, h, rows[i].timesteps, rows[i].lambda, 11000, false, &cost, &err));
        again = fx_code_cost(&code, h);
        double lambda = rows[i].lambda, prototype = pow(10, -rows[i].db / 10) + lambda * rows[i].spikes;
        if (cost.distortion + lambda * cost.spikes > 1.005 * prototype)
            fail_msg("T %d lambda %g: %.2f dB at %.3f spikes", rows[i].timesteps, lambda, -10 * log10(cost.distortion),
                     cost.spikes);
        assert_true(fabs(again.distortion - cost.distortion) < 1e-5 * cost.distortion + 1e-7);
        assert_true(fabs(again.spikes - cost.spikes) < 1e-4);
        stac_code_clean(&code);
    }
    free(h);
}

/* The table must pick, for every value, a word no worse than any other word of the code. */
static void tables_choose_the_cheapest_word(void **state) {
    (void)state;
    struct stac_error err = {0};
    const double lambda = 0.01, unit = 0.004;
    struct stac_code code = {0};
    OK(stac_ternary_build(&code, 12, (struct stac_base){.n_classes = 3, .shift = 1}, 2, unit, lambda, 4000, &err));
    for (double x = 0; x < 4; x += 0.0103) {
        int level = 0;
        while (x / unit >= code.levels.threshold[level]) level++;
        double v = unit * code.levels.value[level];
        double chosen = (x - v) * (x - v) + lambda * code.levels.spikes[level], best = x * x;
        for (int a = 0; a < 12; a++)
            for (int b = 0; b < 12; b++)
                for (int s = -1; s <= 1; s++) {
                    if (a == b && s) continue;
                    double w = unit * (code.weight[a] + s * code.weight[b]);
                    best = fmin(best, (x - w) * (x - w) + lambda * (s ? 2 : 1));
                }
        assert_true(chosen < best * (1 + 1e-5) + 1e-9);
    }
    stac_code_clean(&code);
}

/* Every set of kernels against a search through the thresholds: values in and beyond them, at every edge, and what is no
 * number. */
static void encodes_like_a_search(const struct stac_code *code) {
    enum { N = 5000 };
    static float x[N], mean[N];
    static int16_t integer[N];
    static struct stac_word word[N];
    struct stac_random r = stac_random_seeded(3, 0);
    float end = code->n_levels > 1 ? code->levels.threshold[code->n_levels - 2] * code->unit : 1, inverse = 1.0f / code->unit;
    for (int i = 0; i < N; i++) {
        x[i] = (float)stac_random_normal(&r) * end * (i % 10 ? 0.1f : 2.0f);
        mean[i] = (float)stac_random_normal(&r) * end * 0.01f;
    }
    for (int i = 0; i < code->n_levels - 1 && i < N / 2; i++) {
        x[2 * i] = code->levels.threshold[i] / inverse;
        x[2 * i + 1] = nextafterf(x[2 * i], 0);
    }
    x[N - 1] = NAN, x[N - 2] = INFINITY, x[N - 3] = -INFINITY, x[N - 4] = 1e-40f, x[N - 5] = -0.0f;
    const char *sets[] = {"ref", "avx2", "avx512"};
    for (int s = 0; s < 3; s++)
        for (int with_mean = 0; with_mean < 2; with_mean++) {
            const struct stac_kernels *k = stac_kernels_named(sets[s]);
            if (!k) continue;
            int64_t spikes = k->encode(&code->levels, N, x, with_mean ? mean : NULL, inverse, integer), want = 0;
            if (code->word) k->words(&code->levels, code->word, N, x, with_mean ? mean : NULL, inverse, word);
            for (int i = 0; i < N; i++) {
                float centred = with_mean ? x[i] - mean[i] : x[i], a = fabsf(centred) * inverse;
                int level = 0;
                while (level < code->n_levels - 1 && a >= code->levels.threshold[level]) level++;
                want += code->levels.spikes[level];
                if (code->word) assert_true((centred < 0 ? word[i].minus : word[i].plus) == code->word[level].plus);
                if (code->word) assert_true((centred < 0 ? word[i].plus : word[i].minus) == code->word[level].minus);
                assert_int_equal(integer[i], centred < 0 ? -code->levels.value[level] : code->levels.value[level]);
            }
            assert_true(spikes == want);
        }
}

static void encoding_equals_a_search_through_the_thresholds(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_code code = {0};
    OK(stac_ternary_build(&code, 16, (struct stac_base){.n_classes = 4, .shift = 1}, 2, 0.003, 0.004, 11000, &err));
    encodes_like_a_search(&code);
    stac_code_clean(&code);
    OK(stac_ternary_build(&code, 4, (struct stac_base){.n_classes = 1, .shift = 1}, 2, 0.003, 0.004, 11000, &err));
    encodes_like_a_search(&code); /* few levels */
    stac_code_clean(&code);
    OK(stac_ternary_build(&code, 32, (struct stac_base){.n_classes = 12, .shift = 1}, 3, 0.003, 1e-12, INT16_MAX, &err));
    assert_true(code.n_levels > 4096); /* more than bins */
    encodes_like_a_search(&code);
    stac_code_clean(&code);
    struct stac_level crowd[200];
    for (int i = 0; i < 200; i++)
        crowd[i] = (struct stac_level){i < 100 ? 1 + 1e-5f * i : i, (int16_t)(3 * i), (uint8_t)(i % 4), {0}};
    for (int i = 0; i < 200; i++) crowd[i].word = (struct stac_word){(uint64_t)i * 3, (uint64_t)i << 40};
    OK(stac_code_tabulate(&code, 200, crowd, true, &err)); /* many thresholds in a bin */
    code.unit = 0.5f;
    encodes_like_a_search(&code);
    stac_code_clean(&code);
    code.neuron.most = 127;
    OK(stac_integer_levels(&code, &err));
    assert_true(code.levels.rounds);
    code.unit = 0.25f;
    encodes_like_a_search(&code);
    stac_code_clean(&code);
}

/* What an output's sums go through, step by step, as the law of the step weights says. */
static struct stac_effort effort_of_law(const struct stac_code *c) {
    struct stac_effort e = {0, -1, 0}; /* what is added up first is no addition */
    const struct stac_base b = c->base;
    for (int t = 0; t < c->timesteps; t++) {
        bool ramp = b.curve > 0 && t >= b.heavy, law = b.curve > 0 || b.n_classes;
        int32_t factor = law ? c->mantissa[ramp || t >= STAC_MAX_CLASSES ? 0 : t] : c->weight[t];
        e.sums += ramp ? 1 + (c->mantissa[b.heavy + 1] > 0) : 0;
        e.shifts += !b.curve && b.n_classes && t >= b.n_classes && b.shift;
        if (ramp || (b.n_classes && t >= b.n_classes)) continue; /* goes on with an accumulator that is counted */
        e.multiplies += (factor & (factor - 1)) != 0;
        e.sums++;
    }
    for (int k = b.heavy; b.curve > 0 && k < b.heavy + 2; k++) { /* slope and bend */
        if (c->mantissa[k] == 0) continue;
        e.multiplies += (c->mantissa[k] & (c->mantissa[k] - 1)) != 0;
        e.sums++;
    }
    return e;
}

/* Played over time, spike by spike, a product is the integer product of the codes: every base, many shapes. */
static void trains_equal_the_collapsed_product(void **state) {
    enum { MOST = 3000 }; /* several bursts */
    (void)state;
    static const struct {
        int timesteps, n_classes, shift, heavy, curve, ratio, most; /* most: 0 is 14000 */
    } rows[] = {{1, 1, 1, 0, 0, 0, 0},
                {4, 1, 1, 0, 0, 0, 0},
                {8, 3, 2, 0, 0, 0, 0},
                {8, 2, 1, 0, 0, 0, 0},
                {16, 4, 1, 0, 0, 0, 0},
                {16, 3, 1, 0, 0, 0, 0},
                {32, 8, 1, 0, 0, 0, 0},
                {31, 6, 1, 0, 0, 0, 0},
                {64, 16, 1, 0, 0, 0, 0},
                {64, 12, 1, 0, 0, 0, 0},
                {2, 0, 0, 0, 20, 0, 0},
                {4, 0, 0, 2, 35, 160, 0},
                {8, 0, 0, 1, 10, 200, 0},
                {16, 0, 0, 0, 20, 0, 0},
                {16, 0, 0, 2, 20, 160, 0},
                {32, 0, 0, 1, 35, 200, 0},
                {64, 0, 0, 0, 1000, 0, 0},
                /* even ones, whose integers fit 8 bits */
                {8, 0, 0, 1, 20, 250, 127},
                {16, 0, 0, 1, 10, 150, 127},
                {32, 0, 0, 0, 20, 0, 127}};
    struct stac_error err = {0};
    struct stac_random r = stac_random_seeded(5, 0);
    static int16_t scratch[STAC_TRAIN_SCRATCH];
    static int32_t y[700], want[700];
    static int8_t w[MOST * 700];
    static float x[MOST];
    static int16_t integer[MOST];
    for (size_t c = 0; c < sizeof rows / sizeof *rows; c++) {
        struct stac_code code = {0};
        struct stac_train train;
        struct stac_sent sent;
        struct stac_base base = {rows[c].n_classes, rows[c].shift, rows[c].heavy, rows[c].curve, rows[c].ratio};
        OK(stac_ternary_build(&code, rows[c].timesteps, base, 2 + c % 2 * (rows[c].timesteps < 20), 0.01, 0.002,
                              rows[c].most ? rows[c].most : 14000, &err));
        for (int i = 0; i < code.n_levels && rows[c].most; i++) assert_true(code.levels.value[i] <= rows[c].most);
        struct stac_steps steps = stac_code_steps(&code);
        struct stac_effort one = stac_step_weights_effort(&code), by_law = effort_of_law(&code);
        assert_true(one.multiplies == by_law.multiplies && one.sums == by_law.sums && one.shifts == by_law.shifts);
        OK(stac_train_init(&train, MOST, code.levels.most_spikes, &err));
        OK(stac_sent_init(&sent, MOST, &err));
        for (int round = 0; round < 6; round++) {
            int n_in = 1 + (int)(stac_random_u64(&r) % (round ? 300 : MOST)), n_out = 1 + (int)(stac_random_u64(&r) % 700);
            for (int i = 0; i < n_in * n_out; i++) w[i] = (int8_t)((int)(stac_random_u64(&r) % 255) - 127);
            for (int i = 0; i < n_in; i++) x[i] = (float)stac_random_normal(&r) * (i % 10 ? 1.0f : 20.0f);
            const char *sets[] = {"ref", "avx2", "avx512"};
            for (int s = 0; s < 3; s++) {
                const struct stac_kernels *k = stac_kernels_named(sets[s]);
                if (!k) continue;
                int64_t spikes = k->encode(&code.levels, n_in, x, NULL, 1.0f / code.unit, integer);
                assert_true(stac_train_play(&train, &sent, &code, k, n_in, x, NULL, 1.0f / code.unit) == spikes);
                stac_train_drive(&train, &steps, k, n_out, w, n_out, scratch, y);
                k->gemm_i16i8(1, n_out, n_in, integer, n_in, w, n_out, want, n_out);
                assert_memory_equal(y, want, (size_t)n_out * sizeof *y);
            }
        }
        stac_train_clean(&train);
        stac_sent_clean(&sent);
        stac_code_clean(&code);
    }
}

static void stored_codes_come_back_or_are_refused(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_code code = {0}, again = {0};
    OK(stac_ternary_build(&code, 16, (struct stac_base){.n_classes = 4, .shift = 1}, 2, 0.01, 0.002, 11000, &err));
    OK(stac_code_restore(&again, 16, code.base, code.mantissa, code.unit, code.n_levels, code.word, code.levels.threshold,
                         &err));
    assert_memory_equal(code.weight, again.weight, sizeof code.weight);
    assert_memory_equal(code.levels.value, again.levels.value, (size_t)code.n_levels * sizeof(int16_t));
    assert_memory_equal(code.levels.threshold, again.levels.threshold, (size_t)code.n_levels * sizeof(float));
    stac_code_clean(&again);

    struct stac_word *words = malloc((size_t)code.n_levels * sizeof *words);
    float *thresholds = malloc((size_t)code.n_levels * sizeof *thresholds);
    for (int fault = 0; fault < 8; fault++) {
        memcpy(words, code.word, (size_t)code.n_levels * sizeof *words);
        memcpy(thresholds, code.levels.threshold, (size_t)code.n_levels * sizeof *thresholds);
        int timesteps = 16;
        float unit = code.unit;
        struct stac_base base = code.base;
        switch (fault) {
        case 0: words[3].plus |= UINT64_C(1) << 20; break; /* after the last step */
        case 1: words[3].minus = words[3].plus; break;
        case 2: words[0].plus = 1; break;
        case 3: words[3] = words[2]; break;
        case 4: thresholds[3] = thresholds[2]; break;
        case 5: thresholds[3] = NAN; break;
        case 6: unit = -1; break;
        case 7: base.n_classes = 0; break;
        }
        FAILS(stac_code_restore(&again, timesteps, base, code.mantissa, unit, code.n_levels, words, thresholds, &err),
              STAC_ERR_INPUT, "");
    }
    FAILS(stac_ternary_design(&again, NULL, 65, 1, 100, false, NULL, &err), STAC_ERR_USAGE, "1 to 64");
    free(words), free(thresholds);
    stac_code_clean(&code);
}

/* Thresholds of a hull may be one float: the word between them is no level. And where spikes cost next to nothing, words of
 * three spikes have thousands of levels. */
static int assert_comes_back(int timesteps, struct stac_base base, int ordinary, double lambda, int max_integer) {
    struct stac_error err = {0};
    struct stac_code code = {0}, again = {0};
    OK(stac_ternary_build(&code, timesteps, base, ordinary, 1, lambda, max_integer, &err));
    if (stac_code_restore(&again, timesteps, base, code.mantissa, 1, code.n_levels, code.word, code.levels.threshold, &err) !=
        STAC_OK)
        fail_msg("T %d, curve %d, lambda %g: %s", timesteps, base.curve, lambda, err.text);
    int levels = again.n_levels;
    assert_int_equal(levels, code.n_levels);
    stac_code_clean(&again);
    stac_code_clean(&code);
    return levels;
}

static void every_code_that_is_built_can_be_stored(void **state) {
    (void)state;
    static const int timesteps[] = {8, 16, 32}, largest[] = {127, 11000};
    int n, most = 0;
    const struct stac_base *base = stac_bases(&n);
    for (size_t t = 0; t < 3; t++)
        for (int b = 0; b < n; b++)
            for (int k = 0; k < 2; k++) {
                struct stac_code code = {.timesteps = timesteps[t]};
                if (!stac_step_weights_of_base(&code, base[b], largest[k])) continue;
                for (double lambda = 0; lambda<40; lambda += timesteps[t]> 8 ? 0.5 : 0.1)
                    assert_comes_back(timesteps[t], base[b], timesteps[t] > 8 ? 2 : 4, lambda, largest[k]);
            }
    for (int b = 0; b < n; b++) {
        struct stac_code code = {.timesteps = 32};
        if (!stac_step_weights_of_base(&code, base[b], INT16_MAX)) continue;
        int levels = assert_comes_back(32, base[b], 3, 1e-6, INT16_MAX);
        most = levels > most ? levels : most;
    }
    printf("%d levels at most\n", most);
    assert_true(most > 65 * 65);
}

static void histograms_keep_what_they_are_given(void **state) {
    (void)state;
    struct stac_histogram *h = calloc(1, sizeof *h);
    float x[] = {0, 0.5f, 1.0f, 100.0f};
    h->range = 16;
    stac_histogram_add(h, x, 4);
    assert_int_equal(h->count[0], 1);
    assert_int_equal(h->count[128], 1);
    assert_int_equal(h->count[256], 1);
    assert_int_equal(h->count[STAC_BINS - 1], 1);
    memset(h, 0, sizeof *h);
    h->logarithmic = true;
    float p[] = {1, 0.5f, 1e-30f};
    stac_histogram_add(h, p, 3);
    assert_int_equal(h->count[0], 1);
    assert_int_equal(h->count[256], 1);
    assert_int_equal(h->count[STAC_BINS - 1], 1);
    assert_true(fabs(stac_histogram_quantile(h, 1.0) - 1) < 0.01);
    free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(designs_reach_the_rates_of_the_recipe),
        cmocka_unit_test(tables_choose_the_cheapest_word),
        cmocka_unit_test(encoding_equals_a_search_through_the_thresholds),
        cmocka_unit_test(trains_equal_the_collapsed_product),
        cmocka_unit_test(stored_codes_come_back_or_are_refused),
        cmocka_unit_test(every_code_that_is_built_can_be_stored),
        cmocka_unit_test(histograms_keep_what_they_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
