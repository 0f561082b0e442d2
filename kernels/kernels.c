#include "kernels/kernels.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/operators.h"

#define TABLE(set)                                                                                                             \
    {                                                                                                                          \
        .name = #set, .gemm_f32 = stac_gemm_f32_##set, .gemm_bf16 = stac_gemm_bf16_##set, .gemm_i16i8 = stac_gemm_i16i8_##set, \
        .gemm_sparse = stac_gemm_sparse_##set, .gather = stac_gather_##set, .add_to_rows = stac_add_to_rows_##set,             \
        .encode_rows = stac_encode_rows_##set, .decode_rows = stac_decode_rows_##set, .norm = stac_norm_##set,                 \
        .activate = stac_activate_##set, .gate = stac_gate_##set, .hadamard = stac_hadamard_##set, .turn = stac_turn_##set,    \
        .draw = stac_draw_##set, .add_rows = stac_add_rows_##set, .sum_spikes = stac_sum_spikes_##set,                         \
        .weigh_steps = stac_weigh_steps_##set, .encode = stac_encode_##set, .words = stac_words_##set,                         \
        .sum_squares = stac_sum_squares_##set, .softmax_exp = stac_softmax_exp_##set, .decode = stac_decode_##set,             \
        .scale = stac_scale_##set, .add = stac_add_##set, .rope = stac_rope_##set, .quantise = stac_quantise_##set,            \
    }

static const struct stac_kernels ref_set = TABLE(ref);

#ifdef STAC_HAVE_X86
static const struct stac_kernels avx2_set = TABLE(avx2), avx512_set = TABLE(avx512);
#endif

/* Every set and whether it runs here, the fastest first. */
static const struct stac_kernels *set_at(int i) {
#ifdef STAC_HAVE_X86
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vnni");
    if (avx512 && i-- == 0) return &avx512_set;
    if (avx2 && i-- == 0) return &avx2_set;
#endif
    return i == 0 ? &ref_set : NULL;
}

const struct stac_kernels *stac_kernels_best(void) {
    return set_at(0);
}

const struct stac_kernels *stac_kernels_named(const char *name) {
    const struct stac_kernels *set;
    for (int i = 0; (set = set_at(i)); i++)
        if (strcmp(set->name, name) == 0) return set;
    return NULL;
}
