#include "spike/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/causal.h"
#include "spike/integer.h"
#include "spike/moments.h"
#include "spike/one_spike.h"
#include "spike/phase.h"
#include "spike/rate.h"
#include "spike/step_weights.h"
#include "spike/ternary.h"

const char *stac_code_name(enum stac_code_kind kind) {
    static const char *const names[] = {"ternary", "rate", "phase", "one_spike", "integer"};
    return names[kind];
}

/* ---- what goes together ------------------------------------------------------------------------------------------- */

#define ON(neuron) (1u << STAC_NEURON_##neuron)

static const struct {
    unsigned neurons;
    const char *names;
} runs_on[STAC_CODE_KINDS] = {
    [STAC_CODE_TERNARY] = {ON(TABLE) | ON(CAUSAL), "table, causal"},
    [STAC_CODE_RATE] = {ON(TABLE) | ON(IF) | ON(LIF) | ON(ST_BIF), "table, if, lif, st_bif"},
    [STAC_CODE_PHASE] = {ON(TABLE) | ON(CAUSAL), "table, causal"},
    [STAC_CODE_ONE_SPIKE] = {ON(TABLE) | ON(CAUSAL), "table, causal"},
    [STAC_CODE_INTEGER] = {ON(TABLE), "table: it has no spikes"},
};

static bool has_levels(const struct stac_scheme *s) {
    return s->code == STAC_CODE_RATE && (s->neuron == STAC_NEURON_TABLE || s->neuron == STAC_NEURON_ST_BIF);
}

int stac_scheme_check(const struct stac_scheme *s, struct stac_error *err) {
    if (!(runs_on[s->code].neurons >> s->neuron & 1))
        return stac_fail(err, STAC_ERR_USAGE, "the code %s does not run on the neuron %s; it runs on %s",
                         stac_code_name(s->code), stac_neuron_name(s->neuron), runs_on[s->code].names);
    if (s->levels && !has_levels(s))
        return stac_fail(err, STAC_ERR_USAGE, "levels is for the code rate on the neurons table and st_bif, not for %s on %s",
                         stac_code_name(s->code), stac_neuron_name(s->neuron));
    if (has_levels(s) && s->neuron == STAC_NEURON_TABLE && s->levels > s->timesteps)
        return stac_fail(err, STAC_ERR_USAGE, "%d levels need as many time steps; timesteps is %d", s->levels, s->timesteps);
    return STAC_OK;
}

bool stac_scheme_is_priced(const struct stac_scheme *s) {
    return s->code == STAC_CODE_TERNARY;
}

/* ---- building ----------------------------------------------------------------------------------------------------- */

static float inverse_of_sum(const struct stac_code *code) {
    double sum = 0;
    for (int t = 0; t < code->timesteps; t++) sum += code->weight[t];
    return (float)(1.0 / sum);
}

static int complete(struct stac_code *code, struct stac_error *err) {
    struct stac_neuron *neuron = &code->neuron;
    bool table = neuron->kind == STAC_NEURON_TABLE;
    switch (code->kind) {
    case STAC_CODE_TERNARY: return stac_neuron_tabulate(code, false, err);
    case STAC_CODE_INTEGER: return stac_integer_levels(code, err);
    case STAC_CODE_RATE:
        if (table || neuron->kind == STAC_NEURON_ST_BIF) return stac_rate_levels(code, table, err);
        neuron->drive = inverse_of_sum(code);
        return stac_neuron_tabulate(code, false, err);
    case STAC_CODE_PHASE: stac_phase_prepare(code); break;
    default: stac_one_spike_prepare(code);
    }
    neuron->kind = STAC_NEURON_CAUSAL; /* a table holds the words that this one sends */
    return stac_neuron_tabulate(code, table, err);
}

int stac_recipe_complete(struct stac_code *code, struct stac_error *err) {
    int status = complete(code, err);
    if (status != STAC_OK) stac_code_clean(code);
    return status;
}

