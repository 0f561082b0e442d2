/* net/: the counters of a run say what was done: the work beside the products, neurons, outputs and bytes, against what the
 * shape of the network demands; and a text read in pieces does the same work but for the weights that it reads again. */
#include "unit.h"

#include "fixture_networks.h"
#include "fixture_schemes.h"

enum { LENGTH = 24 };

static struct stac_counts total_of(const struct stac_network *net, const struct stac_counts *counts) {
    struct stac_counts sum = {0};
    for (int i = 0; i < stac_site_count(&net->hp); i++) stac_counts_add(&sum, &counts[i]);
    return sum;
}

/* Counts of a text that is read in pieces of n tokens, head included. */
static struct stac_counts *read_by(const struct stac_network *net, enum stac_mode mode, int n) {
    struct fx_reader r;
    int32_t token[LENGTH];
    struct stac_counts *counts = calloc((size_t)stac_site_count(&net->hp), sizeof *counts);
    float *logits = calloc((size_t)LENGTH * (size_t)net->hp.n_vocab, sizeof *logits);
    fx_tokens(token, LENGTH, net->hp.n_vocab, 1);
    fx_reader_init(&r, net, mode, 1, LENGTH, LENGTH);
    for (int at = 0; at < LENGTH; at += n) fx_read(&r, 0, token + at, at, n, logits);
    memcpy(counts, r.run.counts, (size_t)stac_site_count(&net->hp) * sizeof *counts);
    fx_reader_clean(&r);
    free(logits);
    return counts;
}

static int64_t weights_of(const struct stac_hparams *hp) {
    int64_t d = hp->n_embd, q = stac_q_width(hp), kv = stac_kv_width(hp);
    return hp->n_layer * (d * (q + 2 * kv) + q * d + (hp->gated ? 3 : 2) * d * hp->n_ff) + d * hp->n_vocab;
}

/* Work that is the same for a dense and a spiking network of a shape. */
static void check_rest(const struct stac_hparams *hp, const struct stac_counts *c, const char *name) {
    int64_t rows = LENGTH, layers = hp->n_layer, d = hp->n_embd, pairs = rows * (rows + 1) / 2;
    int64_t turned = hp->rope_theta > 0 ? rows * layers * (stac_q_width(hp) + stac_kv_width(hp)) : 0;
    bool right = c->rest[STAC_REST_NORM] == rows * d * (2 * layers + 1) &&
                 c->rest[STAC_REST_RESIDUAL] == rows * d * 2 * layers &&
                 c->rest[STAC_REST_SOFTMAX] == pairs * hp->n_head * layers &&
                 c->rest[STAC_REST_ACTIVATION] == rows * hp->n_ff * layers &&
                 c->rest[STAC_REST_GATE] == (hp->gated ? rows * hp->n_ff * layers : 0) && c->rest[STAC_REST_ROPE] == turned &&
                 c->rest[STAC_REST_EMBEDDING] == rows * d * (hp->learned_positions ? 2 : 1);
    if (!right) fail_msg("%s: work beside the products is not that of its shape", name);
}

