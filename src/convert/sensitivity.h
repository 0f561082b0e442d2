/* Sensitivity: how much a small error at a site changes the predictions, from the Fisher information.
 *
 * With labels drawn from the model's own prediction, an error e at a site changes the prediction by a divergence of
 * E[(g e)^2] / 2, g being the gradient of the log-likelihood there (Fisher). An error that is independent between channels and
 * scales with the site's unit s therefore costs F * D / P nats per token, where D / P is its power relative to the power of
 * what is coded and F = E[sum of g^2 s^2] P / 2; at p, whose errors scale with each weight, F = E[sum of g^2 w^2] / 2. */
#ifndef STAC_CONVERT_SENSITIVITY_H
#define STAC_CONVERT_SENSITIVITY_H

#include "convert/calibrate.h"

/* fisher[n_sites] from the first n_windows windows; after stac_calibrate_histograms. Collective over all ranks; ends with an
 * agreement; the same on every rank. */
int stac_calibrate_fisher(struct stac_calibration *c, uint64_t seed, int n_windows, double *fisher, struct stac_error *err);

#endif
