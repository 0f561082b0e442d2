#include "convert/quantise_network.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "convert/fit_weights.h"

/* Scale of each column: its largest magnitude falls on the largest integer. Never so small that dividing by it overflows. */
static void column_scales(const struct stac_linear *l, int largest, float *scale) {
    for (int i = 0; i < l->n_in; i++)
        for (int j = 0; j < l->n_out; j++) {
            float a = fabsf(l->w[(size_t)i * l->n_out + j]);
            scale[j] = a > scale[j] ? a : scale[j];
        }
    for (int j = 0; j < l->n_out; j++) scale[j] = scale[j] > 0 ? fmaxf(scale[j] / (float)largest, FLT_MIN) : 1.0f;
}

static int take_up_mean(struct stac_linear *l, const float *mean, struct stac_error *err) {
    double *sum;
    if (!l->bias) STAC_TRY(STAC_NEW(l->bias, l->n_out, "a bias", err));
    STAC_TRY(STAC_NEW(sum, l->n_out, "a bias", err));
    for (int i = 0; i < l->n_in; i++)
        for (int j = 0; j < l->n_out; j++) sum[j] += (double)mean[i] * (double)l->w[(size_t)i * l->n_out + j];
    for (int j = 0; j < l->n_out; j++) l->bias[j] = (float)((double)l->bias[j] + sum[j]);
    free(sum);
    return STAC_OK;
}

static void round_to_nearest(struct stac_linear *l, int largest) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < l->n_in; i++)
        for (int j = 0; j < l->n_out; j++) {
            float r = rintf(l->w[(size_t)i * l->n_out + j] / l->scale[j]);
            l->q[(size_t)i * l->n_out + j] = (int8_t)(r > (float)largest ? largest : r < (float)-largest ? -largest : r);
        }
}

/* bias -= E[z] Q: coded inputs need not have a mean of zero although what they stand for does. */
static int centre(struct stac_linear *l, const struct stac_inputs *inputs, struct stac_error *err) {
    double *mean, *sum;
    int status = STAC_OK;
    if (!l->bias) STAC_TRY(STAC_NEW(l->bias, l->n_out, "a bias", err));
    STAC_TRY(STAC_NEW(mean, l->n_in + l->n_out, "a bias", err));
    sum = mean + l->n_in;
    for (int r = 0; r < inputs->n_rows; r++)
        for (int i = 0; i < l->n_in; i++) mean[i] += inputs->z[(size_t)r * l->n_in + i];
    for (int i = 0; i < l->n_in; i++)
        for (int j = 0; j < l->n_out; j++) sum[j] += mean[i] / inputs->n_rows * l->q[(size_t)i * l->n_out + j];
    for (int j = 0; j < l->n_out; j++) l->bias[j] = (float)((double)l->bias[j] - sum[j] * (double)l->scale[j]);
    free(mean);
    return status;
}

int stac_quantise_linear(struct stac_linear *l, const float *mean, int bits, const struct stac_inputs *inputs,
                         struct stac_error *err) {
    int largest = (1 << (bits - 1)) - 1;
    if (mean) STAC_TRY(take_up_mean(l, mean, err));
    STAC_TRY(STAC_NEW(l->scale, l->n_out, "weight scales", err));
    STAC_TRY(STAC_NEW(l->q, (size_t)l->n_in * l->n_out, "integer weights", err));
    column_scales(l, largest, l->scale);
    if (inputs) {
        STAC_TRY(stac_fit_weights(l->n_in, l->n_out, inputs->n_rows, inputs->z, l->w, l->scale, largest, l->q, err));
        if (inputs->centred) STAC_TRY(centre(l, inputs, err));
    } else {
        round_to_nearest(l, largest);
    }
    free(l->w);
    l->w = NULL;
    return STAC_OK;
}

/* A site gets its code and mean. */
static int prepare_site(struct stac_site *site, bool linear, const struct stac_statistics *stats, const struct stac_plan *plan,
                        int timesteps, struct stac_error *err) {
    int index = stac_site_index(&stats->hp, site);
    size_t width = stats->sums_at[index + 1] - stats->sums_at[index];
    STAC_TRY(stac_plan_build(&plan[index], timesteps, &site->code, err));
    site->spiking = true;
    if (!linear) return STAC_OK;
    STAC_TRY(STAC_NEW(site->mean, width, "means", err));
    stac_statistics_mean(stats, index, site->mean);
    return STAC_OK;
}

static int prepare_cache(struct stac_block *b, int layer, const struct stac_statistics *stats, struct stac_error *err) {
    int kv = stac_kv_width(&stats->hp);
    STAC_TRY(STAC_NEW(b->k_mean, kv, "means of k", err));
    STAC_TRY(STAC_NEW(b->v_scale, kv, "scales of v", err));
    stac_statistics_key_mean(stats, layer, b->k_mean);
    for (int i = 0; i < kv; i++) b->v_scale[i] = stac_value_scale(stats, layer, i);
    return STAC_OK;
}

int stac_prepare_block(struct stac_block *b, int layer, const struct stac_statistics *stats, const struct stac_plan *plan,
                       int timesteps, struct stac_error *err) {
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        bool linear = k != STAC_SITE_Q && k != STAC_SITE_P;
        STAC_TRY(prepare_site(&b->site[k], linear, stats, plan, timesteps, err));
    }
    return prepare_cache(b, layer, stats, err);
}

int stac_prepare_head(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                      int timesteps, struct stac_error *err) {
    return prepare_site(&net->head_in, true, stats, plan, timesteps, err);
}

int stac_quantise_network(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                          int timesteps, int bits, struct stac_error *err) {
    for (int l = 0; l < net->last - net->first; l++) {
        struct stac_block *b = &net->block[l];
        STAC_TRY(stac_prepare_block(b, net->first + l, stats, plan, timesteps, err));
        STAC_TRY(stac_quantise_linear(&b->qkv, b->site[STAC_SITE_ATTN_IN].mean, bits, NULL, err));
        STAC_TRY(stac_quantise_linear(&b->o, b->site[STAC_SITE_O_IN].mean, bits, NULL, err));
        STAC_TRY(stac_quantise_linear(&b->up, b->site[STAC_SITE_MLP_IN].mean, bits, NULL, err));
        STAC_TRY(stac_quantise_linear(&b->down, b->site[STAC_SITE_DOWN_IN].mean, bits, NULL, err));
    }
    if (!net->has_head) return STAC_OK;
    STAC_TRY(stac_prepare_head(net, stats, plan, timesteps, err));
    return stac_quantise_linear(&net->head, net->head_in.mean, bits, NULL, err);
}
