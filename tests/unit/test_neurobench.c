/* eval/neurobench, net/channels: figures of recorded layers against those of the package neurobench; spikes counted input by
 * input against the counts of sites and against trains that are played again. */
#include "fixture_networks.h"
#include "fixture_schemes.h"

#include <math.h>

#include "base/json.h"
#include "base/memory.h"
#include "eval/neurobench.h"
#include "fixture_files.h"
#include "net/product.h"
#include "store/h5_reader.h"

#define GOLDEN STAC_TEST_DATA "/golden/neurobench/"

/* ---- the package -------------------------------------------------------------------------------------------------- */

/* A layer of layers.h5: spikes of its inputs, and membranes of causal neurons. */
static void add_layer(struct stac_h5_reader *h, int index, enum stac_site_kind kind, int n_in, int n_out,
                      struct stac_neurobench *b) {
    struct stac_error err = {0};
    size_t steps = (size_t)(b->samples * b->timesteps);
    int8_t *weight = calloc((size_t)n_in, (size_t)n_out), *spikes = calloc(steps, (size_t)n_in);
    float *mean = calloc((size_t)n_in, sizeof *mean), *some = calloc((size_t)n_out, sizeof *some);
    struct stac_channels counted = {calloc((size_t)n_in, sizeof(int64_t)), 0};
    int64_t has_mean, has_bias, all = 0;
    char path[32];
    snprintf(path, sizeof path, "/%d/weight", index);
    OK(stac_h5_read(h, path, STAC_H5_I8, (size_t)n_in, (size_t)n_out, weight, &err));
    snprintf(path, sizeof path, "/%d/spikes", index);
    OK(stac_h5_read(h, path, STAC_H5_I8, steps, (size_t)n_in, spikes, &err));
    path[2] = 0;
    OK(stac_h5_get_int(h, path, "has_mean", 0, 1, &has_mean, &err));
    OK(stac_h5_get_int(h, path, "has_bias", 0, 1, &has_bias, &err));
    for (size_t k = 0; k < steps * (size_t)n_in; k++) {
        bool sent = spikes[k] != 0, first = k / (size_t)n_in % (size_t)b->timesteps == 0;
        counted.spikes[k % (size_t)n_in] += sent;
        counted.updates += first ? 1 : sent;
        all += sent;
    }
    struct stac_site site = {.kind = kind, .width = n_in, .spiking = true, .mean = has_mean ? mean : NULL};
    site.code.timesteps = (int)b->timesteps;
    site.code.neuron.kind = STAC_NEURON_CAUSAL;
    struct stac_linear l = {.n_in = n_in, .n_out = n_out, .q = weight, .scale = some, .bias = has_bias ? some : NULL};
    int64_t values = b->samples * n_in;
    stac_neurobench_layer(b, &site, &l, &counted);
    stac_neurobench_count(b, kind, &(struct stac_counts){.values = values, .spikes = all, .macs = values * n_out});
    free(weight);
    free(spikes);
    free(mean);
    free(some);
    free(counted.spikes);
}

static double number(const json_t *o, const char *key) {
    const json_t *at = json_object_get(o, key);
    if (!at) at = json_object_get(json_object_get(o, "SynapticOperations"), key);
    assert_true(json_is_number(at));
    return json_number_value(at);
}

