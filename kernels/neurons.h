/* Neurons that decide step by step, one source for processors and devices. What they mean is told where their codes are:
 * spike/neuron.h, spike/causal.h, spike/rate.h, spike/st_bif.h. */
#ifndef STAC_KERNELS_NEURONS_H
#define STAC_KERNELS_NEURONS_H

#include <math.h>
#include <stdint.h>

#include "kernels/inline.h"

#define STAC_MAX_TIMESTEPS 64
#define STAC_MAX_SPIKES 4

/* The spikes of one value: bit t of `plus` (`minus`) is a positive (negative) spike at step t. */
struct stac_word {
    uint64_t plus, minus;
};

enum stac_neuron_kind { STAC_NEURON_TABLE, STAC_NEURON_CAUSAL, STAC_NEURON_IF, STAC_NEURON_LIF, STAC_NEURON_ST_BIF };
enum { STAC_NEURON_KINDS = STAC_NEURON_ST_BIF + 1 };

/* Parameters of a neuron, in integers of its code and spikes. Plain data. */
struct stac_neuron {
    enum stac_neuron_kind kind;
    int most;     /* causal: spikes after which it is silent; rate and integer codes: the largest integer */
    float leak;   /* lif: what is left of the membrane after a step */
    float drive;  /* if, lif: input of a step for a value of 1 */
    float offset; /* causal: added to the magnitude at the start */
    float threshold[STAC_MAX_TIMESTEPS]
                   [STAC_MAX_SPIKES]; /* causal: [t][spikes sent, the last column for all more]; infinity: never */
};

/* v_0 = magnitude + offset; a step whose threshold |v| reaches sends the sign of v and takes its weight off. */
STAC_INLINE struct stac_word stac_causal_word(const struct stac_neuron *neuron, int timesteps, const int32_t *weight,
                                              float magnitude) {
    struct stac_word word = {0, 0};
    float v = magnitude + neuron->offset;
    for (int t = 0, n = 0; t < timesteps && n < neuron->most; t++) {
        if (!(fabsf(v) >= neuron->threshold[t][n < STAC_MAX_SPIKES ? n : STAC_MAX_SPIKES - 1])) continue;
        if (v > 0) {
            word.plus |= UINT64_C(1) << t;
            v -= (float)weight[t];
        } else {
            word.minus |= UINT64_C(1) << t;
            v += (float)weight[t];
        }
        n++;
    }
    return word;
}

/* What a membrane keeps from step to step. */
STAC_INLINE float stac_membrane_leak(const struct stac_neuron *neuron) {
    return neuron->kind == STAC_NEURON_LIF ? neuron->leak : 1.0f;
}

/* v <- leak v + drive magnitude; fires at 1/2 and takes 1 off. */
STAC_INLINE struct stac_word stac_integrating_word(const struct stac_neuron *neuron, int timesteps, float magnitude) {
    struct stac_word word = {0, 0};
    float v = 0, input = magnitude * neuron->drive, leak = stac_membrane_leak(neuron);
    for (int t = 0; t < timesteps; t++) {
        v = leak * v + input;
        if (!(v >= 0.5f)) continue;
        word.plus |= UINT64_C(1) << t;
        v -= 1.0f;
    }
    return word;
}

/* ST-BIF+: what a neuron that has sent `sum`, at most `most` of a sign, sends where f / theta is `f`. It fires away from 0 at
 * half a threshold, back only beyond it. */
STAC_INLINE int stac_st_bif_fires(float f, int sum, int most) {
    float v = f - (float)sum;
    if (sum < most && (sum >= 0 ? v >= 0.5f : v > 0.5f)) return 1;
    if (sum > -most && (sum <= 0 ? v <= -0.5f : v < -0.5f)) return -1;
    return 0;
}

/* The word of a magnitude, of a neuron that is causal, if or lif. */
STAC_INLINE struct stac_word stac_decided_word(const struct stac_neuron *neuron, int timesteps, const int32_t *weight,
                                               float magnitude) {
    return neuron->kind == STAC_NEURON_CAUSAL ? stac_causal_word(neuron, timesteps, weight, magnitude)
                                              : stac_integrating_word(neuron, timesteps, magnitude);
}

#endif
