/* Shaping: free changes of basis that put the errors of the codes where they hurt least.
 *
 * Values. Between v and o any orthogonal matrix of a head's channels may stand. The eigenvectors of the covariance of what
 * enters o make the channels uncorrelated: few of them carry the signal, and the others stay silent (Karhunen-Loeve transform).
 *
 * Hidden activation. Where it is gated, channel c may be scaled by s_c in the columns of `up` and by 1/s_c in the rows of
 * `down`. s_c = (E[g^2] / E[x^2])^HIDDEN_POWER of the channel, g being the gradient, before the Hadamard transform spreads the
 * errors over all of them. */
#ifndef STAC_CONVERT_SHAPE_H
#define STAC_CONVERT_SHAPE_H

#include "convert/calibrate.h"

/* Which of the two. */
struct stac_shaping {
    bool values, hidden;
};

/* Learn from the first n_windows windows and change the weights of the part that is here; norms must be folded, and the
 * Hadamard transform not yet be added. Collective over all ranks; ends with an agreement; the same bits for any number of
 * ranks. */
int stac_shape_network(struct stac_calibration *c, struct stac_shaping what, uint64_t seed, int n_windows,
                       struct stac_network *net, struct stac_error *err);

#endif
