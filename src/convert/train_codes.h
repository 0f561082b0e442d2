/* Threshold optimisation: the codes of a block trained by surrogate gradients on that block's output error over the calibration
 * windows. Weights of products and words stay; units, thresholds and step weights move (spike/tuning.h). What is made smaller
 * is
 *
 *     loss = error + sum over sites of price * spikes
 *
 * with the error and spikes per row of convert/lone_block.h. The price of a site is the rate at which its closed-form
 * thresholds, taken together, exchange one for the other, so that a site keeps its spikes to first order and the plan its
 * budget. Adam (Kingma and Ba, 2015) follows the gradient over the first three quarters of the windows, with a price that rises
 * where a site spends more than at first and falls where it spends less. The codes that are kept are those with the smallest
 * loss on the last quarter, at the first prices, the closed-form ones among them. In the end a table may change one mantissa of
 * its step weights by 1/64 (at least by 1): the one of which the gradient promises most, if the loss on the last quarter falls.
 */
#ifndef STAC_CONVERT_TRAIN_CODES_H
#define STAC_CONVERT_TRAIN_CODES_H

#include "convert/budget.h"
#include "convert/lone_block.h"

/* How to train, and what became of it: of the blocks of this rank, of all blocks after stac_training_merge. */
struct stac_training {
    int steps; /* 0: none */
    struct stac_surrogate surrogate;
    int n_layer;
    double *loss; /* [n_layer][steps + 1] on the last quarter, first that of the closed-form codes; owned */
    double *note; /* [n_layer][STAC_TRAINING_NOTES] owned */
};

/* Of the last quarter, with closed-form codes and with those that were kept; and the step that gave them. */
enum {
    STAC_TRAINING_ERROR,
    STAC_TRAINING_ERROR_KEPT,
    STAC_TRAINING_SPIKES, /* per row */
    STAC_TRAINING_SPIKES_KEPT,
    STAC_TRAINING_BEST,
    STAC_TRAINING_LOSS_KEPT,
    STAC_TRAINING_REWEIGHED, /* sites whose step weights were changed in the end */
    STAC_TRAINING_NOTES
};

/* Room for the results of steps > 0; release with stac_training_clean. */
int stac_training_init(struct stac_training *t, int n_layer, struct stac_error *err);
void stac_training_clean(struct stac_training *t);

/* Train the codes of a block of this stage, which has its integer weights, means and codes. Collective over the ranks of the
 * stage, which are left with the same codes; the same bits for any number of them. plan[n_sites] bounds the integers. */
int stac_train_codes(struct stac_training *t, struct stac_calibration *c, struct stac_block *block, int layer,
                     const struct stac_plan *plan, stac_lone_source rows, void *ctx, struct stac_error *err);

/* Every rank learns the results of all blocks. Collective over all ranks. */
int stac_training_merge(struct stac_training *t, const struct stac_calibration *c, struct stac_error *err);

#endif
