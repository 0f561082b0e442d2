/* From a calibrated float network to one whose products are driven by spikes: codes, means, int8 weights. */
#ifndef STAC_CONVERT_QUANTISE_NETWORK_H
#define STAC_CONVERT_QUANTISE_NETWORK_H

#include "convert/budget.h"

/* Decoded inputs of a product, mean taken away: what its integer weights are fitted to. */
struct stac_inputs {
    int n_rows;
    const float *z; /* [n_rows][n_in] */
    bool centred;   /* what they stand for has a mean of 0 */
};

/* Float weights into integers of `bits` bits (2 to 8) with a scale per output; frees the floats. inputs == NULL: each to
 * the nearest; else fitted to the inputs (convert/fit_weights.h), and the bias takes away what the mean of centred ones would add. With
 * `mean`[n_in] the bias takes up W mean, computed with the float weights. */
int stac_quantise_linear(struct stac_linear *l, const float *mean, int bits, const struct stac_inputs *inputs,
                         struct stac_error *err);

/* Give every site of this part its code and mean and quantise its product, to the nearest. Not collective. */
int stac_quantise_network(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                          int timesteps, int bits, struct stac_error *err);

/* Codes, means and the scales of the cache alone: of a block, which is `layer` of the model, and of the head. */
int stac_prepare_block(struct stac_block *b, int layer, const struct stac_statistics *stats, const struct stac_plan *plan,
                       int timesteps, struct stac_error *err);
int stac_prepare_head(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                      int timesteps, struct stac_error *err);

#endif
