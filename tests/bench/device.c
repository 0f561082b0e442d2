#include "device.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/device.h"
#include "spike/ternary.h"

enum { TRIES = 8, K = 2048, N = 16384, ROWS = 512, LAUNCHES = 2000, T = 16 };

/* Arrays of the device, of the largest product. */
struct bench {
    const struct stac_device *device;
    float *x, *w, *y, *factor;
    uint16_t *half;
    int16_t *code;
    int8_t *q;
    struct stac_tally *tally;
    struct stac_event_space events;
    struct stac_encoding encoding;
    struct stac_code ternary;
};

/* Seconds of what `work` starts, at best. */
static int best_of(struct bench *b, void (*work)(struct bench *), double *seconds, struct stac_error *err) {
    *seconds = 1e30;
    for (int t = 0; t < TRIES; t++) {
        double began = stac_clock_now();
        work(b);
        STAC_TRY(stac_device_settle(b->device, err));
        double took = stac_clock_now() - began;
        *seconds = took < *seconds ? took : *seconds;
    }
    return STAC_OK;
}

static void write_memory(struct bench *b) {
    b->device->clear(b->w, sizeof(float) * K * N);
}

static void launch(struct bench *b) {
    for (int i = 0; i < LAUNCHES; i++) b->device->kernels->activate(1, 1, STAC_KERNEL_RELU, b->x, 1);
}

static void integers_of_one(struct bench *b) {
    b->device->kernels->gemm_i16i8(1, N, K, b->code, K, b->q, N, (int32_t *)(void *)b->y, N);
}

static void integers_of_many(struct bench *b) {
    b->device->kernels->gemm_i16i8(ROWS, N, K, b->code, K, b->q, N, (int32_t *)(void *)b->y, N);
}

static void floats_of_one(struct bench *b) {
    b->device->kernels->gemm_bf16(1, N, K, b->x, K, b->half, N, b->y, N);
}

static void floats_of_many(struct bench *b) {
    b->device->kernels->gemm_bf16(ROWS, N, K, b->x, K, b->half, N, b->y, N);
}

static void encode(struct bench *b) {
    b->device->kernels->encode_rows(&b->encoding, ROWS * 8, K, b->w, b->factor, b->code, b->tally);
}

/* Neurons that integrate and leak, step by step, into lists of events; one output, so that products hardly count. */
static void neurons(struct bench *b) {
    const struct stac_encoding e = {.unit = 1};
    const struct stac_steps s = {.timesteps = T,
                                 .most = T,
                                 .neuron = {.kind = STAC_NEURON_LIF, .most = T, .leak = 0.9f, .drive = 0.3f}};
    b->device->kernels->spike_rows(&e, &s, ROWS, 1, K, b->w, b->q, N, b->factor, b->events, (int32_t *)(void *)b->y, b->tally);
}

static int reserve(struct bench *b, struct stac_error *err) {
    const struct stac_device *d = b->device;
    STAC_TRY(STAC_DEVICE_NEW(d, b->w, (size_t)K * N, "weights", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->half, (size_t)K * N, "weights", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->q, (size_t)K * N, "weights", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->x, (size_t)ROWS * K, "inputs", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->code, (size_t)ROWS * 8 * K, "codes", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->y, (size_t)ROWS * N, "outputs", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->factor, ROWS * 8, "factors", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->events.index, (size_t)ROWS * K * T, "spikes", err));
    STAC_TRY(STAC_DEVICE_NEW(d, b->events.begin, (size_t)ROWS * (2 * T + 1), "spikes", err));
    return STAC_DEVICE_NEW(d, b->tally, 1, "counters", err);
}

static int put_table(const struct stac_device *d, const void **array, size_t bytes, struct stac_error *err) {
    const void *here = *array;
    char *there;
    STAC_TRY(STAC_DEVICE_NEW(d, there, bytes, "a code", err));
    *array = there;
    return stac_device_put(d, there, here, bytes, err);
}

