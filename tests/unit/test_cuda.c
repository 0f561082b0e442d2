/* kernels/cuda, on a GPU where there is one, else on the host (tests/fakes/cuda): every operator bit for bit against the ref
 * set; and what the fake notices. */
#include "unit.h"

#include <math.h>

#include "base/random.h"
#include "kernels/device.h"
#include "spike/st_bif.h"
#include "spike/ternary.h"

static const struct stac_device *device;
static const struct stac_kernels *there, *ref;
static struct stac_random rng;

static int uniform(int low, int high) {
    return low + (int)(stac_random_u64(&rng) % (uint64_t)(high - low + 1));
}

static float *floats(size_t n, float scale) {
    float *x = calloc(n + 1, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = scale * (float)stac_random_normal(&rng);
    return x;
}

/* A copy of an array on the device. */
static void *put(const void *from, size_t bytes) {
    struct stac_error err = {0};
    char *p;
    OK(STAC_DEVICE_NEW(device, p, bytes, "a test", &err));
    OK(stac_device_put(device, p, from, bytes, &err));
    return p;
}

/* What is there now is what is here. Releases both. */
static void compare(void *far, void *here, size_t n, size_t size, const char *what) {
    struct stac_error err = {0};
    char *got = malloc(n * size + 1);
    OK(stac_device_get(device, got, far, n * size, &err));
    for (size_t i = 0; i < n; i++)
        if (memcmp(got + i * size, (char *)here + i * size, size) != 0) fail_msg("%s: value %zu of %zu differs", what, i, n);
    stac_device_release(device, far);
    free(got);
    free(here);
}

#define FREE_THERE(p) stac_device_release(device, (void *)(uintptr_t)(p))

/* ---- products ----------------------------------------------------------------------------------------------------- */

static const int shapes[][3] = {{1, 1, 1},    {1, 64, 7},    {2, 200, 300}, {4, 513, 129},  {5, 17, 3},   {7, 70, 65},
                                {64, 64, 64}, {65, 129, 70}, {3, 16, 257},  {130, 40, 128}, {2, 96, 1100}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static int padded(int n) {
    return (n + 15) / 16 * 16;
}

static void float_products_agree(int m, int n, int k, int ldx, int ldw) {
    int ldy = n + 2;
    size_t nx = (size_t)m * ldx, nw = (size_t)k * ldw, ny = (size_t)m * ldy;
    float *x = floats(nx, 1), *w = floats(nw, 1), *y = floats(ny, 1), *z = floats(ny, 1);
    uint16_t *half = calloc(nw, sizeof *half);
    for (size_t i = 0; i < nw; i++) half[i] = (uint16_t)(0x3f00 + uniform(0, 0xff) + (uniform(0, 1) << 15));
    float *far_x = put(x, nx * 4), *far_w = put(w, nw * 4), *far_y = put(y, ny * 4), *far_z = put(z, ny * 4);
    uint16_t *far_half = put(half, nw * 2);
    ref->gemm_f32(m, n, k, x, ldx, w, ldw, y, ldy);
    there->gemm_f32(m, n, k, far_x, ldx, far_w, ldw, far_y, ldy);
    ref->gemm_bf16(m, n, k, x, ldx, half, ldw, z, ldy);
    there->gemm_bf16(m, n, k, far_x, ldx, far_half, ldw, far_z, ldy);
    compare(far_y, y, ny, 4, "gemm_f32");
    compare(far_z, z, ny, 4, "gemm_bf16");
    compare(far_x, x, nx, 4, "x");
    compare(far_w, w, nw, 4, "w");
    compare(far_half, half, nw, 2, "half");
}

/* |y - exact| <= bound * sum of |x| |w|; returns how many have not the very bits or, where activations are one number, are
 * beyond what two reach. */
static int within_bound(const char *what, const float *y, int ldy, const float *exact, const float *sizes, int m, int n, int k,
                        int parts) {
    int other = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float a = y[(size_t)i * ldy + j], b = exact[(size_t)i * n + j];
            double size = (double)sizes[(size_t)i * n + j], apart = fabs((double)a - (double)b);
            if (!(apart <= STAC_LIBRARY_BOUND(k, parts) * size))
                fail_msg("%s %d x %d x %d: output %d, %d is %.9g, not %.9g", what, m, n, k, i, j, (double)a, (double)b);
            other += apart > (parts == 1 ? STAC_LIBRARY_BOUND(k, 2) * size : 0);
        }
    return other;
}

static void absolute(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = fabsf(x[i]);
}

static int library_product(int parts, int m, int n, int k, int ldw) {
    struct stac_error err = {0};
    int ldx = k + 3, ldy = n + 2;
    size_t nx = (size_t)m * ldx, nw = (size_t)k * ldw, ny = (size_t)m * ldy, exact_n = (size_t)m * n;
    float *x = floats(nx, 1), *w = floats(nw, 1), *y = floats(ny, 1), *exact = floats(exact_n, 1), *sizes = floats(exact_n, 1);
    uint16_t *half = calloc(nw, sizeof *half);
    int other = 0;
    for (size_t i = 0; i < nw; i++) memcpy(&half[i], (char *)&w[i] + 2, sizeof *half);
    for (int narrow = 0; narrow < 2; narrow++) {
        for (size_t i = 0; i < nw && narrow; i++) memset(&w[i], 0, 2); /* what the upper halves are worth */
        float *far_x = put(x, nx * 4), *far_w = put(w, nw * 4), *far_y = put(y, ny * 4);
        uint16_t *far_half = put(half, nw * 2);
        if (narrow)
            there->gemm_bf16(m, n, k, far_x, ldx, far_half, ldw, far_y, ldy);
        else
            there->gemm_f32(m, n, k, far_x, ldx, far_w, ldw, far_y, ldy);
        OK(stac_device_get(device, y, far_y, ny * 4, &err));
        ref->gemm_f32(m, n, k, x, ldx, w, ldw, exact, n);
        float *ax = malloc(nx * 4), *aw = malloc(nw * 4);
        memcpy(ax, x, nx * 4), memcpy(aw, w, nw * 4);
        absolute(ax, nx), absolute(aw, nw);
        ref->gemm_f32(m, n, k, ax, ldx, aw, ldw, sizes, n);
        other += within_bound(narrow ? "bfloat16" : "floats", y, ldy, exact, sizes, m, n, k, parts);
        free(ax), free(aw);
        FREE_THERE(far_x), FREE_THERE(far_w), FREE_THERE(far_y), FREE_THERE(far_half);
    }
    free(x), free(w), free(y), free(exact), free(sizes), free(half);
    return other;
}

/* Behind the tests of exact products, which there are none of from here on. */
static void products_of_the_library_are_within_its_bound(void **state) {
    (void)state;
    for (int parts = 1; parts <= 2; parts++) {
        const char *why = device->use_library(parts);
        if (why) {
            print_message("skipped: %s\n", why);
            skip();
        }
        int other = 0;
        for (int s = 0; s < SHAPES; s++)
            other += library_product(parts, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][1] + 5);
        assert_true(other > 0); /* else it was not asked */
        for (int m = 1; m < STAC_LIBRARY_ROWS; m += 7)
            assert_int_equal(library_product(parts, m, 48, 70, 48), 0); /* nor is it, of few rows */
        assert_true(library_product(parts, STAC_LIBRARY_ROWS, 48, 70, 48) > 0);
    }
}

