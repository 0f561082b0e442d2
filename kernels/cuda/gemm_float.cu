/* Float products with the bits of the definition: for each output one chain of fused multiply-adds over k; unless a job wants
 * the library's. */
#include "kernels/cuda/gemm_library.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/set.cuh"

enum { SIDE = 16, DEEP = 8, THREADS = SIDE * SIDE, BLOCKS = 100, FEW = 4, FEW_THREADS = FEW * WARP };

static __device__ inline float widened(float w) {
    return w;
}

static __device__ inline float widened(uint16_t w) {
    return __uint_as_float((unsigned)w << 16);
}

/* ---- many rows ------------------------------------------------------------------------------------------------------ */

/* A block computes HIGH x WIDE outputs, each of its SIDE x SIDE threads TALL x BROAD of them, in groups of at most four that lie
 * side by side. Rows of x lie turned in shared memory. */
template <int tall, int broad> struct tile {
    enum { TALL = tall, BROAD = broad, HIGH = SIDE * tall, WIDE = SIDE * broad, GROUP = broad < 4 ? broad : 4 };
    float row[DEEP][HIGH + 4], column[DEEP][WIDE];
};

/* What a thread brings of the next tile while it works on the one before. */
template <typename tile> struct brought { float x[DEEP * tile::HIGH / THREADS], w[DEEP * tile::WIDE / THREADS]; };

/* Where it finds them: its first value of either side, how far the next ones are, and how many rows and columns are left there. */
template <typename weight> struct source {
    const float *x;
    const weight *w;
    size_t x_step, w_step, w_tile; /* w_tile: from one tile to the next */
    int rows, x_deep, columns, w_deep;
};

template <typename tile, typename weight>
static __device__ inline struct source<weight> source_of(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw) {
    int row = (int)blockIdx.y * tile::HIGH + (int)threadIdx.x / DEEP, deep = (int)threadIdx.x % DEEP;
    int column = (int)blockIdx.x * tile::WIDE + (int)threadIdx.x % tile::WIDE, w_deep = (int)threadIdx.x / tile::WIDE;
    return {x + (size_t)row * ldx + deep,
            w + (size_t)w_deep * ldw + column,
            (size_t)(THREADS / DEEP) * ldx,
            (size_t)(THREADS / tile::WIDE) * ldw,
            (size_t)DEEP * ldw,
            m - row,
            k - deep,
            n - column,
            k - w_deep};
}

template <typename tile, typename weight>
static __device__ inline void bring(struct brought<tile> *b, struct source<weight> *s) {
    for (int i = 0; i < DEEP * tile::HIGH / THREADS; i++)
        b->x[i] = i * (THREADS / DEEP) < s->rows && s->x_deep > 0 ? s->x[i * s->x_step] : 0;
    for (int i = 0; i < DEEP * tile::WIDE / THREADS; i++)
        b->w[i] = i * (THREADS / tile::WIDE) < s->w_deep && s->columns > 0 ? widened(s->w[i * s->w_step]) : 0;
    s->x += DEEP, s->w += s->w_tile;
    s->x_deep -= DEEP, s->w_deep -= DEEP;
}

template <typename tile> static __device__ inline void lay_down(tile *t, const struct brought<tile> *b) {
    for (int i = 0; i < DEEP * tile::HIGH / THREADS; i++) {
        int at = (int)threadIdx.x + i * THREADS;
        t->row[at % DEEP][at / DEEP] = b->x[i];
    }
    for (int i = 0; i < DEEP * tile::WIDE / THREADS; i++) {
        int at = (int)threadIdx.x + i * THREADS;
        t->column[at / tile::WIDE][at % tile::WIDE] = b->w[i];
    }
}

/* Where the i-th of a thread's rows or columns is in its tile. */
template <int group> static __device__ inline int place(int thread, int i) {
    return thread * group + i / group * (SIDE * group) + i % group;
}

