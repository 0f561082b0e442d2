#include "spike/phase.h"

static const double bases[] = {2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3, 1.2, 1.15, 1.1, 1.05};

const double *stac_phase_bases(int *n) {
    *n = (int)(sizeof bases / sizeof *bases);
    return bases;
}

void stac_phase_prepare(struct stac_code *code) {
    code->neuron.most = code->timesteps;
    code->neuron.offset = 0.5f * (float)code->weight[code->timesteps - 1];
    for (int t = 0; t < code->timesteps; t++)
        for (int n = 0; n < STAC_MAX_SPIKES; n++) code->neuron.threshold[t][n] = (float)code->weight[t];
}
