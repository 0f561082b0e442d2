#include "spike/moments.h"

#include <math.h>

void stac_moments_take(struct stac_moments *m, const struct stac_histogram *h) {
    m->h = h;
    m->count[0] = m->sum[0] = m->squares[0] = 0;
    for (int k = 0; k < STAC_BINS; k++) {
        int i = h->logarithmic ? STAC_BINS - 1 - k : k;
        double x = stac_histogram_centre(h, i), n = (double)h->count[i];
        m->count[k + 1] = m->count[k] + n;
        m->sum[k + 1] = m->sum[k] + n * x;
        m->squares[k + 1] = m->squares[k] + n * x * x;
    }
}

void stac_moments_add(const struct stac_moments *m, int from, int to, double v, int spikes, struct stac_code_cost *sum) {
    double count = m->count[to] - m->count[from];
    sum->distortion += m->squares[to] - m->squares[from] - 2 * v * (m->sum[to] - m->sum[from]) + v * v * count;
    sum->spikes += spikes * count;
}

struct stac_code_cost stac_moments_mean(const struct stac_moments *m, struct stac_code_cost sum) {
    double total = m->count[STAC_BINS];
    if (total > 0) {
        sum.distortion /= total;
        sum.spikes /= total;
    }
    return sum;
}

struct stac_code_cost stac_moments_cost(const struct stac_moments *m, const struct stac_levels *levels, double unit) {
    struct stac_code_cost sum = {0, 0};
    for (int level = 0, from = 0; level < levels->n_levels && from < STAC_BINS; level++) {
        bool last = level == levels->n_levels - 1;
        int to = last ? STAC_BINS : stac_histogram_rank(m->h, (double)levels->threshold[level] * unit);
        if (to <= from) continue;
        stac_moments_add(m, from, to, unit * levels->value[level], levels->spikes[level], &sum);
        from = to;
    }
    return stac_moments_mean(m, sum);
}

double stac_moments_best_unit(const struct stac_moments *m, const struct stac_levels *levels, struct stac_code_cost *cost) {
    double best = 0, centre = stac_histogram_quantile(m->h, 0.9999) / fmax(1, levels->value[levels->n_levels - 1]);
    *cost = (struct stac_code_cost){INFINITY, 0};
    for (double stride = 0.25; stride > 0.01; stride /= 6) { /* octaves; the first pass is wide, the next ones close in */
        int reach = stride == 0.25 ? 32 : 6;
        double around = best > 0 ? best : centre;
        for (int step = -reach; step <= reach; step++) {
            double unit = around * exp2(step * stride);
            struct stac_code_cost c = stac_moments_cost(m, levels, unit);
            if (!(c.distortion < cost->distortion)) continue;
            *cost = c;
            best = unit;
        }
    }
    return best;
}
