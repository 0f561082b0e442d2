/* Closed-form fit of integer weights to the coded inputs they will see.
 *
 * Rounding to the nearest treats all errors alike. What counts is the error of the product, |Z (W - Q)|^2, Z being the decoded
 * inputs of the calibration text. Weights are rounded input by input, the strongest input first, and the error of each is made
 * up for by those that are still real, along the Cholesky factor of the inverse of H = Z^T Z (GPTQ: Frantar et al. 2023,
 * "Accurate post-training quantization for generative pre-trained transformers"; after Hassibi and Stork 1993). A hundredth of
 * its mean is added to the diagonal of H. */
#ifndef STAC_CONVERT_FIT_WEIGHTS_H
#define STAC_CONVERT_FIT_WEIGHTS_H

#include "net/network.h"

/* Round w[n_in][n_out] to multiples of scale[n_out], at most `largest` in magnitude, into q[n_in][n_out], for inputs
 * z[n_rows][n_in]. Not collective; the same bits for any number of threads. */
int stac_fit_weights(int n_in, int n_out, int n_rows, const float *z, const float *w, const float *scale, int largest,
                     int8_t *q, struct stac_error *err);

#endif
