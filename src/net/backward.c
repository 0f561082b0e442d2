#include "net/backward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/scalar_math.h"
#include "kernels/transpose.h"
#include "net/product.h"

enum { HEAD_ROWS = 64 }; /* rows of logits at a time */

/* ---- workspace ---------------------------------------------------------------------------------------------------- */

/* Numbers that a product reads or gives, at most. */
static size_t most_of_product(const struct stac_network *net, int max_rows) {
    const struct stac_hparams *hp = &net->hp;
    size_t q = (size_t)stac_q_width(hp), qkv = q + 2 * (size_t)stac_kv_width(hp), up = (size_t)(hp->gated ? 2 : 1) * hp->n_ff;
    size_t rows = (size_t)max_rows * (up > qkv ? up : qkv), head = (size_t)hp->n_vocab * HEAD_ROWS;
    return rows > head ? rows : head;
}

double stac_backward_bytes(const struct stac_network *net, int max_rows) {
    return (2.0 * (double)most_of_product(net, max_rows) + (double)max_rows * net->hp.n_embd) * sizeof(float);
}

int stac_backward_init(struct stac_backward *b, struct stac_run *run, struct stac_error *err) {
    const struct stac_hparams *hp = &run->net->hp;
    size_t rows = (size_t)run->max_rows, d = (size_t)hp->n_embd, q = (size_t)stac_q_width(hp), ff = (size_t)hp->n_ff;
    size_t up = hp->gated ? 2 * ff : ff, qkv = q + 2 * (size_t)stac_kv_width(hp), wide = up > qkv ? up : qkv;
    size_t most = most_of_product(run->net, run->max_rows), head = (size_t)hp->n_vocab * HEAD_ROWS;
    size_t hidden = ff > q ? ff : q, out = rows * (hidden > d ? hidden : d);
    size_t layers = (size_t)(run->net->last - run->net->first);
    const size_t width[STAC_SITE_HEAD_IN] = {d, q, 0, q, d, ff};
    int status = STAC_OK;
    *b = (struct stac_backward){.run = run};
    STAC_TRY_DONE(STAC_NEW(b->kept, layers * rows * d, "residual streams", err));
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
        if (width[k]) STAC_TRY_DONE(STAC_NEW(b->entered[k], rows * width[k], "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->attn_in, rows * d, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->q, rows * q, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->o_in, rows * q, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->mlp_in, rows * d, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->down_in, rows * ff, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->middle, rows * d, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->wide, rows * wide, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->d_wide, rows * wide, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->d_hidden, rows * hidden, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->d_x, rows * d, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->turned, most, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->turned_out, out > head ? out : head, "gradients", err));
    STAC_TRY_DONE(STAC_NEW(b->square, (size_t)hp->n_head_kv * (4 * rows + 2 * (size_t)hp->head_dim) * rows, "gradients", err));
    if (!run->device) return STAC_OK;
    STAC_TRY_DONE(STAC_NEW(b->gradient_here, rows * d, "gradients", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(run->device, b->in_there, most, "gradients", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(run->device, b->out_there, most, "gradients", err));
    STAC_TRY_DONE(STAC_DEVICE_NEW(run->device, b->x_there, rows * d, "gradients", err));
done:
    if (status != STAC_OK) stac_backward_clean(b);
    return status;
}

void stac_backward_clean(struct stac_backward *b) {
    float **all[] = {&b->kept,   &b->attn_in,  &b->q,   &b->o_in,   &b->mlp_in,     &b->down_in, &b->middle,       &b->wide,
                     &b->d_wide, &b->d_hidden, &b->d_x, &b->turned, &b->turned_out, &b->square,  &b->gradient_here};
    float **there[] = {&b->in_there, &b->out_there, &b->x_there};
    for (size_t i = 0; i < sizeof there / sizeof *there && b->run; i++) {
        stac_device_release(b->run->device, *there[i]);
        *there[i] = NULL;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        free(b->entered[k]);
        b->entered[k] = NULL;
    }
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

/* y[n][n_out] = x[n][n_in] W + bias, wherever W is */
static int product(struct stac_backward *b, const struct stac_linear *l, int n, const float *x, float *y,
                   struct stac_error *err) {
    const struct stac_device *device = b->run->device;
    size_t in = (size_t)n * (size_t)l->n_in * sizeof *x, out = (size_t)n * (size_t)l->n_out * sizeof *y;
    if (device) STAC_TRY(stac_device_put(device, b->in_there, x, in, err));
    stac_dense_product(b->run, l, n, device ? b->in_there : x, device ? b->out_there : y);
    return device ? stac_device_get(device, y, b->out_there, out, err) : STAC_OK;
}

/* dx[n][n_in] = dy[n][n_out] W^T, wherever W is */
static int product_backward(struct stac_backward *b, const struct stac_linear *l, int n, const float *dy, float *dx,
                            struct stac_error *err) {
    const struct stac_device *device = b->run->device;
    size_t in = (size_t)n * (size_t)l->n_out * sizeof *dy, out = (size_t)n * (size_t)l->n_in * sizeof *dx;
    stac_transpose(n, l->n_out, dy, l->n_out, b->turned);
    if (device) STAC_TRY(stac_device_put(device, b->in_there, b->turned, in, err));
    b->run->kernels->gemm_f32(l->n_in, n, l->n_out, l->w, l->n_out, device ? b->in_there : b->turned, n,
                              device ? b->out_there : b->turned_out, n);
    if (device) STAC_TRY(stac_device_get(device, b->turned_out, b->out_there, out, err));
    stac_transpose(l->n_in, n, b->turned_out, n, dx);
    return STAC_OK;
}

/* dx += the gradient with respect to x[n][d] of y = norm(x), given dy. With r = 1 / sqrt(mean((x - center)^2) + eps) and
 * y = (x - center) r: dx = r (dy - y mean(dy y)), less its mean where the norm is centred. */
static void norm_backward(const struct stac_hparams *hp, int n, const float *x, const float *dy, float *dx) {
    int d = hp->n_embd;
    bool centred = hp->norm == STAC_NORM_LAYER;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * d, *g = dy + (size_t)i * d;
        float *out = dx + (size_t)i * d;
        double centre = 0, square = 0, dot = 0, mean = 0;
        for (int j = 0; centred && j < d; j++) centre += row[j];
        centre /= d;
        for (int j = 0; j < d; j++) square += (row[j] - centre) * (row[j] - centre);
        double r = 1 / sqrt(square / d + hp->norm_eps);
        for (int j = 0; j < d; j++) dot += g[j] * (row[j] - centre) * r;
        for (int j = 0; centred && j < d; j++) mean += g[j];
        dot /= d, mean /= d;
        for (int j = 0; j < d; j++) out[j] += (float)(r * (g[j] - mean - (row[j] - centre) * r * dot));
    }
}

/* act(x) and its derivative */
static void activation(int act, float x, float *value, float *slope) {
    float s;
    switch (act) {
    case STAC_KERNEL_SILU:
        s = 1 / (1 + stac_expf(-x));
        *value = x * s;
        *slope = s * (1 + x * (1 - s));
        return;
    case STAC_KERNEL_GELU_TANH:
        s = 1 - 1 / (1 + stac_expf(2 * 0.797884561f * x * (1 + 0.044715f * x * x))); /* (1 + tanh u) / 2 */
        *value = x * s;
        *slope = s + 2 * x * s * (1 - s) * 0.797884561f * (1 + 3 * 0.044715f * x * x);
        return;
    case STAC_KERNEL_GELU_ERF:
        s = 0.5f * (1 + erff(x * 0.707106781f));
        *value = x * s;
        *slope = s + x * 0.398942280f * stac_expf(-0.5f * x * x);
        return;
    default: *value = x > 0 ? x : 0, *slope = x > 0;
    }
}

/* d_wide from d_hidden: through the activation and, where there is one, the gate. */
static void activation_backward(struct stac_backward *b, int n) {
    const struct stac_hparams *hp = &b->run->net->hp;
    int ff = hp->n_ff, ld = hp->gated ? 2 * ff : ff;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const float *x = b->wide + (size_t)i * ld, *dh = b->d_hidden + (size_t)i * ff;
        float *dx = b->d_wide + (size_t)i * ld, value, slope;
        for (int j = 0; j < ff; j++) {
            activation((int)hp->activation, x[j], &value, &slope);
            dx[j] = dh[j] * slope * (hp->gated ? x[ff + j] : 1);
            if (hp->gated) dx[ff + j] = dh[j] * value;
        }
    }
}

static void show(struct stac_backward *b, const struct stac_site *site, int n, const float *gradient) {
    if (b->probe.see) b->probe.see(b->probe.ctx, site, -1, b->rows, n, b->entered[site->kind], n, gradient, n);
}

/* ---- attention ---------------------------------------------------------------------------------------------------- */

/* Workspace of the query heads that share one head of keys. */
struct square {
    float *e, *de, *ds, *turned; /* [n][n] */
    float *wide, *strip;         /* [head_dim][n], [n][head_dim] */
};

static struct square square_of(const struct stac_backward *b, int kv) {
    size_t area = (size_t)b->run->max_rows * (size_t)b->run->max_rows;
    size_t strip = (size_t)b->run->max_rows * (size_t)b->run->net->hp.head_dim;
    float *at = b->square + (size_t)kv * (4 * area + 2 * strip);
    return (struct square){at, at + area, at + 2 * area, at + 3 * area, at + 4 * area, at + 4 * area + strip};
}

/* to[i][..] += strip[i][..], rows of `to` are `ld` apart */
static void add_strip(const struct stac_kernels *k, int n, int dim, const float *strip, float *to, int ld) {
    for (int i = 0; i < n; i++) k->add(dim, strip + (size_t)i * dim, to + (size_t)i * ld);
}

/* The weights e of row i are changed; their sum. */
static float change_weights(struct stac_backward *b, const struct stac_site *site, int head, int i, float *e) {
    float sum = 0;
    b->change.see(b->change.ctx, site, head, i, 1, i + 1, e, b->rows);
    for (int j = 0; j <= i; j++) sum += e[j];
    return sum;
}

/* Changed weights depend on the largest score, which is taken from all of them: its gradient. */
static void through_largest(int n, const float *entered, float *ds) {
    float sum = 0;
    int largest = 0;
    for (int j = 0; j < n; j++) {
        sum += ds[j];
        if (entered[j] > entered[largest]) largest = j;
    }
    ds[largest] -= sum;
}

/* Weights e = exp(score - max) of a head, gradients de with respect to them, ds with respect to the scores q k. With
 * p = e / sum and out = sum p v: de = (d_out v - d_out out) / sum, ds = e de scale. */
static void weights_backward(struct stac_backward *b, const struct stac_site *site, int head, const float *out,
                             const float *d_out, int ldq, const float *keys, const float *values, struct square *w) {
    const struct stac_run *run = b->run;
    const struct stac_kernels *kernels = run->kernels_here;
    int n = b->rows, dim = run->net->hp.head_dim;
    float scale = 1 / sqrtf((float)dim), *entered = w->turned; /* free until later */
    kernels->gemm_f32(n, n, dim, b->q + (size_t)head * dim, ldq, keys, run->cache->capacity, w->ds, n);
    stac_transpose(n, dim, values, dim, w->wide);
    kernels->gemm_f32(n, n, dim, d_out, ldq, w->wide, n, w->de, n);
    for (int i = 0; i < n; i++) {
        float *e = w->e + (size_t)i * n, *de = w->de + (size_t)i * n, *ds = w->ds + (size_t)i * n, dot = 0;
        float sum = kernels->softmax_exp(i + 1, ds, scale, e);
        memcpy(entered, e, (size_t)(i + 1) * sizeof *e);
        if (b->change.see) sum = change_weights(b, site, head, i, e);
        for (int k = 0; k < dim; k++) dot = fmaf(d_out[(size_t)i * ldq + k], out[(size_t)i * ldq + k], dot);
        for (int j = 0; j <= i; j++) {
            de[j] = (de[j] - dot) / sum;
            ds[j] = entered[j] * de[j] * scale;
        }
        if (b->change.see) through_largest(i + 1, entered, ds);
        if (b->probe.see) b->probe.see(b->probe.ctx, site, head, 1, i + 1, entered, n, de, n);
        for (int j = 0; j <= i; j++) e[j] /= sum;
        memset(e + i + 1, 0, (size_t)(n - i - 1) * sizeof *e);
        memset(ds + i + 1, 0, (size_t)(n - i - 1) * sizeof *ds);
    }
}

/* One query head: gradients of its q and, added to those of other heads, of k and v; rows of d_qkv are `ld` apart. Keys
 * and values are those of the cache. */
static void head_backward(struct stac_backward *b, const struct stac_block *block, int layer, int head, float *d_qkv, int ld) {
    const struct stac_hparams *hp = &b->run->net->hp;
    const struct stac_kernels *kernels = b->run->kernels_here;
    const struct stac_cache *c = b->run->cache;
    int n = b->rows, dim = hp->head_dim, ldq = stac_q_width(hp), kv = head / (hp->n_head / hp->n_head_kv);
    size_t at = stac_cache_offset(c, layer, 0, kv), of_head = (size_t)head * dim;
    struct square w = square_of(b, kv);
    const float *q = b->q + of_head, *d_out = b->d_hidden + of_head;
    float *dq = d_qkv + of_head, *dk = d_qkv + ldq + (size_t)kv * dim, *dv = dk + hp->n_head_kv * dim;
    weights_backward(b, &block->site[STAC_SITE_P], head, b->entered[STAC_SITE_O_IN] + of_head, d_out, ldq, c->k + at, c->v + at,
                     &w);
    stac_transpose(n, n, w.e, n, w.turned);
    kernels->gemm_f32(n, dim, n, w.turned, n, d_out, ldq, w.strip, dim);
    add_strip(kernels, n, dim, w.strip, dv, ld);
    stac_transpose(n, n, w.ds, n, w.turned);
    kernels->gemm_f32(n, dim, n, w.turned, n, q, ldq, w.strip, dim);
    add_strip(kernels, n, dim, w.strip, dk, ld);
    stac_transpose(dim, n, c->k + at, c->capacity, w.wide);
    kernels->gemm_f32(n, dim, n, w.ds, n, w.wide, dim, dq, ld);
    if (b->probe.see)
        b->probe.see(b->probe.ctx, &block->site[STAC_SITE_Q], head, n, dim, b->entered[STAC_SITE_Q] + of_head, ldq, dq, ld);
}

/* d_wide = gradient with respect to q, k, v before rotary positions, from d_hidden with respect to the heads' outputs. */
static void attention_backward(struct stac_backward *b, int layer) {
    const struct stac_run *run = b->run;
    const struct stac_block *block = &run->net->block[layer];
    const struct stac_hparams *hp = &run->net->hp;
    int ld = block->qkv.n_out, per_kv = hp->n_head / hp->n_head_kv, half = hp->head_dim / 2;
    memset(b->d_wide, 0, (size_t)b->rows * (size_t)ld * sizeof *b->d_wide);
#pragma omp parallel for schedule(static)
    for (int kv = 0; kv < hp->n_head_kv; kv++)
        for (int h = kv * per_kv; h < (kv + 1) * per_kv; h++) head_backward(b, block, layer, h, b->d_wide, ld);
    if (!run->cosine) return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < b->rows; i++) { /* turn back: a' = a cos + b sin, b' = b cos - a sin */
        const float *cosine = run->cosine + (size_t)i * half, *sine = run->sine + (size_t)i * half;
        for (int h = 0; h < hp->n_head + hp->n_head_kv; h++) {
            float *x = b->d_wide + (size_t)i * ld + (size_t)h * hp->head_dim;
            for (int k = 0; k < half; k++) {
                float first = x[k], second = x[k + half];
                x[k] = first * cosine[k] + second * sine[k];
                x[k + half] = second * cosine[k] - first * sine[k];
            }
        }
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

/* Keeps what enters the sites of the block that is recomputed, before and after it is changed. */
static void keep(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct stac_backward *b = ctx;
    const struct stac_hparams *hp = &b->run->net->hp;
    float *to = NULL, *entered = b->entered[site->kind];
    int width = site->kind == STAC_SITE_Q ? stac_q_width(hp) : n;
    size_t of_head = site->kind == STAC_SITE_Q ? (size_t)head * (size_t)hp->head_dim : 0;
    for (int i = 0; i < n_rows && entered; i++)
        memcpy(entered + (size_t)(first + i) * width + of_head, x + (size_t)i * ld, (size_t)n * sizeof *x);
    if (b->change.see) b->change.see(b->change.ctx, site, head, first, n_rows, n, x, ld);
    switch (site->kind) {
    case STAC_SITE_ATTN_IN: to = b->attn_in; break;
    case STAC_SITE_Q: to = b->q; break;
    case STAC_SITE_O_IN: to = b->o_in; break;
    case STAC_SITE_MLP_IN: to = b->mlp_in; break;
    case STAC_SITE_DOWN_IN: to = b->down_in; break;
    default: return;
    }
    for (int i = 0; i < n_rows; i++)
        memcpy(to + (size_t)(first + i) * width + of_head, x + (size_t)i * ld, (size_t)n * sizeof *x);
}

/* What enters the sites of a block once more, and the stream between its halves. */
static int recompute(struct stac_backward *b, int layer, struct stac_error *err) {
    struct stac_run *run = b->run;
    const struct stac_block *block = &run->net->block[layer];
    int n = b->rows, d = run->net->hp.n_embd;
    const float *entered = b->kept + (size_t)layer * run->max_rows * d;
    float *x = run->device ? b->x_there : b->d_x;
    STAC_TRY(stac_device_put(run->device, x, entered, (size_t)n * d * sizeof *x, err));
    run->probe = (struct stac_probe){keep, b, b->change.see != NULL};
    int status = stac_run_block(run, layer, x, err);
    run->probe = (struct stac_probe){0};
    STAC_TRY(status);
    STAC_TRY(product(b, &block->o, n, b->o_in, b->middle, err));
    for (int i = 0; i < n; i++) run->kernels_here->add(d, entered + (size_t)i * d, b->middle + (size_t)i * d);
    return STAC_OK;
}

static int block_backward(struct stac_backward *b, int layer, float *gradient, struct stac_error *err) {
    struct stac_run *run = b->run;
    const struct stac_block *block = &run->net->block[layer];
    const struct stac_hparams *hp = &run->net->hp;
    int n = b->rows, d = hp->n_embd;
    STAC_TRY(recompute(b, layer, err));

    STAC_TRY(product_backward(b, &block->down, n, gradient, b->d_hidden, err));
    show(b, &block->site[STAC_SITE_DOWN_IN], hp->n_ff, b->d_hidden);
    if (run->net->hadamard) run->kernels_here->hadamard(n, hp->n_ff, run->net->hadamard, b->d_hidden); /* its own transpose */
    STAC_TRY(product(b, &block->up, n, b->mlp_in, b->wide, err));
    activation_backward(b, n);
    STAC_TRY(product_backward(b, &block->up, n, b->d_wide, b->d_x, err));
    show(b, &block->site[STAC_SITE_MLP_IN], d, b->d_x);
    norm_backward(hp, n, b->middle, b->d_x, gradient);

    STAC_TRY(product_backward(b, &block->o, n, gradient, b->d_hidden, err));
    show(b, &block->site[STAC_SITE_O_IN], stac_q_width(hp), b->d_hidden);
    attention_backward(b, layer);
    STAC_TRY(product_backward(b, &block->qkv, n, b->d_wide, b->d_x, err));
    show(b, &block->site[STAC_SITE_ATTN_IN], d, b->d_x);
    norm_backward(hp, n, b->kept + (size_t)layer * run->max_rows * d, b->d_x, gradient);
    return STAC_OK;
}

int stac_backward_begin(struct stac_backward *b, const struct stac_batch *batch, float *x, struct stac_error *err) {
    struct stac_run *run = b->run;
    size_t d = (size_t)run->net->hp.n_embd;
    stac_cache_reset(run->cache, -1);
    STAC_TRY(stac_run_begin(run, batch, err));
    if (run->n_segments != 1 || batch->position[0] != 0)
        return stac_fail(err, STAC_ERR_INTERNAL, "gradients are those of one text from its beginning");
    b->rows = batch->n;
    if (run->net->token_embd) stac_run_embed(run, x);
    for (int l = 0; l < run->net->last - run->net->first; l++) {
        const struct stac_block *block = &run->net->block[l];
        if (block->attn_norm || block->mlp_norm) return stac_fail(err, STAC_ERR_INTERNAL, "gradients need folded norms");
        STAC_TRY(
            stac_device_get(run->device, b->kept + (size_t)l * run->max_rows * d, x, (size_t)batch->n * d * sizeof *x, err));
        run->probe = b->change;
        int status = stac_run_block(run, l, x, err);
        run->probe = (struct stac_probe){0};
        STAC_TRY(status);
    }
    return STAC_OK;
}

int stac_backward_blocks(struct stac_backward *b, float *gradient, struct stac_error *err) {
    const struct stac_device *device = b->run->device;
    size_t bytes = (size_t)b->rows * (size_t)b->run->net->hp.n_embd * sizeof *gradient;
    float *here = device ? b->gradient_here : gradient;
    if (device) STAC_TRY(stac_device_get(device, here, gradient, bytes, err));
    for (int l = b->run->net->last - b->run->net->first - 1; l >= 0; l--) STAC_TRY(block_backward(b, l, here, err));
    return device ? stac_device_put(device, gradient, here, bytes, err) : STAC_OK;
}

/* ---- head --------------------------------------------------------------------------------------------------------- */

/* logits[n] become softmax - 1 at the label; the label is drawn by u in [0, 1) if there is none. */
static void loss_backward(const struct stac_run *run, int n, const int32_t *label, double u, float *logits, float *e) {
    double sum = run->kernels_here->softmax_exp(n, logits, 1.0f, e), before = 0;
    int chosen = label ? *label : n - 1;
    for (int j = 0; !label && j < n; j++)
        if ((before += e[j] / sum) > u) {
            chosen = j;
            break;
        }
    for (int j = 0; j < n; j++) logits[j] = (float)(e[j] / sum);
    logits[chosen] -= 1;
}

/* Rows [from, from + n) of x, which are where the run is: d_x of them. */
static int head_rows_backward(struct stac_backward *b, int from, int n, const float *x, const int32_t *label,
                              struct stac_random *random, struct stac_error *err) {
    struct stac_run *run = b->run;
    const struct stac_network *net = run->net;
    int d = net->hp.n_embd, vocab = net->hp.n_vocab;
    float *logits = b->turned_out, *dx = b->d_x + (size_t)from * d, *normed = run->device ? b->attn_in : run->normed;
    STAC_TRY(stac_run_head(run, from, n, x + (size_t)from * d, logits, err));
    if (run->device) STAC_TRY(stac_device_get(run->device, normed, run->normed, (size_t)n * d * sizeof *normed, err));
    for (int i = 0; i < n; i++)
        loss_backward(run, vocab, label ? label + from + i : NULL, stac_random_uniform(random), logits + (size_t)i * vocab,
                      b->turned);
    STAC_TRY(product_backward(b, &net->head, n, logits, dx, err));
    if (b->probe.see) b->probe.see(b->probe.ctx, &net->head_in, -1, n, d, normed, d, dx, d);
    return STAC_OK;
}

int stac_backward_head(struct stac_backward *b, const float *x, const int32_t *label, uint64_t seed, uint64_t stream,
                       float *gradient, struct stac_error *err) {
    const struct stac_device *device = b->run->device;
    const struct stac_network *net = b->run->net;
    struct stac_random random = stac_random_seeded(seed, stream);
    size_t bytes = (size_t)b->rows * (size_t)net->hp.n_embd * sizeof *x;
    float *here = device ? b->gradient_here : gradient;
    const float *x_here = device ? b->middle : x;
    if (net->final_norm) return stac_fail(err, STAC_ERR_INTERNAL, "gradients need folded norms");
    for (int from = 0; from < b->rows; from += HEAD_ROWS) {
        int n = b->rows - from < HEAD_ROWS ? b->rows - from : HEAD_ROWS;
        STAC_TRY(head_rows_backward(b, from, n, x, label, &random, err));
    }
    if (device) STAC_TRY(stac_device_get(device, b->middle, x, bytes, err));
    memset(here, 0, bytes);
    norm_backward(&net->hp, b->rows, x_here, b->d_x, here);
    return device ? stac_device_put(device, gradient, here, bytes, err) : STAC_OK;
}
