/* From a calibrated float network to one whose products are driven by spikes: codes, means, int8 weights. */
#ifndef STAC_CONVERT_QUANTISE_NETWORK_H
#define STAC_CONVERT_QUANTISE_NETWORK_H

#include "convert/budget.h"

/* Float weights into integers of `bits` bits (2 to 8) with a scale per output, to the nearest; frees the floats.
 * With `mean`[n_in] the bias takes up W mean, computed with the float weights. */
int stac_quantise_linear(struct stac_linear *l, const float *mean, int bits, struct stac_error *err);

/* Give every site of this part its code and mean and quantise its product. Not collective. */
int stac_quantise_network(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                          int timesteps, int bits, struct stac_error *err);

#endif