/* Step weights: all 1, or falling with a base, or growing with 1 / leak. */
static bool set_weights(struct stac_code *code, const struct stac_recipe *r, int max_integer) {
    switch (r->code) {
    case STAC_CODE_PHASE: return stac_step_weights_of_ratio(code, 1 / r->ratio, max_integer);
    case STAC_CODE_RATE:
    case STAC_CODE_INTEGER:
        if (r->neuron == STAC_NEURON_LIF) {
            if (!stac_step_weights_of_ratio(code, r->ratio, max_integer)) return false;
            for (int t = 0; t < code->timesteps / 2; t++) { /* the last step weighs most */
                int32_t w = code->weight[t];
                code->weight[t] = code->weight[code->timesteps - 1 - t];
                code->weight[code->timesteps - 1 - t] = w;
            }
            return true;
        }
        code->base = (struct stac_base){.n_classes = 1, .shift = 0};
        code->mantissa[0] = 1;
        for (int t = 0; t < code->timesteps; t++) code->weight[t] = 1;
        return r->most <= max_integer && code->timesteps <= max_integer;
    default: return stac_step_weights_of_base(code, r->base, max_integer);
    }
}

int stac_recipe_build(const struct stac_recipe *r, int timesteps, double lambda, int max_integer, struct stac_code *out,
                      struct stac_error *err) {
    if (r->code == STAC_CODE_TERNARY && r->neuron == STAC_NEURON_TABLE)
        return stac_ternary_build(out, timesteps, r->base, r->most, r->unit, lambda, max_integer, err);
    if (timesteps < 1 || timesteps > STAC_MAX_TIMESTEPS)
        return stac_fail(err, STAC_ERR_USAGE, "timesteps is %d; accepted are 1 to %d", timesteps, STAC_MAX_TIMESTEPS);
    *out = (struct stac_code){.kind = r->code, .timesteps = timesteps, .unit = (float)r->unit};
    out->neuron =
        (struct stac_neuron){.kind = r->neuron, .most = r->most, .leak = r->neuron == STAC_NEURON_LIF ? (float)r->ratio : 0};
    memcpy(out->neuron.threshold, r->threshold, sizeof r->threshold);
    if (!set_weights(out, r, max_integer))
        return stac_fail(err, STAC_ERR_USAGE, "a %s code of %d time steps needs integers above %d", stac_code_name(r->code),
                         timesteps, max_integer);
    return stac_recipe_complete(out, err);
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

/* Step weights: of classes as mantissas, or one by one for the codes that have such. */
static int check_weights(struct stac_code *code, struct stac_error *err) {
    bool each = code->kind == STAC_CODE_PHASE || code->neuron.kind == STAC_NEURON_LIF;
    bool even = !each && (code->kind == STAC_CODE_RATE || code->kind == STAC_CODE_INTEGER);
    const struct stac_base base = code->base;
    bool ramp = base.curve > 0 && base.n_classes == 0, geometric = base.curve == 0 && base.n_classes >= 1 && base.heavy == 0;
    bool fits = each   ? stac_base_factors(base) == 0
                : even ? geometric && base.n_classes == 1 && base.shift == 0
                       : ramp || (geometric && base.shift >= 1);
    if (!fits)
        return stac_fail(err, STAC_ERR_INPUT, "a %s code with %d classes, shifts of %d and curve %d",
                         stac_code_name(code->kind), base.n_classes, base.shift, base.curve);
    if (!each) return stac_step_weights_of_mantissas(code, err);
    for (int t = 0; t < code->timesteps; t++)
        if (code->weight[t] < 1 || code->weight[t] > INT16_MAX)
            return stac_fail(err, STAC_ERR_INPUT, "the weight of step %d is %d", t, code->weight[t]);
    return STAC_OK;
}

int stac_recipe_restore(struct stac_code *code, struct stac_error *err) {
    const struct stac_neuron *n = &code->neuron;
    int largest = code->kind == STAC_CODE_TERNARY   ? STAC_MAX_SPIKES
                  : code->kind == STAC_CODE_INTEGER ? 1023
                  : n->kind == STAC_NEURON_ST_BIF   ? 255
                                                    : code->timesteps;
    if (!(runs_on[code->kind].neurons >> n->kind & 1))
        return stac_fail(err, STAC_ERR_INPUT, "a %s code on the neuron %s", stac_code_name(code->kind),
                         stac_neuron_name(n->kind));
    if (code->timesteps < 1 || code->timesteps > STAC_MAX_TIMESTEPS || !(code->unit > 0 && code->unit < INFINITY) ||
        n->most < 1 || n->most > largest || (n->kind == STAC_NEURON_LIF && !(n->leak > 0 && n->leak < 1)))
        return stac_fail(err, STAC_ERR_INPUT, "a %s code of %d steps, at most %d, leak %g and unit %g",
                         stac_code_name(code->kind), code->timesteps, n->most, (double)n->leak, (double)code->unit);
    STAC_TRY(check_weights(code, err));
    for (int t = 0; code->kind == STAC_CODE_TERNARY && t < code->timesteps; t++)
        for (int k = 0; k < STAC_MAX_SPIKES; k++)
            if (!(n->threshold[t][k] > 0)) /* infinity: never */
                return stac_fail(err, STAC_ERR_INPUT, "threshold %d of step %d is %g", k, t, (double)n->threshold[t][k]);
    return stac_recipe_complete(code, err);
}

/* ---- search ------------------------------------------------------------------------------------------------------- */

/* The best unit of a recipe; it takes the place of *best when it is better. A recipe that does not fit is passed over. */
static int try_recipe(struct stac_recipe *r, int timesteps, int max_integer, const struct stac_moments *m,
                      struct stac_recipe *best, struct stac_code_cost *cost, struct stac_error *err) {
    struct stac_code code = {0};
    struct stac_code_cost mine;
    r->unit = 1;
    int status = stac_recipe_build(r, timesteps, 0, max_integer, &code, err);
    if (status == STAC_ERR_USAGE) {
        *err = (struct stac_error){0};
        return STAC_OK;
    }
    STAC_TRY(status);
    r->unit = stac_moments_best_unit(m, &code.levels, &mine);
    stac_code_clean(&code);
    if (mine.distortion < cost->distortion) {
        *best = *r;
        *cost = mine;
    }
    return STAC_OK;
}

/* All recipes of a scheme that has no price. */
static int search(const struct stac_scheme *s, const struct stac_moments *m, bool is_signed, int max_integer,
                  struct stac_recipe *best, struct stac_code_cost *cost, struct stac_error *err) {
    struct stac_recipe r = {.code = s->code, .neuron = s->neuron, .most = s->timesteps, .ratio = 1};
    int n;
    *cost = (struct stac_code_cost){INFINITY, 0};
    if (has_levels(s) && s->levels) r.most = s->levels;
    if (s->code == STAC_CODE_INTEGER) r.most = stac_integer_most(s->activation_bits, is_signed);
    if (s->code == STAC_CODE_ONE_SPIKE) {
        const struct stac_base *base = stac_bases(&n);
        for (int i = 0; i < n; i++) {
            r.base = base[i];
            STAC_TRY(try_recipe(&r, s->timesteps, max_integer, m, best, cost, err));
        }
    } else if (s->code == STAC_CODE_PHASE) {
        const double *base = stac_phase_bases(&n);
        for (int i = 0; i < n; i++) {
            r.ratio = base[i];
            STAC_TRY(try_recipe(&r, s->timesteps, max_integer, m, best, cost, err));
        }
    } else {
        if (s->neuron == STAC_NEURON_LIF) r.ratio = s->leak;
        STAC_TRY(try_recipe(&r, s->timesteps, max_integer, m, best, cost, err));
    }
    if (cost->distortion < INFINITY) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "no %s code of %d time steps fits integers up to %d", stac_code_name(s->code),
                     s->timesteps, max_integer);
}

