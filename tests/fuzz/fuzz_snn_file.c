/* snn_model.h5 of a small network, damaged: what is accepted runs, and says the same spike by spike and counted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "h5_damage.h"
#include "harness.h"
#include "net/run.h"
#include "store/snn_file.h"

enum { TOKENS = 4 };

/* Logits of a few tokens, or false where the network refuses to run: NULL. */
static float *run(const struct stac_network *net, enum stac_mode mode) {
    struct stac_error err = {0};
    struct stac_cache cache = {0};
    struct stac_run r = {0};
    int32_t token[TOKENS], position[TOKENS], slot[TOKENS] = {0};
    float *logits = calloc((size_t)TOKENS * (size_t)net->hp.n_vocab, sizeof *logits);
    float *x = calloc((size_t)TOKENS * (size_t)net->hp.n_embd, sizeof *x);
    PROMISE(logits && x);
    for (int i = 0; i < TOKENS; i++) token[i] = i * 5 % net->hp.n_vocab, position[i] = i % net->hp.n_ctx;
    struct stac_batch batch = {TOKENS, token, position, slot};
    int status = stac_cache_init(&cache, net, 1, TOKENS, &err);
    if (status == STAC_OK) status = stac_run_init(&r, net, &cache, mode, TOKENS, &err);
    if (status == STAC_OK) status = stac_run_begin(&r, &batch, &err);
    for (int step = 0; status == STAC_OK && step < r.steps; step++) {
        stac_run_embed(&r, x);
        status = stac_run_blocks(&r, x, &err);
    }
    if (status == STAC_OK) status = stac_run_end(&r, &err);
    if (status == STAC_OK) status = stac_run_head(&r, 0, TOKENS, x, logits, &err);
    bool ran = fuzz_accepted(status, &err);
    stac_run_clean(&r);
    stac_cache_clean(&cache);
    free(x);
    if (ran) return logits;
    free(logits);
    return NULL;
}

static void compare_modes(const struct stac_network *net) {
    float *count = run(net, STAC_MODE_COUNT), *temporal = run(net, STAC_MODE_TEMPORAL);
    PROMISE(!count == !temporal);
    for (size_t i = 0; count && i < (size_t)TOKENS * (size_t)net->hp.n_vocab; i++)
        PROMISE(memcmp(&count[i], &temporal[i], sizeof *count) == 0 || (isnan(count[i]) && isnan(temporal[i])));
    free(count);
    free(temporal);
}

static void read_design(struct stac_snn *snn) {
    struct stac_error err = {0};
    struct stac_statistics stats = {0};
    struct stac_plan *plan = calloc((size_t)stac_site_count(&snn->hp), sizeof *plan);
    PROMISE(plan != NULL);
    if (fuzz_accepted(stac_snn_read_design(snn, &stats, plan, &err), &err)) stac_statistics_clean(&stats);
    free(plan);
}

static void read_losses(const struct stac_snn *snn) {
    struct stac_error err = {0};
    double *loss;
    size_t n;
    if (!fuzz_accepted(stac_snn_read_losses(snn, 0, &loss, &n, &err), &err)) return;
    for (size_t i = 0; i < n; i++) PROMISE(loss[i] >= 0);
    free(loss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const bases[] = {"snn_table.h5", "snn_causal.h5", "snn_rate.h5", NULL};
    struct stac_error err = {0};
    struct stac_snn snn;
    struct stac_network net;
    fuzz_alone();
    if (!fuzz_accepted(stac_snn_open(fuzz_damaged(bases, data, size), &snn, &err), &err)) {
        PROMISE(size > 1);
        return 0;
    }
    PROMISE(snn.origin.job && snn.origin.model_path && snn.timesteps >= 1 && snn.timesteps <= STAC_MAX_TIMESTEPS);
    read_design(&snn);
    read_losses(&snn);
    struct stac_part part = {0, snn.hp.n_layer, true, true};
    if (fuzz_accepted(stac_snn_load(&snn, part, &net, &err), &err)) {
        compare_modes(&net);
        stac_network_clean(&net);
    } else {
        PROMISE(size > 1);
    }
    stac_snn_close(&snn);
    return 0;
}
