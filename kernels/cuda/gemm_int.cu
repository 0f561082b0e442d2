/* Products of codes and int8 weights. They are exact, so k is divided among blocks and tensor cores as it suits them. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"

/* ---- few rows: limited by the bytes of the weights ------------------------------------------------------------------ */

enum { FEW = 4, COLUMNS = 16, WARPS = 8, SPAN = WARP * COLUMNS, BLOCKS = 264, AT_ONCE = 4 };

/* Sixteen weights from column `at` of a row of which `left` columns are left. */
static __device__ inline void read_weights(const int8_t *row, int left, bool aligned, int8_t out[COLUMNS]) {
    if (aligned && left >= COLUMNS)
        *(int4 *)out = *(const int4 *)row;
    else
        for (int j = 0; j < COLUMNS; j++) out[j] = j < left ? row[j] : (int8_t)0;
}

/* The next of the weight rows that are wanted, a bit for each, or -1. The same for all threads of the warp. */
static __device__ inline int take(unsigned *wanted) {
    int at = __ffs(*wanted) - 1;
    *wanted &= *wanted - 1;
    return at;
}

/* A block adds SPAN columns of WARPS * steps weight rows, steps <= WARP, to the outputs of `rows` rows of x, of which there are m.
 * Each of its warps reads those rows of its share that any row of x wants, a spike's rows and no others, AT_ONCE at a time. */
template <int rows>
static __global__ void add_products_of_few(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw,
                                           bool aligned, int steps, int32_t *y, int ldy) {
    __shared__ int32_t total[rows][SPAN];
    int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
    int column = (int)blockIdx.x * SPAN + lane * COLUMNS, first = ((int)blockIdx.y * WARPS + warp) * steps;
    int32_t sum[rows][COLUMNS] = {{0}};
    int code[rows], any = 0; /* of weight row first + lane */
    for (int i = 0; i < rows; i++) {
        code[i] = lane < steps && first + lane < k && i < m ? x[(size_t)i * ldx + first + lane] : 0;
        any |= code[i];
    }
    for (int i = (int)threadIdx.x; i < rows * SPAN; i += (int)blockDim.x) total[i / SPAN][i % SPAN] = 0;
    for (unsigned wanted = __ballot_sync(0xffffffffu, any != 0); wanted;) {
        __align__(16) int8_t weight[AT_ONCE][COLUMNS];
        int at[AT_ONCE];
        for (int r = 0; r < AT_ONCE; r++) {
            at[r] = take(&wanted);
            if (at[r] >= 0) read_weights(w + (size_t)(first + at[r]) * ldw + column, n - column, aligned, weight[r]);
        }
        for (int r = 0; r < AT_ONCE && at[r] >= 0; r++)
            for (int i = 0; i < rows; i++) {
                int times = __shfl_sync(0xffffffffu, code[i], at[r]);
                for (int j = 0; j < COLUMNS; j++) sum[i][j] += times * weight[r][j];
            }
    }
    __syncthreads();
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < COLUMNS; j++) atomicAdd(&total[i][lane * COLUMNS + j], sum[i][j]);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < m * SPAN; i += (int)blockDim.x) {
        int at = (int)blockIdx.x * SPAN + i % SPAN;
        if (at < n) atomicAdd(&y[(size_t)(i / SPAN) * ldy + at], total[i / SPAN][i % SPAN]);
    }
}

static void product_of_few(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy) {
    bool aligned = is_aligned(w, ldw, COLUMNS);
    stac_queue_clear(y, (size_t)ldy * sizeof *y, (size_t)n * sizeof *y, (size_t)m);
    int steps = WARP; /* fewer where the blocks would be too few for a device */
    while (steps > 4 && blocks_of(n, SPAN) * blocks_of(k, WARPS * steps) < BLOCKS) steps /= 2;
    dim3 blocks(blocks_of(n, SPAN), blocks_of(k, WARPS * steps));
    switch (m) {
    case 1: LAUNCH(add_products_of_few<1>, blocks, WARP * WARPS, 0, m, n, k, x, ldx, w, ldw, aligned, steps, y, ldy); break;
    case 2: LAUNCH(add_products_of_few<2>, blocks, WARP * WARPS, 0, m, n, k, x, ldx, w, ldw, aligned, steps, y, ldy); break;
    default: LAUNCH(add_products_of_few<FEW>, blocks, WARP * WARPS, 0, m, n, k, x, ldx, w, ldw, aligned, steps, y, ldy);
    }
}

/* ---- many rows: tensor cores ---------------------------------------------------------------------------------------- */

enum { SIDE = 64, DEEP = 64, PITCH = DEEP + 16, TILE_WARPS = 4, TILE_THREADS = WARP * TILE_WARPS };
enum { CHUNK = 8, CHUNKS = SIDE * DEEP / CHUNK / TILE_THREADS, SQUARES = SIDE * DEEP / 16 / TILE_THREADS };

/* Codes of 16 bits are multiplied as two digits, code = 256 high + low: the low ones without a sign, unless no code of a tile
 * needs the high ones. Rows of all tiles are PITCH bytes apart: the threads of a warp read from banks of their own. */
struct tiles {
    int8_t low[SIDE][PITCH], high[SIDE][PITCH]; /* [row][k] */
    int8_t weight[SIDE][PITCH];                 /* [column][k] */
};

/* Codes that lie side by side. */
union chunk {
    int4 all;
    int16_t code[CHUNK];
    unsigned pair[CHUNK / 2];
};