/* Ternary words from a table: the base and unit that stac_ternary_design finds. */
static int design_table(const struct stac_scheme *s, const struct stac_histogram *h, double lambda, int max_integer,
                        struct stac_recipe *out, struct stac_code_cost *cost, struct stac_error *err) {
    struct stac_code code = {0};
    STAC_TRY(stac_ternary_design(&code, h, s->timesteps, lambda, max_integer, s->geometric, cost, err));
    *out = (struct stac_recipe){.code = s->code,
                                .neuron = s->neuron,
                                .base = code.base,
                                .most = stac_ternary_ordinary(h, s->timesteps),
                                .unit = code.unit};
    stac_code_clean(&code);
    return STAC_OK;
}

int stac_recipe_design(const struct stac_scheme *s, const struct stac_histogram *h, bool is_signed, double lambda,
                       int max_integer, struct stac_recipe *out, struct stac_code_cost *cost, struct stac_error *err) {
    struct stac_moments *m;
    STAC_TRY(stac_scheme_check(s, err));
    if (s->code == STAC_CODE_TERNARY && s->neuron == STAC_NEURON_TABLE)
        return design_table(s, h, lambda, max_integer, out, cost, err);
    if (s->code == STAC_CODE_TERNARY)
        return stac_causal_design(h, s->timesteps, lambda, max_integer, s->geometric, out, cost, err);
    STAC_TRY(STAC_NEW(m, 1, "a distribution", err));
    stac_moments_take(m, h);
    int status = search(s, m, is_signed, max_integer, out, cost, err);
    free(m);
    return status;
}