static void a_dense_run_counts_what_its_shape_demands(void **state) {
    (void)state;
    for (int m = 0; m < FX_GOLDEN; m++) {
        struct stac_model *model;
        struct stac_network net;
        fx_open(fx_golden[m], &model);
        fx_load(model, &net);
        const struct stac_hparams *hp = &net.hp;
        for (int n = LENGTH; n >= 1; n /= 4) { /* 24, 6, 1 */
            struct stac_counts *counts = read_by(&net, STAC_MODE_DENSE, n), c = total_of(&net, counts);
            int64_t batches = LENGTH / n, keys = 0, kv = stac_kv_width(hp);
            check_rest(hp, &c, fx_golden[m]);
            for (int64_t b = 1; b <= batches; b++) keys += b * n; /* visible to the last row of each batch */
            int64_t cache = 2 * keys * stac_q_width(hp) * hp->n_layer;
            assert_true(c.streamed == 4 * (batches * weights_of(hp) + cache) && c.fetched == c.streamed);
            assert_true(c.stored == (int64_t)LENGTH * hp->n_layer * 2 * kv * 4);
            assert_true(c.rest[STAC_REST_ROOT] == (int64_t)LENGTH * (2 * hp->n_layer + 1 + hp->n_layer * hp->n_head));
            for (int k = 0; k < stac_site_count(hp); k++) assert_true(counts[k].outputs > 0);
            assert_true(c.updates + c.lookups + c.active + c.sums + c.shifts + c.scaled + c.touched == 0);
            assert_true(c.rest[STAC_REST_HADAMARD] + c.rest[STAC_REST_CACHE] == 0);
            free(counts);
        }
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

static void check_site(const struct stac_site *site, const struct stac_counts *c) {
    bool table = site->code.neuron.kind == STAC_NEURON_TABLE;
    assert_true(table ? c->lookups == c->values && c->updates == 0
                      : c->updates == c->values * site->code.timesteps && c->lookups == 0);
    assert_true(c->active > 0 && c->active <= c->spikes && c->active <= c->values);
    assert_true(c->fetched <= c->touched + (site->kind == STAC_SITE_Q ? 4 * c->macs : 0) && c->fetched <= c->streamed);
    assert_true(c->scaled == (site->scaling == STAC_SCALE_TOKEN ? c->values : 0) && c->outputs > 0);
    if (site->kind != STAC_SITE_Q && site->kind != STAC_SITE_P) {
        int64_t fan_out = c->macs / c->values;
        assert_true(c->touched == c->active * fan_out && c->outputs * c->values == c->macs * LENGTH);
        if (site->code.base.curve > 0) assert_true(c->sums >= c->outputs && c->shifts == 0);
    }
}

static void a_spiking_run_counts_neurons_rows_and_outputs(void **state) {
    (void)state;
    for (int i = 0; i < FX_SCHEMES; i++) {
        struct stac_scheme scheme = fx_scheme(i, 8);
        struct fx_spiking s;
        if (scheme.code == STAC_CODE_INTEGER || scheme.neuron == STAC_NEURON_ST_BIF) continue;
        fx_spiking_make_with(&s, "llama-4heads-2kv-tied", &scheme, 8, 0.3);
        int n_sites = stac_site_count(&s.net.hp);
        struct stac_counts *whole = read_by(&s.net, STAC_MODE_COUNT, LENGTH), *single = read_by(&s.net, STAC_MODE_COUNT, 1);
        struct stac_counts c = total_of(&s.net, whole), one = total_of(&s.net, single);
        check_rest(&s.net.hp, &c, stac_code_name(scheme.code));
        assert_true(c.rest[STAC_REST_HADAMARD] > 0 && c.rest[STAC_REST_CACHE] > 0);
        for (int k = 0; k < n_sites - 1; k++)
            check_site(&s.net.block[k / STAC_SITE_HEAD_IN].site[k % STAC_SITE_HEAD_IN], &whole[k]);
        check_site(&s.net.head_in, &whole[n_sites - 1]);
        /* Token by token a machine reads a row for every active value, and all weights again in a dense one. */
        assert_true(one.streamed > c.streamed && one.fetched > c.fetched && one.fetched < one.streamed);
        one.streamed = c.streamed, one.fetched = c.fetched;
        assert_memory_equal(&one, &c, sizeof c);
        free(whole), free(single);
        fx_spiking_clean(&s);
    }
}

static void st_bif_counts_every_step(void **state) {
    (void)state;
    struct stac_scheme scheme = {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_ST_BIF, .timesteps = 6};
    struct fx_spiking s;
    fx_spiking_make_with(&s, "gpt2-2heads", &scheme, 8, 1);
    struct stac_counts *counts = read_by(&s.net, STAC_MODE_COUNT, LENGTH), c = total_of(&s.net, counts);
    const struct stac_hparams *hp = &s.net.hp;
    assert_true(c.updates == 6 * c.values && c.lookups == 0);
    assert_true(c.rest[STAC_REST_RESIDUAL] == 6 * (int64_t)LENGTH * hp->n_embd * 2 * hp->n_layer);
    const struct stac_counts *attn_in = &counts[0];
    assert_true(attn_in->active == attn_in->spikes && attn_in->streamed == 6 * (attn_in->macs / LENGTH));
    free(counts);
    fx_spiking_clean(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_run_counts_what_its_shape_demands),
        cmocka_unit_test(a_spiking_run_counts_neurons_rows_and_outputs),
        cmocka_unit_test(st_bif_counts_every_step),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
