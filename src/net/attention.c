#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "net/channels.h"
#include "net/gradual.h"
#include "net/on_device.h"
#include "net/product.h"
#include "spike/st_bif.h"

/* A piece of work: some rows of one segment, for one query head. */
struct piece {
    const struct stac_segment *segment;
    int layer, head;
    int from, n;  /* rows, counted within the segment */
    int n_keys;   /* visible to the last of them */
    size_t block; /* offset of the head's keys and values in the cache */
};

static int visible(const struct piece *p, int row) {
    return p->segment->cached + p->from + row + 1;
}

/* ---- dense -------------------------------------------------------------------------------------------------------- */

static void weigh_dense(struct stac_run *run, const struct piece *p, const float *q, int ldq, struct stac_lane *lane,
                        float *sum) {
    const struct stac_cache *c = run->cache;
    float scale = 1.0f / sqrtf((float)c->head_dim);
    run->kernels_here->gemm_f32(p->n, p->n_keys, c->head_dim, q, ldq, c->k + p->block, c->capacity, lane->score, c->capacity);
    for (int i = 0; i < p->n; i++) {
        float *weight = lane->weight + (size_t)i * c->capacity;
        int seen = visible(p, i);
        sum[i] = run->kernels_here->softmax_exp(seen, lane->score + (size_t)i * c->capacity, scale, weight);
        memset(weight + seen, 0, (size_t)(p->n_keys - seen) * sizeof *weight);
    }
}

/* A probe may change the weights, and with them their sums. */
static void probe_weights(struct stac_run *run, const struct piece *p, struct stac_lane *lane, float *sum) {
    const struct stac_site *site = &run->net->block[p->layer].site[STAC_SITE_P];
    int ld = run->cache->capacity;
    run->probe.see(run->probe.ctx, site, p->head, p->segment->first + p->from, p->n, p->n_keys, lane->weight, ld);
    for (int i = 0; i < p->n && run->probe.changes; i++) {
        sum[i] = 0;
        for (int j = 0; j < p->n_keys; j++) sum[i] += lane->weight[(size_t)i * ld + j];
    }
}

static void attend_dense(struct stac_run *run, const struct piece *p, const float *q, int ldq, struct stac_lane *lane,
                         float *out, int ldo) {
    const struct stac_cache *c = run->cache;
    float sum[STAC_ATTENTION_ROWS];
    weigh_dense(run, p, q, ldq, lane, sum);
    if (run->probe.see) probe_weights(run, p, lane, sum);
    run->kernels_here->gemm_f32(p->n, c->head_dim, p->n_keys, lane->weight, c->capacity, c->v + p->block, c->head_dim, out,
                                ldo);
    for (int i = 0; i < p->n; i++) run->kernels_here->scale(c->head_dim, out + (size_t)i * ldo, 1.0f / sum[i]);
}

/* ---- spiking ------------------------------------------------------------------------------------------------------ */

/* What enters the neurons of the rows of a piece, and the weights that they drive. */
struct entering {
    const struct stac_site *site;
    const float *x; /* rows ld apart; times inverse[row], less the site's mean */
    int ld;
    const float *inverse;
    bool keys_in; /* p: the inputs are the keys, as many as the row sees; q: the keys are the outputs */
    const int8_t *w;
    int ldw;
};

/* One of these rows. */
struct row {
    int index, n_in, n_out;
    const float *x;
    float inverse;
    int16_t *code; /* [n_in] */
    int32_t *acc;  /* [n_out] */
    int64_t sum;   /* of the codes */
};

static int64_t sum_of(int n, const int16_t *code, bool magnitudes) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += magnitudes ? abs(code[i]) : code[i];
    return sum;
}

/* Count mode: codes only, the product of all rows follows. */
static void encode_row(struct stac_run *run, const struct entering *e, struct row *r, struct stac_spiked *s) {
    int64_t spikes = run->kernels_here->encode(&e->site->code.levels, r->n_in, r->x, e->site->mean, r->inverse, r->code);
    r->sum = sum_of(r->n_in, r->code, false);
    stac_spiked_add(s, r->n_in, spikes, stac_active_codes(r->n_in, r->code), r->n_out, r->n_out);
}