template <typename tile>
static __device__ inline void add_line(const tile *t, int l, int tx, int ty, float sum[tile::TALL][tile::BROAD]) {
    float x[tile::TALL], w[tile::BROAD];
    for (int i = 0; i < tile::TALL; i++) x[i] = t->row[l][place<4>(ty, i)];
    for (int j = 0; j < tile::BROAD; j++) w[j] = t->column[l][place<tile::GROUP>(tx, j)];
    for (int i = 0; i < tile::TALL; i++)
        for (int j = 0; j < tile::BROAD; j++) sum[i][j] = fmaf(x[i], w[j], sum[i][j]);
}

template <typename tile, typename weight>
static __global__ void __launch_bounds__(THREADS, 2) product_tiles(int m, int n, int k, const float *x, int ldx, const weight *w,
                                                                int ldw, float *y, int ldy) {
    __shared__ __align__(16) tile t;
    struct brought<tile> next;
    struct source<weight> source = source_of<tile>(m, n, k, x, ldx, w, ldw);
    int tx = (int)threadIdx.x % SIDE, ty = (int)threadIdx.x / SIDE;
    int row0 = (int)blockIdx.y * tile::HIGH, column0 = (int)blockIdx.x * tile::WIDE;
    float sum[tile::TALL][tile::BROAD] = {{0}};
    bring(&next, &source);
    for (int from = 0; from < k; from += DEEP) {
        lay_down(&t, &next);
        __syncthreads();
        if (from + DEEP < k) bring(&next, &source);
        if (k - from >= DEEP)
#pragma unroll 2
            for (int l = 0; l < DEEP; l++) add_line(&t, l, tx, ty, sum);
        else
            for (int l = 0; l < k - from; l++) add_line(&t, l, tx, ty, sum);
        __syncthreads();
    }
    for (int i = 0; i < tile::TALL; i++)
        for (int j = 0; j < tile::BROAD; j++) {
            int row = row0 + place<4>(ty, i), column = column0 + place<tile::GROUP>(tx, j);
            if (row < m && column < n) y[(size_t)row * ldy + column] = sum[i][j];
        }
}

template <typename tile, typename weight>
static void product_of_many(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y, int ldy) {
    LAUNCH((product_tiles<tile, weight>), dim3(blocks_of(n, tile::WIDE), blocks_of(m, tile::HIGH)), THREADS, 0, m, n, k, x,
           ldx, w, ldw, y, ldy);
}

/* ---- few rows: limited by the bytes of the weights ------------------------------------------------------------------ */

/* A block takes SPAN columns, a warp a row of them; pieces of AHEAD_DEEP weight rows, and what they are multiplied by, are on their
 * way AHEAD pieces before they are used. */
enum { SPAN = WARP, AHEAD = 8, AHEAD_DEEP = 64 };

template <typename weight> struct piece {
    weight w[AHEAD_DEEP][SPAN];
    float x[FEW][AHEAD_DEEP];
};

/* Sixteen bytes of a row, of which `left` elements are left; `aligned`: at once. */
template <typename element>
static __device__ inline void fetch_16(element *to, const element *from, int left, bool aligned) {
    enum { AT_ONCE = 16 / sizeof(element) };
    if (aligned && left >= AT_ONCE)
        copy_16(to, from);
    else
        for (int c = 0; c < AT_ONCE && c < left; c++) to[c] = from[c];
}

