#include "model/stored_matrix.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#define TILE 64                 /* a tile of 64 x 64 values and its source lie in the first-level cache */
#define SEGMENT 16384           /* values that one thread converts at a time */
#define PARALLEL_FROM (1 << 16) /* values from which threads pay */

/* Tell the kernel that the window's rows are needed, or not any more: a clean page is dropped from this process (the
 * page cache keeps it), so that reading a model layer by layer does not pile it up in memory. Advice only. */
static void advise(const struct stac_stored *s, int advice) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)s->tensor->data, end = begin + s->tensor->size;
    if (advice == MADV_DONTNEED)
        begin += page - 1; /* pages at the edges belong to other tensors too */
    else
        end += page - 1;
    begin &= ~(page - 1);
    end &= ~(page - 1);
    if (begin < end) madvise((void *)begin, end - begin, advice);
}

static size_t stored_row(const struct stac_stored *s, size_t r) {
    if (!s->interleaved) return s->row + r;
    size_t half = s->interleaved / 2, channel = r % s->interleaved;
    return s->row + r - channel + channel % half * 2 + channel / half;
}

/* Values [col, col + n) of row r of the window; whole blocks. */
static void decode(const struct stac_stored *s, size_t r, size_t col, size_t n, float *out) {
    const struct stac_dtype *t = s->tensor->dtype;
    size_t first = (stored_row(s, r) * s->cols + s->col + col) / t->block;
    t->decode(s->tensor->data + first * t->bytes, n / t->block, out);
}

static int check_readable(const struct stac_stored *s, struct stac_error *err) {
    const struct stac_dtype *t = s->tensor->dtype;
    if (!t->decode)
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s is stored as %s, which is not read (F32, F16 and BF16 are)",
                         s->tensor->name, t->name);
    if (s->cols % t->block || s->col % t->block || s->n_cols % t->block)
        return stac_fail(err, STAC_ERR_INPUT, "tensor %s: its parts do not begin at whole %s blocks", s->tensor->name, t->name);
    return STAC_OK;
}

static int check_finite(const struct stac_stored *s, bool bad, struct stac_error *err) {
    if (!bad) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "tensor %s holds values that are not finite (NaN or infinity)", s->tensor->name);
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

int stac_stored_copy(const struct stac_stored *s, float *out, struct stac_error *err) {
    STAC_TRY(check_readable(s, err));
    advise(s, MADV_WILLNEED);
    size_t segments = (s->n_cols + SEGMENT - 1) / SEGMENT;
    int bad = 0;
#pragma omp parallel for collapse(2) schedule(static) reduction(| : bad) if (s->n_rows * s->n_cols >= PARALLEL_FROM)
    for (size_t r = 0; r < s->n_rows; r++)
        for (size_t g = 0; g < segments; g++) {
            size_t col = g * SEGMENT, n = min_size(SEGMENT, s->n_cols - col);
            float *to = out + r * s->n_cols + col;
            decode(s, r, col, n, to);
            bad |= !stac_all_finite(to, n);
        }
    advise(s, MADV_DONTNEED);
    return check_finite(s, bad, err);
}

/* Four rows of four values to four columns. Whole-vector stores matter: the rows of out lie far apart, and each store
 * waits for memory. */
static inline void transpose_4x4(const float *in, size_t in_stride, float *out, size_t out_stride) {
#if defined(__SSE__)
    __m128 a = _mm_loadu_ps(in), b = _mm_loadu_ps(in + in_stride);
    __m128 c = _mm_loadu_ps(in + 2 * in_stride), d = _mm_loadu_ps(in + 3 * in_stride);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(out, a);
    _mm_storeu_ps(out + out_stride, b);
    _mm_storeu_ps(out + 2 * out_stride, c);
    _mm_storeu_ps(out + 3 * out_stride, d);
#else
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) out[i * out_stride + k] = in[k * in_stride + i];
#endif
}

/* One tile of the transposition: decoded along the stored rows, written along the rows of out. */
static bool transpose_tile(const struct stac_stored *s, size_t row, size_t col, float *out) {
    float tile[TILE][TILE];
    size_t n_rows = min_size(TILE, s->n_rows - row), n_cols = min_size(TILE, s->n_cols - col), c = 0;
    bool finite = true;
    for (size_t r = 0; r < n_rows; r++) {
        decode(s, row + r, col, n_cols, tile[r]);
        finite &= stac_all_finite(tile[r], n_cols);
    }
    float *to = out + col * s->n_rows + row;
    for (; c + 4 <= n_cols; c += 4) {
        size_t r = 0;
        for (; r + 4 <= n_rows; r += 4) transpose_4x4(&tile[r][c], TILE, to + c * s->n_rows + r, s->n_rows);
        for (; r < n_rows; r++)
            for (size_t k = c; k < c + 4; k++) to[k * s->n_rows + r] = tile[r][k];
    }
    for (; c < n_cols; c++)
        for (size_t r = 0; r < n_rows; r++) to[c * s->n_rows + r] = tile[r][c];
    return finite;
}

int stac_stored_transpose(const struct stac_stored *s, float *out, struct stac_error *err) {
    STAC_TRY(check_readable(s, err));
    advise(s, MADV_WILLNEED);
    int bad = 0;
#pragma omp parallel for collapse(2) schedule(static) reduction(| : bad) if (s->n_rows * s->n_cols >= PARALLEL_FROM)
    for (size_t row = 0; row < s->n_rows; row += TILE)
        for (size_t col = 0; col < s->n_cols; col += TILE) bad |= !transpose_tile(s, row, col, out);
    advise(s, MADV_DONTNEED);
    return check_finite(s, bad, err);
}
