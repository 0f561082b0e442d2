#include "net/product.h"

#include <math.h>
#include <omp.h>

#include "net/channels.h"
#include "net/gradual.h"
#include "spike/step_weights.h"

bool stac_site_spikes(const struct stac_run *run, const struct stac_site *site) {
    return run->mode != STAC_MODE_DENSE && site->spiking;
}

float stac_row_scale(const struct stac_run *run, const struct stac_site *site, int n, const float *x) {
    if (site->scaling == STAC_SCALE_STATIC) return site->code.unit;
    float rms = sqrtf(run->kernels->sum_squares(n, x, site->mean) / (float)n);
    return rms > 1e-20f ? rms * site->code.unit : 1.0f; /* a row of zeros stays silent whatever its scale */
}

void stac_count(struct stac_run *run, const struct stac_site *site, struct stac_counts amount) {
    struct stac_counts *c = stac_run_counts(run, site);
#pragma omp critical(stac_counts)
    stac_counts_add(c, &amount);
}

bool stac_site_runs_in_time(const struct stac_run *run, const struct stac_site *site) {
    return run->mode == STAC_MODE_TEMPORAL && site->code.kind != STAC_CODE_INTEGER;
}

struct stac_counts stac_spiking_counts(const struct stac_site *site, int64_t values, int64_t spikes, int64_t outputs,
                                       int64_t fan_out) {
    int64_t macs = values * fan_out;
    return (struct stac_counts){values,
                                spikes,
                                spikes * fan_out,
                                macs,
                                site->code.kind == STAC_CODE_INTEGER ? 0 : macs,
                                outputs * stac_step_weights_multiplies(&site->code)};
}

/* Count mode: rows into codes and the factor that turns their integers back into values. Returns the spikes of the codes. */
static int64_t encode_rows(struct stac_run *run, const struct stac_site *site, int n, int width, const float *x) {
    int64_t spikes = 0;
#pragma omp parallel for schedule(static) reduction(+ : spikes)
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * width;
        float scale = run->factor[i] = stac_row_scale(run, site, width, row);
        int16_t *code = run->code + (size_t)i * width;
        spikes += run->channels ? stac_channels_encode(run, site, width, row, 1.0f / scale, code)
                                : run->kernels->encode(&site->code.levels, width, row, site->mean, 1.0f / scale, code);
    }
    return spikes;
}

/* Temporal mode of rows [from, to): the neurons of a row run over time and drive the weights, event by event. Returns the
 * number of events; *multiplies grows by the multiplications of outputs. */
static int64_t drive_rows(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int from, int to,
                          const float *x, int64_t *multiplies) {
    int64_t events = 0, multiplied = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : events, multiplied)
    for (int i = from; i < to; i++) {
        struct stac_lane *lane = &run->lane[omp_get_thread_num()];
        const float *row = x + (size_t)i * l->n_in;
        float scale = run->factor[i] = stac_row_scale(run, site, l->n_in, row);
        events += stac_train_play(&lane->train, &site->code, l->n_in, row, site->mean, 1.0f / scale);
        if (run->channels) stac_channels_words(run, site, l->n_in, row, 1.0f / scale, lane->train.word);
        multiplied += stac_train_drive(&lane->train, &site->code, run->kernels, l->n_out, l->q, l->n_out, lane->scratch,
                                       run->acc + (size_t)(i - from) * l->n_out);
    }
    *multiplies += multiplied;
    return events;
}

static void spiking_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                            const float *x, float *y) {
    bool in_time = stac_site_runs_in_time(run, site);
    int64_t spikes = in_time ? 0 : encode_rows(run, site, n, l->n_in, x), multiplies = 0;
    int chunk = (int)(run->acc_size / (size_t)l->n_out);
    for (int from = 0; from < n; from += chunk) {
        int to = n - from < chunk ? n : from + chunk;
        if (in_time)
            spikes += drive_rows(run, site, l, from, to, x, &multiplies);
        else
            run->kernels->gemm_i16i8(to - from, l->n_out, l->n_in, run->code + (size_t)from * l->n_in, l->n_in, l->q, l->n_out,
                                     run->acc, l->n_out);
#pragma omp parallel for schedule(static)
        for (int i = from; i < to; i++)
            run->kernels->decode(l->n_out, run->acc + (size_t)(i - from) * l->n_out, run->factor[i], l->scale, l->bias,
                                 y + (size_t)i * l->n_out);
    }
    struct stac_counts counts = stac_spiking_counts(site, (int64_t)n * l->n_in, spikes, (int64_t)n * l->n_out, l->n_out);
    if (in_time) counts.multiplies = multiplies;
    stac_count(run, site, counts);
}

void stac_dense_product(const struct stac_run *run, const struct stac_linear *l, int n, const float *x, float *y) {
    run->kernels->gemm_f32(n, l->n_out, l->n_in, x, l->n_in, l->w, l->n_out, y, l->n_out);
    if (!l->bias) return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) run->kernels->add(l->n_out, l->bias, y + (size_t)i * l->n_out);
}

int stac_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                 float *y, struct stac_error *err) {
    if (run->probe.see) run->probe.see(run->probe.ctx, site, -1, 0, n, linear->n_in, x, linear->n_in);
    if (!y) return STAC_OK;
    if (stac_site_spikes(run, site)) {
        if (run->gradual) {
            stac_gradual_step(run, site, linear, n, x);
            stac_gradual_product(run, site, linear, 0, n, x, y);
        } else {
            spiking_product(run, site, linear, n, x, y);
        }
        return STAC_OK;
    }
    if (!linear->w || site->mean)
        return stac_fail(err, STAC_ERR_USAGE, "a converted network has no float weights: it runs spiking only");
    stac_count(run, site,
               (struct stac_counts){.values = (int64_t)n * linear->n_in, .macs = (int64_t)n * linear->n_in * linear->n_out});
    stac_dense_product(run, linear, n, x, y);
    return STAC_OK;
}
