#include "convert/fold.h"

#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/transpose.h"

/* ---- norms -------------------------------------------------------------------------------------------------------- */

/* y = (x gain + shift) W + b  becomes  y = x W' + b'. Frees gain and shift. */
static int fold_into(struct stac_linear *l, float **gain, float **shift, struct stac_error *err) {
    size_t n = (size_t)l->n_out;
    if (*shift) {
        if (!l->bias) STAC_TRY(STAC_NEW(l->bias, n, "a bias", err));
        for (int i = 0; i < l->n_in; i++)
            for (size_t j = 0; j < n; j++) l->bias[j] += (*shift)[i] * l->w[i * n + j];
    }
    if (*gain)
        for (int i = 0; i < l->n_in; i++)
            for (size_t j = 0; j < n; j++) l->w[i * n + j] *= (*gain)[i];
    free(*gain);
    free(*shift);
    *gain = *shift = NULL;
    return STAC_OK;
}

/* Take the mean out of each of `rows` rows of n values. */
static void centre_rows(float *x, size_t rows, size_t n) {
    if (!x) return;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += x[r * n + i];
        float mean = (float)(sum / (double)n);
        for (size_t i = 0; i < n; i++) x[r * n + i] -= mean;
    }
}

static void centre_writers(struct stac_network *net) {
    const struct stac_hparams *hp = &net->hp;
    size_t d = (size_t)hp->n_embd;
    centre_rows(net->token_embd, (size_t)hp->n_vocab, d);
    centre_rows(net->position_embd, (size_t)hp->n_ctx, d);
    for (int l = 0; l < net->last - net->first; l++) {
        struct stac_block *b = &net->block[l];
        centre_rows(b->o.w, (size_t)b->o.n_in, d);
        centre_rows(b->o.bias, 1, d);
        centre_rows(b->down.w, (size_t)b->down.n_in, d);
        centre_rows(b->down.bias, 1, d);
    }
    net->hp.norm = STAC_NORM_RMS;
}

int stac_fold_norms(struct stac_network *net, struct stac_error *err) {
    for (int l = 0; l < net->last - net->first; l++) {
        struct stac_block *b = &net->block[l];
        STAC_TRY(fold_into(&b->qkv, &b->attn_norm, &b->attn_norm_bias, err));
        STAC_TRY(fold_into(&b->up, &b->mlp_norm, &b->mlp_norm_bias, err));
    }
    if (net->has_head) STAC_TRY(fold_into(&net->head, &net->final_norm, &net->final_norm_bias, err));
    if (net->hp.norm == STAC_NORM_LAYER) centre_writers(net);
    return STAC_OK;
}

/* ---- rotations ---------------------------------------------------------------------------------------------------- */

/* x[rows][n] becomes x q, n at most a few thousand; in pieces, so that the copy stays small. */
static int turn_rows(float *x, size_t rows, int n, const float *q, struct stac_error *err) {
    enum { PIECE = 4096 };
    float *copy;
    if (!x) return STAC_OK;
    STAC_TRY(STAC_NEW(copy, (size_t)PIECE * n, "a rotation", err));
    for (size_t r = 0; r < rows; r += PIECE) {
        int m = (int)(rows - r < PIECE ? rows - r : PIECE);
        memcpy(copy, x + r * n, (size_t)m * n * sizeof *copy);
        stac_kernels_best()->gemm_f32(m, n, n, copy, n, q, n, x + r * n, n);
    }
    free(copy);
    return STAC_OK;
}

/* w[n][n_out] becomes qt w: the inputs of the product turn by q. qt is the transpose of q. */
static int turn_inputs(struct stac_linear *l, const float *qt, struct stac_error *err) {
    float *copy;
    size_t n = (size_t)l->n_in * l->n_out;
    STAC_TRY(STAC_NEW(copy, n, "a rotation", err));
    memcpy(copy, l->w, n * sizeof *copy);
    stac_kernels_best()->gemm_f32(l->n_in, l->n_out, l->n_in, qt, l->n_in, copy, l->n_out, l->w, l->n_out);
    free(copy);
    return STAC_OK;
}

