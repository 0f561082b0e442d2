/* The operator table: what the network computes, apart from how a machine computes it.
 *
 * One struct of function pointers, filled by a set of kernels that is chosen at run time: `ref` (plain loops, the
 * oracle of the tests), `avx2`, `avx512` or a device's. Every set gives the same bits, because an operator fixes its
 * arithmetic:
 *   - a float product is, for each output, one chain of fused multiply-adds over k = 0, 1, 2, ... that starts at 0;
 *     so the result depends neither on tiles, threads or batch size nor on the machine;
 *   - a float sum over a row uses STAC_LANES interleaved partial sums, added pairwise at the end;
 *   - integer products are exact: the caller guarantees that no int32 can overflow;
 *   - element-wise functions are polynomials in fused multiply-adds (scalar_math.h).
 * Matrices are row-major with a leading dimension in elements. Operators use the threads of OpenMP and never fail; those of
 * another device than the processor (device.h) are told later whether they did. */
#ifndef STAC_KERNELS_H
#define STAC_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/neurons.h"

#define STAC_LANES 16

/* One step of spikes for one row: indices of the inputs that sent +1, then of those that sent -1. */
struct stac_events {
    const uint16_t *index;
    int n_plus, n_minus;
};

/* Spikes of a row over time, inputs by number: those of step t with sign plus are index[begin[2 t]] up to index[begin[2 t +
 * 1]], those with sign minus follow up to index[begin[2 t + 2]]. */
struct stac_spikes {
    int timesteps;
    const uint16_t *index; /* may be read STAC_SPIKES_AHEAD beyond the last one, to look ahead */
    const int *begin;      /* [2 timesteps + 1] */
};

/* The most spikes of both signs that a step may have where they are added up in 16 bits. */
#define STAC_SPIKES_OF_STEP 255
#define STAC_SPIKES_AHEAD 32

/* Thresholds of a code as a table without branches; see spike/code.h for what the levels mean.
 * level(a) = number of thresholds <= a, for a >= 0. bins cover [0, n_bins / bins_per_unit). */
struct stac_levels {
    const float *threshold; /* [n_levels], ascending; the last is +infinity */
    const int16_t *value;   /* [n_levels] integer of each level, value[0] == 0 */
    const uint8_t *spikes;  /* [n_levels] spikes of each level */
    const int32_t *emit;    /* [n_levels] both together: value | spikes << 16 */
    int n_levels;
    int most_spikes;     /* of a level */
    const uint16_t *bin; /* [n_bins + 1] number of thresholds in the bins before each; the last is padding */
    const float *edge;   /* [n_bins] the threshold inside a bin: infinity where there is none, NaN where there are several */
    const int32_t *sent; /* [2 n_bins] emit of the values of a bin with at most one threshold: below it, and from it on */
    int n_bins;
    float bins_per_unit;
    int rounds; /* the code of an integer quantiser: threshold[i] == i + 0.5, value[i] == i, no spikes */
    int unused; /* in place of padding, whose bytes are anybody's: devices compare arguments of kernels by theirs */
};

/* The level of a magnitude: the number of thresholds that it reaches, those below its bin and those inside it that it steps
 * past. What is not a number has level 0. */
STAC_INLINE int stac_level_of(const struct stac_levels *t, float magnitude) {
    float at = magnitude * t->bins_per_unit, end = (float)t->n_bins - 1;
    int level = t->bin[at < end ? (int)at : at >= end ? t->n_bins - 1 : 0];
    while (magnitude >= t->threshold[level]) level++; /* the last one is infinite */
    return level;
}

/* How rows become codes. */
struct stac_encoding {
    struct stac_levels levels;
    const float *mean; /* [n] subtracted first, or NULL */
    float unit;        /* value of the integer 1; `scaled`: times the root mean square of the row less mean */
    int scaled;
};

#define STAC_KERNEL_FACTORS 16

/* How codes are played in time: what neurons send, and what steps weigh (spike/step_weights.h). */
struct stac_steps {
    int timesteps;                       /* 0: codes are multiplied, not played */
    int unused;                          /* in place of padding */
    const struct stac_word *word;        /* [n_levels] what each level sends; NULL: the neuron decides */
    struct stac_neuron neuron;           /* causal, if or lif */
    int most;                            /* spikes of a word */
    int n_classes, shift;                /* classes of steps; or */
    int heavy, curve;                    /* a ramp, curve > 0; else steps weigh what they weigh */
    int32_t factor[STAC_KERNEL_FACTORS]; /* mantissas */
    int32_t weight[STAC_MAX_TIMESTEPS];
};

/* Where the events of rows are put together: [rows][most * inputs] in all. */
struct stac_event_space {
    uint16_t *index;
    int *begin; /* [rows][steps + 1][2] where the positive and the negative spikes of a step begin */
};

