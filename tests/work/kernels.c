/* Every operator of one set of kernels once, on data that is always the same, each inside a function of its own: callgrind
 * counts the instructions of these functions.
 *
 *     work_of_kernels SET
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "spike/ternary.h"

enum { ROWS = 24, FEW = 2, IN = 512, OUT = 384, EVENTS = 600, HEADS = 8, DIM = 64 };

static float x[ROWS * IN], w[IN * OUT], y[ROWS * OUT], gain[IN], scale[OUT];
static uint16_t half[IN * OUT], event[EVENTS + STAC_SPIKES_AHEAD];
static int16_t code[ROWS * IN], small[ROWS * IN];
static int8_t q[IN * OUT];
static int32_t acc[ROWS * OUT];

static void fill(void) {
    uint32_t state = 1;
    for (int i = 0; i < IN * OUT; i++) {
        state = state * 1664525u + 1013904223u;
        w[i] = (float)(int32_t)state * 0x1p-31f;
        half[i] = (uint16_t)((state >> 20) | 0x3c00);
        q[i] = (int8_t)((int)(state >> 24) % 128);
    }
    for (int i = 0; i < ROWS * IN; i++) {
        float spread = w[i] * w[(i * 7) % (IN * OUT)];
        x[i] = spread * 4;
        code[i] = (int16_t)(spread * 2000);
        small[i] = (int16_t)(spread * 100);
    }
    for (int i = 0; i < IN; i++) gain[i] = 1 + w[i];
    for (int i = 0; i < OUT; i++) scale[i] = 1e-3f * (2 + w[i]);
    for (int i = 0; i < EVENTS; i++) event[i] = (uint16_t)(i * 37 % IN);
}

#define COUNTED(name, call)                                                                                                    \
    static __attribute__((noinline)) void count_##name(const struct stac_kernels *k) {                                         \
        call;                                                                                                                  \
        __asm__ volatile("" ::: "memory");                                                                                     \
    }

static struct stac_code ternary;
static struct stac_steps steps;
static struct stac_spikes spikes;
static int16_t sums[16 * OUT];
static int begin[33];
static const double half_way = 0.5;

COUNTED(gemm_f32, k->gemm_f32(ROWS, OUT, IN, x, IN, w, OUT, y, OUT))
COUNTED(gemm_f32_few, k->gemm_f32(FEW, OUT, IN, x, IN, w, OUT, y, OUT))
COUNTED(gemm_bf16, k->gemm_bf16(ROWS, OUT, IN, x, IN, half, OUT, y, OUT))
COUNTED(gemm_bf16_few, k->gemm_bf16(FEW, OUT, IN, x, IN, half, OUT, y, OUT))
COUNTED(gemm_i16i8, k->gemm_i16i8(ROWS, OUT, IN, code, IN, q, OUT, acc, OUT))
COUNTED(gemm_i16i8_small, k->gemm_i16i8(ROWS, OUT, IN, small, IN, q, OUT, acc, OUT))
COUNTED(gemm_i16i8_few, k->gemm_i16i8(FEW, OUT, IN, code, IN, q, OUT, acc, OUT))
COUNTED(gemm_sparse, k->gemm_sparse(ROWS, OUT, IN, code, IN, q, OUT, acc, OUT))
COUNTED(add_rows, k->add_rows(OUT, acc, q, OUT, (struct stac_events){event, EVENTS / 2, EVENTS / 2}))
COUNTED(sum_spikes, k->sum_spikes(&spikes, OUT, q, OUT, sums))
COUNTED(weigh_steps, k->weigh_steps(&steps, OUT, sums, acc))
COUNTED(encode, k->encode(&ternary.levels, ROWS *IN, x, NULL, 1 / ternary.unit, code))
COUNTED(sum_squares, gain[0] += k->sum_squares(ROWS * IN, x, NULL))
COUNTED(norm, k->norm(ROWS, IN, x, gain, NULL, 1e-5f, 0, x))
COUNTED(softmax_exp, gain[1] += k->softmax_exp(IN, x, 0.125f, x))
COUNTED(decode, k->decode(OUT, acc, 0.01f, scale, scale, y))
COUNTED(scale, k->scale(IN, x, 0.5f))
COUNTED(add, k->add(IN, gain, x))
COUNTED(activate, k->activate(ROWS, IN, STAC_KERNEL_GELU_TANH, x, IN))
COUNTED(gate, k->gate(ROWS, IN / 2, STAC_KERNEL_SILU, x, IN, y))
COUNTED(hadamard, k->hadamard(ROWS, IN, 256, x))
COUNTED(rope, k->rope(HEADS, DIM, gain, gain + DIM, x))
COUNTED(draw, k->draw(1, ROWS *IN, x, 0.7, &half_way, acc))
COUNTED(quantise, gain[2] += k->quantise(IN, x, q))

int main(int argc, char **argv) {
    const struct stac_kernels *k = argc == 2 ? stac_kernels_named(argv[1]) : NULL;
    struct stac_error err = {0};
    if (!k) return 77; /* this processor cannot */
    fill();
    if (stac_ternary_build(&ternary, 16, (struct stac_base){.n_classes = 4, .shift = 1}, 2, 0.003, 0.004, 11000, &err) !=
        STAC_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    steps = stac_code_steps(&ternary);
    spikes = (struct stac_spikes){16, event, begin};
    for (int place = 0; place <= 32; place++) begin[place] = EVENTS * place / 32;
    void (*const all[])(const struct stac_kernels *) = {
        count_gemm_f32, count_gemm_f32_few, count_gemm_bf16,   count_gemm_bf16_few,    count_gemm_i16i8,  count_gemm_i16i8_few,
        count_add_rows, count_encode,       count_sum_squares, count_gemm_i16i8_small, count_norm,        count_softmax_exp,
        count_decode,   count_scale,        count_add,         count_activate,         count_gemm_sparse, count_gate,
        count_hadamard, count_rope,         count_quantise,    count_sum_spikes,       count_weigh_steps, count_draw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i](k);
    stac_code_clean(&ternary);
    return 0;
}