int stac_rotate_residual(struct stac_network *net, const float *q, struct stac_error *err) {
    const struct stac_hparams *hp = &net->hp;
    int d = hp->n_embd, status = STAC_OK;
    float *qt;
    STAC_TRY(STAC_NEW(qt, (size_t)d * d, "a rotation", err));
    stac_transpose(d, d, q, d, qt);
    STAC_TRY_DONE(turn_rows(net->token_embd, (size_t)hp->n_vocab, d, q, err));
    STAC_TRY_DONE(turn_rows(net->position_embd, (size_t)hp->n_ctx, d, q, err));
    for (int l = 0; l < net->last - net->first; l++) {
        struct stac_block *b = &net->block[l];
        STAC_TRY_DONE(turn_inputs(&b->qkv, qt, err));
        STAC_TRY_DONE(turn_inputs(&b->up, qt, err));
        STAC_TRY_DONE(turn_rows(b->o.w, (size_t)b->o.n_in, d, q, err));
        STAC_TRY_DONE(turn_rows(b->o.bias, 1, d, q, err));
        STAC_TRY_DONE(turn_rows(b->down.w, (size_t)b->down.n_in, d, q, err));
        STAC_TRY_DONE(turn_rows(b->down.bias, 1, d, q, err));
    }
    if (net->has_head) STAC_TRY_DONE(turn_inputs(&net->head, qt, err));
done:
    free(qt);
    return status;
}

/* Columns [at, at + n) of x[rows][ld] turn by q[n][n]. */
static void turn_columns(float *x, size_t rows, size_t ld, size_t at, int n, const float *q) {
    if (!x) return;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float row[1024];
        memcpy(row, x + r * ld + at, (size_t)n * sizeof *row);
        stac_kernels_best()->gemm_f32(1, n, n, row, n, q, n, x + r * ld + at, n);
    }
}

/* Rows [at, at + n) of w turn by the inverse: what comes in turned goes out as before. */
static int turn_head_inputs(struct stac_linear *l, int at, int n, const float *qt, struct stac_error *err) {
    struct stac_linear rows = {.n_in = n, .n_out = l->n_out, .w = l->w + (size_t)at * l->n_out};
    return turn_inputs(&rows, qt, err);
}

int stac_turn_values(const struct stac_hparams *hp, struct stac_block *b, int head, const float *t, const float *inverse,
                     struct stac_error *err) {
    int dim = hp->head_dim, per_kv = hp->n_head / hp->n_head_kv, ld = b->qkv.n_out;
    size_t at = (size_t)(stac_q_width(hp) + stac_kv_width(hp) + head * dim);
    turn_columns(b->qkv.w, (size_t)b->qkv.n_in, (size_t)ld, at, dim, t);
    turn_columns(b->qkv.bias, 1, (size_t)ld, at, dim, t);
    for (int h = head * per_kv; h < (head + 1) * per_kv; h++) STAC_TRY(turn_head_inputs(&b->o, h * dim, dim, inverse, err));
    return STAC_OK;
}

void stac_scale_hidden(struct stac_block *b, const float *scale) {
    int n = b->down.n_in, ld = b->up.n_out;
    for (int i = 0; i <= b->up.n_in; i++) {
        float *row = i < b->up.n_in ? b->up.w + (size_t)i * ld : b->up.bias;
        for (int j = 0; row && j < n; j++) row[n + j] *= scale[j];
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < b->down.n_out; j++) b->down.w[(size_t)i * b->down.n_out + j] /= scale[i];
}

static size_t floats_of_head(const struct stac_hparams *hp) {
    return (hp->rope_theta > 0 ? 1 : 2) * (size_t)hp->head_dim * (size_t)hp->head_dim;
}

size_t stac_head_rotations_size(const struct stac_network *net) {
    return (size_t)(net->last - net->first) * (size_t)net->hp.n_head_kv * floats_of_head(&net->hp);
}

