/* Surrogate gradients: a spike is a step of its membrane, whose derivative is 0 or infinite; in its place stands that of a
 * smooth step of the same height. With z the distance from the threshold in gaps between the levels on its two sides,
 *
 *     atan        alpha / 2 / (1 + (pi alpha z / 2)^2)                   Fang et al. 2021; SpikingJelly's ATan
 *     sigmoid     alpha s (1 - s),  s = 1 / (1 + exp(-alpha z))          SpikingJelly's Sigmoid
 *     stbif_plus  exp(-z^2 / (2 sigma^2)) / (sigma sqrt(2 pi)),  sigma = 1.62 / alpha
 *                 the Gaussian window of the ST-BIF neuron when it is trained; its sigma of 0.405 thresholds is alpha = 4
 *
 * all of area 1 and narrower with larger alpha. */
#ifndef STAC_SPIKE_SURROGATE_H
#define STAC_SPIKE_SURROGATE_H

enum stac_surrogate_kind { STAC_SURROGATE_ATAN, STAC_SURROGATE_SIGMOID, STAC_SURROGATE_STBIF_PLUS, STAC_SURROGATE_KINDS };

struct stac_surrogate {
    enum stac_surrogate_kind kind;
    double alpha;
};

/* The smooth step itself, from 0 to 1: the mean of its derivative over a range is the difference at its ends over its length.
 */
double stac_surrogate_step(const struct stac_surrogate *s, double z);

#endif
