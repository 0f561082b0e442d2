#include "convert/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_site_count(const struct stac_hparams *hp) {
    return hp->n_layer * STAC_SITE_HEAD_IN + 1;
}

int stac_site_index(const struct stac_hparams *hp, const struct stac_site *site) {
    return site->kind == STAC_SITE_HEAD_IN ? hp->n_layer * STAC_SITE_HEAD_IN
                                           : site->layer * STAC_SITE_HEAD_IN + (int)site->kind;
}

enum stac_site_kind stac_site_kind_at(const struct stac_hparams *hp, int index) {
    return index == hp->n_layer * STAC_SITE_HEAD_IN ? STAC_SITE_HEAD_IN : (enum stac_site_kind)(index % STAC_SITE_HEAD_IN);
}

int stac_site_layer_at(const struct stac_hparams *hp, int index) {
    return index == hp->n_layer * STAC_SITE_HEAD_IN ? 0 : index / STAC_SITE_HEAD_IN;
}

/* Normalised activations rarely reach 10; a row of n equal values next to one large one reaches sqrt(n). */
#define HISTOGRAM_RANGE 32.0

int stac_statistics_init(struct stac_statistics *s, const struct stac_hparams *hp, struct stac_error *err) {
    int n = stac_site_count(hp), status = STAC_OK;
    *s = (struct stac_statistics){.hp = *hp, .n_sites = n};
    STAC_TRY_DONE(STAC_NEW(s->rows, n, "statistics", err));
    STAC_TRY_DONE(STAC_NEW(s->sums_at, n + 1, "statistics", err));
    for (int i = 0; i < n; i++) s->sums_at[i + 1] = s->sums_at[i] + (size_t)stac_site_inputs(hp, stac_site_kind_at(hp, i));
    STAC_TRY_DONE(STAC_NEW(s->sums, s->sums_at[n], "statistics", err));
    STAC_TRY_DONE(STAC_NEW(s->k_sums, (size_t)hp->n_layer * stac_kv_width(hp), "statistics", err));
    STAC_TRY_DONE(STAC_NEW(s->v_max, (size_t)hp->n_layer * stac_kv_width(hp), "statistics", err));
    STAC_TRY_DONE(STAC_NEW(s->histogram, n, "histograms", err));
    for (int i = 0; i < n; i++) {
        s->histogram[i].logarithmic = stac_site_kind_at(hp, i) == STAC_SITE_P;
        s->histogram[i].range = HISTOGRAM_RANGE;
    }
done:
    if (status != STAC_OK) stac_statistics_clean(s);
    return status;
}

void stac_statistics_clean(struct stac_statistics *s) {
    free(s->rows);
    free(s->sums_at);
    free(s->sums);
    free(s->k_sums);
    free(s->v_max);
    free(s->histogram);
    *s = (struct stac_statistics){0};
}

/* A sum of real numbers as an integer; false when it cannot be one. */
static bool add_fixed(int64_t *to, double sum) {
    if (!(fabs(sum) < 0x1p40)) return false;
    *to += llrint(sum * (1 << STAC_SUM_BITS));
    return true;
}

static int not_finite(const char *what, int layer, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_INPUT, "the activations at %s of layer %d are not finite: the model's weights are damaged",
                     what, layer);
}

int stac_statistics_add_rows(struct stac_statistics *s, int site, int n, const float *x, struct stac_error *err) {
    size_t width = s->sums_at[site + 1] - s->sums_at[site];
    double *column;
    bool sane = true;
    STAC_TRY(STAC_NEW(column, width, "column sums", err));
    for (int i = 0; i < n; i++) /* in the order of the rows: a window gives the same sums wherever it is read */
        for (size_t j = 0; j < width; j++) column[j] += x[(size_t)i * width + j];
    for (size_t j = 0; j < width; j++) sane = add_fixed(&s->sums[s->sums_at[site] + j], column[j]) && sane;
    s->rows[site] += n;
    free(column);
    if (sane) return STAC_OK;
    return not_finite(stac_site_name(stac_site_kind_at(&s->hp, site)), stac_site_layer_at(&s->hp, site), err);
}

int stac_statistics_add_cache(struct stac_statistics *s, int layer, int head, int n, const float *k, int ld, const float *v,
                              struct stac_error *err) {
    int dim = s->hp.head_dim;
    size_t at = (size_t)layer * stac_kv_width(&s->hp) + (size_t)head * dim;
    for (int j = 0; j < dim; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += k[(size_t)j * ld + i];
        if (!add_fixed(&s->k_sums[at + j], sum)) return not_finite("the keys", layer, err);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < dim; j++) s->v_max[at + j] = fmaxf(s->v_max[at + j], fabsf(v[(size_t)i * dim + j]));
    return STAC_OK;
}

void stac_statistics_clear_means(struct stac_statistics *s) {
    s->means_cleared = true;
    memset(s->sums, 0, s->sums_at[s->n_sites] * sizeof *s->sums);
    memset(s->k_sums, 0, (size_t)s->hp.n_layer * stac_kv_width(&s->hp) * sizeof *s->k_sums);
}

void stac_statistics_mean(const struct stac_statistics *s, int site, float *out) {
    size_t width = s->sums_at[site + 1] - s->sums_at[site];
    double rows = s->rows[site] > 0 ? (double)s->rows[site] : 1;
    for (size_t j = 0; j < width; j++) out[j] = (float)((double)s->sums[s->sums_at[site] + j] / (1 << STAC_SUM_BITS) / rows);
}

void stac_statistics_key_mean(const struct stac_statistics *s, int layer, float *out) {
    int64_t tokens = s->rows[layer * STAC_SITE_HEAD_IN + STAC_SITE_ATTN_IN];
    int kv = stac_kv_width(&s->hp);
    for (int j = 0; j < kv; j++)
        out[j] = (float)((double)s->k_sums[(size_t)layer * kv + j] / (1 << STAC_SUM_BITS) / (tokens > 0 ? (double)tokens : 1));
}

float stac_value_scale(const struct stac_statistics *s, int layer, int channel) {
    float most = s->v_max[(size_t)layer * stac_kv_width(&s->hp) + channel];
    return most > 0 ? most / 127.0f : 1.0f;
}

void stac_statistics_means(struct stac_statistics *s, struct stac_partial part[STAC_MEANS_PARTS]) {
    size_t keys = (size_t)s->hp.n_layer * (size_t)stac_kv_width(&s->hp);
    part[0] = (struct stac_partial){STAC_ADD_I64, s->rows, (size_t)s->n_sites};
    part[1] = (struct stac_partial){STAC_ADD_I64, s->sums, s->sums_at[s->n_sites]};
    part[2] = (struct stac_partial){STAC_ADD_I64, s->k_sums, keys};
    part[3] = (struct stac_partial){STAC_MAX_F32, s->v_max, keys};
}

void stac_statistics_histograms(struct stac_statistics *s, struct stac_partial *part) {
    for (int i = 0; i < s->n_sites; i++) part[i] = (struct stac_partial){STAC_ADD_I64, s->histogram[i].count, STAC_BINS};
}
