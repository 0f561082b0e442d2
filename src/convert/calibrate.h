/* Calibration: the folded network reads the calibration windows, and every pass learns something about its sites. */
#ifndef STAC_CONVERT_CALIBRATE_H
#define STAC_CONVERT_CALIBRATE_H

#include "base/log.h"
#include "convert/statistics.h"
#include "dist/checkpoint.h"
#include "net/pipeline.h"

struct stac_calibration {
    const struct stac_ranks *ranks; /* borrowed, like all pointers to const */
    const struct stac_grid *grid;
    const struct stac_log *log;
    const struct stac_hparams *hp;
    const struct stac_network *net;   /* this rank's part; NULL on a rank left over */
    const struct stac_device *device; /* or NULL: the processor. Takes the products of passes */
    const int32_t *tokens;            /* [n_windows][length], the same on every rank */
    int n_windows, length;
    struct stac_checkpoint *checkpoint; /* or NULL */
    struct stac_statistics stats;
    struct stac_network placed; /* net on the device, block by block where it is larger than that */
    bool streams;
    int together;            /* windows that are read as one batch: several where layers come one at a time */
    struct stac_cache cache; /* the host's: statistics look at keys and values, and probes at queries and weights */
    struct stac_run run;
    struct stac_pipeline pipeline;
    int32_t *index; /* [2][together][length] positions and slots of windows */
    float *mean;    /* of every channel, laid out as stats.sums; filled by the second pass */
};

/* All functions below are collective over all ranks, and end with an agreement. Set the fields above `stats` before the
 * first one. */
int stac_calibrate_begin(struct stac_calibration *c, struct stac_error *err);
void stac_calibrate_end(struct stac_calibration *c);

/* The device gets the network as it is now; done by every pass below, left to whoever runs c->run himself. Not collective. */
int stac_calibration_place(struct stac_calibration *c, struct stac_error *err);

/* First pass: means of the channels and the range of v. */
int stac_calibrate_means(struct stac_calibration *c, struct stac_error *err);

/* Second pass: histograms of what is left when the means are taken away. */
int stac_calibrate_histograms(struct stac_calibration *c, struct stac_error *err);

/* Mean of a site's channels, or NULL for a site without; after the second pass. */
const float *stac_calibration_mean(const struct stac_calibration *c, int site);

/* 1 / scale of a row x[n] of a site, `mean` being that of its channels: what stac_row_scale is to the forward pass, with a unit
 * of 1. */
float stac_calibration_inverse_scale(const struct stac_calibration *c, const struct stac_site *site, int n, const float *x,
                                     const float *mean);

/* What a code makes of a row x[n] of a site: out[n] decoded, the mean taken away. */
void stac_calibration_code_row(const struct stac_calibration *c, const struct stac_site *site, const struct stac_code *code,
                               int n, const float *x, float *out);

/* Batch of a window; borrows from c. */
struct stac_batch stac_calibration_window(const struct stac_calibration *c, int window);

/* Gradients of the log-likelihood of labels that the model draws from its own predictions, over the first n_windows windows:
 * the probe sees values and gradients at the sites of this rank (net/backward.h), and adds to `part`, which is put together in
 * the end. `check` is asked on every rank after each piece whether what the probe saw was sane; `phase` and `record` are what
 * it is called on the screen and in the checkpoint. */
struct stac_gradients {
    const char *phase, *record;
    uint64_t seed;
    int n_windows;
    struct stac_gradient_probe probe;
    const struct stac_partial *part;
    int n_parts;
    int (*check)(void *ctx, struct stac_error *err); /* ctx is that of the probe */
};
int stac_calibrate_gradients(struct stac_calibration *c, const struct stac_gradients *g, struct stac_error *err);

/* Damage of coding one kind of site in all layers while everything else stays as it is: mean Kullback-Leibler divergence
 * of the predictions, in nats per token, over the first `n_windows` windows. codes[stac_site_count]: only those of a
 * kind are used. damage[STAC_SITE_KINDS]. */
int stac_calibrate_damage(struct stac_calibration *c, const struct stac_code *codes, int n_windows, double *damage,
                          struct stac_error *err);

#endif
