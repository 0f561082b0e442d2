/* net/ with every code and neuron: time step by step gives the bits and counts of the collapsed computation on whole models;
 * a network of ST-BIF+ neurons becomes its quantised ANN, to the bit, once time is long enough, and not before. */
#include "unit.h"

#include <omp.h>

#include "fixture_networks.h"
#include "fixture_schemes.h"

enum { LENGTH = 24 };
static const char *const models[] = {"gpt2-2heads", "llama-4heads-2kv-tied"};

static void totals(const struct stac_network *net, const struct stac_counts *counts, struct stac_counts *sum) {
    *sum = (struct stac_counts){0};
    for (int i = 0; i < stac_site_count(&net->hp); i++) stac_counts_add(sum, &counts[i]);
}

static void every_code_gives_the_same_bits_in_time_and_at_once(void **state) {
    (void)state;
    static const int timesteps[] = {16, 5};
    for (size_t m = 0; m < 2; m++)
        for (int i = 0; i < FX_SCHEMES; i++) {
            struct stac_scheme scheme = fx_scheme(i, timesteps[m]);
            struct fx_spiking s;
            struct stac_counts *at_once, *in_time, sum;
            int32_t token[LENGTH];
            char what[120];
            snprintf(what, sizeof what, "%s, %s on %s, T = %d", models[m], stac_code_name(scheme.code),
                     stac_neuron_name(scheme.neuron), timesteps[m]);
            fx_spiking_make_with(&s, models[m], &scheme, 8, 0.3);
            int n = stac_site_count(&s.net.hp);
            at_once = calloc((size_t)n, sizeof *at_once), in_time = calloc((size_t)n, sizeof *in_time);
            fx_tokens(token, LENGTH, s.net.hp.n_vocab, 3);
            float *a = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, at_once);
            float *b = fx_logits(&s.net, STAC_MODE_TEMPORAL, NULL, token, LENGTH, in_time);
            float *c = fx_logits(&s.net, STAC_MODE_TEMPORAL, stac_kernels_named("ref"), token, LENGTH, NULL);
            assert_same_bits(a, b, LENGTH * s.net.hp.n_vocab, "%s", what);
            assert_same_bits(a, c, LENGTH * s.net.hp.n_vocab, "%s, ref", what);
            if (memcmp(at_once, in_time, (size_t)n * sizeof *at_once) != 0) fail_msg("%s: other counts", what);
            totals(&s.net, at_once, &sum);
            bool integer = scheme.code == STAC_CODE_INTEGER;
            assert_true(sum.macs > 0 && sum.values > 0);
            assert_true(integer ? sum.spikes == 0 && sum.acs == 0 && sum.covered == 0
                                : sum.spikes > 0 && sum.acs > 0 && sum.covered == sum.macs);
            if (scheme.neuron == STAC_NEURON_LIF) assert_true(sum.multiplies > 0);
            if (scheme.code == STAC_CODE_RATE && scheme.neuron != STAC_NEURON_LIF) assert_true(sum.multiplies == 0);
            free(a), free(b), free(c), free(at_once), free(in_time);
            fx_spiking_clean(&s);
        }
}

/* ---- ST-BIF+ ------------------------------------------------------------------------------------------------------ */

/* Calls look() on every code of a network. */
static void set_neurons(struct stac_network *net, enum stac_neuron_kind kind) {
    for (int l = 0; l < net->last - net->first; l++)
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) net->block[l].site[k].code.neuron.kind = kind;
    net->head_in.code.neuron.kind = kind;
}

/* Logits after so many steps. */
static float *logits_after(const struct stac_network *net, enum stac_mode mode, int steps, const int32_t *token, int n) {
    struct fx_reader r;
    float *logits = calloc((size_t)n * (size_t)net->hp.n_vocab, sizeof *logits);
    fx_reader_init(&r, net, mode, 1, n, n);
    assert_int_equal(r.run.steps, net->head_in.code.timesteps);
    r.run.steps = steps;
    fx_read(&r, 0, token, 0, n, logits);
    fx_reader_clean(&r);
    return logits;
}

static size_t different(const float *a, const float *b, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return count;
}