static void float_products_have_the_bits_of_the_definition(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        int m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float_products_agree(m, n, k, k + 3, n + 5);
        float_products_agree(m, n, k, padded(k), padded(n)); /* by sixteen bytes */
    }
    float_products_agree(1290, 1281, 19, 19, 1281); /* by large tiles */
}

static void integer_product_is_exact(int m, int n, int k, int ldx, int ldw, int most) {
    int ldy = n + 2;
    size_t nx = (size_t)m * ldx, nw = (size_t)k * ldw, ny = (size_t)m * ldy;
    int16_t *x = calloc(nx, sizeof *x);
    int8_t *w = calloc(nw, 1);
    int32_t *y = calloc(ny, sizeof *y);
    for (size_t i = 0; i < nx; i++) x[i] = (int16_t)(uniform(0, 2) ? uniform(-most - 1, most) : 0);
    for (size_t i = 0; i < nw; i++) w[i] = (int8_t)uniform(-128, 127);
    int16_t *far_x = put(x, nx * 2);
    int8_t *far_w = put(w, nw);
    int32_t *far_y = put(y, ny * 4);
    ref->gemm_i16i8(m, n, k, x, ldx, w, ldw, y, ldy);
    there->gemm_i16i8(m, n, k, far_x, ldx, far_w, ldw, far_y, ldy);
    compare(far_y, y, ny, 4, "gemm_i16i8");
    compare(far_x, x, nx, 2, "x");
    compare(far_w, w, nw, 1, "w");
}

