/* Shaping: free changes of basis that put the errors of the codes where they hurt least, learned from gradients.
 *
 * Values. Between v and o any invertible matrix T of a head's channels may stand: v T, T^-1 o. With G = E[g g^T] the second
 * moments of the gradient at `o_in` and C the covariance of what enters it, T = G^1/2 V makes an error of the code equally
 * harmful in every direction, and the columns of V, the eigenvectors of G^1/2 C G^1/2, make the channels uncorrelated, so that
 * few of them carry the signal and the others stay silent.
 *
 * Hidden activation. Where it is gated, channel c may be scaled by s_c in the columns of `up` and by 1/s_c in the rows of
 * `down`. s_c = (E[g^2] / E[x^2])^HIDDEN_POWER of the channel, before the Hadamard transform spreads the errors over all of
 * them. */
#ifndef STAC_CONVERT_SHAPE_H
#define STAC_CONVERT_SHAPE_H

#include "convert/calibrate.h"

/* Learn from the first n_windows windows and change the weights of the part that is here; norms must be folded, and the
 * Hadamard transform not yet be added. Collective over all ranks; ends with an agreement; the same bits for any number of
 * ranks. */
int stac_shape_network(struct stac_calibration *c, uint64_t seed, int n_windows, struct stac_network *net,
                       struct stac_error *err);

#endif
