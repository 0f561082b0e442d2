#include "net/product.h"

#include <omp.h>
#include <string.h>

#include "net/channels.h"
#include "net/gradual.h"

enum { ROWS_TO_GATHER = 4 }; /* for which weights are copied */

bool stac_site_spikes(const struct stac_run *run, const struct stac_site *site) {
    return run->mode != STAC_MODE_DENSE && site->spiking;
}

float stac_row_scale(const struct stac_run *run, const struct stac_site *site, int n, const float *x) {
    if (site->scaling == STAC_SCALE_STATIC) return site->code.unit;
    return stac_scaled_unit(site->code.unit, n, run->kernels_here->sum_squares(n, x, site->mean));
}

struct stac_encoding stac_encoding_of(const struct stac_site *site) {
    return (struct stac_encoding){site->code.levels, site->mean, site->code.unit, site->scaling == STAC_SCALE_TOKEN};
}

struct stac_steps stac_steps_of(const struct stac_run *run, const struct stac_site *site) {
    return stac_site_runs_in_time(run, site) ? stac_code_steps(&site->code) : (struct stac_steps){0};
}

void stac_count(struct stac_run *run, const struct stac_site *site, struct stac_counts amount) {
    struct stac_counts *c = stac_run_counts(run, site);
#pragma omp critical(stac_counts)
    stac_counts_add(c, &amount);
}

bool stac_site_runs_in_time(const struct stac_run *run, const struct stac_site *site) {
    return run->mode == STAC_MODE_TEMPORAL && site->code.kind != STAC_CODE_INTEGER;
}

/* An integer code sends no spikes: its neurons are roundings, its products multiply-accumulates. */
struct stac_counts stac_spiking_counts(const struct stac_site *site, const struct stac_spiked *s) {
    const struct stac_code *code = &site->code;
    struct stac_effort effort = stac_step_weights_effort(code);
    struct stac_counts c = {.values = s->values,
                            .spikes = s->spikes,
                            .acs = s->acs,
                            .macs = s->macs,
                            .multiplies = s->outputs * effort.multiplies,
                            .scaled = site->scaling == STAC_SCALE_TOKEN ? s->neurons : 0,
                            .outputs = s->outputs,
                            .sums = s->outputs * effort.sums,
                            .shifts = s->outputs * effort.shifts};
    if (code->kind == STAC_CODE_INTEGER) return c;
    c.covered = s->macs;
    c.active = s->active;
    c.touched = s->touched;
    switch (code->neuron.kind) {
    case STAC_NEURON_TABLE: c.lookups = s->neurons; break;
    case STAC_NEURON_ST_BIF: c.updates = s->neurons; break; /* one step */
    default: c.updates = s->neurons * code->timesteps;
    }
    return c;
}

int64_t stac_bytes_fetched(const struct stac_site *site, int64_t touched, int64_t all) {
    return site->code.kind != STAC_CODE_INTEGER && touched < all ? touched : all;
}

/* Count mode: rows into codes and the factor that turns their integers back into values. *tally is where the run is. */
static void encode_rows(struct stac_run *run, const struct stac_site *site, int n, int width, const float *x,
                        struct stac_tally *tally) {
    struct stac_encoding e = stac_encoding_of(site);
    if (!run->channels) {
        run->kernels->encode_rows(&e, n, width, x, run->factor, run->code, tally);
        return;
    }
    int64_t spikes = 0, active = 0;
#pragma omp parallel for schedule(static) reduction(+ : spikes, active) if (n > 1)
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * width;
        int16_t *code = run->code + (size_t)i * width;
        float scale = run->factor[i] = stac_row_scale(run, site, width, row);
        spikes += stac_channels_encode(run, site, width, row, 1.0f / scale, code);
        active += stac_active_codes(width, code);
    }
    *tally = (struct stac_tally){spikes, active};
}

/* Counts of n rows whose spikes are those of s. */
static struct stac_counts product_counts(const struct stac_site *site, const struct stac_linear *l,
                                         const struct stac_spiked *s) {
    struct stac_counts counts = stac_spiking_counts(site, s);
    counts.streamed = (int64_t)l->n_in * l->n_out;
    counts.fetched = stac_bytes_fetched(site, counts.touched, counts.streamed);
    return counts;
}

void stac_count_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                        struct stac_tally tally, bool by_events) {
    struct stac_spiked s = {0};
    stac_spiked_add(&s, (int64_t)n * l->n_in, tally.spikes, tally.active, (int64_t)n * l->n_out, l->n_out);
    struct stac_counts counts = product_counts(site, l, &s);
    if (run->sparse) *(by_events ? &counts.rows_by_events : &counts.rows_packed) = n;
    stac_count(run, site, counts);
}

