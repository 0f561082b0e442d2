/* kernels/: every set against plain definitions, and bit for bit against the ref set. */
#include "unit.h"

#include <math.h>
#include <omp.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/scalar_math.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
enum { N_SETS = sizeof set_names / sizeof *set_names };

static struct stac_random rng;

static float *random_floats(size_t n, float scale) {
    float *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = scale * (float)stac_random_normal(&rng);
    return x;
}

static int uniform(int low, int high) {
    return low + (int)(stac_random_u64(&rng) % (uint64_t)(high - low + 1));
}

/* Shapes with every kind of edge: single rows, tails of rows, columns and k, several blocks of k. */
static const int shapes[][3] = {{1, 1, 1},     {1, 64, 7},   {1, 200, 300},  {2, 16, 5},    {6, 16, 256},  {7, 17, 257},
                                {13, 33, 1},   {5, 100, 63}, {64, 48, 513},  {31, 15, 600}, {1, 63, 1025}, {12, 128, 1024},
                                {3, 70, 129},  {4, 131, 40}, {2, 64, 16400}, {25, 96, 31},  {16, 150, 77}, {9, 200, 300},
                                {1, 768, 192}, {4, 3072, 8}, {1, 960, 350},  {17, 40, 200}};

static void float_products_have_the_bits_of_the_definition(void **state) {
    (void)state;
    for (int s = 0; s < N_SETS; s++) {
        const struct stac_kernels *k = stac_kernels_named(set_names[s]);
        if (!k) continue;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            int m = shapes[i][0], n = shapes[i][1], kk = shapes[i][2], ldx = kk + 3, ldw = n + 5, ldy = n + 2;
            float *x = random_floats((size_t)m * ldx, 1), *w = random_floats((size_t)kk * ldw, 1);
            float *y = random_floats((size_t)m * ldy, 1);
            k->gemm_f32(m, n, kk, x, ldx, w, ldw, y, ldy);
            for (int r = 0; r < m; r++)
                for (int c = 0; c < n; c++) {
                    float sum = 0;
                    for (int l = 0; l < kk; l++) sum = fmaf(x[r * ldx + l], w[l * ldw + c], sum);
                    if (memcmp(&sum, &y[r * ldy + c], sizeof sum) != 0)
                        fail_msg("%s %dx%dx%d at %d,%d: %a is not %a", k->name, m, n, kk, r, c, (double)y[r * ldy + c],
                                 (double)sum);
                }
            uint16_t *half = malloc(sizeof *half * (size_t)kk * ldw);
            float *again = malloc(sizeof *again * (size_t)m * ldy);
            for (int j = 0; j < kk * ldw; j++) { /* of the upper halves of the weights */
                uint32_t bits;
                memcpy(&bits, &w[j], sizeof bits);
                half[j] = (uint16_t)(bits >> 16);
                bits &= 0xffff0000;
                memcpy(&w[j], &bits, sizeof bits);
            }
            k->gemm_f32(m, n, kk, x, ldx, w, ldw, y, ldy);
            k->gemm_bf16(m, n, kk, x, ldx, half, ldw, again, ldy);
            for (int r = 0; r < m; r++) assert_memory_equal(&y[r * ldy], &again[r * ldy], (size_t)n * sizeof *y);
            free(half), free(again);
            free(x), free(w), free(y);
        }
    }
}

