#include "convert/sensitivity.h"

#include <stdlib.h>

#include "base/memory.h"
#include "convert/exact_sums.h"

struct fisher {
    const struct stac_calibration *c;
    struct stac_exact_sums sums; /* [n_sites] */
};

/* Sum of g^2 of a row, in the unit of its code. */
static double row_information(const struct stac_calibration *c, const struct stac_site *site, const float *mean, int n,
                              const float *x, const float *gradient) {
    double sum = 0, power = 0;
    if (site->kind == STAC_SITE_P) {
        for (int j = 0; j < n; j++) sum += (double)gradient[j] * gradient[j] * x[j] * x[j];
        return sum;
    }
    for (int j = 0; j < n; j++) sum += (double)gradient[j] * gradient[j];
    if (site->scaling == STAC_SCALE_STATIC) return sum;
    power = (double)c->run.kernels_here->sum_squares(n, x, mean) / n;
    return sum * power;
}

static void add_information(void *ctx, const struct stac_site *site, int head, int n_rows, int n, const float *x, int ldx,
                            const float *gradient, int ldg) {
    struct fisher *f = ctx;
    int index = stac_site_index(f->c->hp, site);
    const float *mean = stac_calibration_mean(f->c, index);
    double sum = 0;
    (void)head;
    for (int i = 0; i < n_rows; i++)
        sum += row_information(f->c, site, mean, n, x + (size_t)i * ldx, gradient + (size_t)i * ldg);
    stac_exact_sums_add(&f->sums, (size_t)index, sum);
}

static int check_information(void *ctx, struct stac_error *err) {
    return stac_exact_sums_check(&((struct fisher *)ctx)->sums, "the Fisher information", err);
}

int stac_calibrate_fisher(struct stac_calibration *c, uint64_t seed, int n_windows, double *fisher, struct stac_error *err) {
    struct fisher f = {.c = c};
    int status = stac_exact_sums_init(&f.sums, (size_t)c->stats.n_sites, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->ranks->comm, status, err));
    struct stac_partial part = stac_exact_sums_partial(&f.sums);
    struct stac_gradients what = {"calibrate: Fisher information", "fisher", seed, n_windows,
                                  {add_information, &f},           &part,    1,    check_information};
    STAC_TRY_DONE(stac_calibrate_gradients(c, &what, err));
    for (int i = 0; i < c->stats.n_sites; i++) {
        double power = stac_site_kind_at(c->hp, i) == STAC_SITE_P ? 1 : stac_histogram_power(&c->stats.histogram[i]);
        fisher[i] = 0.5 * power * stac_exact_sums_value(&f.sums, (size_t)i) / ((double)n_windows * c->length);
    }
done:
    stac_exact_sums_clean(&f.sums);
    return status;
}
