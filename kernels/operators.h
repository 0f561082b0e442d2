/* Prototypes of every operator of one set: STAC_DECLARE_OPERATORS(ref) declares stac_gemm_f32_ref and so on.
 * The meaning of each is told once, in kernels.h. */
#ifndef STAC_KERNELS_OPERATORS_H
#define STAC_KERNELS_OPERATORS_H

#include "kernels/kernels.h"

#define STAC_DECLARE_OPERATORS(set)                                                                                            \
    void stac_gemm_f32_##set(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);        \
    void stac_gemm_bf16_##set(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy);    \
    void stac_gemm_i16i8_##set(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy); \
    void stac_gemm_sparse_##set(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y,          \
                                int ldy);                                                                                      \
    void stac_add_rows_##set(int n, int32_t *acc, const int8_t *w, int ldw, struct stac_events events);                        \
    void stac_sum_spikes_##set(const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum);                    \
    void stac_weigh_steps_##set(const struct stac_steps *s, int n, const int16_t *sum, int32_t *y);                            \
    int64_t stac_encode_##set(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale,     \
                              int16_t *code);                                                                                  \
    void stac_words_##set(const struct stac_levels *levels, const struct stac_word *word, int n, const float *x,               \
                          const float *mean, float inv_scale, struct stac_word *out);                                          \
    float stac_sum_squares_##set(int n, const float *x, const float *mean);                                                    \
    void stac_norm_##set(int m, int n, const float *x, const float *gain, const float *bias, float eps, int centred,           \
                         float *y);                                                                                            \
    float stac_softmax_exp_##set(int n, const float *s, float scale, float *e);                                                \
    void stac_decode_##set(int n, const int32_t *acc, float factor, const float *scale, const float *bias, float *y);          \
    void stac_scale_##set(int n, float *x, float a);                                                                           \
    void stac_add_##set(int n, const float *x, float *y);                                                                      \
    void stac_activate_##set(int m, int n, int act, float *x, int ldx);                                                        \
    void stac_gate_##set(int m, int n, int act, const float *x, int ldx, float *y);                                            \
    void stac_hadamard_##set(int m, int n, int order, float *x);                                                               \
    void stac_rope_##set(int n_heads, int dim, const float *cosine, const float *sine, float *x);                              \
    void stac_gather_##set(int m, int n, const int32_t *index, const float *table, int onto, float *x);                        \
    void stac_add_to_rows_##set(int m, int n, const float *x, int ldx, float *y);                                              \
    void stac_encode_rows_##set(const struct stac_encoding *e, int m, int n, const float *x, float *factor, int16_t *code,     \
                                struct stac_tally *tally);                                                                     \
    void stac_decode_rows_##set(int m, int n, const int32_t *acc, const float *factor, const float *scale, const float *bias,  \
                                float *y);                                                                                     \
    void stac_turn_##set(int m, int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine,         \
                         float *x, int ldx);                                                                                   \
    void stac_draw_##set(int m, int n, const float *logits, double temperature, const double *u, int32_t *token);              \
    float stac_quantise_##set(int n, const float *x, int8_t *q);

STAC_DECLARE_OPERATORS(ref)
STAC_DECLARE_OPERATORS(avx2)
STAC_DECLARE_OPERATORS(avx512)

#endif