static void figures_are_those_of_the_package(void **state) {
    static const char *const keys[] = {"Footprint",      "ConnectionSparsity", "ParameterCount", "ActivationSparsity",
                                       "Effective_MACs", "Effective_ACs",      "Dense",          "MembraneUpdates"};
    struct stac_error err = {0};
    struct stac_h5_reader h;
    struct stac_neurobench b = {0};
    json_t *expected, *written;
    const char *path = fx_path(*state, "neurobench.json");
    OK(stac_h5_open(GOLDEN "layers.h5", "stac-layers", 1, &h, &err));
    OK(stac_h5_get_int(&h, "/", "samples", 1, 1000, &b.samples, &err));
    OK(stac_h5_get_int(&h, "/", "timesteps", 1, 64, &b.timesteps, &err));
    add_layer(&h, 0, STAC_SITE_ATTN_IN, 192, 576, &b);
    add_layer(&h, 1, STAC_SITE_DOWN_IN, 768, 192, &b);
    stac_h5_close(&h);
    OK(stac_neurobench_write(&b, path, &err));
    OK(stac_json_load(GOLDEN "expected.json", 1 << 20, &expected, &err));
    OK(stac_json_load(path, 1 << 20, &written, &err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double a = number(expected, keys[i]), c = number(written, keys[i]);
        if (fabs(a - c) > 1e-12 * fabs(a)) fail_msg("%s is %.15g, and %.15g by neurobench", keys[i], c, a);
    }
    json_decref(expected);
    json_decref(written);
}

/* ---- counting ----------------------------------------------------------------------------------------------------- */

enum { LENGTH = 12 };

/* What enters the layers, spikes that a replay of it sends, and updates. */
struct replay {
    const struct stac_network *net;
    struct stac_run *run;
    struct stac_channels *channels; /* by site, as in the run */
    struct stac_word word[4096];
};

static void play(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct replay *r = ctx;
    (void)head, (void)first, (void)ld;
    if (site->kind == STAC_SITE_Q || site->kind == STAC_SITE_P) return;
    struct stac_channels *c = &r->channels[stac_run_site_index(r->run, site)];
    if (!c->spikes) c->spikes = calloc((size_t)n, sizeof *c->spikes);
    for (int i = 0; i < n_rows; i++) {
        const float *row = x + (size_t)i * n;
        stac_neuron_run(&site->code, r->run->kernels_here, n, row, site->mean, 1.0f / stac_row_scale(r->run, site, n, row),
                        r->word);
        for (int k = 0; k < n; k++) c->spikes[k] += stac_word_spikes(r->word[k]);
    }
}

/* Logits, and what was counted of each input, in a mode; `replayed` receives that of a replay. */
static float *count_in(const struct stac_network *net, enum stac_mode mode, struct fx_reader *r, struct replay *replayed) {
    struct stac_error err = {0};
    int32_t token[LENGTH];
    float *logits = calloc((size_t)LENGTH * (size_t)net->hp.n_vocab, sizeof *logits);
    fx_tokens(token, LENGTH, net->hp.n_vocab, 5);
    fx_reader_init(r, net, mode, 1, LENGTH, LENGTH);
    OK(stac_channels_begin(&r->run, &err));
    if (replayed) {
        *replayed = (struct replay){.net = net, .run = &r->run};
        replayed->channels = calloc((size_t)r->run.n_sites, sizeof *replayed->channels);
        r->run.probe = (struct stac_probe){.see = play, .ctx = replayed};
    }
    fx_read(r, 0, token, 0, LENGTH, logits);
    return logits;
}

static void replay_clean(struct replay *r, int n_sites) {
    for (int i = 0; i < n_sites; i++) free(r->channels[i].spikes);
    free(r->channels);
}

static const struct stac_site *site_at(const struct stac_network *net, int i, int n_sites) {
    return i == n_sites - 1 ? &net->head_in : &net->block[i / STAC_SITE_HEAD_IN].site[i % STAC_SITE_HEAD_IN];
}

/* Count and temporal mode count the same spikes of every input; they add up to those of the site; counting changes no bit. */
static void check_counting(const char *name, const struct stac_scheme *scheme) {
    struct fx_spiking s;
    struct fx_reader count, temporal;
    struct replay replayed;
    bool gradual = scheme->neuron == STAC_NEURON_ST_BIF;
    int32_t token[LENGTH];
    fx_spiking_make_with(&s, name, scheme, 8, 1);
    fx_tokens(token, LENGTH, s.net.hp.n_vocab, 5);
    float *plain = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, NULL);
    float *a = count_in(&s.net, STAC_MODE_COUNT, &count, gradual ? NULL : &replayed);
    float *b = count_in(&s.net, STAC_MODE_TEMPORAL, &temporal, NULL);
    assert_same_bits(plain, a, (size_t)LENGTH * s.net.hp.n_vocab, "%s: counted", name);
    assert_same_bits(plain, b, (size_t)LENGTH * s.net.hp.n_vocab, "%s: counted over time", name);
    for (int i = 0; i < count.run.n_sites; i++) {
        const struct stac_site *site = site_at(&s.net, i, count.run.n_sites);
        const struct stac_channels *c = &count.run.channels[i], *t = &temporal.run.channels[i];
        bool membranes = scheme->neuron != STAC_NEURON_TABLE && !gradual;
        int64_t values = stac_run_counts(&temporal.run, site)->values, all = 0;
        assert_true(membranes ? t->updates >= values && t->updates <= values * scheme->timesteps : t->updates == 0);
        assert_int_equal(c->updates, 0);
        if (!stac_site_linear(&s.net, site)) continue;
        assert_memory_equal(c->spikes, t->spikes, (size_t)site->width * sizeof *c->spikes);
        if (!gradual) assert_memory_equal(c->spikes, replayed.channels[i].spikes, (size_t)site->width * sizeof *c->spikes);
        for (int k = 0; k < site->width; k++) all += c->spikes[k];
        assert_int_equal(all, stac_run_counts(&count.run, site)->spikes);
        assert_true(all > 0);
    }
    if (!gradual) replay_clean(&replayed, count.run.n_sites);
    fx_reader_clean(&count);
    fx_reader_clean(&temporal);
    fx_spiking_clean(&s);
    free(plain);
    free(a);
    free(b);
}

