#include "net/run.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/channels.h"
#include "net/gradual.h"
#include "net/on_device.h"
#include "net/placed.h"
#include "net/product.h"

enum { ACC_TARGET = 1 << 22 }; /* accumulators of one chunk of rows */

static int larger(int a, int b) {
    return a > b ? a : b;
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* ---- workspace ---------------------------------------------------------------------------------------------------- */

/* Angles as Hugging Face computes them, in float32, of positions [from, to). */
static void fill_rotary(struct stac_run *run, int from, int to) {
    const struct stac_hparams *hp = &run->net->hp;
    int half = hp->head_dim / 2;
    for (int i = 0; i < half; i++) {
        float frequency = 1.0f / powf((float)hp->rope_theta, (float)(2 * i) / (float)hp->head_dim);
        for (int p = from; p < to; p++) {
            float angle = (float)p * frequency;
            run->cosine[(size_t)p * half + i] = cosf(angle);
            run->sine[(size_t)p * half + i] = sinf(angle);
        }
    }
}

/* Angles of the first n positions at least. They are made when they are needed: a model may claim millions. */
static int reach_position(struct stac_run *run, int n, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    size_t half = (size_t)hp->head_dim / 2, had = run->angles_cap, cap = had;
    if (hp->rope_theta <= 0 || n <= run->n_positions) return STAC_OK;
    STAC_TRY(stac_grow(&run->cosine, &cap, (size_t)n * half, sizeof *run->cosine, "rotary positions", err));
    cap = had;
    STAC_TRY(stac_grow(&run->sine, &cap, (size_t)n * half, sizeof *run->sine, "rotary positions", err));
    run->angles_cap = cap;
    fill_rotary(run, run->n_positions, n);
    run->n_positions = n;
    return run->device ? stac_on_device_angles(run, err) : STAC_OK;
}

/* Spikes that a value sends at most. */
static int most_spikes(const struct stac_run *run) {
    int most = 0;
    for (int i = 0; i < run->n_sites; i++) {
        const struct stac_site *site = stac_network_site(run->net, i);
        if (site && site->code.levels.most_spikes > most) most = site->code.levels.most_spikes;
    }
    return most;
}

static int init_lanes(struct stac_run *run, struct stac_error *err) {
    int cap = run->cache->capacity;
    run->n_lanes = omp_get_max_threads();
    STAC_TRY(STAC_NEW(run->lane, run->n_lanes, "threads", err));
    for (int i = 0; i < run->n_lanes; i++) {
        struct stac_lane *lane = &run->lane[i];
        size_t rows = STAC_ATTENTION_ROWS;
        STAC_TRY(STAC_NEW(lane->score, rows * cap, "attention scores", err));
        STAC_TRY(STAC_NEW(lane->weight, rows * cap, "attention weights", err));
        STAC_TRY(STAC_NEW(lane->code, rows * run->widest, "attention codes", err));
        STAC_TRY(STAC_NEW(lane->acc, rows * run->widest, "attention accumulators", err));
    }
    return STAC_OK;
}

/* What temporal mode takes besides. */
static int init_time(struct stac_run *run, struct stac_error *err) {
    int most = most_spikes(run);
    for (int i = 0; i < run->n_lanes; i++) {
        struct stac_lane *lane = &run->lane[i];
        STAC_TRY(STAC_NEW(lane->scratch, STAC_TRAIN_SCRATCH, "accumulators", err));
        STAC_TRY(STAC_NEW(lane->tile, STAC_TRAIN_INPUTS * STAC_RUN_TILE, "weights", err));
        STAC_TRY(stac_sent_init(&lane->sent, run->widest, err));
        STAC_TRY(stac_train_init(&lane->train, run->widest, most, err));
    }
    STAC_TRY(STAC_NEW(run->train, STAC_RUN_TRAINS, "spike trains", err));
    for (int i = 0; i < STAC_RUN_TRAINS; i++) STAC_TRY(stac_train_init(&run->train[i], run->widest, most, err));
    return STAC_OK;
}

/* Sums of the weights of all keys must stay below 32 bits. */
static int check_reach(const struct stac_run *run, struct stac_error *err) {
    const struct stac_network *net = run->net->host ? run->net->host : run->net; /* whose codes can be looked at here */
    for (int l = 0; l < net->last - net->first && run->mode != STAC_MODE_DENSE; l++) {
        const struct stac_site *p = &net->block[l].site[STAC_SITE_P];
        int64_t reach = 1;
        for (int i = 0; i < p->code.levels.n_levels; i++) reach = larger((int)reach, p->code.levels.value[i]);
        int64_t most = INT32_MAX / (127 * reach);
        if (p->spiking && run->cache->capacity > most)
            return stac_fail(err, STAC_ERR_USAGE,
                             "a context of %d tokens; this network was converted for at most %lld: convert it with a larger "
                             "max_context_length",
                             run->cache->capacity, (long long)most);
    }
    return STAC_OK;
}

/* How many of each a run has. */
struct sizes {
    size_t widest, normed, wide, hidden, code, acc;
};

static struct sizes sizes_of(const struct stac_network *net, int capacity, int max_rows) {
    const struct stac_hparams *hp = &net->hp;
    int q = stac_q_width(hp), qkv = q + 2 * stac_kv_width(hp), up = hp->gated ? 2 * hp->n_ff : hp->n_ff;
    int input = larger(larger(hp->n_embd, q), hp->n_ff);
    size_t rows = (size_t)max_rows;
    return (struct sizes){.widest = (size_t)larger(larger(capacity, hp->head_dim), input),
                          .normed = rows * (size_t)larger(hp->n_embd, q),
                          .wide = rows * (size_t)larger(qkv, up),
                          .hidden = rows * (size_t)larger(hp->n_ff, hp->n_embd),
                          .code = rows * (size_t)input,
                          .acc = (size_t)larger(ACC_TARGET, larger(hp->n_vocab, larger(qkv, up)))};
}

double stac_run_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows) {
    struct sizes n = sizes_of(net, capacity, max_rows);
    double numbers = (double)(n.normed + n.wide + n.hidden + n.acc + (size_t)max_rows * (size_t)(net->hp.n_embd + 5));
    return numbers * sizeof(float) + (double)n.code * sizeof(int16_t) + stac_on_device_bytes(net, mode, capacity, max_rows) +
           stac_gradual_bytes(net, mode, capacity, max_rows);
}

