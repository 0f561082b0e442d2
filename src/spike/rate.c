#include "spike/rate.h"

#include <stdlib.h>

#include "base/memory.h"

int stac_rate_levels(struct stac_code *code, bool with_words, struct stac_error *err) {
    struct stac_level *level;
    int n = code->neuron.most + 1;
    STAC_TRY(STAC_NEW(level, n, "a code", err));
    for (int k = 0; k < n; k++) {
        uint64_t steps = with_words && k > 0 ? UINT64_MAX >> (STAC_MAX_TIMESTEPS - k) : 0;
        level[k] = (struct stac_level){(float)k + 0.5f, (int16_t)k, (uint8_t)k, {steps, 0}};
    }
    int status = stac_code_tabulate(code, n, level, with_words, err);
    free(level);
    return status;
}
