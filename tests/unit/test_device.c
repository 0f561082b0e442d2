/* net/: a network on a device beside the processor gives the bits and the counts that it gives on the processor, whatever the
 * batch; and what a device does not do is refused. On a GPU where there is one, else on the host (tests/fakes/cuda). */
#include "unit.h"

#include <dlfcn.h>

#include "base/hash.h"
#include "fixture_networks.h"
#include "net/backward.h"
#include "net/placed.h"

enum { TOKENS = 24, SLOTS = 2, ROUNDS = 3 };

static const struct stac_device *device;

/* A text in two slots: all of the first and the beginning of the second, then the rest of it in pieces, then one by one. */
static void read_in_pieces(struct fx_reader *r, const int32_t *token, float *logits) {
    static const int begin[] = {0, 5, 6, 13, TOKENS};
    int vocab = r->run.net->hp.n_vocab;
    int32_t both[TOKENS + 5], position[TOKENS + 5], slot[TOKENS + 5];
    for (int i = 0; i < TOKENS + 5; i++) {
        slot[i] = i >= TOKENS;
        position[i] = slot[i] ? i - TOKENS : i;
        both[i] = token[position[i]];
    }
    fx_read_batch(r, &(struct stac_batch){TOKENS + 5, both, position, slot}, logits);
    for (int p = 1; p < 4; p++)
        fx_read(r, 1, token + begin[p], begin[p], begin[p + 1] - begin[p], logits + (size_t)(TOKENS + begin[p]) * vocab);
}

/* A network here and there; `streams`: there its blocks are brought one at a time. */
static void compare(const struct stac_network *here, enum stac_mode mode, bool streams, const char *name) {
    struct stac_error err = {0};
    struct stac_network there;
    struct fx_reader reader[2];
    float *logits[2];
    int32_t token[TOKENS];
    size_t n = (size_t)2 * TOKENS * (size_t)here->hp.n_vocab;
    fx_tokens(token, TOKENS, here->hp.n_vocab, 5);
    OK(stac_network_place(here, device, streams, &there, &err));
    for (int d = 0; d < 2; d++) {
        logits[d] = calloc(n, sizeof *logits[d]);
        fx_reader_init(&reader[d], d ? &there : here, mode, SLOTS, TOKENS, TOKENS + 5);
        read_in_pieces(&reader[d], token, logits[d]);
    }
    assert_same_bits(logits[0], logits[1], n, "%s, mode %d", name, (int)mode);
    for (int i = 0; i < stac_site_count(&here->hp); i++) {
        const int64_t *a = (const int64_t *)&reader[0].run.counts[i], *b = (const int64_t *)&reader[1].run.counts[i];
        for (size_t f = 0; f < STAC_COUNT_FIELDS; f++)
            if (a[f] != b[f])
                fail_msg("%s, mode %d: site %d, count %zu is %lld, not %lld", name, (int)mode, i, f, (long long)b[f],
                         (long long)a[f]);
    }
    for (int d = 0; d < 2; d++) {
        fx_reader_clean(&reader[d]);
        free(logits[d]);
    }
    stac_network_clean(&there);
}

static void dense_networks_give_the_same_bits(void **state) {
    (void)state;
    for (int i = 0; i < FX_GOLDEN; i++)
        for (int to_run = 0; to_run < 2; to_run++) { /* float32; bfloat16 where all weights are */
            struct stac_error err = {0};
            struct stac_model *model;
            struct stac_network net;
            fx_open(fx_golden[i], &model);
            const struct stac_hparams *hp = stac_model_hparams(model);
            OK(stac_network_load(model, (struct stac_part){0, hp->n_layer, true, true}, to_run, &net, &err));
            for (int streams = 0; streams < 2; streams++) compare(&net, STAC_MODE_DENSE, streams, fx_golden[i]);
            stac_network_clean(&net);
            stac_model_close(model);
        }
}

static void spiking_networks_give_the_same_bits_and_counts(void **state) {
    (void)state;
    for (int i = 0; i < FX_GOLDEN; i++) {
        struct fx_spiking s;
        fx_spiking_make(&s, fx_golden[i], 16, 8);
        compare(&s.net, STAC_MODE_COUNT, false, fx_golden[i]);
        compare(&s.net, STAC_MODE_TEMPORAL, i % 2, fx_golden[i]);
        fx_spiking_clean(&s);
    }
}

