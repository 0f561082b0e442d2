#include "energy/rival.h"

#include <math.h>

#include "spike/recipe.h"

int stac_rival_bits(const struct stac_histogram *h, bool is_signed, double distortion, double *bits, struct stac_error *err) {
    struct stac_scheme scheme = {.code = STAC_CODE_INTEGER, .neuron = STAC_NEURON_TABLE, .timesteps = 1};
    double above = 0;
    for (int k = 2; k <= STAC_RIVAL_WHOLE_BITS; k++) {
        struct stac_recipe recipe;
        struct stac_code_cost cost;
        scheme.activation_bits = k;
        STAC_TRY(stac_recipe_design(&scheme, h, is_signed, 0, INT16_MAX, &recipe, &cost, err));
        *bits = k;
        if (cost.distortion <= distortion) {
            if (k > 2 && cost.distortion > 0) *bits -= log(distortion / cost.distortion) / log(above / cost.distortion);
            return STAC_OK;
        }
        above = cost.distortion;
    }
    *bits = distortion > 0 ? fmin(*bits + log2(above / distortion) / 2, STAC_RIVAL_MOST_BITS) : STAC_RIVAL_MOST_BITS;
    return STAC_OK;
}
