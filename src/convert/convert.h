/* The conversion: from a model on disk to a quantised spiking network spread over the ranks. The recipe, step by step:
 *
 *   1. texts   calibration windows, from a file or written by the model itself
 *   2. load    each rank its layers, float32
 *      (activation: relu) from here on, ReLU is the activation of the hidden layers
 *   3. fold    norm gains and biases into the weights; layer norms become root-mean-square norms
 *   4. rotate  the residual stream and every value head
 *   5. shape   (full) by gradients: the hidden channels; then a Hadamard transform before `down`
 *   6. learn   means of channels, range of v; then the distribution of what is left
 *   7. weigh   (full) how much damage coding each kind of site does to the predictions, and how its layers compare
 *   8. plan    a code for every site that spends the spike budget where it hurts least
 *   9. quantise weights to integers, (full) fitted to the coded inputs; means into biases
 *  10. train   (full, threshold_steps > 0) the codes of each block on its output error
 *
 * Each step is the same for any number of ranks, to the bit. */
#ifndef STAC_CONVERT_CONVERT_H
#define STAC_CONVERT_CONVERT_H

#include "base/log.h"
#include "convert/budget.h"
#include "convert/train_codes.h"
#include "dist/grid.h"
#include "dist/hardware.h"
#include "job/job.h"
#include "text/corpus.h"

/* Calibration windows from a file. */
struct stac_windows {
    int n, length, n_vocab;
    int32_t *tokens;  /* [n][length], owned */
    char source[160]; /* what they are: struct stac_conversion's `calibration` when they were made */
};

struct stac_conversion {
    /* set by the caller, borrowed */
    const struct stac_job *job;
    struct stac_ranks *ranks;
    const struct stac_log *log;
    struct stac_model *model;               /* open on every rank */
    const struct stac_tokenizer *tokenizer; /* needed on rank 0 when there is a calibration text */
    const struct stac_windows *windows;     /* to calibrate on, the same on every rank; NULL: as the job says */
    struct stac_checkpoint *checkpoint;     /* what is done so far, or NULL */
    /* while it works: what writes texts and takes the products of passes; the fit stays on processors */
    struct stac_hardware hardware;
    /* the result */
    struct stac_grid grid;
    int *stage_begin; /* [n_stages + 1] */
    struct stac_part part;
    struct stac_network net; /* this rank's part, quantised */
    float *rotation;         /* [n_embd][n_embd] of the residual stream; NULL: none */
    struct stac_statistics stats;
    struct stac_plan *plan; /* [stac_site_count] */
    double *sensitivity;    /* [stac_site_count] nats per relative error power */
    double expected_ac_per_mac;
    struct stac_training training; /* what training the codes gave; steps 0: they are the planned ones */
    int n_windows, length;
    int32_t *tokens;       /* [n_windows][length] what was read, on every rank */
    char calibration[160]; /* where it comes from */
};

/* Convert: all steps. Collective over all ranks; every rank returns the same status. Release with stac_conversion_clean. */
int stac_convert(struct stac_conversion *c, struct stac_error *err);

/* Step 1 alone: c->tokens are then the calibration windows. Otherwise as stac_convert. */
int stac_convert_texts(struct stac_conversion *c, struct stac_error *err);
void stac_conversion_clean(struct stac_conversion *c);

/* How the layers of a model are spread over the ranks, for conversion and for evaluation alike. Collective. */
int stac_spread(const struct stac_job *job, const struct stac_ranks *ranks, const struct stac_hparams *hp,
                struct stac_grid *grid, int **stage_begin, struct stac_part *part, struct stac_error *err);

#endif