static void integer_products_are_exact(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        for (int most = 127; most <= 32767; most = most * 256 + 255) { /* one digit, two */
            int m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
            integer_product_is_exact(m, n, k, k + 3, n + 5, most);
            integer_product_is_exact(m, n, k, padded(k), padded(n), most);
        }
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static const int widths[] = {1, 2, 15, 16, 17, 64, 100, 576, 1000, 12288, 25000}; /* 48 KiB; too long to be held */
enum { WIDTHS = sizeof widths / sizeof *widths, ROWS = 3 };

static void norms_and_sums_agree(void **state) {
    (void)state;
    for (int i = 0; i < WIDTHS; i++)
        for (int variant = 0; variant < 4; variant++) {
            int n = widths[i];
            size_t all = (size_t)ROWS * n;
            float *x = floats(all, 2), *gain = floats((size_t)n, 1), *bias = floats((size_t)n, 1), *y = floats(all, 1);
            float *far_x = put(x, all * 4), *far_gain = put(gain, (size_t)n * 4), *far_bias = put(bias, (size_t)n * 4);
            float *far_y = put(y, all * 4);
            ref->norm(ROWS, n, x, variant & 1 ? gain : NULL, variant & 1 ? bias : NULL, 1e-5f, variant / 2, y);
            there->norm(ROWS, n, far_x, variant & 1 ? far_gain : NULL, variant & 1 ? far_bias : NULL, 1e-5f, variant / 2,
                        far_y);
            ref->add_to_rows(ROWS, n, bias, 0, y), there->add_to_rows(ROWS, n, far_bias, 0, far_y);
            ref->add_to_rows(ROWS, n, x, n, y), there->add_to_rows(ROWS, n, far_x, n, far_y);
            compare(far_y, y, all, 4, "norm");
            compare(far_x, x, all, 4, "x");
            compare(far_gain, gain, (size_t)n, 4, "gain");
            compare(far_bias, bias, (size_t)n, 4, "bias");
        }
}

static void elements_agree(void **state) {
    (void)state;
    for (int i = 0; i < WIDTHS; i++)
        for (int act = STAC_KERNEL_SILU; act <= STAC_KERNEL_RELU; act++) {
            int n = widths[i];
            size_t all = (size_t)ROWS * n;
            float *x = floats(2 * all, 4), *y = floats(all, 1), *far_x = put(x, 2 * all * 4), *far_y = put(y, all * 4);
            ref->gate(ROWS, n, act, x, 2 * n, y), there->gate(ROWS, n, act, far_x, 2 * n, far_y);
            ref->activate(ROWS, n, act, x, 2 * n), there->activate(ROWS, n, act, far_x, 2 * n);
            for (int order = 1; order <= n && order <= 256 && n % order == 0; order *= 2)
                ref->hadamard(ROWS, n, order, y), there->hadamard(ROWS, n, order, far_y);
            compare(far_x, x, 2 * all, 4, "activate");
            compare(far_y, y, all, 4, "gate and hadamard");
        }
}

static void rows_of_tables_agree(void **state) {
    (void)state;
    enum { POSITIONS = 7, HEADS = 3 };
    for (int i = 0; i < WIDTHS; i++) {
        int n = widths[i], ld = HEADS * n + 4;
        size_t table_size = (size_t)POSITIONS * n;
        int32_t index[ROWS] = {6, 0, 3}, *far_index = put(index, sizeof index);
        float *table = floats(table_size, 1), *x = floats((size_t)ROWS * n, 1), *far_table = put(table, table_size * 4);
        float *far_x = put(x, (size_t)ROWS * n * 4), *q = floats((size_t)ROWS * ld, 1), *far_q = put(q, (size_t)ROWS * ld * 4);
        for (int onto = 0; onto < 2; onto++)
            ref->gather(ROWS, n, index, table, onto, x), there->gather(ROWS, n, far_index, far_table, onto, far_x);
        if (n % 2 == 0) {
            ref->turn(ROWS, HEADS, n, index, table, table + 1, q, ld);
            there->turn(ROWS, HEADS, n, far_index, far_table, far_table + 1, far_q, ld);
        }
        compare(far_x, x, (size_t)ROWS * n, 4, "gather");
        compare(far_q, q, (size_t)ROWS * ld, 4, "turn");
        compare(far_table, table, table_size, 4, "table");
        FREE_THERE(far_index);
    }
}

/* ---- codes -------------------------------------------------------------------------------------------------------- */

static struct stac_levels put_levels(const struct stac_levels *t) {
    struct stac_levels far = *t;
    far.threshold = put(t->threshold, (size_t)t->n_levels * sizeof *t->threshold);
    far.value = put(t->value, (size_t)t->n_levels * sizeof *t->value);
    far.spikes = put(t->spikes, (size_t)t->n_levels);
    far.emit = NULL;
    far.bin = put(t->bin, ((size_t)t->n_bins + 1) * sizeof *t->bin);
    far.edge = NULL;
    far.sent = NULL;
    return far;
}

static void free_levels(struct stac_levels *far) {
    FREE_THERE(far->threshold);
    FREE_THERE(far->value);
    FREE_THERE(far->spikes);
    FREE_THERE(far->bin);
}

static void code_rows(const struct stac_code *code, int n, int variant) {
    struct stac_error err = {0};
    size_t all = (size_t)ROWS * n;
    float *x = floats(all, variant & 2 ? 1 : 400), *mean = floats((size_t)n, 0.5f), factor[ROWS], *scale = floats((size_t)n, 1);
    int16_t *codes = calloc(all, sizeof *codes), *far_codes = put(codes, all * 2);
    int32_t *acc = calloc(all, sizeof *acc);
    if (n > 2) x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY;
    for (int j = 0; j < n; j++) x[(ROWS - 1) * n + j] = variant & 1 ? mean[j] : 0; /* a silent row */
    for (int j = 0; j < n; j++) scale[j] = 0.01f * (float)(j + 1);
    for (size_t j = 0; j < all; j++) acc[j] = uniform(-100000000, 100000000);
    struct stac_tally tally = {5, 7}, *far_tally = put(&tally, sizeof tally), got;
    struct stac_encoding e = {code->levels, variant & 1 ? mean : NULL, variant & 2 ? 0.01f : 1.5f, variant / 2}, far = e;
    float *far_x = put(x, all * 4), *far_factor = put(factor, sizeof factor), *far_mean = put(mean, (size_t)n * 4);
    float *far_scale = put(scale, (size_t)n * 4), *y = floats(all, 1), *far_y = put(y, all * 4);
    int32_t *far_acc = put(acc, all * 4);
    far.levels = put_levels(&code->levels);
    far.mean = e.mean ? far_mean : NULL;
    ref->encode_rows(&e, ROWS, n, x, factor, codes, &tally);
    there->encode_rows(&far, ROWS, n, far_x, far_factor, far_codes, far_tally);
    OK(stac_device_get(device, &got, far_tally, sizeof got, &err));
    assert_int_equal(got.spikes, tally.spikes);
    assert_int_equal(got.active, tally.active);
    ref->decode_rows(ROWS, n, acc, factor, scale, variant & 1 ? mean : NULL, y);
    there->decode_rows(ROWS, n, far_acc, far_factor, far_scale, variant & 1 ? far_mean : NULL, far_y);
    compare(far_codes, codes, all, 2, "encode_rows");
    compare(far_y, y, all, 4, "decode_rows");
    free_levels(&far.levels);
    FREE_THERE(far_x), FREE_THERE(far_factor), FREE_THERE(far_mean), FREE_THERE(far_scale), FREE_THERE(far_acc);
    FREE_THERE(far_tally);
    free(x), free(mean), free(acc), free(scale);
}

static void codes_agree(void **state) {
    struct stac_error err = {0};
    struct stac_code code;
    (void)state;
    OK(stac_ternary_build(&code, 16, (struct stac_base){.n_classes = 4, .shift = 1}, 2, 0.003, 0.004, 11000, &err));
    for (int i = 0; i < WIDTHS; i++)
        for (int variant = 0; variant < 4; variant++) code_rows(&code, widths[i], variant);
    stac_code_clean(&code);
}

/* ---- ST-BIF+ ------------------------------------------------------------------------------------------------------ */

/* Two steps, on other values: sums go on from where they were. */
static void step_rows(int n, int k, int variant) {
    struct stac_error err = {0};
    size_t all = (size_t)ROWS * k, outputs = (size_t)ROWS * n;
    float *x = floats(all, 6), *mean = floats((size_t)k, 0.5f), factor[ROWS] = {0}, *far_mean = put(mean, (size_t)k * 4);
    int16_t *sum = calloc(all, 2), *step = calloc(all, 2), *far_sum = put(sum, all * 2), *far_step = put(step, all * 2);
    int32_t *acc = calloc(outputs, 4), *far_acc = put(acc, outputs * 4);
    int8_t *w = malloc((size_t)k * n), *signs = malloc((size_t)k);
    struct stac_code code = {.neuron = {.kind = STAC_NEURON_ST_BIF, .most = 1}}; /* which the second step meets */
    struct stac_encoding e = {.mean = variant & 1 ? mean : NULL, .unit = 1.5f, .scaled = variant / 2}, far = e;
    struct stac_tally tally = {5, 7}, *far_tally = put(&tally, sizeof tally), got;
    for (size_t i = 0; i < (size_t)k * n; i++) w[i] = (int8_t)uniform(-127, 127);
    int8_t *far_w = put(w, (size_t)k * n);
    float *far_factor = put(factor, sizeof factor);
    far.mean = e.mean ? far_mean : NULL;
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < all; i++) x[i] = t ? -0.7f * x[i] : i % 11 == 5 ? NAN : x[i];
        float *far_x = put(x, all * 4);
        for (int r = 0; r < ROWS; r++) {
            const float *row = x + (size_t)r * k;
            int16_t *s = step + (size_t)r * k;
            factor[r] = e.scaled ? stac_scaled_unit(e.unit, k, ref->sum_squares(k, row, e.mean)) : e.unit;
            tally.spikes += stac_st_bif_step(&code, k, row, e.mean, 1.0f / factor[r], sum + (size_t)r * k, signs);
            for (int i = 0; i < k; i++) s[i] = signs[i];
            for (int i = 0; i < k; i++)
                for (int j = 0; j < n; j++) acc[(size_t)r * n + j] += s[i] * w[(size_t)i * n + j];
        }
        there->step_rows(&far, 1, ROWS, k, far_x, far_factor, far_sum, far_step, far_tally);
        there->add_steps(ROWS, n, k, far_step, far_w, n, far_acc);
        FREE_THERE(far_x);
    }
    OK(stac_device_get(device, &got, far_tally, sizeof got, &err));
    assert_int_equal(got.spikes, tally.spikes);
    assert_true(k == 1 || tally.spikes > 5);
    compare(far_sum, sum, all, 2, "sums of step_rows");
    compare(far_step, step, all, 2, "step_rows");
    compare(far_acc, acc, outputs, 4, "add_steps");
    FREE_THERE(far_mean), FREE_THERE(far_w), FREE_THERE(far_factor), FREE_THERE(far_tally);
    free(x), free(mean), free(w), free(signs);
}