/* One product with x in [low, high], on odd shapes at random and on the others all of them `high`. */
static void integer_product_is_exact(const struct stac_kernels *k, size_t shape, int low, int high) {
    int m = shapes[shape][0], n = shapes[shape][1], kk = shapes[shape][2], ldx = kk + 3, ldw = n + 5, ldy = n + 2;
    int16_t *x = malloc(sizeof *x * (size_t)m * ldx);
    int8_t *w = malloc((size_t)kk * ldw);
    int32_t *y = malloc(sizeof *y * (size_t)m * ldy);
    for (int j = 0; j < m * ldx; j++) x[j] = (int16_t)(shape % 2 ? uniform(low, high) : high);
    for (int l = 0; l < kk && shape % 3 != 1; l++) /* silent inputs, and on one shape nothing else */
        for (int r = 0; r < m && (shape == 4 || uniform(0, 2) == 0); r++) x[r * ldx + l] = 0;
    for (int j = 0; j < kk * ldw; j++) w[j] = (int8_t)(shape % 2 ? uniform(-127, 127) : -127);
    for (int sparse = 0; sparse < 2; sparse++) {
        memset(y, 0x55, sizeof *y * (size_t)m * ldy);
        (sparse ? k->gemm_sparse : k->gemm_i16i8)(m, n, kk, x, ldx, w, ldw, y, ldy);
        for (int r = 0; r < m; r++)
            for (int c = 0; c < n; c++) {
                int64_t sum = 0;
                for (int l = 0; l < kk; l++) sum += (int64_t)x[r * ldx + l] * w[l * ldw + c];
                assert_int_equal(y[r * ldy + c], sum);
            }
    }
    free(x), free(w), free(y);
}

static void integer_products_are_exact(void **state) {
    (void)state;
    const int usual = omp_get_max_threads();
    for (int s = 0; s < 2 * N_SETS; s++) {
        const struct stac_kernels *k = stac_kernels_named(set_names[s % N_SETS]);
        omp_set_num_threads(s < N_SETS ? usual : 61); /* more threads than there are pieces of some shapes */
        if (!k) continue;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            int no_overflow = 2147483647 / 127 / shapes[i][2], limit = no_overflow < 32767 ? no_overflow : 32767;
            integer_product_is_exact(k, i, -limit, limit);
            integer_product_is_exact(k, i, -128, 127); /* eight bits, and one value beyond them at each end */
            integer_product_is_exact(k, i, -129, 127);
            integer_product_is_exact(k, i, -128, 128);
        }
    }
    omp_set_num_threads(usual);
}

static void events_add_and_subtract_rows(void **state) {
    (void)state;
    for (int s = 0; s < N_SETS; s++) {
        const struct stac_kernels *k = stac_kernels_named(set_names[s]);
        if (!k) continue;
        for (int round = 0; round < 30; round++) {
            int n = uniform(1, 200), rows = uniform(1, 400), ldw = n + uniform(0, 9);
            int plus = uniform(0, 400), minus = uniform(0, 400);
            int8_t *w = malloc((size_t)rows * ldw);
            uint16_t *index = malloc(sizeof *index * (size_t)(plus + minus + 1));
            int32_t *acc = calloc((size_t)n, sizeof *acc), *want = calloc((size_t)n, sizeof *want);
            for (int j = 0; j < rows * ldw; j++) w[j] = (int8_t)(round % 3 ? uniform(-127, 127) : 127);
            for (int e = 0; e < plus + minus; e++) index[e] = (uint16_t)uniform(0, rows - 1);
            for (int e = 0; e < plus + minus; e++)
                for (int j = 0; j < n; j++) want[j] += (e < plus ? 1 : -1) * w[index[e] * ldw + j];
            k->add_rows(n, acc, w, ldw, (struct stac_events){index, plus, minus});
            assert_memory_equal(acc, want, (size_t)n * sizeof *acc);
            free(w), free(index), free(acc), free(want);
        }
    }
}

/* Up to the most spikes that a step may have, all of them of the largest weights. */
static void spikes_add_up_step_by_step(void **state) {
    (void)state;
    for (int s = 0; s < N_SETS; s++) {
        const struct stac_kernels *k = stac_kernels_named(set_names[s]);
        if (!k) continue;
        for (int round = 0; round < 40; round++) {
            int n = uniform(1, 600), rows = uniform(1, 300), ldw = n + uniform(0, 9), steps = uniform(1, STAC_MAX_TIMESTEPS);
            int begin[2 * STAC_MAX_TIMESTEPS + 1] = {0}, events = 0;
            int8_t *w = malloc((size_t)rows * ldw);
            uint16_t *index = calloc((size_t)steps * STAC_SPIKES_OF_STEP + 64, sizeof *index);
            int16_t *sum = malloc(sizeof *sum * (size_t)(steps * n)), *want = calloc((size_t)(steps * n), sizeof *want);
            for (int j = 0; j < rows * ldw; j++) w[j] = (int8_t)(round % 3 ? uniform(-128, 127) : -128);
            for (int t = 0; t < steps; t++) {
                int all = uniform(0, 3) ? uniform(0, 20) : STAC_SPIKES_OF_STEP, plus = round % 3 ? uniform(0, all) : all;
                for (int e = 0; e < all; e++) {
                    int i = index[events + e] = (uint16_t)uniform(0, rows - 1);
                    for (int j = 0; j < n; j++)
                        want[t * n + j] = (int16_t)(want[t * n + j] + (e < plus ? 1 : -1) * w[i * ldw + j]);
                }
                begin[2 * t + 1] = events + plus;
                begin[2 * t + 2] = events += all;
            }
            k->sum_spikes(&(struct stac_spikes){steps, index, begin}, n, w, ldw, sum);
            assert_memory_equal(sum, want, sizeof *sum * (size_t)(steps * n));
            free(w), free(index), free(sum), free(want);
        }
    }
}