int stac_run_init(struct stac_run *run, const struct stac_network *net, struct stac_cache *cache, enum stac_mode mode,
                  int max_rows, struct stac_error *err) {
    struct sizes n = sizes_of(net, cache->capacity, max_rows);
    int status = STAC_OK;
    *run = (struct stac_run){.net = net, .cache = cache, .device = net->device, .mode = mode, .max_rows = max_rows};
    run->kernels_here = stac_kernels_best();
    run->kernels = run->device ? run->device->kernels : run->kernels_here;
    run->widest = (int)n.widest;
    run->acc_size = n.acc;
    run->n_sites = stac_network_sites(net);
    run->steps = stac_gradual_steps(net);
    STAC_TRY_DONE(STAC_NEW(run->counts, run->n_sites, "counters", err));
    const struct stac_device *d = run->device;
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->normed, n.normed, "activations", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->wide, n.wide, "activations", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->hidden, n.hidden, "activations", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->code, n.code, "codes", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->factor, max_rows, "codes", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(d, run->acc, run->acc_size, "accumulators", err));
    STAC_TRY_DONE(STAC_NEW(run->segment, cache->n_slots, "segments", err));
    STAC_TRY_DONE(check_reach(run, err));
    if (d) STAC_TRY_DONE(stac_on_device_init(run, err));
    STAC_TRY_DONE(reach_position(run, smaller(cache->capacity, net->hp.n_ctx), err));
    if (!cache->device) STAC_TRY_DONE(init_lanes(run, err));
    if (!d && mode == STAC_MODE_TEMPORAL) STAC_TRY_DONE(init_time(run, err));
    STAC_TRY_DONE(stac_gradual_init(run, err));