/* Codes of all kinds, and so all laws of step weights. */
static void other_codes_give_the_same_bits_and_counts(void **state) {
    static const struct stac_scheme schemes[] = {
        {.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_CAUSAL, .timesteps = 16},
        {.code = STAC_CODE_PHASE, .neuron = STAC_NEURON_CAUSAL, .timesteps = 6},
        {.code = STAC_CODE_ONE_SPIKE, .neuron = STAC_NEURON_CAUSAL, .timesteps = 12},
        {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_IF, .timesteps = 16},
        {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_LIF, .timesteps = 8, .leak = 0.9},
        {.code = STAC_CODE_TERNARY, .timesteps = 8, .geometric = true},
        {.code = STAC_CODE_RATE, .timesteps = 16},
        {.code = STAC_CODE_PHASE, .timesteps = 6},
        {.code = STAC_CODE_ONE_SPIKE, .timesteps = 12},
        {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_ST_BIF, .timesteps = 6},
        {.code = STAC_CODE_INTEGER, .timesteps = 1, .activation_bits = 8}};
    (void)state;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct fx_spiking s;
        fx_spiking_make_with(&s, fx_golden[4], &schemes[i], 8, 1);
        compare(&s.net, STAC_MODE_COUNT, false, stac_code_name(schemes[i].code));
        compare(&s.net, STAC_MODE_TEMPORAL, false, stac_code_name(schemes[i].code));
        fx_spiking_clean(&s);
    }
}

/* Graphs that the fake has launched; a GPU does not tell. */
static const size_t *graphs_launched(void) {
    const char *module = getenv("STAC_CUDA_MODULE");
    void *fake = module ? dlopen(module, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    return fake ? dlsym(fake, "cuda_on_host_graphs") : NULL;
}

/* A text token by token, then batches of every size, all of it again and again: sequences of kernels come back, and there are
 * more of them than are kept. */
static void read_over_and_over(const struct stac_network *net, enum stac_mode mode, const int32_t *token, float *logits) {
    struct fx_reader r;
    size_t vocab = (size_t)net->hp.n_vocab;
    fx_reader_init(&r, net, mode, SLOTS, TOKENS, TOKENS);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < TOKENS; i++, logits += vocab) fx_read(&r, round % SLOTS, token + i, i, 1, logits);
        stac_cache_reset(&r.cache, round % SLOTS);
        for (int n = 1; n <= TOKENS; n++) {
            fx_read(&r, 0, token, 0, n, logits);
            stac_cache_reset(&r.cache, 0);
            logits += vocab * (size_t)n;
        }
    }
    fx_reader_clean(&r);
}

static void sequences_that_come_back_give_the_same_bits(void **state) {
    const size_t *graphs = graphs_launched(), rows = ROUNDS * (TOKENS + TOKENS * (TOKENS + 1) / 2);
    int32_t token[TOKENS];
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct stac_error err = {0};
        struct fx_spiking s;
        struct stac_network there;
        fx_spiking_make(&s, fx_golden[0], 8, 1);
        fx_tokens(token, TOKENS, s.net.hp.n_vocab, 7);
        size_t n = rows * (size_t)s.net.hp.n_vocab, before = graphs ? *graphs : 0;
        float *logits[2] = {calloc(n, sizeof(float)), calloc(n, sizeof(float))};
        OK(stac_network_place(&s.net, device, false, &there, &err));
        read_over_and_over(&s.net, mode ? STAC_MODE_TEMPORAL : STAC_MODE_COUNT, token, logits[0]);
        read_over_and_over(&there, mode ? STAC_MODE_TEMPORAL : STAC_MODE_COUNT, token, logits[1]);
        assert_same_bits(logits[0], logits[1], n, "mode %d", mode);
        if (graphs) assert_true(*graphs - before >= (size_t)ROUNDS * (TOKENS - 2)); /* the blocks of nearly every token */
        for (int d = 0; d < 2; d++) free(logits[d]);
        stac_network_clean(&there);
        fx_spiking_clean(&s);
    }
}

