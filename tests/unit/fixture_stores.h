/* Files of spiking networks for the tests of store/: written from golden models, read back, compared. */
#ifndef STAC_TESTS_FIXTURE_STORES_H
#define STAC_TESTS_FIXTURE_STORES_H

#include "base/memory.h"
#include "fixture_files.h"
#include "fixture_networks.h"
#include "store/snn_file.h"
#include "store/snn_layout.h"

/* Write a network. */
FX_NET int fx_store(const struct fx_spiking *s, const char *path, struct stac_error *err) {
    char model_path[] = "/models/tiny", digest[] = "0123456789abcdef", job[] = "timesteps: 16\n", text[] = "random tokens";
    struct stac_origin origin = {.model_path = model_path, .model_sha256 = digest, .job = job, .calibration = text};
    int stage_begin[] = {0, s->net.hp.n_layer};
    return stac_snn_write(path, &fx_ranks, &fx_grid, stage_begin, &s->net, &s->stats, s->plan, s->timesteps, NULL, &origin, err);
}

/* Open a file and load the whole network: what every test of damaged files does. */
struct fx_stored {
    struct stac_snn snn;
    struct stac_network net;
};

FX_NET int fx_stored_open(struct fx_stored *s, const char *path, struct stac_error *err) {
    *s = (struct fx_stored){.snn = {.timesteps = 0}};
    STAC_TRY(stac_snn_open(path, &s->snn, err));
    int status = stac_snn_load(&s->snn, (struct stac_part){0, s->snn.hp.n_layer, true, true}, &s->net, err);
    if (status != STAC_OK) stac_snn_close(&s->snn);
    return status;
}

FX_NET void fx_stored_close(struct fx_stored *s) {
    stac_network_clean(&s->net);
    stac_snn_close(&s->snn);
}

/* ---- comparison ------------------------------------------------------------------------------------------------- */

/* Where two things differ first, or NULL. */
#define FX_DIFFERS(a, b, n)                                                                                                    \
    (((a) == NULL) != ((b) == NULL) || ((a) != NULL && memcmp((a), (b), (size_t)(n) * sizeof *(a)) != 0))

FX_NET const char *fx_codes_differ(const struct stac_code *a, const struct stac_code *b) {
    if (a->timesteps != b->timesteps || a->n_levels != b->n_levels) return "the size of a code";
    if (a->base.n_classes != b->base.n_classes || a->base.shift != b->base.shift) return "the base of a code";
    if (memcmp(&a->unit, &b->unit, sizeof a->unit) != 0) return "the unit of a code";
    if (a->kind != b->kind || memcmp(&a->neuron, &b->neuron, sizeof a->neuron) != 0) return "the neuron of a code";
    if (FX_DIFFERS(a->mantissa, b->mantissa, a->base.n_classes) || FX_DIFFERS(a->weight, b->weight, a->timesteps))
        return "the weights of a code";
    if (FX_DIFFERS(a->word, b->word, a->n_levels)) return "the words of a code";
    if (FX_DIFFERS(a->levels.threshold, b->levels.threshold, a->n_levels)) return "the thresholds of a code";
    if (FX_DIFFERS(a->levels.value, b->levels.value, a->n_levels) ||
        FX_DIFFERS(a->levels.spikes, b->levels.spikes, a->n_levels))
        return "the levels of a code";
    return NULL;
}

FX_NET const char *fx_sites_differ(const struct stac_site *a, const struct stac_site *b) {
    if (a->kind != b->kind || a->layer != b->layer || a->width != b->width || a->scaling != b->scaling ||
        a->spiking != b->spiking)
        return "a site";
    if (FX_DIFFERS(a->mean, b->mean, a->width)) return "means";
    return fx_codes_differ(&a->code, &b->code);
}

FX_NET const char *fx_linears_differ(const struct stac_linear *a, const struct stac_linear *b) {
    if (a->n_in != b->n_in || a->n_out != b->n_out) return "the shape of a product";
    if (FX_DIFFERS(a->q, b->q, (size_t)a->n_in * (size_t)a->n_out)) return "weights";
    if (FX_DIFFERS(a->scale, b->scale, a->n_out)) return "scales";
    if (FX_DIFFERS(a->bias, b->bias, a->n_out)) return "a bias";
    return FX_DIFFERS(a->w, b->w, (size_t)a->n_in * (size_t)a->n_out) ? "float weights" : NULL;
}

FX_NET const char *fx_blocks_differ(const struct stac_block *a, const struct stac_block *b, int kv) {
    const char *what = fx_linears_differ(&a->qkv, &b->qkv);
    if (!what) what = fx_linears_differ(&a->o, &b->o);
    if (!what) what = fx_linears_differ(&a->up, &b->up);
    if (!what) what = fx_linears_differ(&a->down, &b->down);
    for (int k = 0; k < STAC_SITE_HEAD_IN && !what; k++) what = fx_sites_differ(&a->site[k], &b->site[k]);
    if (!what && FX_DIFFERS(a->k_mean, b->k_mean, kv)) what = "means of k";
    return what ? what : FX_DIFFERS(a->v_scale, b->v_scale, kv) ? "scales of v" : NULL;
}

FX_NET const char *fx_hparams_differ(const struct stac_hparams *a, const struct stac_hparams *b) {
    size_t n;
    const struct stac_hparam_field *f = stac_hparam_fields(&n);
    for (size_t i = 0; i < n; i++) {
        size_t size = f[i].type == STAC_HP_BOOL ? sizeof(bool) : f[i].type == STAC_HP_REAL ? sizeof(double) : sizeof(int);
        if (memcmp((const char *)a + f[i].offset, (const char *)b + f[i].offset, size) != 0) return f[i].name;
    }
    if (strcmp(a->arch, b->arch) != 0) return "arch";
    return a->n_eos != b->n_eos || FX_DIFFERS(a->eos, b->eos, a->n_eos) ? "eos" : NULL;
}

FX_NET const char *fx_networks_differ(const struct stac_network *a, const struct stac_network *b) {
    const char *what = fx_hparams_differ(&a->hp, &b->hp);
    if (what) return what;
    if (a->first != b->first || a->last != b->last || a->has_head != b->has_head || a->hadamard != b->hadamard)
        return "the part";
    if (FX_DIFFERS(a->token_embd, b->token_embd, (size_t)a->hp.n_vocab * (size_t)a->hp.n_embd)) return "the embedding";
    if (FX_DIFFERS(a->position_embd, b->position_embd, (size_t)a->hp.n_ctx * (size_t)a->hp.n_embd)) return "the positions";
    for (int l = 0; l < a->last - a->first && !what; l++)
        what = fx_blocks_differ(&a->block[l], &b->block[l], stac_kv_width(&a->hp));
    if (!what) what = fx_sites_differ(&a->head_in, &b->head_in);
    return what ? what : fx_linears_differ(&a->head, &b->head);
}

FX_NET const char *fx_stored_differ(const struct fx_stored *a, const struct fx_stored *b) {
    const struct stac_origin *p = &a->snn.origin, *q = &b->snn.origin;
    if (a->snn.timesteps != b->snn.timesteps || a->snn.hadamard != b->snn.hadamard) return "the time steps";
    if (strcmp(p->model_path, q->model_path) != 0 || strcmp(p->model_sha256, q->model_sha256) != 0 ||
        strcmp(p->job, q->job) != 0 || strcmp(p->calibration, q->calibration) != 0)
        return "the origin";
    const char *what = fx_hparams_differ(&a->snn.hp, &b->snn.hp);
    return what ? what : fx_networks_differ(&a->net, &b->net);
}

#endif