/* Temporal mode: T steps, event by event. */
static void drive_row(struct stac_run *run, const struct entering *e, struct row *r, struct stac_lane *lane,
                      const struct stac_steps *steps, struct stac_spiked *s) {
    const struct stac_code *code = &e->site->code;
    int64_t events =
        stac_train_play(&lane->train, &lane->sent, code, run->kernels_here, r->n_in, r->x, e->site->mean, r->inverse);
    stac_spiked_add(s, r->n_in, events, lane->train.active, r->n_out, r->n_out);
    if (run->channels) stac_channels_words(run, e->site, r->n_in, r->x, r->inverse, lane->sent.word);
    stac_train_drive(&lane->train, steps, run->kernels_here, r->n_out, e->w, e->ldw, lane->scratch, r->acc);
    r->sum = stac_train_sum(&lane->train, steps);
}

/* ST-BIF+: one step; the codes are what has been sent so far, and all of it drives the weights again. */
static void step_row(struct stac_run *run, const struct piece *p, const struct entering *e, struct row *r,
                     struct stac_lane *lane, struct stac_spiked *s) {
    int16_t *sent = stac_gradual_sums(run, e->site, p->segment->first + p->from + r->index, p->head);
    int8_t *step = run->step_of + (size_t)omp_get_thread_num() * (size_t)run->widest;
    int64_t spikes = stac_st_bif_step(&e->site->code, r->n_in, r->x, e->site->mean, r->inverse, sent, step);
    stac_spiked_add(s, r->n_in, spikes, stac_active_codes(r->n_in, sent), r->n_out, r->n_out);
    s->acs += (sum_of(r->n_in, sent, true) - spikes) * r->n_out;
    memcpy(r->code, sent, (size_t)r->n_in * sizeof *sent);
    r->sum = sum_of(r->n_in, sent, false);
    if (run->mode == STAC_MODE_TEMPORAL)
        stac_gradual_rebuild(run, r->n_in, sent, r->n_out, e->w, e->ldw, lane->train.index, r->acc);
}

void stac_count_piece(struct stac_run *run, const struct stac_site *site, int n_keys, const struct stac_spiked *s) {
    int64_t bytes = (int64_t)n_keys * run->cache->head_dim;
    int64_t scales = site->kind == STAC_SITE_Q ? n_keys * (int64_t)sizeof(float) : 0;
    struct stac_spiked spiked = *s;
    if (run->gradual && run->step > 0) spiked.values = spiked.macs = 0;
    struct stac_counts counts = stac_spiking_counts(site, &spiked);
    counts.streamed = bytes + scales;
    counts.fetched = stac_bytes_fetched(site, counts.touched, bytes) + scales;
    stac_count(run, site, counts);
}

/* acc[n][n_out] of the lane = codes[n][n_in] W for the rows of a piece; sum[n] receives the sums of the codes. Adds what
 * happened to the counts. */
static void multiply(struct stac_run *run, const struct piece *p, const struct entering *e, struct stac_lane *lane,
                     int64_t *sum) {
    const int ldc = run->widest, dim = run->cache->head_dim;
    bool in_time = stac_site_runs_in_time(run, e->site);
    struct stac_steps steps = stac_steps_of(run, e->site);
    struct stac_spiked spiked = {0};
    for (int i = 0; i < p->n; i++) {
        int seen = visible(p, i);
        size_t at = (size_t)i * ldc;
        struct row r = {i,
                        e->keys_in ? seen : dim,
                        e->keys_in ? dim : seen,
                        e->x + (size_t)i * e->ld,
                        e->inverse[i],
                        lane->code + at,
                        lane->acc + at,
                        0};
        if (run->gradual)
            step_row(run, p, e, &r, lane, &spiked);
        else if (in_time)
            drive_row(run, e, &r, lane, &steps, &spiked);
        else
            encode_row(run, e, &r, &spiked);
        if (e->keys_in) memset(r.code + seen, 0, (size_t)(p->n_keys - seen) * sizeof *r.code);
        sum[i] = r.sum;
    }
    if (!in_time)
        run->kernels_here->gemm_i16i8(p->n, e->keys_in ? dim : p->n_keys, e->keys_in ? p->n_keys : dim, lane->code, ldc, e->w,
                                      e->ldw, lane->acc, ldc);
    stac_count_piece(run, e->site, p->n_keys, &spiked);
}

