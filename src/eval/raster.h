/* The spikes of a sentence, step by step, for a picture. */
#ifndef STAC_EVAL_RASTER_H
#define STAC_EVAL_RASTER_H

#include "eval/subject.h"

enum { STAC_RASTER_SITES = 2, STAC_RASTER_TOKENS = 10, STAC_RASTER_CHANNELS = 48 };

/* What the first channels send while each token is read. */
struct stac_raster {
    bool measured;
    int layer, timesteps, n_tokens;
    enum stac_site_kind kind[STAC_RASTER_SITES];
    int n_channels[STAC_RASTER_SITES];
    char token[STAC_RASTER_TOKENS][32]; /* its text */
    struct stac_word word[STAC_RASTER_SITES][STAC_RASTER_TOKENS][STAC_RASTER_CHANNELS];
};

/* A sentence that is built in, read by the SNN side, whose neurons run in time by themselves (not ST-BIF+); the sites are those
 * behind a norm and behind the activation function of the layer in the middle. The same on every rank. Collective; ends with an
 * agreement. */
int stac_raster_measure(struct stac_subject *s, struct stac_raster *out, struct stac_error *err);

#endif
