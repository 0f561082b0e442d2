#include "spike/code.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/step_weights.h"

int32_t stac_code_value(const struct stac_code *code, struct stac_word word) {
    int32_t v = 0;
    for (int t = 0; t < code->timesteps; t++) v += code->weight[t] * ((int)(word.plus >> t & 1) - (int)(word.minus >> t & 1));
    return v;
}

int64_t stac_code_reach(const struct stac_code *code) {
    int32_t left[STAC_MAX_TIMESTEPS];
    int64_t sum = 0;
    int n = code->kind == STAC_CODE_TERNARY || code->kind == STAC_CODE_ONE_SPIKE ? STAC_MAX_SPIKES : code->timesteps;
    memcpy(left, code->weight, sizeof left);
    for (int i = 0; i < n && i < code->timesteps; i++) { /* the n heaviest steps */
        int heaviest = 0;
        for (int t = 1; t < code->timesteps; t++) heaviest = left[t] > left[heaviest] ? t : heaviest;
        sum += left[heaviest];
        left[heaviest] = 0;
    }
    return sum > code->neuron.most && code->kind != STAC_CODE_INTEGER ? sum : code->neuron.most;
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

enum { LEAST_BINS = 128, MOST_BINS = 4096 };
_Static_assert(STAC_MAX_LEVELS <= UINT16_MAX, "bins count thresholds in 16 bits");

/* The bin of a magnitude, with the float arithmetic of the lookup, so that no rounding sets them apart. */
static int bin_of(float magnitude, int n_bins, float bins_per_unit) {
    float at = magnitude * bins_per_unit;
    return at < (float)(n_bins - 1) ? (int)at : n_bins - 1;
}

/* The fewest bins, a power of two, that keep the thresholds apart; at most MOST_BINS, whatever they do. */
static int bins_for(const struct stac_levels *levels, float top) {
    int n = LEAST_BINS;
    for (int i = 1; i < levels->n_levels - 1 && n < MOST_BINS;) {
        float per_unit = (float)(n - 1) / top;
        if (bin_of(levels->threshold[i], n, per_unit) > bin_of(levels->threshold[i - 1], n, per_unit))
            i++;
        else
            n *= 2, i = 1;
    }
    return n;
}

/* The table without branches; *bin, *edge and *sent are of MOST_BINS. */
static void fill_bins(struct stac_levels *levels, uint16_t *bin, float *edge, int32_t *sent) {
    int level = 0, n_thresholds = levels->n_levels - 1;
    float top = n_thresholds > 0 ? levels->threshold[n_thresholds - 1] : 1.0f;
    levels->n_bins = bins_for(levels, top);
    levels->bins_per_unit = (float)(levels->n_bins - 1) / top;
    for (int b = 0; b < levels->n_bins; b++) {
        int begin = level;
        while (level < n_thresholds && bin_of(levels->threshold[level], levels->n_bins, levels->bins_per_unit) <= b) level++;
        bin[b] = (uint16_t)begin;
        edge[b] = level == begin ? INFINITY : level == begin + 1 ? levels->threshold[begin] : NAN;
        sent[2 * b] = levels->emit[begin];
        sent[2 * b + 1] = levels->emit[level];
    }
}

static bool only_rounds(const struct stac_levels *l) {
    bool same = true;
    for (int i = 0; i < l->n_levels && same; i++)
        same = l->value[i] == i && l->spikes[i] == 0 && (i == l->n_levels - 1 || l->threshold[i] == (float)i + 0.5f);
    return same;
}

int stac_code_tabulate(struct stac_code *code, int n_levels, const struct stac_level *level, bool with_words,
                       struct stac_error *err) {
    float *threshold = NULL;
    int16_t *value = NULL;
    uint8_t *spikes = NULL;
    int32_t *emit = NULL;
    uint16_t *bin = NULL;
    float *edge = NULL;
    int32_t *sent = NULL;
    int status = STAC_OK;
    code->n_levels = code->levels.n_levels = n_levels;
    code->levels.most_spikes = 0;
    if (with_words) STAC_TRY_DONE(STAC_NEW(code->word, n_levels, "a code", err));
    STAC_TRY_DONE(STAC_NEW(threshold, n_levels, "a code", err));
    code->levels.threshold = threshold;
    STAC_TRY_DONE(STAC_NEW(value, n_levels, "a code", err));
    code->levels.value = value;
    STAC_TRY_DONE(STAC_NEW(spikes, n_levels, "a code", err));
    code->levels.spikes = spikes;
    STAC_TRY_DONE(STAC_NEW(emit, n_levels, "a code", err));
    code->levels.emit = emit;
    STAC_TRY_DONE(STAC_NEW(bin, MOST_BINS + 1, "a code", err));
    code->levels.bin = bin;
    STAC_TRY_DONE(STAC_NEW(edge, MOST_BINS, "a code", err));
    code->levels.edge = edge;
    STAC_TRY_DONE(STAC_NEW(sent, 2 * MOST_BINS, "a code", err));
    code->levels.sent = sent;
    for (int i = 0; i < n_levels; i++) {
        value[i] = level[i].value;
        spikes[i] = level[i].spikes;
        if (spikes[i] > code->levels.most_spikes) code->levels.most_spikes = spikes[i];
        emit[i] = value[i] | spikes[i] << 16;
        threshold[i] = i < n_levels - 1 ? level[i].threshold : INFINITY;
        if (with_words) code->word[i] = level[i].word;
    }
    fill_bins(&code->levels, bin, edge, sent);
    code->levels.rounds = only_rounds(&code->levels);
    return STAC_OK;
done:
    stac_code_clean(code);
    return status;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static int check_words(const struct stac_code *code, int n_levels, const struct stac_word *words, const float *thresholds,
                       struct stac_error *err) {
    int32_t last = -1;
    for (int i = 0; i < n_levels; i++) {
        uint64_t steps = code->timesteps == 64 ? UINT64_MAX : (UINT64_C(1) << code->timesteps) - 1;
        if ((words[i].plus | words[i].minus) & ~steps || words[i].plus & words[i].minus)
            return stac_fail(err, STAC_ERR_INPUT, "level %d has spikes after the last step, or two at one step", i);
        int32_t v = stac_code_value(code, words[i]);
        if (v <= last || v > INT16_MAX || (i == 0 && v != 0))
            return stac_fail(err, STAC_ERR_INPUT, "level %d is the integer %d, out of order", i, v);
        if (i < n_levels - 1 && !(thresholds[i] < INFINITY && thresholds[i] > (i ? thresholds[i - 1] : 0.0f)))
            return stac_fail(err, STAC_ERR_INPUT, "threshold %d is %g, out of order", i, (double)thresholds[i]);
        last = v;
    }
    return STAC_OK;
}

int stac_code_restore(struct stac_code *out, int timesteps, struct stac_base base, const int32_t *mantissa, float unit,
                      int n_levels, const struct stac_word *words, const float *thresholds, struct stac_error *err) {
    *out = (struct stac_code){.timesteps = timesteps, .base = base, .unit = unit};
    bool geometric = base.n_classes >= 1 && base.n_classes <= STAC_MAX_CLASSES && base.shift >= 1 && base.curve == 0 &&
                     base.heavy == 0 && base.ratio == 0;
    bool ramp = base.curve > 0 && base.heavy >= 0 && base.heavy <= STAC_MAX_HEAVY && base.n_classes == 0 && base.shift == 0;
    if (timesteps < 1 || timesteps > STAC_MAX_TIMESTEPS || !(geometric || ramp) || n_levels < 1 || n_levels > STAC_MAX_LEVELS ||
        !(unit > 0 && unit < INFINITY))
        return stac_fail(err, STAC_ERR_INPUT, "a code of %d steps, base 2^(%d/%d), curve %d, %d levels and unit %g", timesteps,
                         base.shift, base.n_classes, base.curve, n_levels, (double)unit);
    memcpy(out->mantissa, mantissa, (size_t)stac_base_factors(base) * sizeof *mantissa);
    STAC_TRY(stac_step_weights_of_mantissas(out, err));
    STAC_TRY(check_words(out, n_levels, words, thresholds, err));
    struct stac_level *level;
    STAC_TRY(STAC_NEW(level, n_levels, "a code", err));
    for (int i = 0; i < n_levels; i++)
        level[i] = (struct stac_level){i < n_levels - 1 ? thresholds[i] : INFINITY, (int16_t)stac_code_value(out, words[i]),
                                       (uint8_t)stac_word_spikes(words[i]), words[i]};
    int status = stac_code_tabulate(out, n_levels, level, true, err);
    free(level);
    return status;
}

/* ---- end ---------------------------------------------------------------------------------------------------------- */

void stac_code_clean(struct stac_code *code) {
    free(code->word);
    free((void *)(uintptr_t)code->levels.threshold);
    free((void *)(uintptr_t)code->levels.value);
    free((void *)(uintptr_t)code->levels.spikes);
    free((void *)(uintptr_t)code->levels.emit);
    free((void *)(uintptr_t)code->levels.bin);
    free((void *)(uintptr_t)code->levels.edge);
    free((void *)(uintptr_t)code->levels.sent);
    *code = (struct stac_code){0};
}

_Static_assert(STAC_KERNEL_FACTORS == STAC_MAX_CLASSES, "all factors have room");

struct stac_steps stac_code_steps(const struct stac_code *code) {
    struct stac_steps s = {.timesteps = code->timesteps,
                           .word = code->word,
                           .neuron = code->neuron,
                           .most = code->levels.most_spikes,
                           .n_classes = code->base.n_classes,
                           .shift = code->base.shift,
                           .heavy = code->base.heavy,
                           .curve = code->base.curve};
    memcpy(s.factor, code->mantissa, sizeof s.factor);
    memcpy(s.weight, code->weight, sizeof s.weight);
    return s;
}
