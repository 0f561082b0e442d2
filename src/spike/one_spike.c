#include "spike/one_spike.h"

void stac_one_spike_prepare(struct stac_code *code) {
    code->neuron.most = 1;
    code->neuron.offset = 0;
    for (int t = 0; t < code->timesteps; t++) {
        int32_t next = t + 1 < code->timesteps ? code->weight[t + 1] : 0;
        for (int n = 0; n < STAC_MAX_SPIKES; n++) code->neuron.threshold[t][n] = 0.5f * (float)(code->weight[t] + next);
    }
}
