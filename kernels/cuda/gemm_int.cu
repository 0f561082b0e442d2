/* Products of codes and int8 weights. They are exact, so k is divided among blocks and tensor cores as it suits them. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"

/* ---- few rows: limited by the bytes of the weights ------------------------------------------------------------------ */

enum { FEW = 4, COLUMNS = 16, WARPS = 8, SPAN = WARP * COLUMNS, BLOCKS = 264 };

/* Sixteen weights from column `at` of a row of which `left` columns are left. */
static __device__ inline void read_weights(const int8_t *row, int left, bool aligned, int8_t out[COLUMNS]) {
    if (aligned && left >= COLUMNS)
        *(int4 *)out = *(const int4 *)row;
    else
        for (int j = 0; j < COLUMNS; j++) out[j] = j < left ? row[j] : (int8_t)0;
}

/* A block adds SPAN columns of WARPS * steps weight rows to the outputs: each of its warps reads those rows of its share that
 * any of the m <= FEW rows of x wants, a spike's rows and no others. */
static __global__ void add_products_of_few(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw,
                                           bool aligned, int steps, int32_t *y, int ldy) {
    __shared__ int32_t total[FEW][SPAN];
    int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
    int column = (int)blockIdx.x * SPAN + lane * COLUMNS, first = ((int)blockIdx.y * WARPS + warp) * steps;
    int32_t sum[FEW][COLUMNS] = {{0}};
    for (int i = (int)threadIdx.x; i < FEW * SPAN; i += (int)blockDim.x) total[i / SPAN][i % SPAN] = 0;
#pragma unroll 4
    for (int l = first; l < first + steps; l++) {
        int code[FEW], any = 0;
        for (int i = 0; i < FEW; i++) {
            code[i] = l < k && i < m ? x[(size_t)i * ldx + l] : 0;
            any |= code[i];
        }
        if (!any) continue; /* the same for all threads of the warp */
        __align__(16) int8_t weight[COLUMNS];
        read_weights(w + (size_t)l * ldw + column, n - column, aligned, weight);
        for (int i = 0; i < FEW; i++)
            for (int j = 0; j < COLUMNS; j++) sum[i][j] += code[i] * weight[j];
    }
    __syncthreads();
    for (int i = 0; i < FEW; i++)
        for (int j = 0; j < COLUMNS; j++)
            if (i < m) atomicAdd(&total[i][lane * COLUMNS + j], sum[i][j]);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < m * SPAN; i += (int)blockDim.x) {
        int at = (int)blockIdx.x * SPAN + i % SPAN;
        if (at < n) atomicAdd(&y[(size_t)(i / SPAN) * ldy + at], total[i / SPAN][i % SPAN]);
    }
}

static void product_of_few(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    bool aligned = ldw % COLUMNS == 0 && (uintptr_t)w % COLUMNS == 0;
    stac_queue_clear(y, (size_t)ldy * sizeof *y, (size_t)n * sizeof *y, (size_t)m);
    int steps = 32; /* fewer where the blocks would be too few for a device */
    while (steps > 4 && blocks_of(n, SPAN) * blocks_of(k, WARPS * steps) < BLOCKS) steps /= 2;
    LAUNCH(add_products_of_few, dim3(blocks_of(n, SPAN), blocks_of(k, WARPS * steps)), WARP * WARPS, 0, m, n, k, x, ldx, w, ldw,
           aligned, steps, y, ldy);
}

/* ---- many rows: tensor cores ---------------------------------------------------------------------------------------- */

enum { SIDE = 64, DEEP = 64, PITCH = DEEP + 16, TILE_WARPS = 4 };

/* Codes of 16 bits are multiplied as two digits, code = 256 high + low: the low ones without a sign, unless no code of a tile
 * needs the high ones. Rows of all tiles are PITCH bytes apart: the threads of a warp read from banks of their own. */
struct tiles {
    int8_t low[SIDE][PITCH], high[SIDE][PITCH]; /* [row][k] */
    int8_t weight[SIDE][PITCH];                 /* [column][k] */
};

/* Rows of codes into digits; whether any of what this thread read needs two. */
static __device__ bool load_codes(struct tiles *t, int m, int k, const int16_t *x, int ldx, int row0, int from) {
    bool wide = false;
    for (int i = (int)threadIdx.x; i < SIDE * DEEP; i += (int)blockDim.x) {
        int row = row0 + i / DEEP, at = from + i % DEEP;
        int value = row < m && at < k ? x[(size_t)row * ldx + at] : 0;
        t->low[i / DEEP][i % DEEP] = (int8_t)(value & 0xff);
        t->high[i / DEEP][i % DEEP] = (int8_t)(value >> 8);
        wide = wide || value != (int8_t)value;
    }
    return wide;
}

