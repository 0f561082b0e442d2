/* convert/: rewritings that must not change what a network computes, random rotations, and weights as integers. What
 * calibration learns and how spikes are spent: test_calibrate.c. */
#include "unit.h"

#include <float.h>
#include <math.h>

#include "convert/shape.h"
#include "fixture_networks.h"

enum { LENGTH = 40 };

/* ---- rotations -------------------------------------------------------------------------------------------------- */

static void random_rotations_are_orthogonal_and_repeat(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 8, 16, 63, 64, 192, 257};
    struct stac_error err = {0};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int n = sizes[k];
        size_t all = (size_t)n * (size_t)n;
        float *q = calloc(all, sizeof *q), *other = calloc(all, sizeof *q);
        OK(stac_random_orthogonal(n, 5, 7, q, &err));
        double worst = 0, trace = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++) {
                double dot = 0, across = 0;
                for (int m = 0; m < n; m++) {
                    dot += (double)q[i * n + m] * q[j * n + m];
                    across += (double)q[m * n + i] * q[m * n + j];
                }
                worst = fmax(worst, fmax(fabs(dot - (i == j)), fabs(across - (i == j))));
            }
        if (worst > 4e-7) fail_msg("%d dimensions: rows and columns are off by %g", n, worst);
        OK(stac_random_orthogonal(n, 5, 7, other, &err));
        assert_same_bits(q, other, all, "%d dimensions, again", n);
        for (int i = 0; i < n; i++) trace += q[i * n + i];
        assert_true(fabs(trace) < 6); /* no near identity: the trace of a random rotation has a variance of 1 */
        if (n > 1) {
            OK(stac_random_orthogonal(n, 5, 8, other, &err));
            assert_memory_not_equal(q, other, all * sizeof *q);
            OK(stac_random_orthogonal(n, 6, 7, other, &err));
            assert_memory_not_equal(q, other, all * sizeof *q);
        }
        free(q), free(other);
    }
}

/* ---- rewritings ------------------------------------------------------------------------------------------------- */

enum step { FOLD, ROTATE_RESIDUAL, ROTATE_HEADS, HADAMARD, STEPS };
static const char *const step_names[STEPS] = {"fold", "rotate the residual stream", "rotate the heads", "add the Hadamard"};

static void take_step(struct stac_network *net, enum step step, uint64_t seed) {
    struct stac_error err = {0};
    int d = net->hp.n_embd;
    float *q = calloc((size_t)d * (size_t)d, sizeof *q);
    OK(stac_random_orthogonal(d, seed, 0, q, &err));
    switch (step) {
    case FOLD: OK(stac_fold_norms(net, &err)); break;
    case ROTATE_RESIDUAL: OK(stac_rotate_residual(net, q, &err)); break;
    case ROTATE_HEADS: fx_rotate_heads(net, seed); break;
    default: OK(stac_add_hadamard(net, &err));
    }
    free(q);
}

/* Steps that are taken before the logits are compared; each alone where it can stand alone, then all in order. */
static const struct {
    int n;
    enum step step[STEPS];
} recipes[] = {
    {1, {FOLD}},           {1, {ROTATE_HEADS}},           {1, {HADAMARD}},
    {2, {FOLD, FOLD}},     {2, {FOLD, ROTATE_RESIDUAL}},  {3, {FOLD, ROTATE_RESIDUAL, ROTATE_RESIDUAL}},
    {2, {HADAMARD, FOLD}}, {2, {ROTATE_HEADS, HADAMARD}}, {4, {FOLD, ROTATE_RESIDUAL, ROTATE_HEADS, HADAMARD}},
};