/* Unit of the codes of a row of n values of that sum of squares; one of zeros stays silent whatever its unit. */
STAC_INLINE float stac_scaled_unit(float unit, int n, float sum_squares) {
    float rms = sqrtf(sum_squares / (float)n);
    return rms > 1e-20f ? rms * unit : 1.0f;
}

/* Codes that are not 0. */
STAC_INLINE int stac_active_codes(int n, const int16_t *code) {
    int active = 0;
    for (int i = 0; i < n; i++) active += code[i] != 0;
    return active;
}

/* What rows of codes sent: spikes, and values that are not silent. */
struct stac_tally {
    int64_t spikes, active;
};

/* What a row of a head sent. */
struct stac_head_sent {
    int32_t q_spikes, q_active, p_spikes, p_active;
    int32_t q_all, p_all; /* ST-BIF+: spikes of this step and of all before */
};

/* What the ST-BIF+ neurons of all rows and heads have sent so far. */
struct stac_sums {
    int16_t *sum;  /* [m][n_head][head_dim] at q, [m][n_head][capacity] at p; NULL: neurons of other kinds */
    int most;      /* of a neuron */
    int by_spikes; /* they drive the weights one by one, else as integers */
};

/* A batch at one layer's attention, dense or spiking. Row i of the batch is token at[i] of slot[i], and sees the tokens up to
 * itself. Cache as in net/cache.h: of this layer, [n_slots][n_head_kv] blocks of head_dim * capacity. */
struct stac_attention {
    int m, n_head, n_head_kv, head_dim, capacity;
    int most_keys;            /* at least as many as a row of the batch sees */
    const int32_t *slot, *at; /* [m] */
    const float *qkv;         /* [m] rows, ldq apart: queries, keys, values */
    int ldq, unused;          /* unused: in place of padding */
    float *out;               /* [m][n_head * head_dim] */
    float *k, *v;
    int8_t *qk, *qv;           /* spiking: in place of k and v */
    float *k_scale;            /* [n_slots][n_head_kv][capacity] */
    const float *k_mean;       /* [n_head_kv * head_dim] */
    const float *v_scale;      /* the same */
    struct stac_encoding q, p; /* of queries, head by head; of exp(score - max) */
    struct stac_steps q_time, p_time;
    struct stac_sums q_sums, p_sums;
    struct stac_head_sent *sent; /* [m][n_head], or NULL */
};

/* Fast memory that attention takes on a device, which has STAC_ATTENTION_MOST for it: with more keys it cannot be computed
 * there. */
enum { STAC_ATTENTION_MOST = 160 << 10 };
STAC_INLINE size_t stac_attention_bytes(const struct stac_attention *a) {
    size_t q = (size_t)a->q_time.most * (size_t)a->head_dim, p = (size_t)a->p_time.most * (size_t)a->most_keys;
    return ((size_t)a->most_keys + (size_t)a->head_dim) * sizeof(float) + (q > p ? q : p) * sizeof(uint16_t);
}

struct stac_kernels {
    const char *name;

    /* ---- of many rows; on any device, whose memory all pointers are of ---- */

    /* y[m][n] = x[m][k] w[k][n] */
    void (*gemm_f32)(int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);

    /* The same for weights in bfloat16, the upper halves of floats: the bits of gemm_f32 on the floats. */
    void (*gemm_bf16)(int m, int n, int k, const float *x, int ldx, const uint16_t *w, int ldw, float *y, int ldy);

    /* y[m][n] = x[m][k] w[k][n], integers, exact */
    void (*gemm_i16i8)(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy);

    /* The same, event-driven: every row of x reads the rows of w where it is not zero, and no others */
    void (*gemm_sparse)(int m, int n, int k, const int16_t *x, int ldx, const int8_t *w, int ldw, int32_t *y, int ldy);

    /* x[i] = table[index[i]], rows of n; `onto`: x[i] += */
    void (*gather)(int m, int n, const int32_t *index, const float *table, int onto, float *x);

    /* y[i] += x[i], rows of n; x is one row for all of them where ldx == 0 */
    void (*add_to_rows)(int m, int n, const float *x, int ldx, float *y);

    /* Codes of m rows x, n values each, and factor[i], the value of the integer 1 in row i; adds to *tally. */
    void (*encode_rows)(const struct stac_encoding *e, int m, int n, const float *x, float *factor, int16_t *code,
                        struct stac_tally *tally);

    /* y[i][j] = (float)acc[i][j] * (factor[i] * scale[j]) + bias[j], the last two steps fused; bias may be NULL. */
    void (*decode_rows)(int m, int n, const int32_t *acc, const float *factor, const float *scale, const float *bias, float *y);

    /* Root-mean-square or layer normalisation of each of m rows of n: y = (x - center) / sqrt(mean((x - center)^2) + eps)
     * * gain + bias, where center is the mean of the row if `centred`, else 0; gain and bias may be NULL. */
    void (*norm)(int m, int n, const float *x, const float *gain, const float *bias, float eps, int centred, float *y);

    /* x[i][j] = act(x[i][j]); act is an enum stac_kernel_act */
    void (*activate)(int m, int n, int act, float *x, int ldx);