/* Weights, turned: four by four, which four bytes of four rows make. */
static __device__ void load_weights(struct tiles *t, int n, int k, const int8_t *w, int ldw, bool aligned, int column0,
                                    int from) {
    for (int i = (int)threadIdx.x; i < SIDE / 4 * (DEEP / 4); i += (int)blockDim.x) {
        int column = i % (SIDE / 4) * 4, deep = i / (SIDE / 4) * 4;
        const int8_t *at = w + (size_t)(from + deep) * ldw + column0 + column;
        if (aligned && column0 + column + 4 <= n && from + deep + 4 <= k) {
            unsigned a = *(const unsigned *)at, b = *(const unsigned *)(at + ldw);
            unsigned c = *(const unsigned *)(at + 2 * (size_t)ldw), d = *(const unsigned *)(at + 3 * (size_t)ldw);
            unsigned ab = __byte_perm(a, b, 0x5140), cd = __byte_perm(c, d, 0x5140); /* a0 b0 a1 b1; c0 d0 c1 d1 */
            *(unsigned *)&t->weight[column][deep] = __byte_perm(ab, cd, 0x5410);
            *(unsigned *)&t->weight[column + 1][deep] = __byte_perm(ab, cd, 0x7632);
            ab = __byte_perm(a, b, 0x7362), cd = __byte_perm(c, d, 0x7362);
            *(unsigned *)&t->weight[column + 2][deep] = __byte_perm(ab, cd, 0x5410);
            *(unsigned *)&t->weight[column + 3][deep] = __byte_perm(ab, cd, 0x7632);
            continue;
        }
        for (int r = 0; r < 4; r++)
            for (int c = 0; c < 4; c++)
                t->weight[column + c][deep + r] =
                    column0 + column + c < n && from + deep + r < k ? at[(size_t)r * ldw + c] : (int8_t)0;
    }
}

/* Fragments of 16 rows, or 8 columns, and 32 of k; see launch.cuh. */
static __device__ inline void fragment_of_rows(const int8_t tile[SIDE][PITCH], int row, int deep, unsigned a[4]) {
    int lane = (int)threadIdx.x % WARP, group = lane / 4, quad = lane % 4;
    a[0] = *(const unsigned *)&tile[row + group][deep + 4 * quad];
    a[1] = *(const unsigned *)&tile[row + group + 8][deep + 4 * quad];
    a[2] = *(const unsigned *)&tile[row + group][deep + 16 + 4 * quad];
    a[3] = *(const unsigned *)&tile[row + group + 8][deep + 16 + 4 * quad];
}

static __device__ inline void fragment_of_columns(const int8_t tile[SIDE][PITCH], int column, int deep, unsigned b[2]) {
    int lane = (int)threadIdx.x % WARP, group = lane / 4, quad = lane % 4;
    b[0] = *(const unsigned *)&tile[column + group][deep + 4 * quad];
    b[1] = *(const unsigned *)&tile[column + group][deep + 16 + 4 * quad];
}

/* A block computes SIDE x SIDE outputs, each of its four warps a quarter of them: two by four of what mma does. */
static __global__ void product_tiles(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, bool aligned,
                                     int32_t *y, int ldy) {
    __shared__ __align__(16) struct tiles t;
    int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    int row0 = (int)blockIdx.y * SIDE, column0 = (int)blockIdx.x * SIDE, row = warp / 2 * 32, column = warp % 2 * 32;
    int low[2][4][4] = {{{0}}}, high[2][4][4] = {{{0}}};
    for (int from = 0; from < k; from += DEEP) {
        bool wide = load_codes(&t, m, k, x, ldx, row0, from);
        load_weights(&t, n, k, w, ldw, aligned, column0, from);
        wide = __syncthreads_or(wide);
        for (int deep = 0; deep < DEEP; deep += 32) {
            unsigned b[4][2], a[4];
            for (int j = 0; j < 4; j++) fragment_of_columns(t.weight, column + 8 * j, deep, b[j]);
            for (int i = 0; i < 2; i++) {
                fragment_of_rows(t.low, row + 16 * i, deep, a);
                for (int j = 0; j < 4; j++) wide ? mma_u8s8(low[i][j], a, b[j]) : mma_s8(low[i][j], a, b[j]);
                if (!wide) continue;
                fragment_of_rows(t.high, row + 16 * i, deep, a);
                for (int j = 0; j < 4; j++) mma_s8(high[i][j], a, b[j]);
            }
        }
        __syncthreads();
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            for (int c = 0; c < 4; c++) {
                int to_row = row0 + row + 16 * i + lane / 4 + c / 2 * 8,
                    to_column = column0 + column + 8 * j + lane % 4 * 2 + c % 2;
                if (to_row < m && to_column < n)
                    y[(size_t)to_row * ldy + to_column] = (int)((unsigned)low[i][j][c] + 256u * (unsigned)high[i][j][c]);
            }
}

void stac_gemm_i16i8_cuda(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    if (m <= 0 || n <= 0) return;
    if (m <= FEW) {
        product_of_few(m, n, k, x, ldx, w, ldw, y, ldy);
        return;
    }
    bool aligned = ldw % 4 == 0 && (uintptr_t)w % 4 == 0;
    LAUNCH(product_tiles, dim3(blocks_of(n, SIDE), blocks_of(m, SIDE)), WARP * TILE_WARPS, 0, m, n, k, x, ldx, w, ldw, aligned,
           y, ldy);
}
