/* Integer weights fitted to the coded activations of the calibration windows, layer by layer, with the network as it is
 * without spikes in front of each layer; then, if asked for, the codes of the layer trained (convert/train_codes.h). The groups
 * of ranks share the windows and the products of a layer. */
#ifndef STAC_CONVERT_FIT_NETWORK_H
#define STAC_CONVERT_FIT_NETWORK_H

#include "convert/calibrate.h"
#include "convert/quantise_network.h"
#include "convert/train_codes.h"

/* Quantise the part of the network that is here; `c` has learned its histograms, and its run is of no more use afterwards. The
 * embedding is gone then: nothing needs it behind the first layer, and this is where memory is short. `training` says how the
 * codes are trained and receives the results of all blocks. Collective over all ranks; ends with an agreement. The same bits
 * for any number of ranks. */
int stac_fit_network(struct stac_calibration *c, struct stac_network *net, const struct stac_plan *plan, int timesteps,
                     int bits, struct stac_training *training, struct stac_error *err);

#endif
