#include "spike/neuron.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/code.h"

const char *stac_neuron_name(enum stac_neuron_kind kind) {
    static const char *const names[] = {"table", "causal", "if", "lif", "st_bif"};
    return names[kind];
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

struct stac_word stac_neuron_word(const struct stac_code *code, float magnitude) {
    const struct stac_neuron *n = &code->neuron;
    if (n->kind == STAC_NEURON_TABLE) return code->word[stac_level_of(&code->levels, magnitude)];
    return stac_decided_word(n, code->timesteps, code->weight, magnitude);
}

int stac_neuron_updates(const struct stac_code *code, float magnitude) {
    const struct stac_neuron *n = &code->neuron;
    if (n->kind == STAC_NEURON_TABLE || n->kind == STAC_NEURON_ST_BIF) return 0;
    struct stac_word word = stac_neuron_word(code, magnitude);
    if (n->kind == STAC_NEURON_CAUSAL) /* its own spikes change it */
        return 1 + stac_word_spikes((struct stac_word){word.plus & ~UINT64_C(1), word.minus & ~UINT64_C(1)});
    float v = 0, input = magnitude * n->drive, leak = stac_membrane_leak(n);
    int updates = 1;
    for (int t = 0; t < code->timesteps; t++) {
        float before = v;
        v = leak * v + input;
        if (word.plus >> t & 1) v -= 1.0f;
        updates += t > 0 && v != before;
    }
    return updates;
}

void stac_neuron_run(const struct stac_code *code, const struct stac_kernels *k, int n, const float *x, const float *mean,
                     float inv_scale, struct stac_word *word) {
    if (code->neuron.kind == STAC_NEURON_TABLE) {
        k->words(&code->levels, code->word, n, x, mean, inv_scale, word);
        return;
    }
    for (int i = 0; i < n; i++) {
        float centred = mean ? x[i] - mean[i] : x[i], magnitude = fabsf(centred) * inv_scale;
        struct stac_word w = stac_neuron_word(code, magnitude > FLT_MAX ? FLT_MAX : magnitude);
        word[i] = centred < 0 ? (struct stac_word){w.minus, w.plus} : w;
    }
}

/* ---- the table of a neuron ---------------------------------------------------------------------------------------- */

/* Levels in ascending order, as they are found. */
struct finding {
    const struct stac_code *code;
    struct stac_level *level;
    int n;
    const char *trouble;
};

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The next level begins at the magnitude `from`. Neighbours of one value and as many spikes are one level. */
static void add_level(struct finding *f, float from, struct stac_word word) {
    int32_t value = stac_code_value(f->code, word);
    uint8_t spikes = (uint8_t)stac_word_spikes(word);
    struct stac_level *last = f->n ? &f->level[f->n - 1] : NULL;
    if (last && last->value == value && last->spikes == spikes) return;
    if (!last && (value != 0 || spikes != 0)) f->trouble = "a spike for a value of 0";
    if (value < 0 || value > INT16_MAX) f->trouble = "an integer below 0 or beyond 16 bits";
    if (f->n == STAC_MAX_LEVELS) f->trouble = "too many levels";
    if (f->trouble) return;
    if (last) last->threshold = from;
    f->level[f->n++] = (struct stac_level){INFINITY, (int16_t)value, spikes, word};
}

/* All levels that begin in (low, high], whose words are known. */
static void bisect(struct finding *f, uint32_t low, struct stac_word at_low, uint32_t high, struct stac_word at_high) {
    if (f->trouble || (at_low.plus == at_high.plus && at_low.minus == at_high.minus)) return;
    if (high - low == 1) {
        add_level(f, float_of(high), at_high);
        return;
    }
    uint32_t middle = low + (high - low) / 2;
    struct stac_word at_middle = stac_neuron_word(f->code, float_of(middle));
    bisect(f, low, at_low, middle, at_middle);
    bisect(f, middle, at_middle, high, at_high);
}

int stac_neuron_tabulate(struct stac_code *code, bool keep, struct stac_error *err) {
    struct finding f = {.code = code};
    uint32_t low = 0, high = bits_of(FLT_MAX);
    STAC_TRY(STAC_NEW(f.level, STAC_MAX_LEVELS, "the levels of a neuron", err));
    struct stac_word at_low = stac_neuron_word(code, 0.0f), at_high = stac_neuron_word(code, FLT_MAX);
    add_level(&f, 0.0f, at_low);
    bisect(&f, low, at_low, high, at_high);
    int status = f.trouble
                     ? stac_fail(err, STAC_ERR_INPUT, "the neuron %s sends %s", stac_neuron_name(code->neuron.kind), f.trouble)
                     : stac_code_tabulate(code, f.n, f.level, keep, err);
    if (keep) code->neuron.kind = STAC_NEURON_TABLE;
    free(f.level);
    return status;
}