/* What a thread brings of the next tiles while it works on those before: chunks, and squares of four columns of four weight rows,
 * as words. */
struct brought {
    union chunk chunk[CHUNKS];
    unsigned weight[SQUARES][4];
};

static __device__ inline void bring_codes(struct brought *b, int m, int k, const int16_t *x, int ldx, bool aligned, int row0,
                                          int from) {
    for (int c = 0; c < CHUNKS; c++) {
        int at = (int)threadIdx.x + c * TILE_THREADS, row = row0 + at / (DEEP / CHUNK), deep = from + at % (DEEP / CHUNK) * CHUNK;
        const int16_t *here = x + (size_t)row * ldx + deep;
        if (aligned && row < m && deep + CHUNK <= k)
            b->chunk[c].all = *(const int4 *)here;
        else
            for (int i = 0; i < CHUNK; i++) b->chunk[c].code[i] = row < m && deep + i < k ? here[i] : (int16_t)0;
    }
}

static __device__ inline void bring_weights(struct brought *b, int n, int k, const int8_t *w, int ldw, bool aligned, int column0,
                                            int from) {
    for (int s = 0; s < SQUARES; s++) {
        int at = (int)threadIdx.x + s * TILE_THREADS, column = column0 + at % (SIDE / 4) * 4, deep = from + at / (SIDE / 4) * 4;
        for (int r = 0; r < 4; r++) {
            const int8_t *here = w + (size_t)(deep + r) * ldw + column;
            b->weight[s][r] = 0;
            if (aligned && column + 4 <= n && deep + r < k)
                b->weight[s][r] = *(const unsigned *)here;
            else
                for (int c = 0; c < 4; c++)
                    if (column + c < n && deep + r < k) b->weight[s][r] |= (unsigned)(uint8_t)here[c] << 8 * c;
        }
    }
}

/* Four bytes of low digits, and of high ones. Whether any of these codes needs two. */
static __device__ inline bool split_codes(const unsigned pair[2], unsigned *low, unsigned *high) {
    *low = __byte_perm(pair[0], pair[1], 0x6420);
    *high = __byte_perm(pair[0], pair[1], 0x7531);
    return *high != (*low >> 7 & 0x01010101u) * 0xffu; /* the sign of the low one, spread */
}

/* Codes into digits, weights turned; whether any code that this thread brought needs two digits. */
static __device__ inline bool lay_down(struct tiles *t, const struct brought *b) {
    bool wide = false;
    for (int c = 0; c < CHUNKS; c++) {
        int at = (int)threadIdx.x + c * TILE_THREADS, row = at / (DEEP / CHUNK), deep = at % (DEEP / CHUNK) * CHUNK;
        unsigned *low = (unsigned *)&t->low[row][deep], *high = (unsigned *)&t->high[row][deep];
        for (int i = 0; i < CHUNK / 4; i++) wide = split_codes(b->chunk[c].pair + 2 * i, low + i, high + i) || wide;
    }
    for (int s = 0; s < SQUARES; s++) {
        int at = (int)threadIdx.x + s * TILE_THREADS, column = at % (SIDE / 4) * 4, deep = at / (SIDE / 4) * 4;
        const unsigned *from = b->weight[s];
        unsigned ab = __byte_perm(from[0], from[1], 0x5140), cd = __byte_perm(from[2], from[3], 0x5140); /* a0 b0 a1 b1 ... */
        *(unsigned *)&t->weight[column][deep] = __byte_perm(ab, cd, 0x5410);
        *(unsigned *)&t->weight[column + 1][deep] = __byte_perm(ab, cd, 0x7632);
        ab = __byte_perm(from[0], from[1], 0x7362), cd = __byte_perm(from[2], from[3], 0x7362);
        *(unsigned *)&t->weight[column + 2][deep] = __byte_perm(ab, cd, 0x5410);
        *(unsigned *)&t->weight[column + 3][deep] = __byte_perm(ab, cd, 0x7632);
    }
    return wide;
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
static __global__ void product_tiles(int m, int n, int k, const int16_t *x, int ldx, bool x_aligned, const int8_t *w, int ldw,
                                     bool w_aligned, int32_t *y, int ldy) {
    __shared__ __align__(16) struct tiles t;
    struct brought next;
    int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    int row0 = (int)blockIdx.y * SIDE, column0 = (int)blockIdx.x * SIDE, row = warp / 2 * 32, column = warp % 2 * 32;
    int low[2][4][4] = {{{0}}}, high[2][4][4] = {{{0}}};
    bring_codes(&next, m, k, x, ldx, x_aligned, row0, 0);
    bring_weights(&next, n, k, w, ldw, w_aligned, column0, 0);
    for (int from = 0; from < k; from += DEEP) {
        bool wide = __syncthreads_or(lay_down(&t, &next));
        if (from + DEEP < k) {
            bring_codes(&next, m, k, x, ldx, x_aligned, row0, from + DEEP);
            bring_weights(&next, n, k, w, ldw, w_aligned, column0, from + DEEP);
        }
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
    bool x_aligned = is_aligned(x, ldx, sizeof(int4)), w_aligned = is_aligned(w, ldw, sizeof(unsigned));
    LAUNCH(product_tiles, dim3(blocks_of(n, SIDE), blocks_of(m, SIDE)), TILE_THREADS, 0, m, n, k, x, ldx, x_aligned, w, ldw,
           w_aligned, y, ldy);
}
