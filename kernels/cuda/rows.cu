/* Operators on rows: a block of threads takes a row, or all threads take elements. Sums over a row are those of kernels/ref:
 * sixteen interleaved chains, added pairwise (set.cuh). */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"
#include "kernels/draw.h"
#include "kernels/scalar_math.h"

enum { THREADS = 256 };

/* ---- norms -------------------------------------------------------------------------------------------------------- */

static __global__ void norm_rows(int n, const float *x, const float *gain, const float *bias, float eps, int centred,
                                 float *y) {
    __shared__ float lane[STAC_LANES];
    SHARED(float, held);
    const float *none = nullptr, *row = hold_row(n, x + (size_t)blockIdx.x * n, &none, held);
    float *out = y + (size_t)blockIdx.x * n;
    float centre = centred ? sum_row<false>(n, row, nullptr, 0, lane) / (float)n : 0.0f;
    float factor = 1.0f / sqrtf(sum_row<true>(n, row, nullptr, centre, lane) / (float)n + eps);
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        float z = (row[i] - centre) * factor;
        if (gain) z *= gain[i];
        if (bias) z += bias[i];
        out[i] = z;
    }
}

void stac_norm_cuda(int m, int n, const float *x, const float *gain, const float *bias, float eps, int centred, float *y) {
    if (m > 0) LAUNCH(norm_rows, m, THREADS, held_bytes(n), n, x, gain, bias, eps, centred, y);
}

/* ---- codes -------------------------------------------------------------------------------------------------------- */

static __global__ void encode_each_row(struct stac_encoding e, int n, const float *x, float *factor, int16_t *code,
                                       struct stac_tally *tally) {
    __shared__ float lane[STAC_LANES];
    __shared__ int spikes, active;
    SHARED(float, held);
    const float *row = hold_row(n, x + (size_t)blockIdx.x * n, &e.mean, held);
    int16_t *out = code + (size_t)blockIdx.x * n;
    if (threadIdx.x == 0) spikes = active = 0;
    __syncthreads();
    float unit = unit_of_row(&e, n, row, lane);
    float inverse = 1.0f / unit;
    int sent = 0, values = 0;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        struct code c = code_of(&e.levels, e.mean ? row[i] - e.mean[i] : row[i], inverse);
        out[i] = (int16_t)c.value;
        sent += c.spikes;
        values += c.value != 0;
    }
    sent = warp_sum(sent);
    values = warp_sum(values);
    if (threadIdx.x % WARP == 0) {
        atomicAdd(&spikes, sent);
        atomicAdd(&active, values);
    }
    __syncthreads();
    if (threadIdx.x > 0) return;
    factor[blockIdx.x] = unit;
    atomicAdd((unsigned long long *)&tally->spikes, (unsigned long long)spikes);
    atomicAdd((unsigned long long *)&tally->active, (unsigned long long)active);
}

void stac_encode_rows_cuda(const struct stac_encoding *e, int m, int n, const float *x, float *factor, int16_t *code,
                           struct stac_tally *tally) {
    if (m > 0) LAUNCH(encode_each_row, m, THREADS, held_bytes(n), *e, n, x, factor, code, tally);
}

static __global__ void decode_each(int n, const int32_t *acc, const float *factor, const float *scale, const float *bias,
                                   float *y) {
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    size_t at = (size_t)blockIdx.y * n + j;
    if (j >= n) return;
    float worth = factor[blockIdx.y] * scale[j];
    y[at] = bias ? fmaf((float)acc[at], worth, bias[j]) : (float)acc[at] * worth;
}

void stac_decode_rows_cuda(int m, int n, const int32_t *acc, const float *factor, const float *scale, const float *bias,
                           float *y) {
    if (m > 0) LAUNCH(decode_each, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, acc, factor, scale, bias, y);
}

/* ---- element by element ------------------------------------------------------------------------------------------- */

static __global__ void gather_each(int n, const int32_t *index, const float *table, int onto, float *x) {
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (j >= n) return;
    float value = table[(size_t)index[blockIdx.y] * n + j];
    float *to = x + (size_t)blockIdx.y * n + j;
    *to = onto ? *to + value : value;
}

void stac_gather_cuda(int m, int n, const int32_t *index, const float *table, int onto, float *x) {
    if (m > 0) LAUNCH(gather_each, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, index, table, onto, x);
}

static __global__ void add_each(int n, const float *x, int ldx, float *y) {
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (j < n) y[(size_t)blockIdx.y * n + j] += x[(size_t)blockIdx.y * ldx + j];
}

void stac_add_to_rows_cuda(int m, int n, const float *x, int ldx, float *y) {
    if (m > 0) LAUNCH(add_each, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, x, ldx, y);
}