/* Queries into spikes, spikes over the keys, scores[n][n_keys]. */
static void score_spiking(struct stac_run *run, const struct piece *p, const float *q, int ldq, struct stac_lane *lane) {
    const struct stac_cache *c = run->cache;
    const struct stac_site *site = &run->net->block[p->layer].site[STAC_SITE_Q];
    const float *k_scale = c->k_scale + p->block / (size_t)c->head_dim;
    float factor[STAC_ATTENTION_ROWS], inverse[STAC_ATTENTION_ROWS];
    int64_t sum[STAC_ATTENTION_ROWS];
    for (int i = 0; i < p->n; i++) {
        factor[i] = stac_row_scale(run, site, c->head_dim, q + (size_t)i * ldq);
        inverse[i] = 1.0f / factor[i];
    }
    struct entering e = {site, q, ldq, inverse, false, c->qk + p->block, c->capacity};
    multiply(run, p, &e, lane, sum);
    for (int i = 0; i < p->n; i++)
        run->kernels_here->decode(visible(p, i), lane->acc + (size_t)i * run->widest, factor[i], k_scale, NULL,
                                  lane->score + (size_t)i * c->capacity);
}

/* exp(score - max) into spikes, spikes over the values; the result is divided by the decoded sum. */
static void weigh_spiking(struct stac_run *run, const struct piece *p, struct stac_lane *lane, float *out, int ldo) {
    const struct stac_cache *c = run->cache;
    const struct stac_block *b = &run->net->block[p->layer];
    const struct stac_site *site = &b->site[STAC_SITE_P];
    const float *v_scale = b->v_scale + p->head / (run->net->hp.n_head / c->n_head_kv) * c->head_dim;
    float scale = 1.0f / sqrtf((float)c->head_dim), inverse[STAC_ATTENTION_ROWS];
    int64_t sum[STAC_ATTENTION_ROWS];
    for (int i = 0; i < p->n; i++) {
        size_t at = (size_t)i * c->capacity;
        run->kernels_here->softmax_exp(visible(p, i), lane->score + at, scale, lane->weight + at);
        inverse[i] = 1.0f / site->code.unit;
    }
    struct entering e = {site, lane->weight, c->capacity, inverse, true, c->qv + p->block, c->head_dim};
    multiply(run, p, &e, lane, sum);
    for (int i = 0; i < p->n; i++)
        run->kernels_here->decode(c->head_dim, lane->acc + (size_t)i * run->widest, sum[i] > 0 ? 1.0f / (float)sum[i] : 0.0f,
                                  v_scale, NULL, out + (size_t)i * ldo);
}

/* ---- all pieces --------------------------------------------------------------------------------------------------- */

static void attend(struct stac_run *run, const struct piece *p, float *qkv, int ldq, float *out, int ldo) {
    struct stac_lane *lane = &run->lane[omp_get_thread_num()];
    const struct stac_site *site = &run->net->block[p->layer].site[STAC_SITE_Q];
    int dim = run->cache->head_dim, first = p->segment->first + p->from;
    float *q = qkv + (size_t)first * ldq + (size_t)p->head * dim;
    out += (size_t)first * ldo + (size_t)p->head * dim;
    if (run->probe.see) run->probe.see(run->probe.ctx, site, p->head, first, p->n, dim, q, ldq);
    if (stac_site_spikes(run, site)) {
        score_spiking(run, p, q, ldq, lane);
        weigh_spiking(run, p, lane, out, ldo);
    } else {
        attend_dense(run, p, q, ldq, lane, out, ldo);
    }
}

/* What goes into the cache. */
static void count_keys(struct stac_run *run, int layer) {
    int64_t values = (int64_t)run->batch.n * 2 * stac_kv_width(&run->net->hp);
    int64_t scales = (int64_t)run->batch.n * run->cache->n_head_kv, real = (int64_t)sizeof(float);
    bool int8 = run->cache->int8;
    struct stac_counts counts = {.stored = int8 ? values + scales * real : values * real};
    if (int8) counts.rest[STAC_REST_CACHE] = values, counts.rest[STAC_REST_ROOT] = scales;
    stac_count(run, &run->net->block[layer].site[STAC_SITE_Q], counts);
}

static void store_keys(struct stac_run *run, int layer, const float *qkv, int ldq) {
    const struct stac_block *b = &run->net->block[layer];
    int q = stac_q_width(&run->net->hp), kv = stac_kv_width(&run->net->hp);
#pragma omp parallel for schedule(static) if (run->n_segments > 1)
    for (int s = 0; s < run->n_segments; s++) {
        const struct stac_segment *seg = &run->segment[s];
        for (int i = 0; i < seg->n; i++) {
            const float *row = qkv + (size_t)(seg->first + i) * ldq;
            stac_cache_store(run->cache, layer, seg->slot, seg->cached + i, row + q, row + q + kv, b, run->kernels_here);
        }
    }
}