static void rewritings_leave_the_logits_as_they_were(void **state) {
    (void)state;
    double worst[STEPS + 1] = {0};
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network net;
        int32_t token[LENGTH];
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        fx_tokens(token, LENGTH, net.hp.n_vocab, 1);
        size_t n = LENGTH * (size_t)net.hp.n_vocab;
        float *before = fx_logits(&net, STAC_MODE_DENSE, NULL, token, LENGTH, NULL);
        stac_network_clean(&net);
        for (size_t r = 0; r < sizeof recipes / sizeof *recipes; r++)
            for (uint64_t seed = 1; seed <= 3; seed++) {
                fx_load(model, &net);
                for (int i = 0; i < recipes[r].n; i++) take_step(&net, recipes[r].step[i], seed + (uint64_t)i);
                float *after = fx_logits(&net, STAC_MODE_DENSE, NULL, token, LENGTH, NULL);
                double gap = fx_difference(before, after, n);
                if (gap > 1e-5) fail_msg("%s: recipe %zu, seed %d changes the logits by %.2g", fx_golden[g], r, (int)seed, gap);
                int kind = recipes[r].n == 1 ? (int)recipes[r].step[0] : STEPS;
                worst[kind] = fmax(worst[kind], gap);
                free(after);
                stac_network_clean(&net);
            }
        free(before);
        stac_model_close(model);
    }
    for (int k = 0; k < STEPS; k++)
        if (k != ROTATE_RESIDUAL) printf("%-26s changes the logits by %.1e at most\n", step_names[k], worst[k]);
    printf("%-26s changes the logits by %.1e at most\n", "several steps", worst[STEPS]);
    assert_true(worst[ROTATE_HEADS] > 0 && worst[HADAMARD] > 0 && worst[STEPS] > 0); /* and something did happen */
}

/* The recipe does what it is for: no gains, no biases of norms, no layer norms; a transform of the expected order. */
static void a_rewritten_network_has_plain_norms(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network net;
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        int d = net.hp.n_embd, order = 1;
        while (order < 512 && net.hp.n_ff % (2 * order) == 0) order *= 2;
        fx_rewrite(&net, 1);
        assert_int_equal(net.hp.norm, STAC_NORM_RMS);
        assert_int_equal(net.hadamard, order);
        assert_null(net.final_norm);
        assert_null(net.final_norm_bias);
        for (int l = 0; l < net.hp.n_layer; l++) {
            const struct stac_block *b = &net.block[l];
            assert_true(!b->attn_norm && !b->attn_norm_bias && !b->mlp_norm && !b->mlp_norm_bias);
        }
        if (stac_model_hparams(model)->norm == STAC_NORM_LAYER) { /* before rotation, rows that write had a mean of 0 */
            stac_network_clean(&net);
            fx_load(model, &net);
            take_step(&net, FOLD, 1);
            for (int v = 0; v < net.hp.n_vocab; v++) {
                double sum = 0, size = 0;
                for (int i = 0; i < d; i++) sum += net.token_embd[v * d + i], size += fabsf(net.token_embd[v * d + i]);
                assert_true(fabs(sum) < 1e-6 * size);
            }
        }
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

static void assert_equal_linears(const struct stac_linear *a, const struct stac_linear *b, const char *what) {
    assert_int_equal(a->n_in, b->n_in);
    assert_int_equal(a->n_out, b->n_out);
    assert_same_bits(a->w, b->w, (size_t)a->n_in * (size_t)a->n_out, "%s", what);
    assert_int_equal(a->bias != NULL, b->bias != NULL);
    if (a->bias) assert_same_bits(a->bias, b->bias, (size_t)a->n_out, "%s, bias", what);
}

/* A stage rewrites its layers without the others: the same bits as in the whole. */
static void parts_are_rewritten_as_in_the_whole(void **state) {
    (void)state;
    struct stac_error err = {0};
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network whole, part;
        fx_open(fx_golden[g], &model);
        fx_load(model, &whole);
        fx_rewrite(&whole, 4);
        int layers = whole.hp.n_layer, d = whole.hp.n_embd;
        for (int first = 0; first < layers; first++)
            for (int last = first + 1; last <= layers; last++) {
                OK(stac_network_load(model, (struct stac_part){first, last, first == 0, last == layers}, false, &part, &err));
                fx_rewrite(&part, 4);
                assert_int_equal(part.hadamard, whole.hadamard);
                for (int l = first; l < last; l++) {
                    const struct stac_block *a = &whole.block[l], *b = &part.block[l - first];
                    assert_equal_linears(&a->qkv, &b->qkv, "qkv");
                    assert_equal_linears(&a->o, &b->o, "o");
                    assert_equal_linears(&a->up, &b->up, "up");
                    assert_equal_linears(&a->down, &b->down, "down");
                }
                if (last == layers) assert_equal_linears(&whole.head, &part.head, "head");
                if (first == 0) assert_same_bits(whole.token_embd, part.token_embd, whole.hp.n_vocab * d, "embedding");
                if (first == 0 && whole.position_embd)
                    assert_same_bits(whole.position_embd, part.position_embd, whole.hp.n_ctx * d, "positions");
                stac_network_clean(&part);
            }
        stac_network_clean(&whole);
        stac_model_close(model);
    }
}

