/* Spike codes: how a value becomes a few signed spikes over T steps, and which word a value gets.
 *
 *     x = unit * sum over t of s_t w_t,   s_t in {-1, 0, +1}
 *
 * A word has at most two spikes; only a value beyond the reach of two gets up to STAC_MAX_SPIKES.
 *
 * The step weights w_t are integers that fall geometrically: step t belongs to class c = t mod n_classes and weighs
 *
 *     w_t = mantissa[c] << shift * (last round - t / n_classes),     mantissa[c] ~ 2^bits * 2^(-c * shift / n_classes)
 *
 * so the base is 2^(shift / n_classes). An output keeps n_classes accumulators in which every spike is a pure addition;
 * they are shifted between rounds and meet at the end as sum of mantissa[c] * accumulator[c], one integer. The sum of
 * a word over time is an integer too, so the collapsed computation gives the same integer in one product.
 *
 * Which word a value gets is decided by rate and distortion: the word of value v that minimises
 *
 *     (x - unit v)^2 + lambda * spikes(v)
 *
 * For a scalar the winners are the upper hull of the lines 2 unit v x - (unit v)^2 - lambda spikes(v), so the code is
 * a table of thresholds between ascending levels. Codes are odd: negative values use the same table with signs turned. */
#ifndef STAC_SPIKE_CODE_H
#define STAC_SPIKE_CODE_H

#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "spike/histogram.h"

#define STAC_MAX_TIMESTEPS 64
#define STAC_MAX_CLASSES 16
#define STAC_MAX_SPIKES 4

/* The spikes of one level: bit t of `plus` (`minus`) is a positive (negative) spike at step t. */
struct stac_word {
    uint64_t plus, minus;
};

static inline int stac_word_spikes(struct stac_word w) {
    return __builtin_popcountll(w.plus) + __builtin_popcountll(w.minus);
}

/* A family of step weights: base 2^(shift / n_classes). */
struct stac_base {
    int n_classes, shift;
};

struct stac_code {
    int timesteps;
    struct stac_base base;
    int32_t mantissa[STAC_MAX_CLASSES];
    int32_t weight[STAC_MAX_TIMESTEPS]; /* w_t */
    float unit;                         /* value of the integer 1 */
    int n_levels;
    struct stac_word *word;    /* [n_levels], owned; level 0 is silence */
    int16_t *level_of;         /* [largest level value + 1], owned: level of each integer, -1 where it is no level */
    struct stac_levels levels; /* thresholds in integers (|x| / unit); its arrays are owned by the code */
};

/* What a code is expected to do on the distribution it was designed for. */
struct stac_code_cost {
    double distortion; /* mean squared error, in squared units of the value */
    double spikes;     /* mean spikes per value */
};

/* The best code of T steps for a distribution at the price `lambda` (squared units of the value per spike): searches
 * bases and units. Integers stay <= max_integer (at least 16), which the caller derives from the length of the sums
 * they enter. STAC_ERR_USAGE for T outside 1..STAC_MAX_TIMESTEPS. Zero-initialise *out; release with stac_code_clean. */
int stac_code_design(struct stac_code *out, const struct stac_histogram *h, int timesteps, double lambda, int max_integer,
                     struct stac_code_cost *cost, struct stac_error *err);

/* The same with base and unit given: the table of thresholds alone is derived. */
int stac_code_build(struct stac_code *out, int timesteps, struct stac_base base, double unit, double lambda, int max_integer,
                    struct stac_error *err);

/* Rebuild a code from what a file holds of it: weights and, per level, word and threshold (n_levels - 1 finite ones,
 * ascending, in integers). Everything is checked; STAC_ERR_INPUT says what is wrong. */
int stac_code_restore(struct stac_code *out, int timesteps, struct stac_base base, const int32_t *mantissa, float unit,
                      int n_levels, const struct stac_word *words, const float *thresholds, struct stac_error *err);

void stac_code_clean(struct stac_code *code);

/* Expected cost on a distribution. */
struct stac_code_cost stac_code_cost_on(const struct stac_code *code, const struct stac_histogram *h);

#endif