/* What every run does at q and p; and a dense one instead of spikes. */
static void count_rows(struct stac_run *run, int layer, bool spikes) {
    const struct stac_block *b = &run->net->block[layer];
    int64_t pairs = 0, read = 0, heads = run->net->hp.n_head, dim = run->cache->head_dim;
    for (int s = 0; s < run->n_segments; s++) {
        const struct stac_segment *seg = &run->segment[s];
        for (int i = 0; i < seg->n; i++) pairs += seg->cached + i + 1;
        for (int from = 0; from < seg->n; from += STAC_ATTENTION_ROWS) {
            int to = from + STAC_ATTENTION_ROWS;
            read += seg->cached + (to < seg->n ? to : seg->n);
        }
    }
    struct stac_counts softmax = {.rest[STAC_REST_SOFTMAX] = pairs * heads, .rest[STAC_REST_ROOT] = run->batch.n * heads};
    stac_count(run, &b->site[STAC_SITE_P], softmax);
    if (spikes) return;
    int64_t macs = pairs * heads * dim, bytes = read * heads * dim * (int64_t)sizeof(float);
    struct stac_counts dense = {.macs = macs, .fetched = bytes, .streamed = bytes};
    dense.values = run->batch.n * heads * dim, dense.outputs = pairs * heads;
    stac_count(run, &b->site[STAC_SITE_Q], dense);
    dense.values = pairs * heads, dense.outputs = run->batch.n * heads * dim;
    stac_count(run, &b->site[STAC_SITE_P], dense);
}

/* On the processor, whatever the run is on: all that it touches is the host's. */
static void attend_here(struct stac_run *run, int layer, float *qkv, float *out) {
    const struct stac_network *net = run->net;
    int ldo = stac_q_width(&net->hp), ldq = net->block[layer].qkv.n_out, per_kv = net->hp.n_head / net->hp.n_head_kv;
    store_keys(run, layer, qkv, ldq);
    for (int s = 0; s < run->n_segments; s++) {
        const struct stac_segment *seg = &run->segment[s];
        int row_blocks = (seg->n + STAC_ATTENTION_ROWS - 1) / STAC_ATTENTION_ROWS;
#pragma omp parallel for schedule(dynamic, 1)
        for (int u = net->hp.n_head * row_blocks - 1; u >= 0; u--) { /* the longest pieces first */
            int from = u / net->hp.n_head * STAC_ATTENTION_ROWS, head = u % net->hp.n_head;
            int n = seg->n - from < STAC_ATTENTION_ROWS ? seg->n - from : STAC_ATTENTION_ROWS;
            struct piece p = {seg,
                              layer,
                              head,
                              from,
                              n,
                              seg->cached + from + n,
                              stac_cache_offset(run->cache, layer, seg->slot, head / per_kv)};
            attend(run, &p, qkv, ldq, out, ldo);
        }
    }
}

int stac_attention(struct stac_run *run, int layer, float *qkv, float *out, struct stac_error *err) {
    const struct stac_block *b = &run->net->block[layer];
    bool spikes = stac_site_spikes(run, &b->site[STAC_SITE_Q]);
    if (spikes != stac_site_spikes(run, &b->site[STAC_SITE_P]) || spikes != run->cache->int8)
        return stac_fail(err, STAC_ERR_INTERNAL, "layer %d: q, p and the cache must spike together", run->net->first + layer);
    count_keys(run, layer);
    count_rows(run, layer, spikes);
    if (run->cache->device) return stac_on_device_attend(run, layer, qkv, out, err);
    if (!run->device) {
        attend_here(run, layer, qkv, out);
        return STAC_OK;
    }
    size_t n = (size_t)run->batch.n, in = n * (size_t)b->qkv.n_out * sizeof(float),
           back = n * (size_t)b->o.n_in * sizeof(float);
    STAC_TRY(stac_device_get(run->device, run->there.rows_here, qkv, in, err));
    attend_here(run, layer, run->there.rows_here, run->there.out_here);
    return stac_device_put(run->device, out, run->there.out_here, back, err);
}