/* ---- shaping ---------------------------------------------------------------------------------------------------- */

/* Changes of basis that are learned leave the logits as they were too, and do change the weights. */
static void shaping_leaves_the_logits_as_they_were(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_error err = {0};
        struct stac_model *model;
        struct stac_network net;
        fx_open(fx_golden[g], &model);
        fx_load(model, &net);
        OK(stac_fold_norms(&net, &err));
        int length = net.hp.n_ctx < 12 ? net.hp.n_ctx : 12;
        int32_t tokens[48];
        fx_tokens(tokens, 48, net.hp.n_vocab, 3);
        float *before = fx_logits(&net, STAC_MODE_DENSE, NULL, tokens, length, NULL);
        struct stac_linear *o = &net.block[0].o;
        size_t n = (size_t)o->n_in * (size_t)o->n_out;
        float *was = calloc(n, sizeof *was);
        memcpy(was, o->w, n * sizeof *was);
        struct stac_calibration c = fx_calibration(&net, tokens, 4, length);
        OK(stac_calibrate_begin(&c, &err));
        OK(stac_shape_network(&c, (struct stac_shaping){true, true}, 1, 4, &net, &err));
        stac_calibrate_end(&c);
        float *after = fx_logits(&net, STAC_MODE_DENSE, NULL, tokens, length, NULL);
        double change = fx_difference(before, after, (size_t)length * (size_t)net.hp.n_vocab),
               turned = fx_difference(was, o->w, n);
        printf("%-24s logits changed by %.1e, weights of o by %.2g\n", fx_golden[g], change, turned);
        assert_true(change < 1e-4);
        assert_true(turned > 0.1);
        free(before), free(after), free(was);
        stac_network_clean(&net);
        stac_model_close(model);
    }
}

/* ---- integer weights -------------------------------------------------------------------------------------------- */

/* A random product whose first columns are special: zeros; one weight only; all equal; the smallest floats; the largest. */
enum { SPECIAL = 5 };

static struct stac_linear some_linear(int n_in, int n_out, uint64_t stream) {
    struct stac_random r = stac_random_seeded(8, stream);
    struct stac_linear l = {.n_in = n_in, .n_out = n_out};
    l.w = calloc((size_t)n_in * (size_t)n_out, sizeof *l.w);
    for (int i = 0; i < n_in; i++)
        for (int j = 0; j < n_out; j++) {
            float w = (float)(stac_random_normal(&r) * exp2(j % 20 - 10));
            if (j == 0) w = i % 2 ? -0.0f : 0.0f;
            if (j == 1) w = i == n_in / 2 ? -3.0f : 0.0f;
            if (j == 2) w = -0.7f;
            if (j == 3) w = i % 3 == 0 ? 0.0f : i % 3 == 1 ? FLT_TRUE_MIN : -FLT_TRUE_MIN;
            if (j == 4) w = i % 2 ? FLT_MAX : -FLT_MAX / 2;
            l.w[(size_t)i * (size_t)n_out + (size_t)j] = w;
        }
    return l;
}

static void integer_weights_are_the_nearest(void **state) {
    (void)state;
    enum { N_IN = 37, N_OUT = 53 };
    for (int bits = 2; bits <= 8; bits++) {
        struct stac_error err = {0};
        struct stac_linear l = some_linear(N_IN, N_OUT, (uint64_t)bits), was = some_linear(N_IN, N_OUT, (uint64_t)bits);
        int largest = (1 << (bits - 1)) - 1;
        double square = 0, power = 0;
        OK(stac_quantise_linear(&l, NULL, bits, NULL, &err));
        assert_null(l.w); /* the floats are gone */
        for (int j = 0; j < N_OUT; j++) {
            int reached = 0;
            double scale = l.scale[j];
            if (!(scale > 0 && isfinite(scale))) fail_msg("%d bits, column %d: the scale is %g", bits, j, scale);
            for (int i = 0; i < N_IN; i++) {
                int q = l.q[i * N_OUT + j];
                double w = was.w[i * N_OUT + j], error = fabs(w - scale * q);
                assert_in_range(q + 127, 127 - largest, 127 + largest);
                if (j != 3 && error > (0.5 + 127 * FLT_EPSILON) * scale) /* a quotient of up to 127 is itself rounded */
                    fail_msg("%d bits, weight %d of column %d: %g became %d times %g", bits, i, j, w, q, scale);
                if (j == 0) assert_int_equal(q, 0);
                if (abs(q) == largest) reached = 1;
                if (j >= SPECIAL) square += error * error / (scale * scale), power += w * w / (scale * scale);
            }
            if (j > 0 && j != 3) assert_true(reached); /* no part of the range is given away */
        }
        double noise = 10 * log10(square / power); /* uniform rounding: 1/12 of a squared step */
        double expected = 10 * log10(1.0 / 12 * N_IN * (N_OUT - SPECIAL) / power);
        printf("%d bits: %.1f dB of noise\n", bits, noise);
        assert_true(fabs(noise - expected) < 1);
        stac_linear_clean(&l);
        stac_linear_clean(&was);
    }
}

