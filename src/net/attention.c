#include <math.h>
#include <omp.h>
#include <string.h>

#include "net/product.h"

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
    run->kernels->gemm_f32(p->n, p->n_keys, c->head_dim, q, ldq, c->k + p->block, c->capacity, lane->score, c->capacity);
    for (int i = 0; i < p->n; i++) {
        float *weight = lane->weight + (size_t)i * c->capacity;
        int seen = visible(p, i);
        sum[i] = run->kernels->softmax_exp(seen, lane->score + (size_t)i * c->capacity, scale, weight);
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
    run->kernels->gemm_f32(p->n, c->head_dim, p->n_keys, lane->weight, c->capacity, c->v + p->block, c->head_dim, out, ldo);
    for (int i = 0; i < p->n; i++) run->kernels->scale(c->head_dim, out + (size_t)i * ldo, 1.0f / sum[i]);
}

/* ---- spiking ------------------------------------------------------------------------------------------------------ */

/* acc[n][n_out] = codes[n][n_in] W for the rows of a piece. Adds what happened to the counts: `spikes` are those of the
 * codes, row by row; in temporal mode the events of the trains are counted instead. With `keys_in` the inputs are the keys
 * (as many as the row sees), else the keys are the outputs. */
static void multiply(struct stac_run *run, const struct stac_site *site, const struct piece *p, const int64_t *spikes,
                     bool keys_in, const int8_t *w, int ldw, struct stac_lane *lane) {
    const int ldc = run->widest, dim = run->cache->head_dim;
    struct stac_counts counts = {0};
    if (run->mode == STAC_MODE_COUNT)
        run->kernels->gemm_i16i8(p->n, keys_in ? dim : p->n_keys, keys_in ? p->n_keys : dim, lane->code, ldc, w, ldw, lane->acc,
                                 ldc);
    for (int i = 0; i < p->n; i++) {
        int seen = visible(p, i), n_in = keys_in ? seen : dim, n_out = keys_in ? dim : seen;
        int64_t sent = spikes[i];
        if (run->mode == STAC_MODE_TEMPORAL) {
            sent = stac_train_play(&lane->train, &site->code, n_in, lane->code + (size_t)i * ldc);
            stac_train_drive(&lane->train, &site->code, run->kernels, n_out, w, ldw, lane->scratch,
                             lane->acc + (size_t)i * ldc);
        }
        int64_t macs = (int64_t)n_in * n_out;
        stac_counts_add(&counts, &(struct stac_counts){n_in, sent, sent * n_out, macs, macs});
    }
    stac_count(run, site, counts);
}

/* Queries into spikes, spikes over the keys, scores[n][n_keys]. */
static void score_spiking(struct stac_run *run, const struct piece *p, const float *q, int ldq, struct stac_lane *lane) {
    const struct stac_cache *c = run->cache;
    const struct stac_site *site = &run->net->block[p->layer].site[STAC_SITE_Q];
    const float *k_scale = c->k_scale + p->block / (size_t)c->head_dim;
    float factor[STAC_ATTENTION_ROWS];
    int64_t spikes[STAC_ATTENTION_ROWS];
    for (int i = 0; i < p->n; i++) {
        const float *row = q + (size_t)i * ldq;
        factor[i] = stac_row_scale(run, site, c->head_dim, row);
        spikes[i] = run->kernels->encode(&site->code.levels, c->head_dim, row, site->mean, 1.0f / factor[i],
                                         lane->code + (size_t)i * run->widest);
    }
    multiply(run, site, p, spikes, false, c->qk + p->block, c->capacity, lane);
    for (int i = 0; i < p->n; i++)
        run->kernels->decode(visible(p, i), lane->acc + (size_t)i * run->widest, factor[i], k_scale, NULL,
                             lane->score + (size_t)i * c->capacity);
}

