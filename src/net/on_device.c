#include "net/on_device.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/gradual.h"
#include "net/product.h"

enum { LOGITS_AT_ONCE = 1 << 22, /* numbers */ BEGINS_OF_ROW = 2 * STAC_MAX_TIMESTEPS + 1 };

/* ---- workspace ---------------------------------------------------------------------------------------------------- */

static size_t n_sent(const struct stac_network *net, int max_rows) {
    return (size_t)(net->last - net->first) * (size_t)max_rows * (size_t)net->hp.n_head;
}

static int head_rows(const struct stac_network *net) {
    return LOGITS_AT_ONCE / net->hp.n_vocab > 0 ? LOGITS_AT_ONCE / net->hp.n_vocab : 1;
}

/* Events that a row of any site sends at most. */
static size_t events_of_row(const struct stac_network *net) {
    size_t most = 0;
    for (int i = 0; i < stac_network_sites(net); i++) {
        const struct stac_site *site = stac_network_site(net, i);
        if (!site) continue;
        size_t events = (size_t)stac_site_inputs(&net->hp, site->kind) * (size_t)site->code.levels.most_spikes;
        most = events > most ? events : most;
    }
    return most;
}

static bool has_events(const struct stac_network *net, enum stac_mode mode) {
    return mode == STAC_MODE_TEMPORAL && stac_gradual_steps(net) == 1;
}

double stac_on_device_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows) {
    double bytes = 4.0 * max_rows * sizeof(int32_t);
    if (net->hp.rope_theta > 0) bytes += (double)capacity * net->hp.head_dim * sizeof(float);
    if (net->has_head) bytes += (double)head_rows(net) * (net->hp.n_vocab * sizeof(float) + sizeof(double) + sizeof(int32_t));
    if (has_events(net, mode))
        bytes += (double)max_rows * ((double)events_of_row(net) * sizeof(uint16_t) + BEGINS_OF_ROW * sizeof(int));
    return bytes + (stac_network_keeps_int8(net) ? (double)n_sent(net, max_rows) * sizeof(struct stac_head_sent) : 0);
}

/* Counters of all sites, and of the rows and heads of attention, lie side by side: they come back together. */
static int init_counters(struct stac_run *run, struct stac_error *err) {
    struct stac_on_device *t = &run->there;
    size_t sites = (size_t)run->n_sites, sent = run->cache->int8 ? n_sent(run->net, run->max_rows) : 0;
    size_t all = sites + (sent * sizeof *t->sent + sizeof *t->tally - 1) / sizeof *t->tally;
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->tally, all, "counters", err));
    STAC_TRY(STAC_NEW(t->tally_here, all, "counters", err));
    if (sent) t->sent = (struct stac_head_sent *)(void *)(t->tally + sites);
    return STAC_OK;
}

/* Room for the events of all rows of any site. */
static int init_events(struct stac_run *run, struct stac_error *err) {
    size_t rows = (size_t)run->max_rows;
    STAC_TRY(STAC_DEVICE_NEW(run->device, run->there.events.index, rows * events_of_row(run->net), "spikes", err));
    return STAC_DEVICE_NEW(run->device, run->there.events.begin, rows * BEGINS_OF_ROW, "spikes", err);
}

/* Rows of the widest site or of queries, keys and values; rows of what attention gives: for a cache that is the host's. */
static int init_rows_here(struct stac_run *run, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    struct stac_on_device *t = &run->there;
    size_t rows = (size_t)run->max_rows, q = (size_t)stac_q_width(hp), width = q + 2 * (size_t)stac_kv_width(hp);
    if (run->cache->device) return STAC_OK;
    if (run->mode != STAC_MODE_DENSE)
        return stac_fail(err, STAC_ERR_INTERNAL, "a spiking run on %s with its cache elsewhere", run->device->name);
    for (int k = 0; k <= STAC_SITE_HEAD_IN; k++) {
        size_t inputs = (size_t)stac_site_inputs(hp, (enum stac_site_kind)k);
        width = inputs > width ? inputs : width;
    }
    STAC_TRY(STAC_NEW(t->rows_here, rows * width, "activations", err));
    return STAC_NEW(t->out_here, rows * q, "activations", err);
}

int stac_on_device_init(struct stac_run *run, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    struct stac_on_device *t = &run->there;
    STAC_TRY(init_rows_here(run, err));
    if (has_events(run->net, run->mode)) STAC_TRY(init_events(run, err));
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->index, 4 * (size_t)run->max_rows, "a batch", err));
    STAC_TRY(STAC_NEW(t->index_here, 4 * (size_t)run->max_rows, "a batch", err));
    STAC_TRY(init_counters(run, err));
    if (!run->net->has_head) return STAC_OK;
    t->head_rows = head_rows(run->net);
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->u, t->head_rows, "tokens", err));
    STAC_TRY(STAC_DEVICE_NEW(run->device, t->drawn, t->head_rows, "tokens", err));
    return STAC_DEVICE_NEW(run->device, t->logits, (size_t)t->head_rows * (size_t)hp->n_vocab, "logits", err);
}

