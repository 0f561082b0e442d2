/* Operators of this set, and what rows and attention share: the code of a value, sums over a row. */
#ifndef STAC_KERNELS_CUDA_SET_CUH
#define STAC_KERNELS_CUDA_SET_CUH

#include <float.h>

#include "kernels/cuda/launch.cuh"

void stac_gemm_f32_cuda(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);
void stac_gemm_bf16_cuda(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy);
void stac_gemm_i16i8_cuda(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy);
void stac_gather_cuda(int m, int n, const int32_t *index, const float *table, int onto, float *x);
void stac_add_to_rows_cuda(int m, int n, const float *x, int ldx, float *y);
void stac_draw_cuda(int m, int n, const float *logits, double temperature, const double *u, int32_t *token);
void stac_encode_rows_cuda(const struct stac_encoding *e, int m, int n, const float *x, float *factor, int16_t *code,
                           struct stac_tally *tally);
void stac_decode_rows_cuda(int m, int n, const int32_t *acc, const float *factor, const float *scale, const float *bias,
                           float *y);
void stac_norm_cuda(int m, int n, const float *x, const float *gain, const float *bias, float eps, int centred, float *y);
void stac_activate_cuda(int m, int n, int act, float *x, int ldx);
void stac_gate_cuda(int m, int n, int act, const float *x, int ldx, float *y);
void stac_hadamard_cuda(int m, int n, int order, float *x);
void stac_turn_cuda(int m, int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine, float *x,
                    int ldx);
void stac_spike_rows_cuda(const struct stac_encoding *e, const struct stac_steps *s, int m, int n, int k, const float *x,
                          const int8_t *w, int ldw, float *factor, struct stac_event_space space, int32_t *acc,
                          struct stac_tally *tally);
void stac_step_rows_cuda(const struct stac_encoding *e, int most, int m, int k, const float *x, float *factor, int16_t *sum,
                         int16_t *step, struct stac_tally *tally);
void stac_add_steps_cuda(int m, int n, int k, const int16_t *step, const int8_t *w, int ldw, int32_t *acc);
void stac_store_cuda(const struct stac_attention *a);
void stac_attend_cuda(const struct stac_attention *a);

/* A value's code, and the spikes that it sends. */
struct code {
    int value, spikes;
};

static __device__ inline struct code code_of(const struct stac_levels *t, float centred, float inverse) {
    float a = fabsf(centred) * inverse;
    a = a > FLT_MAX ? FLT_MAX : a;
    int level = stac_level_of(t, a), value = t->value[level];
    struct code c = {centred < 0 ? -value : value, t->spikes[level]};
    return c;
}

/* Shared memory for a row, which is read from far away once; 0: it is too long and stays where it is. */
enum { MOST_HELD = 96 << 10 };
static __host__ __device__ inline size_t held_bytes(int n) {
    return (size_t)n * sizeof(float) <= MOST_HELD ? (size_t)n * sizeof(float) : 0;
}

/* The row, less *mean where there is one, which then is taken off: in `held`, if it has room. All threads of the block call it.
 */
static __device__ inline const float *hold_row(int n, const float *row, const float **mean, float *held) {
    if (held_bytes(n) == 0) return row;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) held[i] = *mean ? row[i] - (*mean)[i] : row[i];
    *mean = nullptr;
    __syncthreads();
    return held;
}

/* Sum over x[i], or over the squares of x[i] less `mean` or else `centre`, in the order of kernels/ref, for every thread of the
 * block, all of which call it. lane[STAC_LANES] is shared. */
template <bool squares> static __device__ float sum_row(int n, const float *x, const float *mean, float centre, float *lane) {
    int l = (int)threadIdx.x;
    if (l < STAC_LANES) {
        float sum = 0;
#pragma unroll 16
        for (int i = l; i < n; i += STAC_LANES) { /* a chain; what it reads is on its way */
            float d = mean ? x[i] - mean[i] : squares ? x[i] - centre : x[i];
            sum = squares ? fmaf(d, d, sum) : sum + d;
        }
        lane[l] = sum;
    }
    __syncthreads();
    for (int width = STAC_LANES / 2; width > 0; width /= 2) {
        if (l < width) lane[l] += lane[l + width];
        __syncthreads();
    }
    float sum = lane[0];
    __syncthreads();
    return sum;
}

/* What 1 in the codes of a row is worth. All threads of the block call it. */
static __device__ inline float unit_of_row(const struct stac_encoding *e, int n, const float *row, float *lane) {
    return e->scaled ? stac_scaled_unit(e->unit, n, sum_row<true>(n, row, e->mean, 0, lane)) : e->unit;
}

#endif
