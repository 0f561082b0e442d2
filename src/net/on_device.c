#include "net/on_device.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/product.h"

enum { LOGITS_AT_ONCE = 1 << 22 }; /* numbers */

/* ---- workspace ---------------------------------------------------------------------------------------------------- */

static size_t n_sent(const struct stac_run *run) {
    return (size_t)(run->net->last - run->net->first) * (size_t)run->max_rows * (size_t)run->net->hp.n_head;
}

static int init_sent(struct stac_run *run, struct stac_error *err) {
    struct stac_on_device *t = &run->there;
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->tally, run->n_sites, "counters", err));
    STAC_TRY(STAC_NEW(t->tally_here, run->n_sites, "counters", err));
    if (!run->cache->int8) return STAC_OK;
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->sent, n_sent(run), "counters", err));
    return STAC_NEW(t->sent_here, n_sent(run), "counters", err);
}

int stac_on_device_init(struct stac_run *run, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    struct stac_on_device *t = &run->there;
    if (run->mode == STAC_MODE_TEMPORAL || run->steps > 1)
        return stac_fail(err, STAC_ERR_USAGE,
                         "device: %s reads text in count mode: time steps and ST-BIF+ neurons run on device: "
                         "cpu",
                         run->device->name);
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->index, 4 * (size_t)run->max_rows, "a batch", err));
    STAC_TRY(init_sent(run, err));
    if (!run->net->has_head) return STAC_OK;
    t->head_rows = LOGITS_AT_ONCE / hp->n_vocab > 0 ? LOGITS_AT_ONCE / hp->n_vocab : 1;
    return STAC_DEVICE_NEW(run->device, t->logits, (size_t)t->head_rows * (size_t)hp->n_vocab, "logits", err);
}

void stac_on_device_clean(struct stac_run *run) {
    struct stac_on_device *t = &run->there;
    if (!run->device) return;
    stac_device_release(run->device, t->index);
    stac_device_release(run->device, t->cosine);
    stac_device_release(run->device, t->sine);
    stac_device_release(run->device, t->logits);
    stac_device_release(run->device, t->tally);
    stac_device_release(run->device, t->sent);
    free(t->tally_here);
    free(t->sent_here);
}

int stac_on_device_angles(struct stac_run *run, struct stac_error *err) {
    struct stac_on_device *t = &run->there;
    size_t n = (size_t)run->n_positions * (size_t)(run->net->hp.head_dim / 2);
    stac_device_release(run->device, t->cosine);
    stac_device_release(run->device, t->sine);
    t->cosine = t->sine = NULL;
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->cosine, n, "rotary positions", err));
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->sine, n, "rotary positions", err));
    STAC_TRY(stac_device_put(run->device, t->cosine, run->cosine, n * sizeof *t->cosine, err));
    return stac_device_put(run->device, t->sine, run->sine, n * sizeof *t->sine, err);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------ */

static int put_index(struct stac_run *run, int32_t *there, const int32_t *here, const int32_t **now, struct stac_error *err) {
    *now = there;
    return stac_device_put(run->device, there, here, (size_t)run->batch.n * sizeof *here, err);
}

int stac_on_device_begin(struct stac_run *run, struct stac_error *err) {
    int32_t *index = run->there.index, *at;
    size_t rows = (size_t)run->max_rows;
    if (run->probe.see || run->channels || run->sparse)
        return stac_fail(err, STAC_ERR_USAGE,
                         "device: %s: single values are seen and counted, and products chosen by density, on "
                         "device: cpu only",
                         run->device->name);
    STAC_TRY(put_index(run, index, run->batch.token, &run->token, err));
    STAC_TRY(put_index(run, index + rows, run->batch.position, &run->position, err));
    STAC_TRY(put_index(run, index + 2 * rows, run->batch.slot, &run->slot, err));
    STAC_TRY(STAC_NEW(at, run->batch.n, "a batch", err));
    for (int s = 0; s < run->n_segments; s++)
        for (int i = 0; i < run->segment[s].n; i++) at[run->segment[s].first + i] = run->segment[s].cached + i;
    int status = put_index(run, index + 3 * rows, at, &run->at, err);
    free(at);
    STAC_TRY(status);
    return stac_device_clear(run->device, run->there.tally, (size_t)run->n_sites * sizeof *run->there.tally, err);
}

/* What a head of a piece of rows of a segment sent, at q and p. */
static void count_sent(struct stac_run *run, const struct stac_block *b, const struct stac_segment *seg, int from, int n,
                       int head, const struct stac_head_sent *sent) {
    struct stac_spiked q = {0}, p = {0};
    int dim = run->cache->head_dim;
    for (int i = from; i < from + n; i++) {
        const struct stac_head_sent *s = sent + (size_t)(seg->first + i) * (size_t)run->net->hp.n_head + head;
        int seen = seg->cached + i + 1;
        stac_spiked_add(&q, dim, s->q_spikes, s->q_active, seen, seen);
        stac_spiked_add(&p, seen, s->p_spikes, s->p_active, dim, dim);
    }
    stac_count_piece(run, &b->site[STAC_SITE_Q], seg->cached + from + n, &q, NULL);
    stac_count_piece(run, &b->site[STAC_SITE_P], seg->cached + from + n, &p, NULL);
}

