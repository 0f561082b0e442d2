/* Event-driven accumulation for AVX-512: 128 columns at a time, up to 128 rows summed in 16 bits before they widen. */
#include <immintrin.h>

#include "kernels/operators.h"

enum { WIDE = 128, BURST = 128 }; /* 128 * 127 + 128 * 127 < 2^15: one burst of plus and one of minus fit in 16 bits */

static inline void add_burst(__m512i sum[4], const int8_t *w, int ldw, const uint16_t *index, int n, int minus) {
    for (int e = 0; e < n; e++) {
        const int8_t *row = w + (size_t)index[e] * ldw;
        for (int g = 0; g < 4; g++) {
            __m512i r = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(row + 32 * g)));
            sum[g] = minus ? _mm512_sub_epi16(sum[g], r) : _mm512_add_epi16(sum[g], r);
        }
    }
}

static inline void widen(const __m512i sum[4], int32_t *acc) {
    for (int g = 0; g < 4; g++) {
        int32_t *out = acc + 32 * g;
        __m512i lo = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(sum[g]));
        __m512i hi = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(sum[g], 1));
        _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_loadu_si512(out), lo));
        _mm512_storeu_si512(out + 16, _mm512_add_epi32(_mm512_loadu_si512(out + 16), hi));
    }
}

static void add_wide(int32_t *acc, const int8_t *w, int ldw, struct stac_events events) {
    int plus = 0, minus = 0;
    while (plus < events.n_plus || minus < events.n_minus) {
        __m512i sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
        int p = events.n_plus - plus < BURST ? events.n_plus - plus : BURST;
        int q = events.n_minus - minus < BURST ? events.n_minus - minus : BURST;
        add_burst(sum, w, ldw, events.index + plus, p, 0);
        add_burst(sum, w, ldw, events.index + events.n_plus + minus, q, 1);
        widen(sum, acc);
        plus += p;
        minus += q;
    }
}

/* The last columns, at most 32 of them. */
static void add_narrow(int cols, int32_t *acc, const int8_t *w, int ldw, struct stac_events events) {
    __mmask32 mask = cols >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << cols) - 1;
    __mmask16 low = (__mmask16)mask, high = (__mmask16)(mask >> 16);
    for (int begin = 0, n = events.n_plus + events.n_minus; begin < n; begin += BURST) {
        __m512i sum = _mm512_setzero_si512();
        for (int e = begin; e < n && e < begin + BURST; e++) {
            __m512i r = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, w + (size_t)events.index[e] * ldw));
            sum = e < events.n_plus ? _mm512_add_epi16(sum, r) : _mm512_sub_epi16(sum, r);
        }
        __m512i lo = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(sum));
        __m512i hi = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(sum, 1));
        _mm512_mask_storeu_epi32(acc, low, _mm512_add_epi32(_mm512_maskz_loadu_epi32(low, acc), lo));
        _mm512_mask_storeu_epi32(acc + 16, high, _mm512_add_epi32(_mm512_maskz_loadu_epi32(high, acc + 16), hi));
    }
}

void stac_add_rows_avx512(int n, int32_t *acc, const int8_t *w, int ldw, struct stac_events events) {
    int j = 0;
    for (; j + WIDE <= n; j += WIDE) add_wide(acc + j, w + j, ldw, events);
    for (; j < n; j += 32) add_narrow(n - j < 32 ? n - j : 32, acc + j, w + j, ldw, events);
}
