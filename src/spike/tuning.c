#include "spike/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/recipe.h"
#include "spike/step_weights.h"

enum { NEIGHBOURS = 12 }; /* levels on either side whose values a threshold feels */

#define UNIT_STEP 0.1 /* of the unit */

static bool is_causal(const struct stac_code *code) {
    return code->neuron.kind == STAC_NEURON_CAUSAL;
}

/* ---- cells -------------------------------------------------------------------------------------------------------- */

static double begin_of(const struct stac_code *code, int level) {
    return level ? (double)code->levels.threshold[level - 1] : 0;
}

/* Width of a level; the last one has no end and counts as wide as the one before it. */
static double width_of(const struct stac_code *code, int level) {
    if (code->n_levels == 1) return 1;
    if (level == code->n_levels - 1) level--;
    return (double)code->levels.threshold[level] - begin_of(code, level);
}

int stac_tuning_cell(const struct stac_code *code, float magnitude) {
    int level = stac_level_of(&code->levels, magnitude);
    double within = ((double)magnitude - begin_of(code, level)) / width_of(code, level) * STAC_LEVEL_CELLS;
    return level * STAC_LEVEL_CELLS + (within < STAC_LEVEL_CELLS - 1 ? (int)within : STAC_LEVEL_CELLS - 1);
}

static double cell_width(const struct stac_code *code, int cell) {
    return width_of(code, cell / STAC_LEVEL_CELLS) / STAC_LEVEL_CELLS;
}

/* Where a cell begins. */
static double edge_of(const struct stac_code *code, int cell) {
    return begin_of(code, cell / STAC_LEVEL_CELLS) + cell_width(code, cell) * (cell % STAC_LEVEL_CELLS);
}

double stac_tuning_spikes(const struct stac_code *code, const struct stac_tuning_sums *sums) {
    double spikes = 0;
    for (int cell = 0; cell < stac_tuning_cells(code); cell++)
        spikes += sums->count[cell] * code->levels.spikes[cell / STAC_LEVEL_CELLS];
    return spikes;
}

/* ---- dials -------------------------------------------------------------------------------------------------------- */

int stac_tuning_dials(const struct stac_code *code) {
    return is_causal(code) ? 1 + code->timesteps * STAC_MAX_SPIKES : code->n_levels;
}

void stac_tuning_read(const struct stac_code *code, double *dial, double *step) {
    double u = (double)code->unit;
    dial[0] = u;
    step[0] = UNIT_STEP * u;
    for (int i = 1; i < stac_tuning_dials(code); i++) {
        if (is_causal(code)) {
            int t = (i - 1) / STAC_MAX_SPIKES;
            dial[i] = u * (double)code->neuron.threshold[t][(i - 1) % STAC_MAX_SPIKES];
            int32_t next = t + 1 < code->timesteps ? code->weight[t + 1] : 0;
            step[i] = dial[i] < INFINITY ? u * (code->weight[t] - next) : 0;
        } else {
            dial[i] = u * (double)code->levels.threshold[i - 1];
            step[i] = u * (code->levels.value[i] - code->levels.value[i - 1]);
        }
    }
}

/* Derivatives of loss and spikes with respect to threshold k of the table. */
struct slope {
    double loss, spikes;
};

/* A threshold feels the values on its own two sides and around. */
static struct slope slope_at(const struct stac_code *code, const struct stac_surrogate *surrogate,
                             const struct stac_tuning_sums *sums, int k) {
    const struct stac_levels *l = &code->levels;
    int from = k - NEIGHBOURS > 0 ? k - NEIGHBOURS : 0;
    int to = k + 1 + NEIGHBOURS < code->n_levels ? k + 1 + NEIGHBOURS : code->n_levels - 1;
    double gap = l->value[k + 1] - l->value[k], more = (l->spikes[k + 1] - l->spikes[k]) / (gap * (double)code->unit);
    struct slope slope = {0};
    for (int cell = from * STAC_LEVEL_CELLS; cell < (to + 1) * STAC_LEVEL_CELLS; cell++) {
        if (!(sums->count[cell] > 0)) continue;
        double low = (edge_of(code, cell) - (double)l->threshold[k]) / gap, wide = cell_width(code, cell) / gap;
        double s = (stac_surrogate_step(surrogate, low + wide) - stac_surrogate_step(surrogate, low)) / wide; /* mean slope */
        slope.loss -= sums->pull[cell] * s;
        slope.spikes -= more * sums->count[cell] * s;
    }
    return slope;
}

/* Which dial of a causal neuron decides between level k and the one above, and the sign with which it moves that threshold;
 * 0: none. */
static int deciding_dial(const struct stac_code *code, int k, int *sign) {
    float at = code->levels.threshold[k];
    struct stac_word below = stac_neuron_word(code, nextafterf(at, 0)), above = stac_neuron_word(code, at);
    uint64_t differ = (below.plus ^ above.plus) | (below.minus ^ above.minus);
    if (!differ) return 0;
    int t = __builtin_ctzll(differ);
    uint64_t before = (UINT64_C(1) << t) - 1;
    int sent = __builtin_popcountll((above.plus | above.minus) & before);
    *sign = above.plus >> t & 1 ? 1 : -1; /* above fires upwards, or below fired downwards */
    return 1 + t * STAC_MAX_SPIKES + (sent < STAC_MAX_SPIKES ? sent : STAC_MAX_SPIKES - 1);
}

