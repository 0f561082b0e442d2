/* The honest rival of a code: dense integers of so many bits that their error is as large.
 *
 * A uniform quantiser of k bits (spike/integer.h; its unit has the smallest mean squared error) is held against the
 * distribution that calibration left of the site, as the code was when it was planned. k is a real number: between the whole
 * bits whose errors enclose that of the code, in proportion of the logarithms. Beyond STAC_RIVAL_WHOLE_BITS a bit is
 * 6.02 dB. */
#ifndef STAC_ENERGY_RIVAL_H
#define STAC_ENERGY_RIVAL_H

#include "base/status.h"
#include "spike/histogram.h"

#define STAC_RIVAL_WHOLE_BITS 10
#define STAC_RIVAL_MOST_BITS 16

/* Bits, from 2 to STAC_RIVAL_MOST_BITS, for a mean squared error of `distortion` in squared units of the histogram. */
int stac_rival_bits(const struct stac_histogram *h, bool is_signed, double distortion, double *bits, struct stac_error *err);

#endif