static void steps_agree(void **state) {
    (void)state;
    for (int i = 0; i < WIDTHS; i++)
        for (int variant = 0; variant < 4; variant++) step_rows(i % 2 ? 257 : 3, widths[i], variant);
}

/* ---- drawing -------------------------------------------------------------------------------------------------- */

static void draws_agree(void **state) {
    static const int sizes[] = {1, 2, 255, 256, 257, 600, 5000};
    enum { DRAWS = 40 };
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int t = 1; t <= 3; t++) {
            int n = sizes[s];
            size_t all = (size_t)DRAWS * (size_t)n;
            float *logits = floats(all, 3);
            double u[DRAWS];
            int32_t *token = calloc(DRAWS, sizeof *token);
            for (int i = 0; i < DRAWS; i++) u[i] = i == 0 ? 0 : i == 1 ? 0x1.fffffffffffffp-1 : stac_random_uniform(&rng);
            if (n > 300) logits[2 * n + 299] = NAN, logits[3 * n + 256] = INFINITY, logits[4 * n + 7] = -INFINITY;
            float *far_logits = put(logits, all * sizeof *logits);
            double *far_u = put(u, sizeof u);
            int32_t *far_token = put(token, DRAWS * sizeof *token);
            ref->draw(DRAWS, n, logits, 0.6 * t, u, token);
            there->draw(DRAWS, n, far_logits, 0.6 * t, far_u, far_token);
            for (int i = 0; i < DRAWS; i++) assert_in_range(token[i], 0, n - 1);
            compare(far_token, token, DRAWS, sizeof *token, "draw");
            FREE_THERE(far_u);
            compare(far_logits, logits, all, sizeof *logits, "logits");
        }
}

