#include "kernels/kernels.h"

#include <string.h>

#include "kernels/operators.h"

#define TABLE(set)                                                                                                             \
    {                                                                                                                          \
        .name = #set, .gemm_f32 = stac_gemm_f32_##set, .gemm_i16i8 = stac_gemm_i16i8_##set, .add_rows = stac_add_rows_##set,   \
        .encode = stac_encode_##set, .sum_squares = stac_sum_squares_##set, .norm = stac_norm_##set,                           \
        .softmax_exp = stac_softmax_exp_##set, .decode = stac_decode_##set, .scale = stac_scale_##set, .add = stac_add_##set,  \
        .activate = stac_activate_##set, .gate = stac_gate_##set, .hadamard = stac_hadamard_##set, .rope = stac_rope_##set,    \
        .quantise = stac_quantise_##set,                                                                                       \
    }

static const struct stac_kernels ref_set = TABLE(ref);

#ifdef STAC_HAVE_AVX2
static const struct stac_kernels avx2_set = TABLE(avx2);
static int avx2_runs_here(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const struct stac_kernels *stac_kernels_best(void) {
#ifdef STAC_HAVE_AVX2
    if (avx2_runs_here()) return &avx2_set;
#endif
    return &ref_set;
}

const struct stac_kernels *stac_kernels_named(const char *name) {
#ifdef STAC_HAVE_AVX2
    if (strcmp(name, avx2_set.name) == 0) return avx2_runs_here() ? &avx2_set : NULL;
#endif
    return strcmp(name, ref_set.name) == 0 ? &ref_set : NULL;
}
