/* Spike codes: how a value becomes a few signed spikes over T steps, and which word a value gets.
 *
 *     x = unit * sum over t of s_t w_t,   s_t in {-1, 0, +1}
 *
 * The step weights w_t are integers (step_weights.h), so the sum of a word over time is an integer too, and the collapsed
 * computation gives the same integer in one product.
 *
 * Which word a value gets is a table of thresholds between ascending levels. Codes are odd: negative values use the same table
 * with signs turned. The default words and thresholds are those of ternary.h; other kinds have files of their own. */
#ifndef STAC_SPIKE_CODE_H
#define STAC_SPIKE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "spike/histogram.h"
#include "spike/neuron.h"

#define STAC_MAX_CLASSES 16
#define STAC_MAX_LEVELS 32768 /* of any code: they have integers of their own, 0 to INT16_MAX */
#define STAC_MAX_HEAVY 2

/* What the words of a code look like. */
enum stac_code_kind {
    STAC_CODE_TERNARY,   /* at most two signed spikes, more for outliers; ternary.h, causal.h */
    STAC_CODE_RATE,      /* the number of spikes; rate.h, st_bif.h */
    STAC_CODE_PHASE,     /* digits of the magnitude; phase.h */
    STAC_CODE_ONE_SPIKE, /* one signed spike at the best step; one_spike.h */
    STAC_CODE_INTEGER,   /* no spikes: an integer of some bits, multiplied; integer.h */
    STAC_CODE_KINDS
};

const char *stac_code_name(enum stac_code_kind kind); /* "ternary", "rate", ... */

/* A law of step weights: geometric with base 2^(shift / n_classes); or, curve > 0, a ramp whose slope grows by curve percent
 * of itself over half of its length, below `heavy` steps each of which weighs ratio percent of the next lighter one. Neither:
 * weights without a law, each by itself. */
struct stac_base {
    int n_classes, shift;
    int heavy, curve, ratio;
};

/* Numbers in `mantissa` that the weights follow from: of the classes; or the heavy steps, slope and bend. 0: no law. */
static inline int stac_base_factors(struct stac_base base) {
    return base.curve > 0 ? base.heavy + 2 : base.n_classes;
}

struct stac_code {
    enum stac_code_kind kind;
    int timesteps;
    struct stac_base base;
    int32_t mantissa[STAC_MAX_CLASSES];
    int32_t weight[STAC_MAX_TIMESTEPS]; /* w_t */
    float unit;                         /* value of the integer 1 */
    struct stac_neuron neuron;
    int n_levels;
    struct stac_word *word;    /* [n_levels], owned; level 0 is silence. NULL: the neuron is no table */
    struct stac_levels levels; /* thresholds in integers (|x| / unit); its arrays are owned by the code */
};

/* What a code is expected to do on the distribution it was designed for. */
struct stac_code_cost {
    double distortion; /* mean squared error, in squared units of the value */
    double spikes;     /* mean spikes per value */
};

/* Rebuild a code from what a file holds of it: weights and, per level, word and threshold (n_levels - 1 finite ones,
 * ascending, in integers). Everything is checked; STAC_ERR_INPUT says what is wrong. */
int stac_code_restore(struct stac_code *out, int timesteps, struct stac_base base, const int32_t *mantissa, float unit,
                      int n_levels, const struct stac_word *words, const float *thresholds, struct stac_error *err);

void stac_code_clean(struct stac_code *code);

/* ---- for codes of other kinds -------------------------------------------------------------------------------------- */

int32_t stac_code_value(const struct stac_code *code, struct stac_word word);

/* The largest sum of step weights that a word can reach on its way. */
int64_t stac_code_reach(const struct stac_code *code);

/* Level i < n_levels begins at threshold[i - 1] and has an integer and a number of spikes. */
struct stac_level {
    float threshold; /* where the next one begins; of the last level not used */
    int16_t value;
    uint8_t spikes;
    struct stac_word word;
};

/* Lay out the tables of a code whose weights are set. Level 0 is silence; thresholds ascend. `with_words`: the neuron is a
 * table that plays them. Cleans the code on failure. */
int stac_code_tabulate(struct stac_code *code, int n_levels, const struct stac_level *level, bool with_words,
                       struct stac_error *err);

/* How it is played in time; borrows its words. */
struct stac_steps stac_code_steps(const struct stac_code *code);

#endif
