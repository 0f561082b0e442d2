#include "spike/st_bif.h"

/* Fires away from 0 at half a threshold, back only beyond it. */
static inline int fires(float v, int s, int most) {
    if (s < most && (s >= 0 ? v >= 0.5f : v > 0.5f)) return 1;
    if (s > -most && (s <= 0 ? v <= -0.5f : v < -0.5f)) return -1;
    return 0;
}

int64_t stac_st_bif_step(const struct stac_code *code, int n, const float *x, const float *mean, float inv_scale, int16_t *sum,
                         int8_t *step) {
    int64_t spikes = 0;
    int most = code->neuron.most;
    for (int i = 0; i < n; i++) {
        float f = (mean ? x[i] - mean[i] : x[i]) * inv_scale;
        int s = fires(f - (float)sum[i], sum[i], most);
        sum[i] = (int16_t)(sum[i] + s);
        step[i] = (int8_t)s;
        spikes += s != 0;
    }
    return spikes;
}