/* The piece of weight rows [from, from + AHEAD_DEEP), those of k. */
template <typename weight>
static __device__ void fetch_piece(struct piece<weight> *to, int m, int n, int k, const float *x, int ldx, bool x_aligned,
                                   const weight *w, int ldw, bool w_aligned, int column0, int from) {
    enum { AT_ONCE = 16 / sizeof(weight), X_AT_ONCE = 16 / sizeof(float) };
    for (int i = (int)threadIdx.x * AT_ONCE; i < AHEAD_DEEP * SPAN; i += FEW_THREADS * AT_ONCE) {
        int row = i / SPAN, column = i % SPAN;
        if (from + row < k)
            fetch_16(&to->w[row][column], w + (size_t)(from + row) * ldw + column0 + column, n - column0 - column, w_aligned);
    }
    for (int i = (int)threadIdx.x * X_AT_ONCE; i < m * AHEAD_DEEP; i += FEW_THREADS * X_AT_ONCE) {
        int row = i / AHEAD_DEEP, deep = i % AHEAD_DEEP;
        fetch_16(&to->x[row][deep], x + (size_t)row * ldx + from + deep, k - from - deep, x_aligned);
    }
    close_copies();
}

template <typename weight>
static __global__ void product_of_few(int m, int n, int k, const float *x, int ldx, bool x_aligned, const weight *w, int ldw,
                                      bool w_aligned, float *y, int ldy) {
    SHARED(struct piece<weight>, pieces);
    int row = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, column0 = (int)blockIdx.x * SPAN;
    float sum = 0;
    for (int p = 0; p < AHEAD - 1; p++)
        fetch_piece(&pieces[p], m, n, k, x, ldx, x_aligned, w, ldw, w_aligned, column0, p * AHEAD_DEEP);
    for (int p = 0; p * AHEAD_DEEP < k; p++) {
        const struct piece<weight> *here = &pieces[p % AHEAD];
        int deep = k - p * AHEAD_DEEP, next = p + AHEAD - 1; /* takes the place of the piece that was used last */
        fetch_piece(&pieces[next % AHEAD], m, n, k, x, ldx, x_aligned, w, ldw, w_aligned, column0, next * AHEAD_DEEP);
        wait_for_copies_but<AHEAD - 1>();
        __syncthreads();
        if (row < m && deep >= AHEAD_DEEP)
#pragma unroll 16
            for (int l = 0; l < AHEAD_DEEP; l++) sum = fmaf(here->x[row][l], widened(here->w[l][lane]), sum);
        else if (row < m)
            for (int l = 0; l < deep; l++) sum = fmaf(here->x[row][l], widened(here->w[l][lane]), sum);
        __syncthreads();
    }
    if (row < m && column0 + lane < n) y[(size_t)row * ldy + column0 + lane] = sum;
}

/* ---- all ------------------------------------------------------------------------------------------------------------ */

template <typename weight>
static void product(int m, int n, int k, const float *x, int ldx, const weight *w, int ldw, float *y, int ldy) {
    typedef struct tile<8, 8> large;
    typedef struct tile<4, 2> small; /* where large ones would be too few for a device */
    if (m <= 0 || n <= 0) return;
    if (m <= FEW)
        LAUNCH(product_of_few<weight>, blocks_of(n, SPAN), FEW_THREADS, AHEAD * sizeof(struct piece<weight>), m, n, k, x, ldx,
               is_aligned(x, ldx, 16), w, ldw, is_aligned(w, ldw, 16), y, ldy);
    else if (blocks_of(n, large::WIDE) * blocks_of(m, large::HIGH) >= BLOCKS)
        product_of_many<large>(m, n, k, x, ldx, w, ldw, y, ldy);
    else
        product_of_many<small>(m, n, k, x, ldx, w, ldw, y, ldy);
}

void stac_gemm_f32_cuda(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
    int done = stac_library_f32(m, n, k, x, ldx, w, ldw, y, ldy);
    product(m - done, n, k, x + (size_t)done * ldx, ldx, w, ldw, y + (size_t)done * ldy, ldy);
}

void stac_gemm_bf16_cuda(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy) {
    int done = stac_library_bf16(m, n, k, x, ldx, w, ldw, y, ldy);
    product(m - done, n, k, x + (size_t)done * ldx, ldx, w, ldw, y + (size_t)done * ldy, ldy);
}
