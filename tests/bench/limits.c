#include "limits.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const double patience = 1; /* seconds for each peak: a neighbour may be busy for most of it */
enum { TRIES = 16, ROUNDS = 400000, UNROLLED = 12 };
#define BYTES ((size_t)512 << 20)

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* The parity of a piece's bits: reads all of it, in several places at once, and cannot be left out. */
static uint64_t read_piece(const uint64_t *x, size_t n, int places) {
    uint64_t sum[8] = {0};
    size_t each = n / (size_t)places / 8 * 8;
    for (size_t i = 0; i < each; i += 8)
        for (int p = 0; p < places; p++)
            for (int k = 0; k < 8; k++) sum[k] ^= x[(size_t)p * each + i + (size_t)k];
    return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

static double read_bandwidth(void) {
    size_t n = BYTES / sizeof(uint64_t);
    uint64_t *x = aligned_alloc(64, BYTES), sum = 0;
    double best = 0;
    if (!x) return 0;
#pragma omp parallel
    {
        size_t share = n / (size_t)omp_get_num_threads(), from = share * (size_t)omp_get_thread_num();
        memset(x + from, 1, share * sizeof *x); /* pages near the thread that reads them */
    }
    for (int t = 0; t < TRIES; t++) { /* some machines read one stream faster, some several */
        double began = stac_clock_now();
#pragma omp parallel reduction(^ : sum)
        {
            size_t share = n / (size_t)omp_get_num_threads(), from = share * (size_t)omp_get_thread_num();
            sum ^= read_piece(x + from, share, t % 2 ? 4 : 1);
        }
        double rate = (double)BYTES / (stac_clock_now() - began);
        best = rate > best ? rate : best;
    }
    free(x);
    return sum == 42 ? 0 : best;
}

/* ---- arithmetic --------------------------------------------------------------------------------------------------- */

typedef void (*burst_fn)(void);

#if defined(__x86_64__)
#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define WRITTEN                                                                                                                \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",        \
        "xmm14", "xmm15"
#define BURST(name, op)                                                                                                        \
    static void name(void) {                                                                                                   \
        for (int i = 0; i < ROUNDS; i++) __asm__ volatile(EACH(op)::: WRITTEN);                                                \
    }
#define FMA_256(j) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #j "\n\t"
#define FMA_512(j) "vfmadd231ps %%zmm15, %%zmm14, %%zmm" #j "\n\t"
#define MADD_256(j) "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n\tvpaddd %%ymm13, %%ymm" #j ", %%ymm" #j "\n\t"
#define DOT16_512(j) "vpdpwssd %%zmm15, %%zmm14, %%zmm" #j "\n\t"
#define DOT8_512(j) "vpdpbusd %%zmm15, %%zmm14, %%zmm" #j "\n\t"
BURST(fma_256, FMA_256)
BURST(fma_512, FMA_512)
BURST(madd_256, MADD_256)
BURST(dot16_512, DOT16_512)
BURST(dot8_512, DOT8_512)
static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static int has_vnni(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}
#else
static int has_avx2(void) {
    return 0;
}
static int has_vnni(void) {
    return 0;
}
static void fma_256(void) {
}
static void fma_512(void) {
}
static void madd_256(void) {
}
static void dot16_512(void) {
}
static void dot8_512(void) {
}
#endif

/* Operations a second of a burst of UNROLLED instructions of so many operations, on all threads. */
static double peak(burst_fn burst, double operations) {
    double best = 0, end = stac_clock_now() + patience;
    while (stac_clock_now() < end) {
        double began = stac_clock_now();
        int threads = 1;
#pragma omp parallel
        {
#pragma omp single
            threads = omp_get_num_threads();
            burst();
        }
        double rate = operations * UNROLLED * ROUNDS * threads / (stac_clock_now() - began);
        best = rate > best ? rate : best;
    }
    return best;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

struct limits limits_measure(void) {
    struct limits l = {.read_bandwidth = read_bandwidth()};
    if (has_avx2()) {
        l.float_peak = peak(fma_256, 16);
        l.int16_peak = peak(madd_256, 32);
    }
    if (has_vnni()) {
        l.float_peak = larger(l.float_peak, peak(fma_512, 32));
        l.int16_peak = larger(l.int16_peak, peak(dot16_512, 64));
        l.int8_peak = peak(dot8_512, 128);
    }
    return l;
}
