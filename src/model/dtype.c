#include "model/dtype.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the decoders read little-endian files with plain loads");

#define QBLOCK 32 /* values of a quantised block */

static inline uint16_t load_u16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline float float_of(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t bits_of(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* IEEE half to single without branches and without subnormal arithmetic, so that it vectorises and does not depend
 * on the flush-to-zero mode of the thread. A subnormal m * 2^-24 is (1 + m/1024) * 2^-14 - 2^-14. */
static inline float half_to_float(uint16_t h) {
    uint32_t exponent = h & 0x7c00u, magnitude = (uint32_t)(h & 0x7fffu) << 13;
    uint32_t normal = magnitude + (112u << 23) + (exponent == 0x7c00u ? 112u << 23 : 0);
    uint32_t subnormal = bits_of(float_of(magnitude + (113u << 23)) - float_of(113u << 23));
    return float_of((uint32_t)(h & 0x8000u) << 16 | (exponent ? normal : subnormal));
}

static void decode_f32(const uint8_t *restrict data, size_t n, float *restrict out) {
    memcpy(out, data, n * sizeof *out);
}

static void decode_bf16(const uint8_t *restrict data, size_t n, float *restrict out) {
    for (size_t i = 0; i < n; i++) out[i] = float_of((uint32_t)load_u16(data + 2 * i) << 16);
}

#if defined(__x86_64__)
__attribute__((target("avx,f16c"))) static size_t decode_f16_by_8(const uint8_t *restrict data, size_t n, float *restrict out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(data + 2 * i))));
    return i;
}

/* AVX2 stands for F16C, which every processor with AVX2 has and not every compiler can ask for. */
static bool have_f16c(void) {
    return __builtin_cpu_supports("avx2");
}
#else
static size_t decode_f16_by_8(const uint8_t *restrict data, size_t n, float *restrict out) {
    (void)data, (void)n, (void)out;
    return 0;
}

static bool have_f16c(void) {
    return false;
}
#endif

static void decode_f16(const uint8_t *restrict data, size_t n, float *restrict out) {
    size_t done = have_f16c() ? decode_f16_by_8(data, n, out) : 0;
    for (size_t i = done; i < n; i++) out[i] = half_to_float(load_u16(data + 2 * i));
}

static void decode_q8_0(const uint8_t *restrict data, size_t n_blocks, float *restrict out) {
    for (size_t b = 0; b < n_blocks; b++, data += 2 + QBLOCK, out += QBLOCK) {
        float d = half_to_float(load_u16(data));
        for (int i = 0; i < QBLOCK; i++) out[i] = d * (float)(int8_t)data[2 + i];
    }
}

/* Byte i of a block holds value i in its low and value i + 16 in its high four bits. */
static void decode_q4_0(const uint8_t *restrict data, size_t n_blocks, float *restrict out) {
    for (size_t b = 0; b < n_blocks; b++, data += 2 + QBLOCK / 2, out += QBLOCK) {
        float d = half_to_float(load_u16(data));
        for (int i = 0; i < QBLOCK / 2; i++) out[i] = d * (float)((data[2 + i] & 15) - 8);
        for (int i = 0; i < QBLOCK / 2; i++) out[i + QBLOCK / 2] = d * (float)((data[2 + i] >> 4) - 8);
    }
}

static void decode_q4_1(const uint8_t *restrict data, size_t n_blocks, float *restrict out) {
    for (size_t b = 0; b < n_blocks; b++, data += 4 + QBLOCK / 2, out += QBLOCK) {
        float d = half_to_float(load_u16(data)), m = half_to_float(load_u16(data + 2));
        for (int i = 0; i < QBLOCK / 2; i++) out[i] = d * (float)(data[4 + i] & 15) + m;
        for (int i = 0; i < QBLOCK / 2; i++) out[i + QBLOCK / 2] = d * (float)(data[4 + i] >> 4) + m;
    }
}

const struct stac_dtype stac_f32 = {"F32", 1, 4, decode_f32};
const struct stac_dtype stac_f16 = {"F16", 1, 2, decode_f16};
const struct stac_dtype stac_bf16 = {"BF16", 1, 2, decode_bf16};
const struct stac_dtype stac_q8_0 = {"Q8_0", QBLOCK, 2 + QBLOCK, decode_q8_0};
const struct stac_dtype stac_q4_0 = {"Q4_0", QBLOCK, 2 + QBLOCK / 2, decode_q4_0};
const struct stac_dtype stac_q4_1 = {"Q4_1", QBLOCK, 4 + QBLOCK / 2, decode_q4_1};

bool stac_dtype_size(const struct stac_dtype *t, uint64_t n, size_t *bytes) {
    return n % t->block == 0 && !__builtin_mul_overflow(n / t->block, t->bytes, bytes);
}

bool stac_all_finite(const float *x, size_t n) {
    uint32_t carry = 0; /* an exponent of all ones carries into the sign bit */
    for (size_t i = 0; i < n; i++) carry |= (bits_of(x[i]) & 0x7f800000u) + 0x00800000u;
    return (carry & 0x80000000u) == 0;
}