/* Fitted weights lie on the same grid as the nearest ones, and give a product that is closer on the inputs they were fitted
 * to and on others like them. */
static void fitted_weights_give_a_closer_product(void **state) {
    (void)state;
    enum { N_IN = 40, N_OUT = 70, ROWS = 400, SOURCES = 12 };
    struct stac_random r = stac_random_seeded(3, 1);
    float *z = calloc(2 * ROWS * N_IN, sizeof *z), mix[SOURCES][N_IN];
    double mean[N_IN] = {0};
    for (int s = 0; s < SOURCES; s++)
        for (int i = 0; i < N_IN; i++) mix[s][i] = (float)stac_random_normal(&r);
    for (int t = 0; t < 2 * ROWS; t++) /* correlated inputs, with a mean */
        for (int s = 0; s < SOURCES; s++) {
            float a = (float)stac_random_normal(&r);
            for (int i = 0; i < N_IN; i++) z[t * N_IN + i] += a * mix[s][i] + 0.1f * (float)stac_random_normal(&r) + 0.05f;
        }
    for (int t = 0; t < ROWS; t++)
        for (int i = 0; i < N_IN; i++) mean[i] += (double)z[t * N_IN + i] / ROWS;
    for (int bits = 3; bits <= 8; bits++) {
        struct stac_error err = {0};
        struct stac_linear
            l[4]; /* nearest, fitted to inputs that count as centred, as they were, fitted to inputs with a mean */
        struct stac_inputs inputs = {ROWS, z, true}, uncentred = {ROWS, z, false};
        double error[4][2] = {{0}}, bound = (1 << (bits - 1)) - 1;
        for (int k = 0; k < 4; k++) l[k] = some_linear(N_IN, N_OUT, 77);
        for (int k = 0; k < 4; k++) /* the special columns are for the nearest ones */
            for (int i = 0; i < N_IN * N_OUT; i++)
                if (i % N_OUT < SPECIAL) l[k].w[i] = (float)(i % 7) - 3;
        OK(stac_quantise_linear(&l[0], NULL, bits, NULL, &err));
        OK(stac_quantise_linear(&l[1], NULL, bits, &inputs, &err));
        OK(stac_quantise_linear(&l[3], NULL, bits, &uncentred, &err));
        assert_same_bits(l[0].scale, l[1].scale, N_OUT, "scales");
        assert_memory_equal(l[1].q, l[3].q, N_IN * N_OUT);
        assert_null(l[3].bias);
        for (int i = 0; i < N_IN * N_OUT; i++) assert_true(abs(l[1].q[i]) <= bound);
        for (int k = 0; k < 4; k += k == 1 ? 2 : 1)
            for (int t = 0; t < 2 * ROWS; t++)
                for (int j = 0; j < N_OUT; j++) {
                    double gap = k == 1 ? l[k].bias[j] : 0; /* which takes the mean away */
                    for (int i = 0; i < N_IN; i++) {
                        double w = l[2].w[i * N_OUT + j], q = (double)l[k].q[i * N_OUT + j] * l[k].scale[j];
                        gap += z[t * N_IN + i] * (q - w) + (k == 1 ? mean[i] * w : 0);
                    }
                    error[k][t >= ROWS] += gap * gap / (l[k].scale[j] * l[k].scale[j]);
                }
        printf("%d bits: error of the product, fitted over nearest: %.3f, on other inputs %.3f\n", bits,
               error[1][0] / error[0][0], error[1][1] / error[0][1]);
        assert_true(error[1][0] < 0.5 * error[0][0]);
        assert_true(error[1][1] < 0.5 * error[0][1]);
        assert_true(error[3][0] < 0.5 * error[0][0] && error[3][1] < 0.5 * error[0][1]);
        for (int k = 0; k < 4; k++) stac_linear_clean(&l[k]);
    }
    free(z);
}