    /* y[i][j] = act(x[i][j]) * x[i][n + j]: rows of x hold the gate and then what it gates, n values each */
    void (*gate)(int m, int n, int act, const float *x, int ldx, float *y);

    /* Walsh-Hadamard transform of each group of `order` (a power of two) values of each row, times 1/sqrt(order). */
    void (*hadamard)(int m, int n, int order, float *x);

    /* Rotary positions: pairs (i, i + dim/2) of each of the first n_heads heads of m rows turn by the angle of
     * cosine[position][i] and sine[position][i], [dim/2] each. */
    void (*turn)(int m, int n_heads, int dim, const int32_t *position, const float *cosine, const float *sine, float *x,
                 int ldx);

    /* token[i] = an index drawn from row i of logits[m][n], by u[i] in [0, 1) (draw.h) */
    void (*draw)(int m, int n, const float *logits, double temperature, const double *u, int32_t *token);

    /* Rows through weights in time: the spikes of a step add their rows of w, step after step. acc[m][n] as the product of the
     * codes of encode_rows, which it counts and scales alike. NULL where it is composed of the others (spike/train.h). */
    void (*spike_rows)(const struct stac_encoding *e, const struct stac_steps *s, int m, int n, int k, const float *x,
                       const int8_t *w, int ldw, float *factor, struct stac_event_space space, int32_t *acc,
                       struct stac_tally *tally);

    /* A step of ST-BIF+ neurons: what each of m rows of k values sends, `step`, onto `sum`; spikes are counted. Then their rows
     * of w onto acc[m][n]. NULL where they are composed of others (net/gradual.c). */
    void (*step_rows)(const struct stac_encoding *e, int most, int m, int k, const float *x, float *factor, int16_t *sum,
                      int16_t *step, struct stac_tally *tally);
    void (*add_steps)(int m, int n, int k, const int16_t *step, const int8_t *w, int ldw, int32_t *acc);

    /* Attention of a batch as one step: keys and values into the cache; then all rows. NULL where it is composed of the others
     * (net/attention.c). */
    void (*store)(const struct stac_attention *a);
    void (*attend)(const struct stac_attention *a);

    /* ---- of one row and one thread; processors only: what the others and attention are made of there ---- */

    /* acc[n] += w[i][n] for every i of the plus events, -= for the minus events */
    void (*add_rows)(int n, int32_t *acc, const int8_t *w, int ldw, struct stac_events events);

    /* sum[t][j < n] = w[i][j] of all spikes of step t, at most STAC_SPIKES_OF_STEP, with their signs */
    void (*sum_spikes)(const struct stac_spikes *s, int n, const int8_t *w, int ldw, int16_t *sum);

    /* y[j < n] += what the sums of all steps, sum[timesteps][n], are worth together */
    void (*weigh_steps)(const struct stac_steps *s, int n, const int16_t *sum, int32_t *y);

    /* Levels of |x[i] - mean[i]| * inv_scale as signed integers: code[i]. mean may be NULL. Returns the sum of spikes. A value
     * that is not a number is silent. */
    int64_t (*encode)(const struct stac_levels *levels, int n, const float *x, const float *mean, float inv_scale,
                      int16_t *code);

    /* out[i] = the word of that level, word[n_levels], with signs turned where x[i] is below mean[i]; not for integer codes. */
    void (*words)(const struct stac_levels *levels, const struct stac_word *word, int n, const float *x, const float *mean,
                  float inv_scale, struct stac_word *out);

    /* sum over i of (x[i] - mean[i])^2; mean may be NULL. */
    float (*sum_squares)(int n, const float *x, const float *mean);

    /* e[i] = exp(scale * s[i] - max), max = the largest scale * s[i]; returns the sum of e. */
    float (*softmax_exp)(int n, const float *s, float scale, float *e);

    /* decode_rows of one. */
    void (*decode)(int n, const int32_t *acc, float factor, const float *scale, const float *bias, float *y);

    /* x *= a; y += x; element-wise. */
    void (*scale)(int n, float *x, float a);
    void (*add)(int n, const float *x, float *y);

    /* turn of one row */
    void (*rope)(int n_heads, int dim, const float *cosine, const float *sine, float *x);

    /* Symmetric int8: q[i] = round(x[i] / s), s = max |x| / 127; 0 for what is not a number, or not finite. Returns s (1 for a
     * zero vector). */
    float (*quantise)(int n, const float *x, int8_t *q);
};

enum stac_kernel_act { STAC_KERNEL_SILU, STAC_KERNEL_GELU_TANH, STAC_KERNEL_GELU_ERF, STAC_KERNEL_RELU };

/* The fastest set this processor can run, or the set of that name ("ref", "avx2", "avx512"); NULL for a name that is unknown or
 * cannot run here. */
const struct stac_kernels *stac_kernels_best(void);
const struct stac_kernels *stac_kernels_named(const char *name);

#endif
