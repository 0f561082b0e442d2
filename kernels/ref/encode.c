/* Activations into spike codes. */
#include <float.h>
#include <math.h>

#include "kernels/operators.h"
#include "kernels/set.h"

int64_t K(encode)(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale, int16_t *code) {
    int64_t spikes = 0;
    for (int i = 0; i < n; i++) {
        float centred = mean ? x[i] - mean[i] : x[i];
        float a = fabsf(centred) * inv_scale;
        a = a > FLT_MAX ? FLT_MAX : a; /* infinity too ends below the last threshold */
        int level = stac_level_of(levels, a);
        code[i] = (int16_t)(centred < 0 ? -levels->value[level] : levels->value[level]);
        spikes += levels->spikes[level];
    }
    return spikes;
}