done:
    if (status != STAC_OK) stac_run_clean(run);
    return status;
}

void stac_run_clean(struct stac_run *run) {
    for (int i = 0; i < run->n_lanes && run->lane; i++) {
        struct stac_lane *lane = &run->lane[i];
        free(lane->score);
        free(lane->weight);
        free(lane->code);
        free(lane->acc);
        free(lane->scratch);
        free(lane->tile);
        stac_sent_clean(&lane->sent);
        stac_train_clean(&lane->train);
    }
    for (int i = 0; i < STAC_RUN_TRAINS && run->train; i++) stac_train_clean(&run->train[i]);
    stac_gradual_clean(run);
    stac_channels_clean(run);
    free(run->train);
    free(run->lane);
    free(run->counts);
    free(run->cosine);
    free(run->sine);
    stac_device_release(run->device, run->normed);
    stac_device_release(run->device, run->wide);
    stac_device_release(run->device, run->hidden);
    stac_device_release(run->device, run->code);
    stac_device_release(run->device, run->factor);
    stac_device_release(run->device, run->acc);
    stac_on_device_clean(run);
    free(run->segment);
    *run = (struct stac_run){0};
}

int stac_run_site_index(const struct stac_run *run, const struct stac_site *site) {
    if (site->kind == STAC_SITE_HEAD_IN) return run->n_sites - 1;
    return (site->layer - run->net->first) * STAC_SITE_HEAD_IN + (int)site->kind;
}

struct stac_counts *stac_run_counts(struct stac_run *run, const struct stac_site *site) {
    return &run->counts[stac_run_site_index(run, site)];
}

