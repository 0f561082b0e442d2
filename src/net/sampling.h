/* The choice of the next token from logits. */
#ifndef STAC_NET_SAMPLING_H
#define STAC_NET_SAMPLING_H

#include "base/random.h"

struct stac_sampling {
    double temperature; /* 0: always the most likely token */
    int top_k;          /* 0: all */
    double top_p;       /* 1: all */
};

/* Index drawn from logits[n]. `scratch` holds n integers. */
int32_t stac_sample(const struct stac_sampling *how, struct stac_random *random, int n, const float *logits, int32_t *scratch);

#endif