static void the_bias_takes_up_the_mean(void **state) {
    (void)state;
    enum { N_IN = 41, N_OUT = 9 };
    struct stac_random r = stac_random_seeded(1, 9);
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        struct stac_error err = {0};
        struct stac_linear l = {.n_in = N_IN, .n_out = N_OUT};
        float mean[N_IN];
        double wanted[N_OUT] = {0};
        l.w = calloc(N_IN * N_OUT, sizeof *l.w);
        if (with_bias) l.bias = calloc(N_OUT, sizeof *l.bias);
        for (int j = 0; with_bias && j < N_OUT; j++) wanted[j] = l.bias[j] = (float)stac_random_normal(&r);
        for (int i = 0; i < N_IN; i++) {
            mean[i] = (float)stac_random_normal(&r);
            for (int j = 0; j < N_OUT; j++) {
                l.w[i * N_OUT + j] = (float)stac_random_normal(&r);
                wanted[j] += (double)mean[i] * l.w[i * N_OUT + j]; /* with the weights before they are rounded */
            }
        }
        OK(stac_quantise_linear(&l, mean, 2, NULL, &err));
        for (int j = 0; j < N_OUT; j++) assert_true(fabs(l.bias[j] - wanted[j]) < 1e-6 * (1 + fabs(wanted[j])));
        stac_linear_clean(&l);
    }
}

/* Every product of a converted network is integer, every site has a code and, where it feeds weights, its mean. */
static void a_converted_network_is_whole(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++)
        for (int bits = 2; bits <= 8; bits += 3) {
            struct fx_spiking s;
            fx_spiking_make(&s, fx_golden[g], 8, bits);
            float *mean = calloc(s.stats.sums_at[s.stats.n_sites], sizeof *mean);
            for (int i = 0; i < s.stats.n_sites; i++) {
                enum stac_site_kind kind = stac_site_kind_at(&s.net.hp, i);
                const struct stac_site *site =
                    kind == STAC_SITE_HEAD_IN ? &s.net.head_in : &s.net.block[stac_site_layer_at(&s.net.hp, i)].site[kind];
                const struct stac_linear *l = stac_site_linear(&s.net, site);
                assert_int_equal(stac_site_index(&s.net.hp, site), i);
                assert_true(site->spiking && site->code.timesteps == 8 && site->code.n_levels > 1);
                assert_int_equal(l != NULL, kind != STAC_SITE_Q && kind != STAC_SITE_P);
                if (!l) {
                    assert_null(site->mean);
                    continue;
                }
                assert_true(!l->w && l->q && l->scale && l->bias);
                stac_statistics_mean(&s.stats, i, mean);
                assert_same_bits(mean, site->mean, (size_t)l->n_in, "%s, means of site %d", fx_golden[g], i);
                int most = 0;
                for (size_t w = 0; w < (size_t)l->n_in * (size_t)l->n_out; w++)
                    most = abs(l->q[w]) > most ? abs(l->q[w]) : most;
                assert_int_equal(most, (1 << (bits - 1)) - 1);
            }
            for (int l = 0; l < s.net.hp.n_layer; l++)
                for (int i = 0; i < stac_kv_width(&s.net.hp); i++)
                    assert_true(s.net.block[l].v_scale[i] > 0 && s.net.block[l].v_scale[i] == stac_value_scale(&s.stats, l, i));
            free(mean);
            fx_spiking_clean(&s);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rotations_are_orthogonal_and_repeat),
        cmocka_unit_test(rewritings_leave_the_logits_as_they_were),
        cmocka_unit_test(a_rewritten_network_has_plain_norms),
        cmocka_unit_test(parts_are_rewritten_as_in_the_whole),
        cmocka_unit_test(shaping_leaves_the_logits_as_they_were),
        cmocka_unit_test(integer_weights_are_the_nearest),
        cmocka_unit_test(fitted_weights_give_a_closer_product),
        cmocka_unit_test(the_bias_takes_up_the_mean),
        cmocka_unit_test(a_converted_network_is_whole),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