void stac_on_device_clean(struct stac_run *run) {
    struct stac_on_device *t = &run->there;
    if (!run->device) return;
    stac_device_release(run->device, t->index);
    stac_device_release(run->device, t->cosine);
    stac_device_release(run->device, t->sine);
    stac_device_release(run->device, t->logits);
    stac_device_release(run->device, t->u);
    stac_device_release(run->device, t->drawn);
    stac_device_release(run->device, t->tally);
    stac_device_release(run->device, t->events.index);
    stac_device_release(run->device, t->events.begin);
    free(t->tally_here);
    free(t->index_here);
    free(t->rows_here);
    free(t->out_here);
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

int stac_on_device_begin(struct stac_run *run, struct stac_error *err) {
    struct stac_on_device *t = &run->there;
    const struct stac_batch *batch = &run->batch;
    size_t n = (size_t)batch->n;
    int32_t *here = t->index_here;
    if ((run->probe.see && run->cache->device) || run->channels || run->sparse)
        return stac_fail(err, STAC_ERR_USAGE,
                         "device: %s: single values are seen and counted, and products chosen by density, on device: cpu only",
                         run->device->name);
    memcpy(here, batch->token, n * sizeof *here);
    memcpy(here + n, batch->position, n * sizeof *here);
    memcpy(here + 2 * n, batch->slot, n * sizeof *here);
    for (int s = 0; s < run->n_segments; s++)
        for (int i = 0; i < run->segment[s].n; i++)
            here[3 * n + (size_t)(run->segment[s].first + i)] = run->segment[s].cached + i;
    run->token = t->index, run->position = t->index + n, run->slot = t->index + 2 * n, run->at = t->index + 3 * n;
    STAC_TRY(stac_device_put(run->device, t->index, here, 4 * n * sizeof *here, err));
    return stac_device_clear(run->device, t->tally, (size_t)run->n_sites * sizeof *t->tally, err);
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
        if (!run->gradual) continue;
        q.acs += (int64_t)(s->q_all - s->q_spikes) * seen; /* what was sent before drives the weights again */
        p.acs += (int64_t)(s->p_all - s->p_spikes) * dim;
    }
    stac_count_piece(run, &b->site[STAC_SITE_Q], seg->cached + from + n, &q);
    stac_count_piece(run, &b->site[STAC_SITE_P], seg->cached + from + n, &p);
}

static void count_attention(struct stac_run *run, int layer) {
    size_t a_layer = (size_t)run->batch.n * (size_t)run->net->hp.n_head;
    const struct stac_head_sent *all = (const struct stac_head_sent *)(const void *)(run->there.tally_here + run->n_sites);
    const struct stac_head_sent *sent = all + (size_t)layer * a_layer;
    for (int s = 0; s < run->n_segments; s++)
        for (int from = 0; from < run->segment[s].n; from += STAC_ATTENTION_ROWS) {
            int left = run->segment[s].n - from, n = left < STAC_ATTENTION_ROWS ? left : STAC_ATTENTION_ROWS;
            for (int head = 0; head < run->net->hp.n_head; head++)
                count_sent(run, &run->net->block[layer], &run->segment[s], from, n, head, sent);
        }
}

static void count_site(struct stac_run *run, const struct stac_site *site) {
    const struct stac_linear *linear = stac_site_linear(run->net, site);
    struct stac_tally tally = run->there.tally_here[stac_run_site_index(run, site)];
    if (!linear) return;
    if (run->gradual)
        stac_gradual_count(run, site, linear, tally.spikes);
    else
        stac_count_product(run, site, linear, run->batch.n, tally, false);
}

/* What the blocks sent since the tallies were cleared. */
static int count_blocks(struct stac_run *run, struct stac_error *err) {
    const struct stac_network *net = run->net;
    struct stac_on_device *t = &run->there;
    size_t bytes = (size_t)run->n_sites * sizeof *t->tally + n_sent(net, run->batch.n) * sizeof *t->sent;
    STAC_TRY(stac_device_get(run->device, t->tally_here, t->tally, bytes, err));
    for (int l = 0; l < net->last - net->first; l++) {
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) count_site(run, &net->block[l].site[k]);
        count_attention(run, l);
    }
    return STAC_OK;
}

int stac_on_device_end(struct stac_run *run, struct stac_error *err) {
    return run->there.sent && !run->gradual ? count_blocks(run, err) : stac_device_settle(run->device, err);
}

int stac_on_device_step(struct stac_run *run, struct stac_error *err) {
    STAC_TRY(count_blocks(run, err));
    if (run->net->has_head) count_site(run, &run->net->head_in);
    return stac_device_clear(run->device, run->there.tally, (size_t)run->n_sites * sizeof *run->there.tally, err);
}

static struct stac_sums sums_of(struct stac_run *run, const struct stac_site *site) {
    return (struct stac_sums){stac_gradual_sums(run, site, 0, 0), site->code.neuron.most, run->mode == STAC_MODE_TEMPORAL};
}