/* ---- failures ------------------------------------------------------------------------------------------------------ */

static void memory_that_is_not_there_is_refused(void **state) {
    struct stac_error err = {0};
    size_t left, all;
    char *p;
    double *q;
    (void)state;
    assert_null(device->room(&left, &all));
    assert_true(left <= all && all > 0);
    FAILS(STAC_DEVICE_NEW(device, p, all + 1, "too much", &err), STAC_ERR_MEMORY, "bytes for too much");
    err = (struct stac_error){0};
    FAILS(STAC_DEVICE_NEW(device, q, SIZE_MAX / 8 + 2, "a size that wraps", &err), STAC_ERR_MEMORY,
          "more than can be addressed");
    err = (struct stac_error){0};
    OK(stac_device_settle(device, &err)); /* and nothing is broken by it */
}

/* The fake only, and last: its failures stick as those of a device do. */
static void the_hosts_memory_is_not_the_devices(void **state) {
    struct stac_error err = {0};
    float *x = floats(16, 1);
    (void)state;
    if (strstr(device->name, "mock")) {
        there->activate(1, 16, STAC_KERNEL_RELU, x, 16);
        FAILS(stac_device_settle(device, &err), STAC_ERR_MEMORY,
              "activate_each: an argument does not point into the device's memory");
    }
    free(x);
}

int main(void) {
    struct stac_error err = {0};
    if (stac_device_open("cuda", 0, &device, &err) != STAC_OK) {
        printf("skipped: %s\n", err.text);
        return 77;
    }
    there = device->kernels;
    ref = stac_kernels_named("ref");
    rng = stac_random_seeded(1, 1);
    printf("on %s\n", device->name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_products_have_the_bits_of_the_definition),
        cmocka_unit_test(integer_products_are_exact),
        cmocka_unit_test(norms_and_sums_agree),
        cmocka_unit_test(elements_agree),
        cmocka_unit_test(rows_of_tables_agree),
        cmocka_unit_test(codes_agree),
        cmocka_unit_test(steps_agree),
        cmocka_unit_test(draws_agree),
        cmocka_unit_test(products_of_the_library_are_within_its_bound),
        cmocka_unit_test(memory_that_is_not_there_is_refused),
        cmocka_unit_test(the_hosts_memory_is_not_the_devices),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stac_device_close(device);
    return failed;
}