/* ---- what passes see ----------------------------------------------------------------------------------------------- */

/* Everything that a probe saw, in whatever order, and what it changes: halved, at sites of one kind. */
struct seen {
    enum stac_site_kind halved; /* STAC_SITE_KINDS: none */
    uint64_t sum;
    long rows;
};

static void look(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct seen *s = ctx;
    uint64_t sum = 0;
    for (int i = 0; i < n_rows; i++) {
        const int32_t where[] = {(int32_t)site->kind, site->layer, head, first + i, n};
        sum += stac_xxh3(x + (size_t)i * ld, (size_t)n * sizeof *x) ^ stac_xxh3(where, sizeof where);
        for (int j = 0; j < n && site->kind == s->halved; j++) x[(size_t)i * ld + j] *= 0.5f;
    }
#pragma omp critical
    {
        s->sum += sum;
        s->rows += n_rows;
    }
}

/* As in calibration: the cache is the host's, wherever the products are. */
static void reader_with_cache_here(struct fx_reader *r, const struct stac_network *here, const struct stac_network *net) {
    struct stac_error err = {0};
    OK(stac_cache_init(&r->cache, here, 1, TOKENS, &err));
    OK(stac_run_init(&r->run, net, &r->cache, STAC_MODE_DENSE, TOKENS, &err));
    OK(stac_run_activations(&r->run, &r->x, &err));
}

static void read_with_probe(const struct stac_network *here, const struct stac_network *net, struct seen *seen, float *logits) {
    struct fx_reader r;
    int32_t token[TOKENS];
    fx_tokens(token, TOKENS, here->hp.n_vocab, 5);
    reader_with_cache_here(&r, here, net);
    r.run.probe = (struct stac_probe){look, seen, seen->halved != STAC_SITE_KINDS};
    fx_read(&r, 0, token, 0, TOKENS, logits);
    fx_reader_clean(&r);
}

static void probes_see_and_change_the_same_values(void **state) {
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net, there;
    (void)state;
    fx_open(fx_golden[1], &model);
    const struct stac_hparams *hp = stac_model_hparams(model);
    size_t n = (size_t)TOKENS * (size_t)hp->n_vocab;
    float *logits[2] = {calloc(n, sizeof(float)), calloc(n, sizeof(float))};
    OK(stac_network_load(model, (struct stac_part){0, hp->n_layer, true, true}, false, &net, &err));
    uint64_t plain = 0;
    for (int k = STAC_SITE_KINDS; k >= 0; k--) {
        struct seen seen[2] = {{(enum stac_site_kind)k, 0, 0}, {(enum stac_site_kind)k, 0, 0}};
        OK(stac_network_place(&net, device, k % 2, &there, &err));
        read_with_probe(&net, &net, &seen[0], logits[0]);
        read_with_probe(&net, &there, &seen[1], logits[1]);
        stac_network_clean(&there);
        assert_same_bits(logits[0], logits[1], n, "sites of kind %d halved", k);
        assert_int_equal(seen[0].rows, seen[1].rows);
        assert_true(seen[0].sum == seen[1].sum);
        if (k == STAC_SITE_KINDS) plain = seen[0].sum;
        if (k < STAC_SITE_HEAD_IN && k != STAC_SITE_P)
            assert_true(seen[0].sum != plain); /* it made a difference to what came behind */
    }
    free(logits[0]);
    free(logits[1]);
    stac_network_clean(&net);
    stac_model_close(model);
}

static void look_back(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                      const float *gradient, int ldg) {
    struct seen *s = ctx;
    uint64_t sum = 0;
    const int32_t where[] = {(int32_t)site->kind, site->layer, head, n};
    for (int i = 0; i < n_rows; i++)
        sum += stac_xxh3(x + (size_t)i * ldx, (size_t)n * sizeof *x) ^ stac_xxh3(where, sizeof where) ^
               3 * stac_xxh3(gradient + (size_t)i * ldg, (size_t)n * sizeof *x);
#pragma omp critical
    {
        s->sum += sum;
        s->rows += n_rows;
    }
}

