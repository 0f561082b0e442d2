#include "spike/integer.h"

#include <stdlib.h>

#include "base/memory.h"

int stac_integer_most(int bits, bool is_signed) {
    return (1 << (is_signed ? bits - 1 : bits)) - 1;
}

int stac_integer_levels(struct stac_code *code, struct stac_error *err) {
    struct stac_level *level;
    int n = code->neuron.most + 1;
    STAC_TRY(STAC_NEW(level, n, "a code", err));
    for (int k = 0; k < n; k++) level[k] = (struct stac_level){.threshold = (float)k + 0.5f, .value = (int16_t)k};
    int status = stac_code_tabulate(code, n, level, false, err);
    free(level);
    return status;
}