static __device__ float act_of(int act, float x) {
    switch (act) {
    case STAC_KERNEL_SILU: return stac_siluf(x);
    case STAC_KERNEL_GELU_TANH: return stac_gelu_tanhf(x);
    case STAC_KERNEL_GELU_ERF: return stac_gelu_erff(x);
    default: return stac_reluf(x);
    }
}

static __global__ void activate_each(int n, int act, float *x, int ldx) {
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    float *at = x + (size_t)blockIdx.y * ldx + j;
    if (j < n) *at = act_of(act, *at);
}

void stac_activate_cuda(int m, int n, int act, float *x, int ldx) {
    if (m > 0) LAUNCH(activate_each, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, act, x, ldx);
}

static __global__ void gate_each(int n, int act, const float *x, int ldx, float *y) {
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    const float *row = x + (size_t)blockIdx.y * ldx;
    if (j < n) y[(size_t)blockIdx.y * n + j] = act_of(act, row[j]) * row[n + j];
}

void stac_gate_cuda(int m, int n, int act, const float *x, int ldx, float *y) {
    if (m > 0) LAUNCH(gate_each, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, act, x, ldx, y);
}

static __global__ void turn_each(int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine,
                                 float *x, int ldx) {
    int half = dim / 2, j = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (j >= n_heads * half) return;
    size_t angle = (size_t)position[blockIdx.y] * half + j % half;
    float *head = x + (size_t)blockIdx.y * ldx + (size_t)(j / half) * dim;
    float a = head[j % half], b = head[j % half + half];
    head[j % half] = a * cosine[angle] - b * sine[angle];
    head[j % half + half] = b * cosine[angle] + a * sine[angle];
}

void stac_turn_cuda(int m, int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine, float *x,
                    int ldx) {
    if (m > 0)
        LAUNCH(turn_each, dim3(blocks_of(n_heads * (dim / 2), THREADS), m), THREADS, 0, n_heads, dim, position, cosine, sine, x,
               ldx);
}

/* ---- Walsh-Hadamard ----------------------------------------------------------------------------------------------- */

/* A block takes a group of `order` values into shared memory. */
static __global__ void hadamard_groups(int n, int order, float *x) {
    SHARED(float, group);
    float *from = x + (size_t)blockIdx.y * n + (size_t)blockIdx.x * order;
    for (int i = (int)threadIdx.x; i < order; i += (int)blockDim.x) group[i] = from[i];
    for (int half = 1; half < order; half *= 2) {
        __syncthreads();
        for (int pair = (int)threadIdx.x; pair < order / 2; pair += (int)blockDim.x) {
            int i = pair / half * 2 * half + pair % half;
            float a = group[i], b = group[i + half];
            group[i] = a + b;
            group[i + half] = a - b;
        }
    }
    __syncthreads();
    float factor = 1.0f / sqrtf((float)order);
    for (int i = (int)threadIdx.x; i < order; i += (int)blockDim.x) from[i] = group[i] * factor;
}

void stac_hadamard_cuda(int m, int n, int order, float *x) {
    if (m > 0)
        LAUNCH(hadamard_groups, dim3(n / order, m), order / 2 < THREADS ? (order > 1 ? order / 2 : 1) : THREADS,
               order * sizeof(float), n, order, x);
}

/* ---- drawing -------------------------------------------------------------------------------------------------------- */

/* A block draws from a row: its threads add up pieces, the first one finds the index. */
static __global__ void draw_from_row(int n, const float *logits, double temperature, const double *u, int32_t *token) {
    __shared__ float most[THREADS / WARP];
    SHARED(double, sum);
    const float *row = logits + (size_t)blockIdx.x * n;
    int pieces = stac_draw_pieces(n), piece = 0;
    float top = -INFINITY;
    double colder = 1 / temperature;
    for (int i = (int)threadIdx.x; i < n; i += THREADS) top = row[i] > top ? row[i] : top;
    top = block_max(top, most);
    for (int p = (int)threadIdx.x; p < pieces; p += THREADS) sum[p] = stac_draw_sum(n, row, p, top, colder);
    __syncthreads();
    if (threadIdx.x > 0) return;
    double total = 0, before = 0;
    for (int p = 0; p < pieces; p++) total += sum[p];
    while (piece < pieces && !(u[blockIdx.x] * total < before + sum[piece])) before += sum[piece++];
    token[blockIdx.x] =
        piece < pieces ? stac_draw_within(n, row, piece, top, colder, before, u[blockIdx.x] * total) : n - 1;
}

void stac_draw_cuda(int m, int n, const float *logits, double temperature, const double *u, int32_t *token) {
    if (m > 0) LAUNCH(draw_from_row, m, THREADS, (size_t)stac_draw_pieces(n) * sizeof(double), n, logits, temperature, u, token);
}
