/* Integer code: no spikes. What a product would cost without them: the baseline of dense integer activations.
 *
 *     x ~ unit * n,   n = clip(round(x / unit), -most, most),   most = 2^(bits-1) - 1, or 2^bits - 1 where x is never below 0
 *
 * Units: `unit` in units of the value, the one with the smallest mean squared error on the histogram; n is an integer that
 * is multiplied with the integer weights. Its products are counted as multiply-accumulates and none of them as covered.
 *
 * Source: symmetric uniform quantisation, static or with a scale per token (the scale of the site), as in LLM.int8() and
 * SmoothQuant; the clipping that minimises the error after Banner et al., NeurIPS 2019. */
#ifndef STAC_SPIKE_INTEGER_H
#define STAC_SPIKE_INTEGER_H

#include "spike/recipe.h"

/* The largest integer of so many bits. */
int stac_integer_most(int bits, bool is_signed);

/* The table of rounding to 0 .. most, without spikes. */
int stac_integer_levels(struct stac_code *code, struct stac_error *err);

#endif
