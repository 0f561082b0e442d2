/* Float products with the bits of the definition: for each output one chain of fused multiply-adds over k. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"

enum { SIDE = 64, DEEP = 16, EACH = 4, FEW = 4, FEW_THREADS = 128, FEW_DEEP = 256 };

static __device__ inline float widened(float w) {
    return w;
}

static __device__ inline float widened(uint16_t w) {
    return __uint_as_float((unsigned)w << 16);
}

/* A block computes SIDE x SIDE outputs, each of its 16 x 16 threads EACH x EACH of them. */
template <typename weight>
static __global__ void product_tiles(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y,
                                     int ldy) {
    __shared__ float rows[DEEP][SIDE + 1], columns[DEEP][SIDE];
    int tx = (int)threadIdx.x % 16, ty = (int)threadIdx.x / 16, row0 = (int)blockIdx.y * SIDE, column0 = (int)blockIdx.x * SIDE;
    float sum[EACH][EACH] = {{0}};
    for (int from = 0; from < k; from += DEEP) {
        int deep = k - from < DEEP ? k - from : DEEP;
        for (int i = (int)threadIdx.x; i < SIDE * DEEP; i += (int)blockDim.x) {
            int row = row0 + i / DEEP, at = i % DEEP, column = column0 + i % SIDE, deep_at = i / SIDE;
            rows[at][i / DEEP] = row < m && at < deep ? x[(size_t)row * ldx + from + at] : 0;
            columns[deep_at][i % SIDE] = column < n && deep_at < deep ? widened(w[(size_t)(from + deep_at) * ldw + column]) : 0;
        }
        __syncthreads();
        for (int l = 0; l < deep; l++)
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++) sum[i][j] = fmaf(rows[l][ty * EACH + i], columns[l][tx + 16 * j], sum[i][j]);
        __syncthreads();
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            int row = row0 + ty * EACH + i, column = column0 + tx + 16 * j;
            if (row < m && column < n) y[(size_t)row * ldy + column] = sum[i][j];
        }
}

/* At most FEW rows: a thread takes a column of all of them. */
template <typename weight>
static __global__ void product_of_few(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y,
                                      int ldy) {
    __shared__ float row[FEW][FEW_DEEP];
    int column = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    float sum[FEW] = {0};
    for (int from = 0; from < k; from += FEW_DEEP) {
        int deep = k - from < FEW_DEEP ? k - from : FEW_DEEP;
        for (int i = (int)threadIdx.x; i < FEW * FEW_DEEP; i += (int)blockDim.x)
            row[i / FEW_DEEP][i % FEW_DEEP] =
                i / FEW_DEEP < m && i % FEW_DEEP < deep ? x[(size_t)(i / FEW_DEEP) * ldx + from + i % FEW_DEEP] : 0;
        __syncthreads();
        const weight *at = w + (size_t)from * ldw + column;
#pragma unroll 16
        for (int l = 0; l < deep; l++) {
            float value = column < n ? widened(at[(size_t)l * ldw]) : 0;
            for (int i = 0; i < FEW; i++) sum[i] = fmaf(row[i][l], value, sum[i]);
        }
        __syncthreads();
    }
    for (int i = 0; i < m && column < n; i++) y[(size_t)i * ldy + column] = sum[i];
}

template <typename weight>
static void product(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y, int ldy) {
    if (m <= 0 || n <= 0) return;
    if (m <= FEW)
        LAUNCH(product_of_few<weight>, blocks_of(n, FEW_THREADS), FEW_THREADS, 0, m, n, k, x, ldx, w, ldw, y, ldy);
    else
        LAUNCH(product_tiles<weight>, dim3(blocks_of(n, SIDE), blocks_of(m, SIDE)), 256, 0, m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_f32_cuda(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_bf16_cuda(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    product(m, n, k, x, ldx, w, ldw, y, ldy);
}