/* exp(score - max) into spikes, spikes over the values; the result is divided by the decoded sum. */
static void weigh_spiking(struct stac_run *run, const struct piece *p, struct stac_lane *lane, float *out, int ldo) {
    const struct stac_cache *c = run->cache;
    const struct stac_block *b = &run->net->block[p->layer];
    const struct stac_site *site = &b->site[STAC_SITE_P];
    const float *v_scale = b->v_scale + p->head / (run->net->hp.n_head / c->n_head_kv) * c->head_dim;
    float scale = 1.0f / sqrtf((float)c->head_dim), inverse[STAC_ATTENTION_ROWS];
    int64_t spikes[STAC_ATTENTION_ROWS];
    for (int i = 0; i < p->n; i++) {
        int16_t *code = lane->code + (size_t)i * run->widest;
        float *weight = lane->weight + (size_t)i * c->capacity;
        int seen = visible(p, i);
        int64_t sum = 0;
        run->kernels->softmax_exp(seen, lane->score + (size_t)i * c->capacity, scale, weight);
        spikes[i] = run->kernels->encode(&site->code.levels, seen, weight, NULL, 1.0f / site->code.unit, code);
        memset(code + seen, 0, (size_t)(p->n_keys - seen) * sizeof *code);
        for (int j = 0; j < seen; j++) sum += code[j];
        inverse[i] = sum > 0 ? 1.0f / (float)sum : 0.0f;
    }
    multiply(run, site, p, spikes, true, c->qv + p->block, c->head_dim, lane);
    for (int i = 0; i < p->n; i++)
        run->kernels->decode(c->head_dim, lane->acc + (size_t)i * run->widest, inverse[i], v_scale, NULL,
                             out + (size_t)i * ldo);
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

static void store_keys(struct stac_run *run, int layer, const float *qkv, int ldq) {
    const struct stac_block *b = &run->net->block[layer];
    int q = stac_q_width(&run->net->hp), kv = stac_kv_width(&run->net->hp);
#pragma omp parallel for schedule(static)
    for (int s = 0; s < run->n_segments; s++) {
        const struct stac_segment *seg = &run->segment[s];
        for (int i = 0; i < seg->n; i++) {
            const float *row = qkv + (size_t)(seg->first + i) * ldq;
            stac_cache_store(run->cache, layer, seg->slot, seg->cached + i, row + q, row + q + kv, b->v_scale, run->kernels);
        }
    }
}

static void count_dense(struct stac_run *run, int layer) {
    const struct stac_block *b = &run->net->block[layer];
    int64_t pairs = 0, heads = run->net->hp.n_head, dim = run->cache->head_dim;
    for (int s = 0; s < run->n_segments; s++)
        for (int i = 0; i < run->segment[s].n; i++) pairs += run->segment[s].cached + i + 1;
    stac_count(run, &b->site[STAC_SITE_Q],
               (struct stac_counts){.values = run->batch.n * heads * dim, .macs = pairs * heads * dim});
    stac_count(run, &b->site[STAC_SITE_P], (struct stac_counts){.values = pairs * heads, .macs = pairs * heads * dim});
}

int stac_attention(struct stac_run *run, int layer, float *qkv, float *out, struct stac_error *err) {
    const struct stac_network *net = run->net;
    const struct stac_block *b = &net->block[layer];
    int ldo = stac_q_width(&net->hp), ldq = b->qkv.n_out, per_kv = net->hp.n_head / net->hp.n_head_kv;
    bool spikes = stac_site_spikes(run, &b->site[STAC_SITE_Q]);
    if (spikes != stac_site_spikes(run, &b->site[STAC_SITE_P]) || spikes != run->cache->int8)
        return stac_fail(err, STAC_ERR_INTERNAL, "layer %d: q, p and the cache must spike together", net->first + layer);
    store_keys(run, layer, qkv, ldq);
    if (!spikes) count_dense(run, layer);
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
    return STAC_OK;
}
