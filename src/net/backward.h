/* The backward pass: gradients of a scalar loss of the dense network, for one text read by itself from position 0.
 *
 * Blocks are recomputed from what entered them, so memory holds one residual stream per layer. The gradient of a product
 * y = x W is dx = dy W^T, computed as dx^T = W dy^T with the same kernels as the forward pass: the same bits for any number of
 * threads, and on a device, which takes the products only (its run has a cache of the host's). Norms must have neither gain nor
 * bias (stac_fold_norms). Formulas: softmax and normalisation by the chain rule, rotary positions by turning back. */
#ifndef STAC_NET_BACKWARD_H
#define STAC_NET_BACKWARD_H

#include "net/run.h"

/* Sees values, as they entered a site, and gradients: n_rows rows of n values, `ldx` and `ldg` apart; `head` is the query head
 * at q and p, else -1. At p the values are the weights before they are divided by their sum, and rows are seen one by one. At q
 * and p it is called from several threads, one for each head of keys. */
struct stac_gradient_probe {
    void (*see)(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                const float *gradient, int ldg);
    void *ctx;
};

struct stac_backward {
    struct stac_run *run; /* borrowed: dense, one slot, its probe free for use here */
    struct stac_gradient_probe probe;
    /* see != NULL, with `changes`: changes what enters the sites, as in a run. Gradients then are those of the changed network
     * with respect to the changed values, and go on to what was changed as if it had not been (straight through). */
    struct stac_probe change;
    int rows;
    float *kept;                                  /* [layers][max_rows][n_embd] what entered each block */
    float *entered[STAC_SITE_HEAD_IN];            /* [max_rows][...] values at the sites of the block at work; not at p */
    float *attn_in, *q, *o_in, *mlp_in, *down_in; /* [max_rows][...] the same, changed */
    float *middle;                                /* [max_rows][n_embd] residual between its halves */
    float *wide, *d_wide, *d_hidden, *d_x;        /* [max_rows][...] */
    float *turned, *turned_out;                   /* transposed rows */
    float *square;                                /* attention of one head, for each head of keys */
    float *gradient_here;                         /* [max_rows][n_embd] with a device; and of that: */
    float *in_there, *out_there, *x_there;        /* what products read and give; [max_rows][n_embd] */
};

/* Workspace for texts of run->max_rows tokens. Zero-initialise; release with stac_backward_clean. */
int stac_backward_init(struct stac_backward *b, struct stac_run *run, struct stac_error *err);
void stac_backward_clean(struct stac_backward *b);

/* Bytes that it takes of a device beside its run. */
double stac_backward_bytes(const struct stac_network *net, int max_rows);

/* Forward, keeping what the way back needs: x[batch->n][n_embd] through the blocks of this part. x here, and gradients below,
 * are where the run is; what probes see is the host's. */
int stac_backward_begin(struct stac_backward *b, const struct stac_batch *batch, float *x, struct stac_error *err);

/* Last stage: gradient[rows][n_embd] with respect to x, the residual stream after the last block, of the loss
 * -sum over rows of log p(label[row]). label == NULL: labels are drawn from the prediction itself, by that stream of random
 * numbers; the mean squares of gradients then are the Fisher information. */
int stac_backward_head(struct stac_backward *b, const float *x, const int32_t *label, uint64_t seed, uint64_t stream,
                       float *gradient, struct stac_error *err);

/* gradient[rows][n_embd] with respect to what the last block of this part gave becomes that with respect to what entered
 * its first one; the probe sees all sites on the way. */
int stac_backward_blocks(struct stac_backward *b, float *gradient, struct stac_error *err);

#endif
