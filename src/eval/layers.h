/* How quality falls, layer by layer, as a network begins to spike.
 *
 * Step i of the walk has spikes in its first i layers; the sites behind them run on integers of 10 bits, which cost next to
 * nothing (about 52 dB on a Gaussian). So step 0 tells what the INT8 weights, keys and values cost, the difference of two steps
 * what a layer adds, and the last step, at which the head spikes too, is the network itself. */
#ifndef STAC_EVAL_LAYERS_H
#define STAC_EVAL_LAYERS_H

#include "eval/score.h"

/* One step, against the original on the same tokens. */
struct stac_layer_step {
    double ratio, kl, top1; /* as in struct stac_score */
    double ac_per_mac;      /* additions over the multiply-accumulates of all products */
};

struct stac_layers {
    size_t tokens;                /* predicted at every step */
    int n;                        /* n_layer + 2; 0: not measured */
    struct stac_layer_step *step; /* [n] owned */
};

/* Over the beginning of a text, at most one window of 256 tokens. The subject has both sides, and neurons that keep no state
 * over the network (not ST-BIF+). Its codes are what they were when it returns. Collective; ends with an agreement. */
int stac_layers_measure(struct stac_subject *s, const struct stac_reading *text, struct stac_layers *out,
                        struct stac_error *err);
void stac_layers_clean(struct stac_layers *l);

#endif