int stac_head_rotations(const struct stac_network *net, uint64_t seed, float *out, struct stac_error *err) {
    const struct stac_hparams *hp = &net->hp;
    int dim = hp->head_dim;
    for (int i = net->first * hp->n_head_kv; i < net->last * hp->n_head_kv; i++, out += floats_of_head(hp)) {
        uint64_t stream = 1 + (uint64_t)i;
        STAC_TRY(stac_random_orthogonal(dim, seed, stream, out, err));
        if (hp->rope_theta > 0) continue;
        STAC_TRY(stac_random_orthogonal(dim, seed, stream + (UINT64_C(1) << 40), out + (size_t)dim * dim, err));
    }
    return STAC_OK;
}

/* One head of keys and values and the query heads that share it, by the matrices q; `inverse` is room for another one. */
static int rotate_head(struct stac_network *net, struct stac_block *b, int head, const float *q, float *inverse,
                       struct stac_error *err) {
    const struct stac_hparams *hp = &net->hp;
    int dim = hp->head_dim, per_kv = hp->n_head / hp->n_head_kv, rows = b->qkv.n_in, ld = b->qkv.n_out;
    int k_at = stac_q_width(hp) + head * dim;
    stac_transpose(dim, dim, q, dim, inverse);
    STAC_TRY(stac_turn_values(hp, b, head, q, inverse, err));
    if (hp->rope_theta > 0) return STAC_OK;
    q += (size_t)dim * dim;
    for (int h = head * per_kv; h <= (head + 1) * per_kv; h++) {
        size_t at = (size_t)(h < (head + 1) * per_kv ? h * dim : k_at); /* the queries, and then their key */
        turn_columns(b->qkv.w, (size_t)rows, (size_t)ld, at, dim, q);
        turn_columns(b->qkv.bias, 1, (size_t)ld, at, dim, q);
    }
    return STAC_OK;
}

int stac_rotate_heads(struct stac_network *net, const float *rotations, struct stac_error *err) {
    float *inverse;
    int status = STAC_NEW(inverse, (size_t)net->hp.head_dim * net->hp.head_dim, "a rotation", err);
    for (int l = 0; l < net->last - net->first; l++)
        for (int h = 0; h < net->hp.n_head_kv && status == STAC_OK; h++, rotations += floats_of_head(&net->hp))
            status = rotate_head(net, &net->block[l], h, rotations, inverse, err);
    free(inverse);
    return status;
}

int stac_add_hadamard(struct stac_network *net, struct stac_error *err) {
    int n_ff = net->hp.n_ff, d = net->hp.n_embd, order = 1;
    float *columns;
    while (order < 512 && n_ff % (2 * order) == 0) order *= 2;
    net->hadamard = order > 1 ? order : 0;
    if (!net->hadamard) return STAC_OK;
    STAC_TRY(STAC_NEW(columns, (size_t)n_ff * d, "a transform", err));
    for (int l = 0; l < net->last - net->first; l++) { /* the transform is symmetric and its own inverse */
        float *w = net->block[l].down.w;
        stac_transpose(n_ff, d, w, d, columns);
        stac_kernels_best()->hadamard(d, n_ff, order, columns);
        stac_transpose(d, n_ff, columns, n_ff, w);
    }
    free(columns);
    return STAC_OK;
}

int stac_random_orthogonal(int n, uint64_t seed, uint64_t stream, float *out, struct stac_error *err) {
    struct stac_random random = stac_random_seeded(seed, stream);
    double *a = NULL, *tau = NULL, *diagonal = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(a, (size_t)n * n, "a rotation", err));
    STAC_TRY_DONE(STAC_NEW(tau, n, "a rotation", err));
    STAC_TRY_DONE(STAC_NEW(diagonal, n, "a rotation", err));
    for (size_t i = 0; i < (size_t)n * n; i++) a[i] = stac_random_normal(&random);
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, n, n, a, n, tau);
    for (int i = 0; i < n; i++) diagonal[i] = a[(size_t)i * n + i];
    if (info == 0) info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, n, n, n, a, n, tau);
    if (info != 0)
        status = stac_fail(err, STAC_ERR_INTERNAL, "a random rotation of %d dimensions failed: LAPACK %d", n, (int)info);
    for (size_t i = 0; i < (size_t)n * n; i++) out[i] = (float)(diagonal[i / (size_t)n] < 0 ? -a[i] : a[i]);
done:
    free(a);
    free(tau);
    free(diagonal);
    return status;
}