void stac_tuning_slopes(const struct stac_code *code, const struct stac_surrogate *surrogate,
                        const struct stac_tuning_sums *sums, double *loss, double *spikes) {
    memset(loss, 0, (size_t)stac_tuning_dials(code) * sizeof *loss);
    memset(spikes, 0, (size_t)stac_tuning_dials(code) * sizeof *spikes);
    for (int cell = 0; cell < stac_tuning_cells(code); cell++)
        loss[0] += sums->pull[cell] * code->levels.value[cell / STAC_LEVEL_CELLS];
    for (int k = 0; k < code->n_levels - 1; k++) {
        struct slope slope = slope_at(code, surrogate, sums, k);
        int sign = 1, dial = is_causal(code) ? deciding_dial(code, k, &sign) : k + 1;
        if (!dial) continue;
        if (is_causal(code)) { /* what was sent before moves with the unit */
            const float *threshold = &code->neuron.threshold[0][0];
            double sent = (double)code->levels.threshold[k] - sign * (double)threshold[dial - 1];
            loss[0] += slope.loss * sent;
            spikes[0] += slope.spikes * sent;
        }
        loss[dial] += sign * slope.loss;
        spikes[dial] += sign * slope.spikes;
    }
}

/* ---- step weights ------------------------------------------------------------------------------------------------- */

/* What the loss would fall by if every level had the integer that other step weights give it; nothing if they would lose their
 * order. */
static double promise(const struct stac_code *code, const struct stac_code *other, const struct stac_tuning_sums *sums) {
    double change = 0;
    for (int level = 1; level < code->n_levels; level++) {
        double pull = 0;
        if (stac_code_value(other, code->word[level]) <= stac_code_value(other, code->word[level - 1])) return 0;
        for (int i = 0; i < STAC_LEVEL_CELLS; i++) pull += sums->pull[level * STAC_LEVEL_CELLS + i];
        change += pull * (stac_code_value(other, code->word[level]) - code->levels.value[level]);
    }
    return -change * (double)code->unit;
}

int stac_tuning_mantissa(const struct stac_code *code, const struct stac_tuning_sums *sums, int *by) {
    int best = 0;
    double most = 0;
    *by = 0;
    for (int i = 0; i < stac_base_factors(code->base) && code->word; i++) {
        int least = code->mantissa[i] / 64 > 1 ? code->mantissa[i] / 64 : 1;
        for (int change = -least; change <= least; change += 2 * least) {
            struct stac_error none = {0};
            struct stac_code other = *code;
            other.mantissa[i] += change;
            if (stac_step_weights_of_mantissas(&other, &none) != STAC_OK) continue;
            double gain = promise(code, &other, sums);
            if (gain > most) most = gain, best = i, *by = change;
        }
    }
    return best;
}

int stac_tuning_reweigh(const struct stac_code *like, int mantissa, int by, struct stac_code *out, struct stac_error *err) {
    int32_t changed[STAC_MAX_CLASSES];
    memcpy(changed, like->mantissa, sizeof changed);
    changed[mantissa] += by;
    return stac_code_restore(out, like->timesteps, like->base, changed, like->unit, like->n_levels, like->word,
                             like->levels.threshold, err);
}

/* ---- building ----------------------------------------------------------------------------------------------------- */

/* Thresholds of a table ascend from above 0. */
static int build_table(const struct stac_code *like, const double *dial, struct stac_code *out, struct stac_error *err) {
    float *threshold, last = 0;
    STAC_TRY(STAC_NEW(threshold, like->n_levels, "thresholds", err));
    for (int k = 0; k < like->n_levels - 1; k++) {
        float least = nextafterf(last, INFINITY), wanted = (float)(dial[k + 1] / dial[0]);
        threshold[k] = last = wanted > least ? wanted : least;
    }
    int status = stac_code_restore(out, like->timesteps, like->base, like->mantissa, (float)dial[0], like->n_levels, like->word,
                                   threshold, err);
    free(threshold);
    return status;
}

static int build_causal(const struct stac_code *like, const double *dial, struct stac_code *out, struct stac_error *err) {
    *out = *like;
    out->n_levels = 0;
    out->word = NULL;
    out->levels = (struct stac_levels){0};
    out->unit = (float)dial[0];
    for (int i = 1; i < stac_tuning_dials(like); i++) {
        float *threshold = &out->neuron.threshold[(i - 1) / STAC_MAX_SPIKES][(i - 1) % STAC_MAX_SPIKES];
        *threshold = fmaxf((float)(dial[i] / dial[0]), 1e-5f);
    }
    return stac_recipe_restore(out, err);
}

int stac_tuning_build(const struct stac_code *like, const double *dial, struct stac_code *out, struct stac_error *err) {
    return is_causal(like) ? build_causal(like, dial, out, err) : build_table(like, dial, out, err);
}
