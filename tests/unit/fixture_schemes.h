/* Every code on every neuron that it runs on. */
#ifndef STAC_TESTS_FIXTURE_SCHEMES_H
#define STAC_TESTS_FIXTURE_SCHEMES_H

#include "spike/recipe.h"

enum { FX_SCHEMES = 11 };

__attribute__((unused)) static struct stac_scheme fx_scheme(int i, int timesteps) {
    static const struct {
        enum stac_code_kind code;
        enum stac_neuron_kind neuron;
    } pairs[FX_SCHEMES] = {
        {STAC_CODE_TERNARY, STAC_NEURON_TABLE},   {STAC_CODE_TERNARY, STAC_NEURON_CAUSAL},
        {STAC_CODE_RATE, STAC_NEURON_TABLE},      {STAC_CODE_RATE, STAC_NEURON_IF},
        {STAC_CODE_RATE, STAC_NEURON_LIF},        {STAC_CODE_RATE, STAC_NEURON_ST_BIF},
        {STAC_CODE_PHASE, STAC_NEURON_TABLE},     {STAC_CODE_PHASE, STAC_NEURON_CAUSAL},
        {STAC_CODE_ONE_SPIKE, STAC_NEURON_TABLE}, {STAC_CODE_ONE_SPIKE, STAC_NEURON_CAUSAL},
        {STAC_CODE_INTEGER, STAC_NEURON_TABLE},
    };
    return (struct stac_scheme){
        .code = pairs[i].code, .neuron = pairs[i].neuron, .timesteps = timesteps, .activation_bits = 8, .leak = 0.9};
}

/* Whether a value's spikes are known when it is: not of ST-BIF+, and integers have none. */
__attribute__((unused)) static bool fx_scheme_has_words(const struct stac_scheme *s) {
    return s->neuron != STAC_NEURON_ST_BIF && s->code != STAC_CODE_INTEGER;
}

#endif