/* Temporal mode: the neurons of rows x[n][l->n_in], of at most STAC_RUN_TRAINS, run over time. Adds to spikes and active
 * values.
 */
static void play_rows(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n, const float *x,
                      float *factor, struct stac_spiked *s) {
    int64_t events = 0, active = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : events, active) if (n > 1)
    for (int i = 0; i < n; i++) {
        struct stac_sent *sent = &run->lane[omp_get_thread_num()].sent;
        const float *row = x + (size_t)i * l->n_in;
        float scale = factor[i] = stac_row_scale(run, site, l->n_in, row);
        events += stac_train_play(&run->train[i], sent, &site->code, run->kernels_here, l->n_in, row, site->mean, 1.0f / scale);
        if (run->channels) stac_channels_words(run, site, l->n_in, row, 1.0f / scale, sent->word);
        active += run->train[i].active;
    }
    stac_spiked_add(s, (int64_t)n * l->n_in, events, active, (int64_t)n * l->n_out, l->n_out);
}

/* Outputs [j, j + width) of many rows: the weights of a block of inputs are brought together, so that they stay in the first
 * cache and on few pages while all rows send what they have for them. */
static void drive_tile(struct stac_run *run, const struct stac_steps *steps, const struct stac_linear *l, int j, int width,
                       int n, int32_t *acc) {
    struct stac_lane *lane = &run->lane[omp_get_thread_num()];
    int next[STAC_RUN_TRAINS] = {0};
    for (int i = 0; i < n; i++) memset(acc + (size_t)i * l->n_out + j, 0, (size_t)width * sizeof *acc);
    for (int block = 0; block < l->n_in; block += STAC_TRAIN_INPUTS) {
        int end = l->n_in - block < STAC_TRAIN_INPUTS ? l->n_in : block + STAC_TRAIN_INPUTS;
        for (int k = block; k < end; k++)
            memcpy(lane->tile + (size_t)(k - block) * (size_t)width, l->q + (size_t)k * l->n_out + j, (size_t)width);
        for (int i = 0; i < n; i++)
            for (struct stac_train *t = &run->train[i]; next[i] < t->n_bursts && t->burst[next[i]].from < end; next[i]++)
                stac_train_drive_burst(t, next[i], steps, run->kernels, width,
                                       lane->tile + (size_t)(t->burst[next[i]].from - block) * (size_t)width, width,
                                       lane->scratch, acc + (size_t)i * l->n_out + j);
    }
}

/* Their spikes drive the weights, to acc[n][l->n_out]. A thread takes a tile of outputs through all rows. */
static void drive_rows(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n, int32_t *acc) {
    struct stac_steps steps = stac_steps_of(run, site);
    bool many = n >= ROWS_TO_GATHER;
    int width = many ? STAC_RUN_TILE : STAC_TRAIN_TILE, tiles = (l->n_out + width - 1) / width;
#pragma omp parallel for schedule(dynamic, 1)
    for (int tile = 0; tile < tiles; tile++) {
        int j = tile * width, outputs = l->n_out - j < width ? l->n_out - j : width;
        if (many) drive_tile(run, &steps, l, j, outputs, n, acc);
        for (int i = 0; i < n && !many; i++)
            stac_train_drive(&run->train[i], &steps, run->kernels, outputs, l->q + j, l->n_out,
                             run->lane[omp_get_thread_num()].scratch, acc + (size_t)i * l->n_out + j);
    }
}

/* Count mode: rows [from, to) of codes through the weights, of all n rows the chosen way. */
static void multiply_rows(struct stac_run *run, const struct stac_linear *l, int from, int to, bool by_events) {
    (by_events ? run->kernels->gemm_sparse : run->kernels->gemm_i16i8)(to - from, l->n_out, l->n_in,
                                                                       run->code + (size_t)from * l->n_in, l->n_in, l->q,
                                                                       l->n_out, run->acc, l->n_out);
}

/* Rows of accumulators that fit at a time. */
static int rows_at_once(const struct stac_run *run, const struct stac_linear *l) {
    return (int)(run->acc_size / (size_t)l->n_out);
}

/* Rows [from, to) of accumulators back into values. */
static void decode(const struct stac_run *run, const struct stac_linear *l, int from, int to, float *y) {
    run->kernels->decode_rows(to - from, l->n_out, run->acc, run->factor + from, l->scale, l->bias,
                              y + (size_t)from * l->n_out);
}

