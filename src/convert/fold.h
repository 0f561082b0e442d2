/* Exact rewritings of a network that leave its function as it was (to float rounding) and make its activations easy to
 * code. All work on the part of the network that is here; none is collective. */
#ifndef STAC_CONVERT_FOLD_H
#define STAC_CONVERT_FOLD_H

#include "net/network.h"

/* Norm gains go into the rows of the weights behind them, norm biases into their biases. A layer norm becomes a
 * root-mean-square norm: its centring is moved into every weight that writes to the residual stream.
 * (Ashkboos et al., "SliceGPT", 2024, section 3; QuaRot, 2024.) */
int stac_fold_norms(struct stac_network *net, struct stac_error *err);

/* Turn the residual stream by an orthogonal matrix q[n_embd][n_embd]: x becomes x q. Norms must be folded. */
int stac_rotate_residual(struct stac_network *net, const float *q, struct stac_error *err);

/* Orthogonal matrices for the heads of this part, seeded by layer and head, one after the other: [head_dim][head_dim] for the
 * values of every head, and, where there are no rotary positions, for its queries and keys too. Processors may differ in the
 * last bits of them: ranks that share layers take those of one of them. */
size_t stac_head_rotations_size(const struct stac_network *net); /* floats */
int stac_head_rotations(const struct stac_network *net, uint64_t seed, float *out, struct stac_error *err);

/* Turn the channels of the heads by such matrices. */
int stac_rotate_heads(struct stac_network *net, const float *rotations, struct stac_error *err);

/* v of one head of keys of a block becomes v t, and o takes the inverse of t; both are [head_dim][head_dim]. */
int stac_turn_values(const struct stac_hparams *hp, struct stac_block *b, int head, const float *t, const float *inverse,
                     struct stac_error *err);

/* The hidden activation of a gated block times scale[n_ff], channel by channel. */
void stac_scale_hidden(struct stac_block *b, const float *scale);

/* Put a block Hadamard transform before `down`: its inverse goes into the weights, the transform is done online.
 * The order is the largest power of two that divides n_ff, at most 512. */
int stac_add_hadamard(struct stac_network *net, struct stac_error *err);

/* A random orthogonal matrix [n][n] of a seed: the Q of the QR decomposition of a Gaussian matrix, signs fixed. */
int stac_random_orthogonal(int n, uint64_t seed, uint64_t stream, float *out, struct stac_error *err);

#endif
