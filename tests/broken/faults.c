/* Deliberate faults for stac-eval-broken, which is stac-eval with some functions of the library wrapped by the linker. The
 * fault is named by the environment variable STAC_FAULT; without it nothing is broken. tests/cli/broken.sh says which check
 * must see which. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/processor.h"
#include "net/cache.h"
#include "net/sessions.h"
#include "store/snn_file.h"

static bool broken(const char *fault) {
    const char *named = getenv("STAC_FAULT");
    return named && strcmp(named, fault) == 0;
}

/* ---- positions: what is read behind other tokens is one position too far ------------------------------------------ */

int __real_stac_run_begin(struct stac_run *run, const struct stac_batch *batch, struct stac_error *err);

int __wrap_stac_run_begin(struct stac_run *run, const struct stac_batch *batch, struct stac_error *err) {
    static int32_t shifted[1 << 16];
    struct stac_batch other = *batch;
    if (!broken("positions") || batch->n > 1 << 16) return __real_stac_run_begin(run, batch, err);
    for (int i = 0; i < batch->n; i++) {
        bool behind = run->cache->length[batch->slot[i]] > 0 && batch->position[i] + 1 < run->net->hp.n_ctx;
        shifted[i] = batch->position[i] + behind;
    }
    other.position = shifted;
    return __real_stac_run_begin(run, &other, err);
}

/* ---- mask: tokens that are not there are read -------------------------------------------------------------------- */

int __real_stac_processor_forward(struct stac_processor *p, const struct stac_input *in, float *logits, struct stac_error *err);

int __wrap_stac_processor_forward(struct stac_processor *p, const struct stac_input *in, float *logits,
                                  struct stac_error *err) {
    struct stac_input other = *in;
    if (broken("mask")) other.attention_mask = NULL;
    return __real_stac_processor_forward(p, &other, logits, err);
}

/* ---- cache: all conversations look into that of the first ---------------------------------------------------------- */

size_t __real_stac_cache_offset(const struct stac_cache *c, int layer, int slot, int head);

size_t __wrap_stac_cache_offset(const struct stac_cache *c, int layer, int slot, int head) {
    return __real_stac_cache_offset(c, layer, broken("cache") ? 0 : slot, head);
}

/* ---- reset: what is forgotten stays in the cache ------------------------------------------------------------------- */

void __real_stac_sessions_reset(struct stac_sessions *s, int id);

void __wrap_stac_sessions_reset(struct stac_sessions *s, int id) {
    size_t n = id >= 0 ? s->at[id].n : 0;
    __real_stac_sessions_reset(s, id);
    if (broken("reset") && n > 0) s->at[id].n = s->at[id].read = 1, s->pipeline->run[0]->cache->length[id] = 1;
}

/* ---- time: played step by step, values are a little larger ------------------------------------------------------------ */

int64_t __real_stac_train_play(struct stac_train *t, struct stac_sent *scratch, const struct stac_code *code,
                               const struct stac_kernels *kernels, int n, const float *x, const float *mean, float inverse);

int64_t __wrap_stac_train_play(struct stac_train *t, struct stac_sent *scratch, const struct stac_code *code,
                               const struct stac_kernels *kernels, int n, const float *x, const float *mean, float inverse) {
    return __real_stac_train_play(t, scratch, code, kernels, n, x, mean, broken("time") ? 1.02f * inverse : inverse);
}

/* ---- networks ------------------------------------------------------------------------------------------------------ */

/* A product on floats: what its site sends is thrown away. */
static void bypass(struct stac_site *site, struct stac_linear *l) {
    size_t n = (size_t)l->n_in * (size_t)l->n_out;
    l->w = malloc(n * sizeof *l->w);
    for (size_t i = 0; i < n; i++) l->w[i] = (float)l->q[i] * l->scale[i % (size_t)l->n_out];
    for (int j = 0; j < l->n_out && site->mean; j++) { /* the mean is in the bias already */
        double sum = 0;
        for (int i = 0; i < l->n_in; i++) sum += (double)site->mean[i] * l->w[(size_t)i * (size_t)l->n_out + (size_t)j];
        l->bias[j] -= (float)sum;
    }
    free(site->mean);
    site->mean = NULL;
    site->spiking = false;
}

/* No value reaches a threshold. */
static void silence(struct stac_site *site) {
    struct stac_levels *l = &site->code.levels;
    for (int i = 0; i < l->n_levels; i++) ((float *)(uintptr_t)l->threshold)[i] = INFINITY;
    for (int i = 0; i < l->n_bins; i++) {
        ((uint16_t *)(uintptr_t)l->bin)[i] = 0;
        ((float *)(uintptr_t)l->edge)[i] = INFINITY;
        ((int32_t *)(uintptr_t)l->sent)[2 * i] = 0;
    }
}

int __real_stac_snn_load(struct stac_snn *snn, struct stac_part part, struct stac_network *net, struct stac_error *err);

int __wrap_stac_snn_load(struct stac_snn *snn, struct stac_part part, struct stac_network *net, struct stac_error *err) {
    int status = __real_stac_snn_load(snn, part, net, err), dead = 1 - part.first;
    if (status != STAC_OK) return status;
    for (int l = 0; l < part.last - part.first && broken("bypass"); l++) {
        struct stac_block *b = &net->block[l];
        bypass(&b->site[STAC_SITE_ATTN_IN], &b->qkv);
        bypass(&b->site[STAC_SITE_O_IN], &b->o);
        bypass(&b->site[STAC_SITE_MLP_IN], &b->up);
        bypass(&b->site[STAC_SITE_DOWN_IN], &b->down);
    }
    if (broken("dead") && dead >= 0 && dead < part.last - part.first)
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
            if (k != STAC_SITE_P) silence(&net->block[dead].site[k]);
    return STAC_OK;
}