static void product_in_time(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                            const float *x, float *y) {
    struct stac_spiked s = {0};
    int chunk = rows_at_once(run, l) < STAC_RUN_TRAINS ? rows_at_once(run, l) : STAC_RUN_TRAINS;
    for (int from = 0; from < n; from += chunk) {
        int to = n - from < chunk ? n : from + chunk;
        play_rows(run, site, l, to - from, x + (size_t)from * l->n_in, run->factor + from, &s);
        drive_rows(run, site, l, to - from, run->acc);
        decode(run, l, from, to, y);
    }
    stac_count(run, site, product_counts(site, l, &s));
}

/* Time on a device; its sites are counted when the batch has been read. */
static void product_of_spikes(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                              const float *x, float *y) {
    struct stac_encoding e = stac_encoding_of(site);
    struct stac_steps s = stac_steps_of(run, site);
    int chunk = rows_at_once(run, l);
    for (int from = 0; from < n; from += chunk) {
        int to = n - from < chunk ? n : from + chunk;
        run->kernels->spike_rows(&e, &s, to - from, l->n_out, l->n_in, x + (size_t)from * (size_t)l->n_in, l->q, l->n_out,
                                 run->factor + from, run->there.events, run->acc,
                                 &run->there.tally[stac_run_site_index(run, site)]);
        decode(run, l, from, to, y);
    }
}

/* Count mode. On a device the sites are counted when the batch has been read. */
static void product_of_codes(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                             const float *x, float *y) {
    struct stac_tally here = {0}, *tally = run->device ? &run->there.tally[stac_run_site_index(run, site)] : &here;
    encode_rows(run, site, n, l->n_in, x, tally);
    bool by_events = run->sparse && stac_sparse_prefers_events(run->sparse, l, here.active, (int64_t)n * l->n_in);
    int chunk = rows_at_once(run, l);
    for (int from = 0; from < n; from += chunk) {
        int to = n - from < chunk ? n : from + chunk;
        multiply_rows(run, l, from, to, by_events);
        decode(run, l, from, to, y);
    }
    if (!run->device) stac_count_product(run, site, l, n, here, by_events);
}

void stac_dense_product(const struct stac_run *run, const struct stac_linear *l, int n, const float *x, float *y) {
    if (l->half)
        run->kernels->gemm_bf16(n, l->n_out, l->n_in, x, l->n_in, l->half, l->n_out, y, l->n_out);
    else
        run->kernels->gemm_f32(n, l->n_out, l->n_in, x, l->n_in, l->w, l->n_out, y, l->n_out);
    if (l->bias) run->kernels->add_to_rows(n, l->n_out, l->bias, 0, y);
}

int stac_show(struct stac_run *run, const struct stac_site *site, int n, int width, float *x, struct stac_error *err) {
    size_t bytes = (size_t)n * (size_t)width * sizeof *x;
    float *here = run->device ? run->there.rows_here : x;
    if (!run->probe.see) return STAC_OK;
    if (run->device) STAC_TRY(stac_device_get(run->device, here, x, bytes, err));
    run->probe.see(run->probe.ctx, site, -1, 0, n, width, here, width);
    return run->device && run->probe.changes ? stac_device_put(run->device, x, here, bytes, err) : STAC_OK;
}

int stac_multiply(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                  float *y, struct stac_error *err) {
    if (stac_site_spikes(run, site)) {
        if (run->gradual) {
            stac_gradual_step(run, site, linear, n, x);
            stac_gradual_product(run, site, linear, 0, n, y);
        } else if (stac_site_runs_in_time(run, site)) {
            (run->device ? product_of_spikes : product_in_time)(run, site, linear, n, x, y);
        } else {
            product_of_codes(run, site, linear, n, x, y);
        }
        return STAC_OK;
    }
    if (!(linear->w || linear->half) || site->mean)
        return stac_fail(err, STAC_ERR_USAGE, "a converted network has no float weights: it runs spiking only");
    /* counted as the float32 model that it is: in bfloat16 half of the bytes are read */
    int64_t values = (int64_t)n * linear->n_in, bytes = (int64_t)sizeof(float) * linear->n_in * linear->n_out;
    stac_count(run, site,
               (struct stac_counts){.values = values,
                                    .macs = values * linear->n_out,
                                    .outputs = (int64_t)n * linear->n_out,
                                    .fetched = bytes,
                                    .streamed = bytes});
    stac_dense_product(run, linear, n, x, y);
    return STAC_OK;
}

int stac_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                 float *y, struct stac_error *err) {
    STAC_TRY(stac_show(run, site, n, linear->n_in, x, err));
    return y ? stac_multiply(run, site, linear, n, x, y, err) : STAC_OK;
}