/* Largest relative error of f against exact over [low, high], in units of 2^-24 of the value or of 1. */
static double worst_error(float (*f)(float), double (*exact)(double), double low, double high, int absolute) {
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        float x = (float)(low + (high - low) * stac_random_uniform(&rng));
        double e = exact(x), error = fabs((double)f(x) - e) / (absolute ? fmax(1, fabs(e)) : fabs(e));
        if (error > worst) worst = error;
    }
    return worst * 0x1p24;
}

static double exact_silu(double x) {
    return x / (1 + exp(-x));
}
static double exact_gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static double exact_gelu_tanh(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static float call_exp(float x) {
    return stac_expf(x);
}
static float call_erf(float x) {
    return stac_erff(x);
}
static float call_silu(float x) {
    return stac_siluf(x);
}
static float call_gelu(float x) {
    return stac_gelu_erff(x);
}
static float call_gelu_tanh(float x) {
    return stac_gelu_tanhf(x);
}

static void elementary_functions_stay_within_their_bounds(void **state) {
    (void)state;
    assert_true(worst_error(call_exp, exp, -87, 88, 0) < 4);
    assert_true(worst_error(call_erf, erf, -6, 6, 1) < 6);
    assert_true(worst_error(call_silu, exact_silu, -80, 80, 1) < 8);
    assert_true(worst_error(call_gelu, exact_gelu, -20, 20, 1) < 24); /* x times the error of erf */
    assert_true(worst_error(call_gelu_tanh, exact_gelu_tanh, -20, 20, 1) < 8);
    assert_true(stac_expf(-1000) > 0 && stac_expf(-1000) < 1e-37f);
    assert_true(stac_expf(0) == 1);
}

static void exp_in_double_precision_stays_within_its_bound(void **state) {
    struct stac_random r = stac_random_seeded(3, 3);
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        double x = i % 2 ? -708 + 1417 * stac_random_uniform(&r) : 2 * stac_random_normal(&r);
        long double exact = expl((long double)x);
        if (fabsl((long double)stac_exp(x) - exact) > 0x1p-51L * exact) fail_msg("exp(%.17g) is %.17g", x, stac_exp(x));
    }
    assert_true(stac_exp(0) == 1 && stac_exp(-1e9) == 0 && stac_exp(-INFINITY) == 0 && isnan(stac_exp(NAN)));
}