/* The most keys that a row of the batch sees; rounded up, so that the kernels of a token are those of the next one to the last
 * argument, and need not be launched one by one. */
static int most_keys(const struct stac_run *run) {
    enum { STEP = 64 };
    int most = 0;
    for (int s = 0; s < run->n_segments; s++) {
        int keys = run->segment[s].cached + run->segment[s].n;
        most = keys > most ? keys : most;
    }
    most = (most + STEP - 1) / STEP * STEP;
    return most < run->cache->capacity ? most : run->cache->capacity;
}

int stac_on_device_attend(struct stac_run *run, int layer, const float *qkv, float *out, struct stac_error *err) {
    const struct stac_block *b = &run->net->block[layer];
    const struct stac_hparams *hp = &run->net->hp;
    struct stac_cache *c = run->cache;
    size_t first = stac_cache_offset(c, layer, 0, 0);
    struct stac_attention a = {.m = run->batch.n,
                               .n_head = hp->n_head,
                               .n_head_kv = hp->n_head_kv,
                               .head_dim = hp->head_dim,
                               .capacity = c->capacity,
                               .most_keys = most_keys(run),
                               .slot = run->slot,
                               .at = run->at,
                               .qkv = qkv,
                               .ldq = b->qkv.n_out,
                               .out = out};
    if (c->int8) {
        a.qk = c->qk + first, a.qv = c->qv + first, a.k_scale = c->k_scale + first / (size_t)c->head_dim;
        a.k_mean = b->k_mean, a.v_scale = b->v_scale;
        a.q = stac_encoding_of(&b->site[STAC_SITE_Q]), a.p = stac_encoding_of(&b->site[STAC_SITE_P]);
        if (run->gradual)
            a.q_sums = sums_of(run, &b->site[STAC_SITE_Q]), a.p_sums = sums_of(run, &b->site[STAC_SITE_P]);
        else
            a.q_time = stac_steps_of(run, &b->site[STAC_SITE_Q]), a.p_time = stac_steps_of(run, &b->site[STAC_SITE_P]);
        a.sent = run->there.sent + (size_t)layer * (size_t)run->batch.n * (size_t)hp->n_head;
    } else {
        a.k = c->k + first, a.v = c->v + first;
    }
    if (stac_attention_bytes(&a) > STAC_ATTENTION_MOST)
        return stac_fail(err, STAC_ERR_USAGE, "device: %s: attention over %d tokens does not fit there: use device: cpu",
                         run->device->name, a.most_keys);
    run->kernels->store(&a);
    run->kernels->attend(&a);
    return STAC_OK;
}

/* Logits of rows [from, from + n) of run->normed, those from `first` on of the batch, to t->logits. */
static int multiply_head(struct stac_run *run, int first, int from, int n, struct stac_error *err) {
    const struct stac_network *net = run->net;
    struct stac_on_device *t = &run->there;
    struct stac_tally *tally = &t->tally[run->n_sites - 1], here;
    if (run->gradual) {
        stac_gradual_product(run, &net->head_in, &net->head, first + from, n, t->logits);
        return STAC_OK;
    }
    STAC_TRY(stac_device_clear(run->device, tally, sizeof *tally, err));
    STAC_TRY(
        stac_multiply(run, &net->head_in, &net->head, n, run->normed + (size_t)from * (size_t)net->hp.n_embd, t->logits, err));
    STAC_TRY(stac_device_get(run->device, &here, tally, sizeof here, err));
    if (stac_site_spikes(run, &net->head_in)) stac_count_product(run, &net->head_in, &net->head, n, here, false);
    return STAC_OK;
}

int stac_on_device_head(struct stac_run *run, int first, int n, float *logits, struct stac_error *err) {
    const struct stac_network *net = run->net;
    struct stac_on_device *t = &run->there;
    size_t vocab = (size_t)net->hp.n_vocab;
    STAC_TRY(stac_show(run, &net->head_in, n, net->hp.n_embd, run->normed, err));
    for (int from = 0; logits && from < n; from += t->head_rows) {
        int rows = n - from < t->head_rows ? n - from : t->head_rows;
        STAC_TRY(multiply_head(run, first, from, rows, err));
        STAC_TRY(
            stac_device_get(run->device, logits + (size_t)from * vocab, t->logits, (size_t)rows * vocab * sizeof *logits, err));
    }
    return STAC_OK;
}

int stac_on_device_draw(struct stac_run *run, int n, double temperature, const double *u, int32_t *token,
                        struct stac_error *err) {
    struct stac_on_device *t = &run->there;
    for (int from = 0; from < n; from += t->head_rows) {
        int rows = n - from < t->head_rows ? n - from : t->head_rows;
        STAC_TRY(multiply_head(run, 0, from, rows, err));
        STAC_TRY(stac_device_put(run->device, t->u, u + from, (size_t)rows * sizeof *u, err));
        run->kernels->draw(rows, run->net->hp.n_vocab, t->logits, temperature, t->u, t->drawn);
        STAC_TRY(stac_device_get(run->device, token + from, t->drawn, (size_t)rows * sizeof *token, err));
    }
    return STAC_OK;
}
