/* Which code: what a person chooses, what a search decides for a site, and the way from there to a code that runs. */
#ifndef STAC_SPIKE_RECIPE_H
#define STAC_SPIKE_RECIPE_H

#include "spike/code.h"

/* What a person chooses, for all sites. */
struct stac_scheme {
    enum stac_code_kind code;
    enum stac_neuron_kind neuron;
    int timesteps;
    int levels;          /* rate on table and st_bif: the largest integer; 0: T */
    int activation_bits; /* integer */
    int code_bits;       /* ternary: of the integers of sites behind which weights stand; 0: as many as fit */
    double leak;         /* lif: what is left of a membrane after a step */
    bool geometric;      /* ternary: step weights on ramps are not tried */
};

/* STAC_ERR_USAGE, one line, when code and neuron do not go together, or T and the levels do not. */
int stac_scheme_check(const struct stac_scheme *s, struct stac_error *err);

/* Whether the code weighs spikes against errors. Codes that do not are the best for their distribution at any price. */
bool stac_scheme_is_priced(const struct stac_scheme *s);

/* What a search decides for one site. Plain data: it is sent to other ranks. */
struct stac_recipe {
    enum stac_code_kind code;
    enum stac_neuron_kind neuron;
    struct stac_base base; /* ternary, one_spike */
    double ratio;          /* of a step weight to the one before: phase, lif */
    int most;              /* largest integer: rate on table, st_bif, integer; spikes of ordinary words: ternary on table */
    double unit;
    float threshold[STAC_MAX_TIMESTEPS][STAC_MAX_SPIKES]; /* causal ternary, in integers */
};

/* The best code of a scheme for a distribution at the price lambda. A distribution that is never negative (as soft-max weights
 * are) may use the sign of an integer code as one more bit. Integers stay <= max_integer. */
int stac_recipe_design(const struct stac_scheme *s, const struct stac_histogram *h, bool is_signed, double lambda,
                       int max_integer, struct stac_recipe *out, struct stac_code_cost *cost, struct stac_error *err);

/* The code of a recipe. Zero-initialise *out; release with stac_code_clean. */
int stac_recipe_build(const struct stac_recipe *r, int timesteps, double lambda, int max_integer, struct stac_code *out,
                      struct stac_error *err);

/* Take a code from what a file holds of it: as stac_recipe_complete, but everything is checked first; where there are classes,
 * the step weights follow from the mantissas. STAC_ERR_INPUT says what is wrong. */
int stac_recipe_restore(struct stac_code *code, struct stac_error *err);

/* Finish a code of any kind but the ternary table whose step weights, unit, neuron.most, neuron.leak and, for a causal ternary
 * neuron, thresholds are set: what else its neuron needs, and its table. Cleans the code on failure. */
int stac_recipe_complete(struct stac_code *code, struct stac_error *err);

#endif