/* Run every float operator of a set on the same inputs and gather the outputs. */
static size_t run_rows(const struct stac_kernels *k, int n, float *out) {
    rng = stac_random_seeded(7, (uint64_t)n);
    float *x = random_floats(3 * (size_t)n * 2, 2), *gain = random_floats((size_t)n, 1), *bias = random_floats((size_t)n, 1);
    float *angle = random_floats((size_t)n, 1);
    size_t at = 0;
    k->norm(3, n, x, gain, bias, 1e-5f, 1, out + at), at += 3 * (size_t)n;
    k->norm(3, n, x, NULL, NULL, 1e-5f, 0, out + at), at += 3 * (size_t)n;
    out[at] = k->softmax_exp(n, x, 0.3f, out + at + 1), at += (size_t)n + 1;
    out[at++] = k->sum_squares(n, x, bias);
    out[at++] = k->sum_squares(n, x, NULL);
    for (int act = STAC_KERNEL_SILU; act <= STAC_KERNEL_RELU; act++) {
        k->gate(3, n, act, x, 2 * n, out + at), at += 3 * (size_t)n;
        memcpy(out + at, x, (size_t)n * sizeof *x), k->activate(1, n, act, out + at, n), at += (size_t)n;
    }
    if (n % 2 == 0) memcpy(out + at, x, (size_t)n * sizeof *x), k->rope(1, n, angle, gain, out + at), at += (size_t)n;
    if ((n & (n - 1)) == 0) memcpy(out + at, x, (size_t)n * sizeof *x), k->hadamard(1, n, n, out + at), at += (size_t)n;
    int8_t *q = calloc((size_t)n, 1);
    out[at++] = k->quantise(n, x, q);
    for (int i = 0; i < n; i++) out[at++] = q[i];
    free(x), free(gain), free(bias), free(angle), free(q);
    return at;
}

static void row_operators_agree_between_sets(void **state) {
    (void)state;
    static const int widths[] = {1, 2, 5, 16, 17, 31, 64, 100, 576, 1024};
    const struct stac_kernels *ref = stac_kernels_named("ref");
    for (int s = 1; s < N_SETS; s++) {
        const struct stac_kernels *k = stac_kernels_named(set_names[s]);
        if (!k) continue;
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            size_t n = (size_t)widths[i];
            float *a = calloc(40 * n + 10, sizeof *a), *b = calloc(40 * n + 10, sizeof *b);
            size_t count = run_rows(ref, widths[i], a);
            assert_int_equal(run_rows(k, widths[i], b), count);
            for (size_t j = 0; j < count; j++)
                if (memcmp(a + j, b + j, sizeof *a) != 0)
                    fail_msg("%s, width %zu, output %zu: %a is not %a", k->name, n, j, (double)b[j], (double)a[j]);
            free(a), free(b);
        }
    }
}

static void row_operators_compute_what_they_say(void **state) {
    (void)state;
    const struct stac_kernels *k = stac_kernels_best();
    enum { N = 64 };
    float *x = random_floats(N, 3), y[N], e[N], h[N];
    double mean = 0, var = 0, total = 0, largest = -1e9, dot = 0;
    k->norm(1, N, x, NULL, NULL, 1e-5f, 1, y);
    for (int i = 0; i < N; i++) mean += x[i] / (double)N;
    for (int i = 0; i < N; i++) var += (x[i] - mean) * (x[i] - mean) / N;
    for (int i = 0; i < N; i++) assert_true(fabs(y[i] - (x[i] - mean) / sqrt(var + 1e-5)) < 1e-5);
    float sum = k->softmax_exp(N, x, 0.5f, e);
    for (int i = 0; i < N; i++) largest = fmax(largest, 0.5 * x[i]);
    for (int i = 0; i < N; i++) total += exp(0.5 * x[i] - largest);
    assert_true(fabs(sum - total) < 1e-4);
    memcpy(h, x, sizeof h);
    k->hadamard(1, N, N, h); /* entry (i, j) of the transform is (-1)^popcount(i & j) / sqrt(N) */
    for (int j = 0; j < N; j++) dot += (__builtin_popcount(5 & j) % 2 ? -1 : 1) * x[j] / 8.0;
    assert_true(fabs(h[5] - dot) < 1e-5);
    k->hadamard(1, N, N, h); /* its own inverse */
    for (int i = 0; i < N; i++) assert_true(fabsf(h[i] - x[i]) < 1e-5f);
    free(x);
}

int main(void) {
    rng = stac_random_seeded(1, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_products_have_the_bits_of_the_definition),
        cmocka_unit_test(integer_products_are_exact),
        cmocka_unit_test(events_add_and_subtract_rows),
        cmocka_unit_test(spikes_add_up_step_by_step),
        cmocka_unit_test(elementary_functions_stay_within_their_bounds),
        cmocka_unit_test(exp_in_double_precision_stays_within_its_bound),
        cmocka_unit_test(row_operators_agree_between_sets),
        cmocka_unit_test(row_operators_compute_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