/* There and back; gradient[TOKENS][n_embd] with respect to what entered the first block. */
static void way_back(const struct stac_network *here, const struct stac_network *net, struct seen *seen, float *gradient) {
    struct stac_error err = {0};
    struct stac_backward b = {0};
    struct fx_reader r;
    float *there;
    int32_t token[TOKENS], index[2 * TOKENS] = {0};
    fx_tokens(token, TOKENS, here->hp.n_vocab, 6);
    for (int i = 0; i < TOKENS; i++) index[i] = i;
    reader_with_cache_here(&r, here, net);
    OK(stac_backward_init(&b, &r.run, &err));
    OK(stac_run_activations(&r.run, &there, &err));
    b.probe = (struct stac_gradient_probe){look_back, seen};
    OK(stac_backward_begin(&b, &(struct stac_batch){TOKENS, token, index, index + TOKENS}, r.x, &err));
    OK(stac_backward_head(&b, r.x, NULL, 7, 8, there, &err));
    OK(stac_backward_blocks(&b, there, &err));
    OK(stac_device_get(net->device, gradient, there, (size_t)TOKENS * (size_t)here->hp.n_embd * sizeof *gradient, &err));
    stac_device_release(net->device, there);
    stac_backward_clean(&b);
    fx_reader_clean(&r);
}

static void gradients_have_the_same_bits(void **state) {
    (void)state;
    for (int g = 1; g < FX_GOLDEN; g += 2) {
        struct stac_error err = {0};
        struct stac_model *model;
        struct stac_network net, there;
        struct seen seen[2] = {{0}};
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        fx_rewrite(&net, 1);
        size_t n = (size_t)TOKENS * (size_t)net.hp.n_embd;
        float *gradient[2] = {calloc(n, sizeof(float)), calloc(n, sizeof(float))};
        OK(stac_network_place(&net, device, g % 4 == 1, &there, &err));
        way_back(&net, &net, &seen[0], gradient[0]);
        way_back(&net, &there, &seen[1], gradient[1]);
        assert_same_bits(gradient[0], gradient[1], n, "%s, gradient", fx_golden[g]);
        assert_true(seen[0].rows > 0);
        assert_int_equal(seen[0].rows, seen[1].rows);
        assert_true(seen[0].sum == seen[1].sum);
        for (int d = 0; d < 2; d++) free(gradient[d]);
        stac_network_clean(&there);
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

/* ---- refusals ------------------------------------------------------------------------------------------------------ */

static void see_nothing(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    (void)ctx, (void)site, (void)head, (void)first, (void)n_rows, (void)n, (void)x, (void)ld;
}

static void what_runs_on_processors_only_is_refused(void **state) {
    struct stac_error err = {0};
    struct fx_spiking s;
    struct stac_network there;
    struct fx_reader r;
    int32_t zero = 0;
    (void)state;
    fx_spiking_make(&s, fx_golden[0], 16, 8);
    OK(stac_network_place(&s.net, device, false, &there, &err));
    fx_reader_init(&r, &there, STAC_MODE_COUNT, 1, 8, 8);
    r.run.probe.see = see_nothing; /* its cache is there */
    FAILS(stac_run_begin(&r.run, &(struct stac_batch){1, &zero, &zero, &zero}, &err), STAC_ERR_USAGE, "device: cpu only");
    fx_reader_clean(&r);
    stac_network_clean(&there);
    fx_spiking_clean(&s);
}

int main(void) {
    struct stac_error err = {0};
    if (stac_device_open("cuda", 0, &device, &err) != STAC_OK) {
        printf("skipped: %s\n", err.text);
        return 77;
    }
    printf("on %s\n", device->name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_networks_give_the_same_bits),
        cmocka_unit_test(spiking_networks_give_the_same_bits_and_counts),
        cmocka_unit_test(other_codes_give_the_same_bits_and_counts),
        cmocka_unit_test(sequences_that_come_back_give_the_same_bits),
        cmocka_unit_test(probes_see_and_change_the_same_values),
        cmocka_unit_test(gradients_have_the_same_bits),
        cmocka_unit_test(what_runs_on_processors_only_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
    stac_device_close(device);
    return failed;
}
