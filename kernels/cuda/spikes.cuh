/* Spikes in time, for rows and attention: a block puts the events of a row together, step by step; then every output adds them.
 */
#ifndef STAC_KERNELS_CUDA_SPIKES_CUH
#define STAC_KERNELS_CUDA_SPIKES_CUH

#include "kernels/cuda/set.cuh"

/* The events of a row: those of step t with sign plus are index[begin[2 t] ..), with sign minus index[begin[2 t + 1] ..). */
struct events {
    uint16_t *index;
    int *begin; /* [2 timesteps + 1] */
};

/* What the neuron of a value sends. */
static __device__ inline struct stac_word word_of(const struct stac_levels *t, const struct stac_steps *s, float centred,
                                                  float inverse) {
    float a = fabsf(centred) * inverse;
    a = a > FLT_MAX ? FLT_MAX : a;
    struct stac_word w =
        s->word ? s->word[stac_level_of(t, a)] : stac_decided_word(&s->neuron, s->timesteps, s->weight, a);
    struct stac_word turned = {w.minus, w.plus};
    return centred < 0 ? turned : w;
}

/* Counting: how many events each step has. filled[2 timesteps] is shared and was cleared. */
static __device__ inline void count_events(const struct stac_steps *s, struct stac_word w, int *filled) {
    for (int t = 0; t < s->timesteps; t++) {
        if (w.plus >> t & 1) atomicAdd(&filled[2 * t], 1);
        if (w.minus >> t & 1) atomicAdd(&filled[2 * t + 1], 1);
    }
}

/* From counts to where each step begins; all threads of the block call it, and see it done. */
static __device__ inline void lay_out_events(const struct stac_steps *s, int *filled, int *begin) {
    __syncthreads();
    if (threadIdx.x == 0) {
        int at = 0;
        for (int i = 0; i < 2 * s->timesteps; i++) {
            int n = filled[i];
            begin[i] = filled[i] = at;
            at += n;
        }
        begin[2 * s->timesteps] = at;
    }
    __syncthreads();
}

/* Placing: the events of input number i. Within a step their order is that of the threads; sums of integers do not see it. */
static __device__ inline void place_events(const struct stac_steps *s, struct stac_word w, int i, int *filled, uint16_t *index) {
    for (int t = 0; t < s->timesteps; t++) {
        if (w.plus >> t & 1) index[atomicAdd(&filled[2 * t], 1)] = (uint16_t)i;
        if (w.minus >> t & 1) index[atomicAdd(&filled[2 * t + 1], 1)] = (uint16_t)i;
    }
}

/* The events of n inputs, value(i) less the mean times inverse each; filled[2 STAC_MAX_TIMESTEPS] is shared. All threads of the
 * block call it; the inputs of this thread that sent a spike. */
template <typename inputs>
static __device__ inline int play(const struct stac_levels *t, const struct stac_steps *s, int n, float inverse, inputs value,
                                  int *filled, struct events e) {
    int active = 0;
    for (int i = (int)threadIdx.x; i < 2 * s->timesteps; i += (int)blockDim.x) filled[i] = 0;
    __syncthreads();
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        struct stac_word w = word_of(t, s, value(i), inverse);
        count_events(s, w, filled);
        active += (w.plus | w.minus) != 0;
    }
    lay_out_events(s, filled, e.begin);
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        place_events(s, word_of(t, s, value(i), inverse), i, filled, e.index);
    __syncthreads();
    return active;
}

/* What the spikes of step t add to an output: column of weight rows ldw apart. */
static __device__ inline int32_t add_step(const struct events *e, int t, const int8_t *column, size_t ldw) {
    int32_t sum = 0;
    for (int i = e->begin[2 * t]; i < e->begin[2 * t + 1]; i++) sum += column[e->index[i] * ldw];
    for (int i = e->begin[2 * t + 1]; i < e->begin[2 * t + 2]; i++) sum -= column[e->index[i] * ldw];
    return sum;
}

/* An output after all steps, in the order and by the arithmetic of spike/train.c: accumulators of classes are shifted between
 * rounds and meet at the end; on a ramp the running sum is summed twice; else each step is multiplied by its weight. */
static __device__ inline int32_t add_all_steps(const struct stac_steps *s, const struct events *e, const int8_t *column,
                                               size_t ldw) {
    uint32_t y = 0;
    if (s->curve > 0) {
        uint32_t once = 0, twice = 0, thrice = 0;
        for (int t = 0; t < s->timesteps; t++) {
            uint32_t sent = (uint32_t)add_step(e, t, column, ldw);
            if (t < s->heavy) {
                y += (uint32_t)s->factor[t] * sent;
                continue;
            }
            once += sent;
            twice += once;
            thrice += twice;
        }
        return (int32_t)(y + (uint32_t)s->factor[s->heavy] * twice + (uint32_t)s->factor[s->heavy + 1] * thrice);
    }
    if (s->n_classes == 0) {
        for (int t = 0; t < s->timesteps; t++) y += (uint32_t)s->weight[t] * (uint32_t)add_step(e, t, column, ldw);
        return (int32_t)y;
    }
    int last_round = (s->timesteps - 1) / s->n_classes;
    for (int c = 0; c < s->n_classes && c < s->timesteps; c++) { /* classes do not meet before the end */
        uint32_t acc = 0;
        for (int t = c; t < s->timesteps; t += s->n_classes)
            acc = (t > c ? acc << s->shift : acc) + (uint32_t)add_step(e, t, column, ldw);
        int rounds = (s->timesteps - 1 - c) / s->n_classes;
        y += ((uint32_t)s->factor[c] << (s->shift * (last_round - rounds))) * acc;
    }
    return (int32_t)y;
}

#endif
