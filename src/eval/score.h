/* Perplexity and fidelity over the windows of a text: both sides read the same windows, side by side. */
#ifndef STAC_EVAL_SCORE_H
#define STAC_EVAL_SCORE_H

#include "eval/neurobench.h"
#include "eval/reading.h"
#include "text/corpus.h"

/* What one window adds; a side that does not run adds 0. */
struct stac_window_score {
    double nll[STAC_SIDES], kl; /* sums over its predicted tokens, nats */
    double agree, tokens;       /* whole numbers: tokens where both sides agree, and all that are predicted */
};

struct stac_score {
    size_t tokens; /* predicted and counted */
    size_t windows, context, stride;
    size_t found;                  /* windows that an interrupted run of the same job had read */
    double nll[STAC_SIDES];        /* mean negative log-likelihood per token, nats; by enum stac_side */
    double perplexity[STAC_SIDES]; /* exp(nll) */
    int64_t distinct[STAC_SIDES];  /* different most likely tokens */
    /* with both sides */
    double ratio;                     /* perplexity of the SNN over that of the baseline */
    double kl;                        /* mean divergence of the SNN's prediction from the baseline's, nats per token */
    double top1;                      /* share of tokens where both have the same most likely prediction */
    struct stac_window_score *window; /* [windows], owned */
    /* by site, of the SNN side and of the baseline (zeros where it was kept, or is not run); owned */
    struct stac_counts *counts, *dense;
    struct stac_counts total;          /* of the SNN side */
    int64_t *channels;                 /* of the SNN side (net/channels.h), with the key neurobench; owned */
    struct stac_neurobench neurobench; /* with the key neurobench */
};

/* What the baseline makes of the windows of a text: its residual stream after the last block, n_embd floats a token, from
 * which its head gives its predictions again. So it runs once for many conversions, and each is still held against all of
 * its predictions. x[window]: NULL where the window is another group's, or the stage is not the last. */
struct stac_kept {
    size_t n_windows;
    float **x;
};

/* Score a subject on a text. With `kept` of the same text the baseline is not run again (NULL: both sides run, side by
 * side); the figures are the same. Collective; ends with an agreement. */
int stac_score_text(struct stac_subject *s, const struct stac_reading *text, const struct stac_kept *kept,
                    struct stac_score *out, struct stac_error *err);

/* Run the baseline alone and keep what it makes of a text. Collective; ends with an agreement. */
int stac_score_keep(struct stac_subject *s, const struct stac_reading *text, struct stac_kept *out, struct stac_error *err);
void stac_kept_clean(struct stac_kept *kept);
void stac_score_clean(struct stac_score *score);

/* What the counts say. AC/MAC: additions per multiply-accumulate of the dense model, over all products. Coverage: share
 * of the multiply-accumulates whose input was spikes. */
double stac_ac_per_mac(const struct stac_counts *total);
double stac_multiplies_per_mac(const struct stac_counts *total); /* of outputs by step weights */
double stac_spikes_per_activation(const struct stac_counts *total);
double stac_coverage(const struct stac_counts *total);

/* Energy of the dense products over that of the spiking ones, operations only: 4.6 picojoules a multiply-accumulate, 0.9 an
 * addition (Horowitz, ISSCC 2014, 45 nm, FP32). */
double stac_energy_ratio(const struct stac_counts *total);

#endif
