#include "spike/st_bif.h"

int64_t stac_st_bif_step(const struct stac_code *code, int n, const float *x, const float *mean, float inv_scale, int16_t *sum,
                         int8_t *step) {
    int64_t spikes = 0;
    int most = code->neuron.most;
    for (int i = 0; i < n; i++) {
        float f = (mean ? x[i] - mean[i] : x[i]) * inv_scale;
        int s = stac_st_bif_fires(f, sum[i], most);
        sum[i] = (int16_t)(sum[i] + s);
        step[i] = (int8_t)s;
        spikes += s != 0;
    }
    return spikes;
}
