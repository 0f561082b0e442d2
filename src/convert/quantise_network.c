#include "convert/quantise_network.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

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

int stac_quantise_linear(struct stac_linear *l, const float *mean, int bits, struct stac_error *err) {
    int largest = (1 << (bits - 1)) - 1;
    if (mean) STAC_TRY(take_up_mean(l, mean, err));
    STAC_TRY(STAC_NEW(l->scale, l->n_out, "weight scales", err));
    STAC_TRY(STAC_NEW(l->q, (size_t)l->n_in * l->n_out, "integer weights", err));
    column_scales(l, largest, l->scale);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < l->n_in; i++)
        for (int j = 0; j < l->n_out; j++) {
            float r = rintf(l->w[(size_t)i * l->n_out + j] / l->scale[j]);
            l->q[(size_t)i * l->n_out + j] = (int8_t)(r > (float)largest ? largest : r < (float)-largest ? -largest : r);
        }
    free(l->w);
    l->w = NULL;
    return STAC_OK;
}

static int convert_site(struct stac_site *site, struct stac_linear *l, const struct stac_statistics *stats,
                        const struct stac_plan *plan, int timesteps, int bits, struct stac_error *err) {
    int index = stac_site_index(&stats->hp, site);
    size_t width = stats->sums_at[index + 1] - stats->sums_at[index];
    STAC_TRY(stac_plan_build(&plan[index], timesteps, &stats->hp, site->kind, &site->code, err));
    site->spiking = true;
    if (!l) return STAC_OK;
    STAC_TRY(STAC_NEW(site->mean, width, "means", err));
    stac_statistics_mean(stats, index, site->mean);
    return stac_quantise_linear(l, site->mean, bits, err);
}

int stac_quantise_network(struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                          int timesteps, int bits, struct stac_error *err) {
    int kv = stac_kv_width(&net->hp);
    for (int l = net->first; l < net->last; l++) {
        struct stac_block *b = &net->block[l - net->first];
        struct stac_linear *fed[STAC_SITE_HEAD_IN] = {&b->qkv, NULL, NULL, &b->o, &b->up, &b->down};
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
            STAC_TRY(convert_site(&b->site[k], fed[k], stats, plan, timesteps, bits, err));
        STAC_TRY(STAC_NEW(b->v_scale, kv, "scales of v", err));
        for (int i = 0; i < kv; i++) b->v_scale[i] = stac_value_scale(stats, l, i);
    }
    return net->has_head ? convert_site(&net->head_in, &net->head, stats, plan, timesteps, bits, err) : STAC_OK;
}