static void bistable_networks_become_their_quantised_ann(void **state) {
    (void)state;
    enum { STEPS = 400 };
    static const int levels[] = {3, 8, 31};
    for (size_t m = 0; m < 2; m++)
        for (size_t k = 0; k < 3; k++) {
            struct stac_scheme scheme = {.code = STAC_CODE_RATE,
                                         .neuron = STAC_NEURON_ST_BIF,
                                         .timesteps = 32,
                                         .levels = levels[k]};
            struct fx_spiking s;
            int32_t token[LENGTH];
            fx_spiking_make_with(&s, models[m], &scheme, 8, 1);
            size_t all = (size_t)LENGTH * (size_t)s.net.hp.n_vocab;
            fx_tokens(token, LENGTH, s.net.hp.n_vocab, 4);
            set_neurons(&s.net, STAC_NEURON_TABLE); /* the same codes, every value rounded at once */
            float *quantised = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, NULL);
            set_neurons(&s.net, STAC_NEURON_ST_BIF);
            float *few = logits_after(&s.net, STAC_MODE_COUNT, 2, token, LENGTH);
            float *more = logits_after(&s.net, STAC_MODE_COUNT, 32, token, LENGTH);
            float *many = logits_after(&s.net, STAC_MODE_COUNT, STEPS, token, LENGTH);
            float *in_time = logits_after(&s.net, STAC_MODE_TEMPORAL, STEPS, token, LENGTH);
            assert_same_bits(quantised, many, all, "%s, %d levels", models[m], levels[k]);
            assert_same_bits(quantised, in_time, all, "%s, %d levels, in time", models[m], levels[k]);
            assert_true(different(quantised, few, all) > all / 2);
            assert_true(fx_difference(quantised, more, all) < fx_difference(quantised, few, all));
            free(quantised), free(few), free(more), free(many), free(in_time);
            fx_spiking_clean(&s);
        }
}

/* Sequences in one batch do not touch each other, and a row does not see the rows behind it. */
static void bistable_sequences_keep_apart(void **state) {
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct stac_scheme scheme = {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_ST_BIF, .timesteps = 7};
        struct fx_spiking s;
        struct fx_reader r;
        int32_t token[2 * LENGTH], position[2 * LENGTH], slot[2 * LENGTH];
        fx_spiking_make_with(&s, models[m], &scheme, 8, 1);
        size_t vocab = (size_t)s.net.hp.n_vocab;
        float *logits = calloc(2 * LENGTH * vocab, sizeof *logits);
        fx_tokens(token, 2 * LENGTH, s.net.hp.n_vocab, 5);
        for (int i = 0; i < 2 * LENGTH; i++) position[i] = i % LENGTH, slot[i] = i / LENGTH;
        fx_reader_init(&r, &s.net, STAC_MODE_TEMPORAL, 2, LENGTH, 2 * LENGTH);
        for (int round = 0; round < 2; round++) { /* nothing is left from the batch before */
            stac_cache_reset(&r.cache, -1);
            fx_read_batch(&r, &(struct stac_batch){2 * LENGTH, token, position, slot}, logits);
            for (int k = 0; k < 2; k++) {
                float *alone = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token + k * LENGTH, LENGTH, NULL);
                float *shorter = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token + k * LENGTH, LENGTH - 5, NULL);
                assert_same_bits(alone, logits + (size_t)k * LENGTH * vocab, LENGTH * vocab, "%s, sequence %d", models[m], k);
                assert_same_bits(shorter, alone, (LENGTH - 5) * vocab, "%s, shorter", models[m]);
                free(alone), free(shorter);
            }
        }
        fx_reader_clean(&r);
        free(logits);
        fx_spiking_clean(&s);
    }
}

/* Networks so small are read faster by one thread. */
static int begin(void **state) {
    omp_set_num_threads(1);
    return fx_one_rank_begin(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_gives_the_same_bits_in_time_and_at_once),
        cmocka_unit_test(bistable_networks_become_their_quantised_ann),
        cmocka_unit_test(bistable_sequences_keep_apart),
    };
    return cmocka_run_group_tests(tests, begin, fx_one_rank_end);
}