void stac_run_clear_counts(struct stac_run *run) {
    memset(run->counts, 0, (size_t)run->n_sites * sizeof *run->counts);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------ */

static int check_row(const struct stac_run *run, const struct stac_batch *b, int i, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    if (b->token[i] < 0 || b->token[i] >= hp->n_vocab)
        return stac_fail(err, STAC_ERR_USAGE, "token %d is outside the vocabulary of %d", b->token[i], hp->n_vocab);
    if (b->position[i] < 0 || b->position[i] >= hp->n_ctx)
        return stac_fail(err, STAC_ERR_USAGE, "position %d is outside the model's %d", b->position[i], hp->n_ctx);
    if (b->slot[i] < 0 || b->slot[i] >= run->cache->n_slots)
        return stac_fail(err, STAC_ERR_USAGE, "slot %d is outside the cache of %d", b->slot[i], run->cache->n_slots);
    return STAC_OK;
}

int stac_run_begin(struct stac_run *run, const struct stac_batch *batch, struct stac_error *err) {
    if (batch->n > run->max_rows)
        return stac_fail(err, STAC_ERR_USAGE, "a batch of %d rows; the workspace is for %d", batch->n, run->max_rows);
    run->n_segments = 0;
    for (int i = 0; i < batch->n; i++) {
        STAC_TRY(check_row(run, batch, i, err));
        int s = run->n_segments - 1;
        if (s >= 0 && run->segment[s].slot == batch->slot[i]) {
            run->segment[s].n++;
        } else {
            for (int k = 0; k <= s; k++)
                if (run->segment[k].slot == batch->slot[i])
                    return stac_fail(err, STAC_ERR_USAGE, "the rows of slot %d are not contiguous", batch->slot[i]);
            run->segment[run->n_segments++] = (struct stac_segment){batch->slot[i], i, 1, run->cache->length[batch->slot[i]]};
        }
    }
    for (int s = 0; s < run->n_segments; s++)
        if (run->segment[s].cached + run->segment[s].n > run->cache->capacity)
            return stac_fail(err, STAC_ERR_USAGE, "slot %d holds %d tokens and cannot take %d more: its capacity is %d",
                             run->segment[s].slot, run->segment[s].cached, run->segment[s].n, run->cache->capacity);
    for (int i = 0; i < batch->n; i++) STAC_TRY(reach_position(run, batch->position[i] + 1, err));
    run->batch = *batch;
    run->token = batch->token, run->position = batch->position, run->slot = batch->slot;
    if (run->device) STAC_TRY(stac_on_device_begin(run, err));
    return stac_gradual_begin(run, err);
}

int stac_run_end(struct stac_run *run, struct stac_error *err) {
    if (run->device) STAC_TRY(stac_on_device_end(run, err));
    for (int s = 0; s < run->n_segments; s++) run->cache->length[run->segment[s].slot] += run->segment[s].n;
    run->n_segments = 0;
    return STAC_OK;
}

int stac_run_activations(const struct stac_run *run, float **x, struct stac_error *err) {
    return STAC_DEVICE_NEW(run->device, *x, (size_t)run->max_rows * (size_t)run->net->hp.n_embd, "activations", err);
}

/* Count work that is no product, at the site it belongs to. */
static void count_rest(struct stac_run *run, const struct stac_site *site, enum stac_rest_kind kind, int64_t amount) {
    stac_run_counts(run, site)->rest[kind] += amount;
}

void stac_run_embed(struct stac_run *run, float *x) {
    const struct stac_network *net = run->net;
    size_t d = (size_t)net->hp.n_embd;
    count_rest(run, net->last > net->first ? &net->block[0].site[STAC_SITE_ATTN_IN] : &net->head_in, STAC_REST_EMBEDDING,
               (int64_t)d * run->batch.n * (net->position_embd ? 2 : 1));
    run->kernels->gather(run->batch.n, (int)d, run->token, net->token_embd, 0, x);
    if (net->position_embd) run->kernels->gather(run->batch.n, (int)d, run->position, net->position_embd, 1, x);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

/* What enters a site. */
static void normalise(struct stac_run *run, const struct stac_site *site, int n, const float *x, const float *gain,
                      const float *bias, float *y) {
    const struct stac_hparams *hp = &run->net->hp;
    count_rest(run, site, STAC_REST_NORM, (int64_t)n * hp->n_embd);
    count_rest(run, site, STAC_REST_ROOT, n);
    run->kernels->norm(n, hp->n_embd, x, gain, bias, (float)hp->norm_eps, hp->norm == STAC_NORM_LAYER, y);
}

static void turn(struct stac_run *run, const struct stac_site *site, float *qkv, int ld) {
    const struct stac_hparams *hp = &run->net->hp;
    if (!run->cosine) return;
    count_rest(run, site, STAC_REST_ROPE, (int64_t)run->batch.n * (hp->n_head + hp->n_head_kv) * hp->head_dim);
    run->kernels->turn(run->batch.n, hp->n_head + hp->n_head_kv, hp->head_dim, run->position, /* q and k lie side by side */
                       run->device ? run->there.cosine : run->cosine, run->device ? run->there.sine : run->sine, qkv, ld);
}

static void add_residual(struct stac_run *run, const struct stac_site *site, const float *delta, float *x) {
    int d = run->net->hp.n_embd;
    count_rest(run, site, STAC_REST_RESIDUAL, (int64_t)d * run->batch.n);
    run->kernels->add_to_rows(run->batch.n, d, delta, d, x);
}

static int attention_half(struct stac_run *run, int layer, float *x, struct stac_error *err) {
    const struct stac_block *b = &run->net->block[layer];
    int n = run->batch.n;
    normalise(run, &b->site[STAC_SITE_ATTN_IN], n, x, b->attn_norm, b->attn_norm_bias, run->normed);
    STAC_TRY(stac_product(run, &b->site[STAC_SITE_ATTN_IN], &b->qkv, n, run->normed, run->wide, err));
    turn(run, &b->site[STAC_SITE_Q], run->wide, b->qkv.n_out);
    STAC_TRY(stac_attention(run, layer, run->wide, run->normed, err));
    STAC_TRY(stac_product(run, &b->site[STAC_SITE_O_IN], &b->o, n, run->normed, run->hidden, err));
    add_residual(run, &b->site[STAC_SITE_O_IN], run->hidden, x);
    return STAC_OK;
}

/* What becomes of the hidden activation before its product. */
static void count_hidden(struct stac_run *run, const struct stac_site *site) {
    const struct stac_hparams *hp = &run->net->hp;
    int64_t values = (int64_t)run->batch.n * hp->n_ff;
    count_rest(run, site, STAC_REST_ACTIVATION, values);
    if (hp->gated) count_rest(run, site, STAC_REST_GATE, values);
    for (int order = run->net->hadamard; order > 1; order /= 2) count_rest(run, site, STAC_REST_HADAMARD, values);
}

static int feed_forward_half(struct stac_run *run, int layer, float *x, struct stac_error *err) {
    const struct stac_block *b = &run->net->block[layer];
    const struct stac_hparams *hp = &run->net->hp;
    int n = run->batch.n;
    float *hidden = run->wide;
    normalise(run, &b->site[STAC_SITE_MLP_IN], n, x, b->mlp_norm, b->mlp_norm_bias, run->normed);
    STAC_TRY(stac_product(run, &b->site[STAC_SITE_MLP_IN], &b->up, n, run->normed, run->wide, err));
    if (hp->gated) {
        run->kernels->gate(n, hp->n_ff, (int)hp->activation, run->wide, b->up.n_out, run->hidden);
        hidden = run->hidden;
    } else {
        run->kernels->activate(n, hp->n_ff, (int)hp->activation, run->wide, hp->n_ff);
    }
    if (run->net->hadamard) run->kernels->hadamard(n, hp->n_ff, run->net->hadamard, hidden);
    count_hidden(run, &b->site[STAC_SITE_DOWN_IN]);
    STAC_TRY(stac_product(run, &b->site[STAC_SITE_DOWN_IN], &b->down, n, hidden, run->normed, err));
    add_residual(run, &b->site[STAC_SITE_DOWN_IN], run->normed, x);
    return STAC_OK;
}

int stac_run_block(struct stac_run *run, int layer, float *x, struct stac_error *err) {
    if (run->net->stream) STAC_TRY(stac_network_bring(run->net, layer, err));
    STAC_TRY(attention_half(run, layer, x, err));
    return feed_forward_half(run, layer, x, err);
}

int stac_run_blocks(struct stac_run *run, float *x, struct stac_error *err) {
    const struct stac_network *net = run->net;
    for (int l = 0; l < net->last - net->first; l++) STAC_TRY(stac_run_block(run, l, x, err));
    if (run->gradual && net->has_head) {
        normalise(run, &net->head_in, run->batch.n, x, net->final_norm, net->final_norm_bias, run->normed);
        stac_gradual_step(run, &net->head_in, &net->head, run->batch.n, run->normed);
    }
    if (run->gradual && run->device) STAC_TRY(stac_on_device_step(run, err));
    run->step++;
    return STAC_OK;
}

int stac_run_head(struct stac_run *run, int first, int n, const float *x, float *logits, struct stac_error *err) {
    const struct stac_network *net = run->net;
    normalise(run, &net->head_in, n, x, net->final_norm, net->final_norm_bias, run->normed);
    if (run->device) return stac_on_device_head(run, first, n, logits, err);
    if (!run->gradual) return stac_product(run, &net->head_in, &net->head, n, run->normed, logits, err);
    stac_gradual_product(run, &net->head_in, &net->head, first, n, logits);
    return STAC_OK;
}

int stac_run_draw(struct stac_run *run, int n, const float *x, double temperature, const double *u, float *logits,
                  int32_t *token, struct stac_error *err) {
    const struct stac_network *net = run->net;
    if (!run->device) {
        STAC_TRY(stac_run_head(run, 0, n, x, logits, err));
        run->kernels->draw(n, net->hp.n_vocab, logits, temperature, u, token);
        return STAC_OK;
    }
    normalise(run, &net->head_in, n, x, net->final_norm, net->final_norm_bias, run->normed);
    return stac_on_device_draw(run, n, temperature, u, token, err);
}