/* Values of all kinds, codes of 12 bits, and a code of T = 16. */
static int fill(struct bench *b, struct stac_error *err) {
    float *x;
    int16_t *code;
    STAC_TRY(STAC_NEW(x, (size_t)K * N, "values", err));
    STAC_TRY(STAC_NEW(code, (size_t)ROWS * K, "codes", err));
    for (size_t i = 0; i < (size_t)K * N; i++) x[i] = (float)((i * 7919) % 2001) * 0.002f - 2;
    for (size_t i = 0; i < (size_t)ROWS * K; i++) code[i] = (int16_t)(1000 * x[i]);
    STAC_TRY(stac_device_put(b->device, b->w, x, sizeof *x * K * N, err));
    STAC_TRY(stac_device_put(b->device, b->x, x, sizeof *x * ROWS * K, err));
    STAC_TRY(stac_device_put(b->device, b->half, x, sizeof *b->half * K * N, err));
    STAC_TRY(stac_device_put(b->device, b->q, x, (size_t)K * N, err));
    STAC_TRY(stac_device_put(b->device, b->code, code, sizeof *code * ROWS * K, err));
    free(x);
    free(code);
    STAC_TRY(stac_ternary_build(&b->ternary, 16, (struct stac_base){.n_classes = 4, .shift = 1}, 2, 0.003, 0.004, 11000, err));
    b->encoding = (struct stac_encoding){.levels = b->ternary.levels, .unit = b->ternary.unit};
    struct stac_levels *t = &b->encoding.levels;
    t->emit = t->sent = NULL, t->edge = NULL; /* which processors look at */
    STAC_TRY(put_table(b->device, (const void **)&t->threshold, (size_t)t->n_levels * sizeof *t->threshold, err));
    STAC_TRY(put_table(b->device, (const void **)&t->value, (size_t)t->n_levels * sizeof *t->value, err));
    STAC_TRY(put_table(b->device, (const void **)&t->spikes, (size_t)t->n_levels, err));
    return put_table(b->device, (const void **)&t->bin, ((size_t)t->n_bins + 1) * sizeof *t->bin, err);
}

static int measure(struct bench *b, struct stac_error *err) {
    double s, macs = (double)K * N;
    STAC_TRY(best_of(b, launch, &s, err));
    printf("launch,%.4g,s\n", s / LAUNCHES);
    STAC_TRY(best_of(b, encode, &s, err));
    printf("encode,%.4g,bytes/s\n", ROWS * 8.0 * K * (sizeof(float) + sizeof(int16_t)) / s);
    STAC_TRY(best_of(b, neurons, &s, err));
    printf("lif_neurons,%.4g,steps/s\n", (double)ROWS * K * T / s);
    STAC_TRY(best_of(b, integers_of_one, &s, err));
    printf("int8_1_row,%.4g,bytes/s\n", macs / s);
    STAC_TRY(best_of(b, integers_of_many, &s, err));
    printf("int16_%d_rows,%.4g,operations/s\n", ROWS, 2 * ROWS * macs / s);
    STAC_TRY(best_of(b, floats_of_one, &s, err));
    printf("bf16_1_row,%.4g,bytes/s\n", 2 * macs / s);
    STAC_TRY(best_of(b, floats_of_many, &s, err));
    printf("bf16_%d_rows,%.4g,operations/s\n", ROWS, 2 * ROWS * macs / s);
    for (int parts = 1; parts <= 2; parts++) {
        const char *why = b->device->use_library(parts);
        if (why) printf("# %s\n", why);
        if (why) break;
        STAC_TRY(best_of(b, floats_of_many, &s, err));
        printf("bf16_library_%s%d_rows,%.4g,operations/s\n", parts == 1 ? "rounded_" : "", ROWS, 2 * ROWS * macs / s);
    }
    STAC_TRY(best_of(b, write_memory, &s, err));
    printf("write_bandwidth,%.4g,bytes/s\n", macs * sizeof(float) / s);
    return STAC_OK;
}

int device_bench(struct stac_error *err) {
    struct bench b = {0};
    size_t left = 0, all = 0;
    STAC_TRY(stac_device_open("cuda", 0, &b.device, err));
    b.device->room(&left, &all);
    printf("# %s\nmemory,%zu,bytes\n", b.device->name, all);
    if (reserve(&b, err) == STAC_OK && fill(&b, err) == STAC_OK) measure(&b, err);
    stac_code_clean(&b.ternary);
    stac_device_close(b.device); /* the process ends, and its memory there with it */
    return err->status;
}
