/* One block by itself, as spikes run it: how far its output is from that of the dense block, what it spends, and in which
 * direction its codes would do better. The dense block's input and output are given; the error of a row counts relative to the
 * row, as the next norm sees it:
 *
 *     error = mean over rows of |spiking - dense|^2 / |dense|^2
 *
 * Errors and spikes are those of count mode with the integer weights. Gradients are those of the float formulas with the same
 * weights and decoded values (net/backward.h); keys and values, which count mode rounds to INT8, are floats there. */
#ifndef STAC_CONVERT_LONE_BLOCK_H
#define STAC_CONVERT_LONE_BLOCK_H

#include "convert/calibrate.h"
#include "convert/exact_sums.h"
#include "spike/tuning.h"

/* The residual stream of a window in front of the block and behind the dense one, [length][n_embd]. */
struct stac_lone_rows {
    const float *entered, *left;
};

/* What the values of one site added up to, over the training windows. */
struct stac_lone_site {
    int n_cells;
    struct stac_exact_sums sums; /* count and pull of each cell */
    double *count, *pull;        /* [n_cells] their values once they are merged */
};

struct stac_lone_block {
    struct stac_calibration *c; /* borrowed: windows, means, ranks */
    struct stac_block *block;   /* borrowed: integer weights, codes; its codes may be changed between calls */
    struct stac_network spiking, floats;
    struct stac_block copy; /* of floats: the same weights times their scales, no codes */
    struct stac_cache spiking_cache, float_cache;
    struct stac_run spiking_run, float_run;
    struct stac_backward backward;
    float *x, *gradient; /* [length][n_embd] */
    struct stac_lone_site site[STAC_SITE_HEAD_IN];
    double *lane; /* of each thread: count and pull of the most cells that a site has */
    int lane_cells;
};

/* Error and spikes of some windows; spikes of each kind of site are per row. */
struct stac_lone_score {
    double error, spikes[STAC_SITE_HEAD_IN];
};

/* Layer `layer` of the model, which is `block` here. Zero-initialise; release with stac_lone_block_clean. */
int stac_lone_block_init(struct stac_lone_block *l, struct stac_calibration *c, struct stac_block *block, int layer,
                         struct stac_error *err);
void stac_lone_block_clean(struct stac_lone_block *l);

/* Score of windows [first, last), of which this group reads its own: rows(ctx, window) says where they are. Collective over
 * the ranks of the stage; the same on all, for any number of groups. */
typedef struct stac_lone_rows (*stac_lone_source)(void *ctx, int window);
int stac_lone_block_score(struct stac_lone_block *l, int first, int last, stac_lone_source rows, void *ctx,
                          struct stac_lone_score *score, struct stac_error *err);

/* Fills l->site with sums over windows [first, last), the loss being the error summed over rows. Collective likewise. */
int stac_lone_block_gradient(struct stac_lone_block *l, int first, int last, stac_lone_source rows, void *ctx,
                             struct stac_error *err);

#endif
