/* Float products with the bits of the definition: for each output one chain of fused multiply-adds over k; unless a job wants
 * the library's. */
#include "kernels/cuda/gemm_library.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"

enum { SIDE = 64, DEEP = 16, EACH = 4, FEW = 4, FEW_THREADS = 128 };

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

/* At most FEW rows, where the bytes of the weights are the limit: a block takes SPAN columns, a thread one of them for all
 * rows, and pieces of AHEAD_DEEP weight rows are on their way AHEAD pieces before they are used. */
enum { SPAN = 32, AHEAD = 8, AHEAD_DEEP = 64 };

template <typename weight> struct piece { weight w[AHEAD_DEEP][SPAN]; };

/* The piece of weight rows [from, from + AHEAD_DEEP), those of k; `aligned`: by sixteen bytes at once. */
template <typename weight>
static __device__ void fetch_piece(struct piece<weight> *to, int n, int k, const weight *w, int ldw, int column0, int from,
                                   bool aligned) {
    enum { AT_ONCE = 16 / sizeof(weight) };
    for (int i = (int)threadIdx.x * AT_ONCE; i < AHEAD_DEEP * SPAN; i += FEW_THREADS * AT_ONCE) {
        int row = i / SPAN, column = i % SPAN;
        const weight *at = w + (size_t)(from + row) * ldw + column0 + column;
        if (from + row >= k) continue;
        if (aligned && column0 + column + AT_ONCE <= n)
            copy_16(&to->w[row][column], at);
        else
            for (int c = 0; c < AT_ONCE && column0 + column + c < n; c++) to->w[row][column + c] = at[c];
    }
    close_copies();
}

template <typename weight>
static __global__ void product_of_few(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, bool aligned,
                                      float *y, int ldy) {
    SHARED(struct piece<weight>, pieces);
    __shared__ float row[FEW][AHEAD_DEEP];
    int lane = (int)threadIdx.x, column0 = (int)blockIdx.x * SPAN;
    float sum[FEW] = {0};
    for (int p = 0; p < AHEAD - 1; p++) fetch_piece(&pieces[p], n, k, w, ldw, column0, p * AHEAD_DEEP, aligned);
    for (int p = 0; p * AHEAD_DEEP < k; p++) {
        int from = p * AHEAD_DEEP, deep = k - from < AHEAD_DEEP ? k - from : AHEAD_DEEP;
        int next = p + AHEAD - 1; /* takes the place of the piece that was used last */
        fetch_piece(&pieces[next % AHEAD], n, k, w, ldw, column0, next * AHEAD_DEEP, aligned);
        for (int i = lane; i < FEW * AHEAD_DEEP; i += FEW_THREADS) {
            int l = i % AHEAD_DEEP;
            row[i / AHEAD_DEEP][l] = i / AHEAD_DEEP < m && l < deep ? x[(size_t)(i / AHEAD_DEEP) * ldx + from + l] : 0;
        }
        wait_for_copies_but<AHEAD - 1>();
        __syncthreads();
        for (int l = 0; l < deep && lane < SPAN; l++) {
            float value = widened(pieces[p % AHEAD].w[l][lane]);
            for (int i = 0; i < FEW; i++) sum[i] = fmaf(row[i][l], value, sum[i]);
        }
        __syncthreads();
    }
    for (int i = 0; i < m && lane < SPAN && column0 + lane < n; i++) y[(size_t)i * ldy + column0 + lane] = sum[i];
}

template <typename weight>
static void product(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y, int ldy) {
    if (m <= 0 || n <= 0) return;
    bool aligned = (size_t)ldw * sizeof *w % 16 == 0 && (uintptr_t)w % 16 == 0;
    if (m <= FEW)
        LAUNCH(product_of_few<weight>, blocks_of(n, SPAN), FEW_THREADS, AHEAD * sizeof(struct piece<weight>), m, n, k, x, ldx,
               w, ldw, aligned, y, ldy);
    else
        LAUNCH(product_tiles<weight>, dim3(blocks_of(n, SIDE), blocks_of(m, SIDE)), 256, 0, m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_f32_cuda(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    int done = stac_library_f32(m, n, k, x, ldx, w, ldw, y, ldy);
    product(m - done, n, k, x + (size_t)done * ldx, ldx, w, ldw, y + (size_t)done * ldy, ldy);
}

void stac_gemm_bf16_cuda(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    int done = stac_library_bf16(m, n, k, x, ldx, w, ldw, y, ldy);
    product(m - done, n, k, x + (size_t)done * ldx, ldx, w, ldw, y + (size_t)done * ldy, ldy);
}
