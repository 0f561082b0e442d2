/* net/: a network on a device beside the processor gives the bits and the counts that it gives on the processor, whatever the
 * batch; and what a device does not do is refused. On a GPU where there is one, else on the host (tests/fakes/cuda). */
#include "unit.h"

#include "fixture_networks.h"
#include "net/placed.h"

enum { TOKENS = 24, SLOTS = 2 };

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

static void compare(const struct stac_network *here, enum stac_mode mode, const char *name) {
    struct stac_error err = {0};
    struct stac_network there;
    struct fx_reader reader[2];
    float *logits[2];
    int32_t token[TOKENS];
    size_t n = (size_t)2 * TOKENS * (size_t)here->hp.n_vocab;
    fx_tokens(token, TOKENS, here->hp.n_vocab, 5);
    OK(stac_network_place(here, device, &there, &err));
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
            compare(&net, STAC_MODE_DENSE, fx_golden[i]);
            stac_network_clean(&net);
            stac_model_close(model);
        }
}

static void spiking_networks_give_the_same_bits_and_counts(void **state) {
    (void)state;
    for (int i = 0; i < FX_GOLDEN; i++) {
        struct fx_spiking s;
        fx_spiking_make(&s, fx_golden[i], 16, 8);
        compare(&s.net, STAC_MODE_COUNT, fx_golden[i]);
        compare(&s.net, STAC_MODE_TEMPORAL, fx_golden[i]);
        fx_spiking_clean(&s);
    }
}

/* Codes of all kinds, and so all laws of step weights. */
static void other_codes_give_the_same_bits_and_counts(void **state) {
    static const struct stac_scheme schemes[] = {{.code = STAC_CODE_TERNARY, .timesteps = 8, .geometric = true},
                                                 {.code = STAC_CODE_RATE, .timesteps = 16},
                                                 {.code = STAC_CODE_PHASE, .timesteps = 6},
                                                 {.code = STAC_CODE_ONE_SPIKE, .timesteps = 12},
                                                 {.code = STAC_CODE_INTEGER, .timesteps = 1, .activation_bits = 8}};
    (void)state;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct fx_spiking s;
        fx_spiking_make_with(&s, fx_golden[4], &schemes[i], 8, 1);
        compare(&s.net, STAC_MODE_COUNT, stac_code_name(schemes[i].code));
        compare(&s.net, STAC_MODE_TEMPORAL, stac_code_name(schemes[i].code));
        fx_spiking_clean(&s);
    }
}

static void see_nothing(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    (void)ctx, (void)site, (void)head, (void)first, (void)n_rows, (void)n, (void)x, (void)ld;
}

static void what_runs_on_processors_only_is_refused(void **state) {
    struct stac_error err = {0};
    struct fx_spiking s;
    struct stac_network there;
    struct stac_cache cache;
    struct stac_run run;
    struct fx_reader r;
    int32_t zero = 0;
    (void)state;
    struct stac_scheme causal = {.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_CAUSAL, .timesteps = 16};
    fx_spiking_make_with(&s, fx_golden[0], &causal, 8, 1);
    OK(stac_network_place(&s.net, device, &there, &err));
    OK(stac_cache_init(&cache, &there, 1, 8, &err));
    FAILS(stac_run_init(&run, &there, &cache, STAC_MODE_TEMPORAL, 8, &err), STAC_ERR_USAGE, "only those that play words");
    stac_cache_clean(&cache);
    fx_reader_init(&r, &there, STAC_MODE_COUNT, 1, 8, 8);
    r.run.probe.see = see_nothing;
    err = (struct stac_error){0};
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
        cmocka_unit_test(what_runs_on_processors_only_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
    stac_device_close(device);
    return failed;
}