static void count_attention(struct stac_run *run, int layer) {
    size_t a_layer = (size_t)run->max_rows * (size_t)run->net->hp.n_head;
    const struct stac_head_sent *sent = run->there.sent_here + (size_t)layer * a_layer;
    for (int s = 0; s < run->n_segments; s++)
        for (int from = 0; from < run->segment[s].n; from += STAC_ATTENTION_ROWS) {
            int left = run->segment[s].n - from, n = left < STAC_ATTENTION_ROWS ? left : STAC_ATTENTION_ROWS;
            for (int head = 0; head < run->net->hp.n_head; head++)
                count_sent(run, &run->net->block[layer], &run->segment[s], from, n, head, sent);
        }
}

int stac_on_device_end(struct stac_run *run, struct stac_error *err) {
    const struct stac_network *net = run->net;
    struct stac_on_device *t = &run->there;
    STAC_TRY(stac_device_settle(run->device, err));
    if (!t->sent) return STAC_OK;
    STAC_TRY(stac_device_get(run->device, t->tally_here, t->tally, (size_t)run->n_sites * sizeof *t->tally, err));
    STAC_TRY(stac_device_get(run->device, t->sent_here, t->sent, n_sent(run) * sizeof *t->sent, err));
    for (int l = 0; l < net->last - net->first; l++) {
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
            const struct stac_site *site = &net->block[l].site[k];
            const struct stac_linear *linear = stac_site_linear(net, site);
            if (linear)
                stac_count_product(run, site, linear, run->batch.n, t->tally_here[stac_run_site_index(run, site)], false);
        }
        count_attention(run, l);
    }
    return STAC_OK;
}

void stac_on_device_attend(struct stac_run *run, int layer, const float *qkv, float *out) {
    const struct stac_block *b = &run->net->block[layer];
    const struct stac_hparams *hp = &run->net->hp;
    struct stac_cache *c = run->cache;
    size_t first = stac_cache_offset(c, layer, 0, 0);
    int most = 0;
    for (int s = 0; s < run->n_segments; s++) {
        int keys = run->segment[s].cached + run->segment[s].n;
        most = keys > most ? keys : most;
    }
    struct stac_attention a = {.m = run->batch.n,
                               .n_head = hp->n_head,
                               .n_head_kv = hp->n_head_kv,
                               .head_dim = hp->head_dim,
                               .capacity = c->capacity,
                               .most_keys = most,
                               .slot = run->slot,
                               .at = run->at,
                               .qkv = qkv,
                               .ldq = b->qkv.n_out,
                               .out = out};
    if (c->int8) {
        a.qk = c->qk + first, a.qv = c->qv + first, a.k_scale = c->k_scale + first / (size_t)c->head_dim;
        a.k_mean = b->k_mean, a.v_scale = b->v_scale;
        a.q = stac_encoding_of(&b->site[STAC_SITE_Q]), a.p = stac_encoding_of(&b->site[STAC_SITE_P]);
        a.sent = run->there.sent + (size_t)layer * (size_t)run->max_rows * (size_t)hp->n_head;
    } else {
        a.k = c->k + first, a.v = c->v + first;
    }
    run->kernels->store(&a);
    run->kernels->attend(&a);
}

int stac_on_device_head(struct stac_run *run, int n, float *logits, struct stac_error *err) {
    const struct stac_network *net = run->net;
    struct stac_on_device *t = &run->there;
    struct stac_tally *tally = &t->tally[run->n_sites - 1], here;
    bool spikes = stac_site_spikes(run, &net->head_in);
    size_t vocab = (size_t)net->hp.n_vocab;
    for (int from = 0; from < n; from += t->head_rows) {
        int rows = n - from < t->head_rows ? n - from : t->head_rows;
        STAC_TRY(stac_device_clear(run->device, tally, sizeof *tally, err));
        STAC_TRY(stac_product(run, &net->head_in, &net->head, rows, run->normed + (size_t)from * (size_t)net->hp.n_embd,
                              t->logits, err));
        STAC_TRY(
            stac_device_get(run->device, logits + (size_t)from * vocab, t->logits, (size_t)rows * vocab * sizeof *logits, err));
        STAC_TRY(stac_device_get(run->device, &here, tally, sizeof here, err));
        if (spikes) stac_count_product(run, &net->head_in, &net->head, rows, here, false);
    }
    return STAC_OK;
}
