/* Spike codes: how a value becomes a few signed spikes over T steps, and which word a value gets.
 *
 *     x = unit * sum over t of s_t w_t,   s_t in {-1, 0, +1}
 *
 * A word has at most two spikes, or three (where T is small, and where values spread over octaves); only a value beyond
 * their reach gets up to STAC_MAX_SPIKES.
 *
 * The step weights w_t are integers that follow one of two laws. Geometric: step t belongs to class c = t mod n_classes and
 * weighs
 *
 *     w_t = mantissa[c] << shift * (last round - t / n_classes),     mantissa[c] ~ 2^bits * 2^(-c * shift / n_classes)
 *
 * so the base is 2^(shift / n_classes). An output keeps n_classes accumulators in which every spike is a pure addition;
 * they are shifted between rounds and meet at the end as sum of mantissa[c] * accumulator[c], one integer.
 *
 * Ramp: after `heavy` steps with weights of their own, the n steps that are left fall almost evenly,
 *
 *     w_t = slope u + bend u (u + 1) / 2,     u = T - t = n .. 1
 *
 * An output adds spikes to one accumulator (and to one for each heavy step); after every step the accumulator is added to
 * a second one and that to a third, which therefore hold the sums weighted with u and with u (u + 1) / 2. For values whose
 * density is flat around zero (a Gaussian), most of which get a single spike, even steps are the finest: at one spike per
 * value a ramp is 1.5 dB (T = 16) to 2.3 dB (T = 32) better than the best base.
 *
 * The sum of a word over time is an integer too, so the collapsed computation gives the same integer in one product.
 *
 * Which word a value gets is decided by rate and distortion: the word of value v that minimises
 *
 *     (x - unit v)^2 + lambda * spikes(v)
 *
 * For a scalar the winners are the upper hull of the lines 2 unit v x - (unit v)^2 - lambda spikes(v), so the code is
 * a table of thresholds between ascending levels. Codes are odd: negative values use the same table with signs turned. */
#ifndef STAC_SPIKE_CODE_H
#define STAC_SPIKE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "spike/histogram.h"
#include "spike/neuron.h"

#define STAC_MAX_CLASSES 16
#define STAC_MAX_LEVELS 32768
#define STAC_MAX_HEAVY 2

/* What the words of a code look like. */
enum stac_code_kind {
    STAC_CODE_TERNARY,   /* at most two signed spikes, more for outliers; this file, causal.h */
    STAC_CODE_RATE,      /* the number of spikes; rate.h, leaky.h, st_bif.h */
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

/* The best code of T steps for a distribution at the price `lambda` (squared units of the value per spike): searches laws of
 * step weights (`geometric`: no ramps; nor for logarithmic histograms) and units. Integers stay <= max_integer (at least 16),
 * which the caller derives from the length of the sums they enter. STAC_ERR_USAGE for T outside 1..STAC_MAX_TIMESTEPS.
 * Zero-initialise *out; release with stac_code_clean. */
int stac_code_design(struct stac_code *out, const struct stac_histogram *h, int timesteps, double lambda, int max_integer,
                     bool geometric, struct stac_code_cost *cost, struct stac_error *err);

/* Spikes of ordinary words, 2 or 3, that the design uses for a distribution. */
int stac_code_ordinary(const struct stac_histogram *h, int timesteps);

/* The same with base, unit and the spikes of ordinary words given: the table of thresholds alone is derived. */
int stac_code_build(struct stac_code *out, int timesteps, struct stac_base base, int ordinary, double unit, double lambda,
                    int max_integer, struct stac_error *err);

/* Rebuild a code from what a file holds of it: weights and, per level, word and threshold (n_levels - 1 finite ones,
 * ascending, in integers). Everything is checked; STAC_ERR_INPUT says what is wrong. */
int stac_code_restore(struct stac_code *out, int timesteps, struct stac_base base, const int32_t *mantissa, float unit,
                      int n_levels, const struct stac_word *words, const float *thresholds, struct stac_error *err);

void stac_code_clean(struct stac_code *code);

/* ---- for codes of other kinds -------------------------------------------------------------------------------------- */

/* The bases that searches try, from the coarsest to the finest. */
const struct stac_base *stac_code_bases(int *n);

/* Step weights of a base for T steps, as fine as integers up to max_integer allow. False: not even the coarsest fit. */
bool stac_code_set_base(struct stac_code *code, struct stac_base base, int max_integer);

/* Step weights one by one, scale * ratio^t, the scale the largest power of two for which all of them add up to at most
 * max_integer. Multiplies in double, one step after the other, so that every machine finds the same. False: some weight
 * would vanish. */
bool stac_code_set_ratio(struct stac_code *code, double ratio, int max_integer);

/* Step weights from mantissas, all checked (STAC_ERR_INPUT). */
int stac_code_spread_mantissas(struct stac_code *code, struct stac_error *err);

int32_t stac_code_value(const struct stac_code *code, struct stac_word word);

/* The largest sum of step weights that a word can reach on its way. */
int64_t stac_code_reach(const struct stac_code *code);

/* Multiplications that an output of this code's products costs: by step weights, or mantissas where there are classes; those
 * by a power of two are shifts and not counted. */
int stac_code_multiplies(const struct stac_code *code);

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

/* Expected cost on a distribution. */
struct stac_code_cost stac_code_cost_on(const struct stac_code *code, const struct stac_histogram *h);

#endif