static void spikes_of_inputs_add_up(void **state) {
    (void)state;
    for (int i = 0; i < FX_SCHEMES; i++) {
        struct stac_scheme scheme = fx_scheme(i, 8);
        if (scheme.code == STAC_CODE_INTEGER) continue;
        check_counting(i % 2 ? "gpt2-2heads" : "llama-4heads-2kv-tied", &scheme);
    }
}

/* ---- membranes ---------------------------------------------------------------------------------------------------- */

static void membranes_are_updated_as_they_change(void **state) {
    (void)state;
    struct stac_code code = {.timesteps = 4, .neuron = {.kind = STAC_NEURON_IF, .drive = 0.25f}};
    assert_int_equal(stac_neuron_updates(&code, 0.0f), 1); /* the first step counts */
    assert_int_equal(stac_neuron_updates(&code, 1.0f), 4);
    assert_int_equal(stac_neuron_updates(&code, 4.0f), 1); /* what comes in is what a spike takes */
    code.neuron.kind = STAC_NEURON_LIF;
    code.neuron.leak = 0.5f;
    assert_int_equal(stac_neuron_updates(&code, 0.0f), 1);
    assert_int_equal(stac_neuron_updates(&code, 1.0f), 4);
    code.neuron.kind = STAC_NEURON_TABLE;
    assert_int_equal(stac_neuron_updates(&code, 1.0f), 0);
    code.neuron = (struct stac_neuron){.kind = STAC_NEURON_CAUSAL, .most = 2};
    for (int t = 0; t < 4; t++) {
        code.weight[t] = 8 >> t;
        for (int n = 0; n < STAC_MAX_SPIKES; n++) code.neuron.threshold[t][n] = (float)(8 >> t);
    }
    assert_int_equal(stac_neuron_updates(&code, 8.0f), 1);  /* a spike at the first step */
    assert_int_equal(stac_neuron_updates(&code, 4.0f), 2);  /* one at the second */
    assert_int_equal(stac_neuron_updates(&code, 12.0f), 2); /* both */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(figures_are_those_of_the_package, fx_folder_make, fx_folder_remove),
        cmocka_unit_test(spikes_of_inputs_add_up),
        cmocka_unit_test(membranes_are_updated_as_they_change),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
