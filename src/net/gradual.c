#include "net/gradual.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/channels.h"
#include "net/product.h"
#include "spike/st_bif.h"

int stac_gradual_steps(const struct stac_network *net) {
    const struct stac_site *site = net->last > net->first ? &net->block[0].site[0] : &net->head_in;
    return site->spiking && site->code.neuron.kind == STAC_NEURON_ST_BIF ? site->code.timesteps : 1;
}

/* ---- what is kept ------------------------------------------------------------------------------------------------- */

/* Neurons of a row of a site. */
static size_t neurons_of(const struct stac_hparams *hp, const struct stac_site *site, int capacity) {
    switch (site->kind) {
    case STAC_SITE_Q: return (size_t)stac_q_width(hp);
    case STAC_SITE_P: return (size_t)hp->n_head * (size_t)capacity;
    default: return (size_t)site->width;
    }
}

static size_t width_of(const struct stac_run *run, const struct stac_site *site) {
    return neurons_of(&run->net->hp, site, run->cache->capacity);
}

static double site_bytes(const struct stac_network *net, const struct stac_site *site, enum stac_mode mode, int capacity) {
    const struct stac_linear *l = mode == STAC_MODE_TEMPORAL ? stac_site_linear(net, site) : NULL;
    return (double)(neurons_of(&net->hp, site, capacity) * sizeof(int16_t) + (l ? (size_t)l->n_out * sizeof(int32_t) : 0));
}

double stac_gradual_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows) {
    double bytes = 0;
    if (stac_gradual_steps(net) == 1) return 0;
    for (int i = 0; i < stac_network_sites(net); i++) {
        const struct stac_site *site = stac_network_site(net, i);
        if (site) bytes += site_bytes(net, site, mode, capacity);
    }
    return bytes * max_rows;
}

static struct stac_gradual *state_of(struct stac_run *run, const struct stac_site *site) {
    return &run->gradual[stac_run_site_index(run, site)];
}

int stac_gradual_init(struct stac_run *run, struct stac_error *err) {
    if (run->steps == 1) return STAC_OK;
    STAC_TRY(STAC_NEW(run->gradual, run->n_sites, "neurons", err));
    if (!run->device) STAC_TRY(STAC_NEW(run->step_of, (size_t)run->n_lanes * (size_t)run->widest, "spikes of a step", err));
    for (int i = 0; i < run->n_sites; i++) {
        const struct stac_site *site = stac_network_site(run->net, i);
        if (!site) continue;
        STAC_TRY(
            STAC_DEVICE_NEW(run->device, run->gradual[i].sum, (size_t)run->max_rows * width_of(run, site), "neurons", err));
    }
    return STAC_OK;
}

void stac_gradual_clean(struct stac_run *run) {
    for (int i = 0; i < run->n_sites && run->gradual; i++) {
        stac_device_release(run->device, run->gradual[i].sum);
        stac_device_release(run->device, run->gradual[i].acc);
    }
    free(run->gradual);
    free(run->step_of);
}

int stac_gradual_begin(struct stac_run *run, struct stac_error *err) {
    run->step = 0;
    for (int i = 0; i < run->n_sites && run->gradual; i++) {
        const struct stac_site *site = stac_network_site(run->net, i);
        if (!site) continue;
        const struct stac_linear *l = stac_site_linear(run->net, site);
        struct stac_gradual *g = &run->gradual[i];
        STAC_TRY(stac_device_clear(run->device, g->sum, (size_t)run->batch.n * width_of(run, site) * sizeof *g->sum, err));
        if (!l || run->mode != STAC_MODE_TEMPORAL) continue;
        if (!g->acc)
            STAC_TRY(STAC_DEVICE_NEW(run->device, g->acc, (size_t)run->max_rows * (size_t)l->n_out, "accumulators", err));
        STAC_TRY(stac_device_clear(run->device, g->acc, (size_t)run->batch.n * (size_t)l->n_out * sizeof *g->acc, err));
    }
    return STAC_OK;
}

int16_t *stac_gradual_sums(struct stac_run *run, const struct stac_site *site, int row, int head) {
    size_t part = site->kind == STAC_SITE_Q ? (size_t)run->cache->head_dim : (size_t)run->cache->capacity;
    return state_of(run, site)->sum + (size_t)row * width_of(run, site) + (size_t)head * part;
}

/* ---- linear products ---------------------------------------------------------------------------------------------- */

/* The spikes of a step as events: those of +1, then those of -1. */
static struct stac_events events_of(int n, const int8_t *step, uint16_t *index) {
    struct stac_events events = {.index = index};
    for (int i = 0; i < n; i++)
        if (step[i] > 0) index[events.n_plus++] = (uint16_t)i;
    for (int i = 0; i < n; i++)
        if (step[i] < 0) index[events.n_plus + events.n_minus++] = (uint16_t)i;
    return events;
}

void stac_gradual_count(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int64_t spikes) {
    int64_t all = (int64_t)l->n_in * l->n_out;
    struct stac_spiked s = {0};
    stac_spiked_add(&s, (int64_t)run->batch.n * l->n_in, spikes, spikes, 0, l->n_out); /* a neuron sends one at most */
    if (run->step > 0) s.values = s.macs = 0;
    struct stac_counts counts = stac_spiking_counts(site, &s);
    counts.streamed = all;
    counts.fetched = stac_bytes_fetched(site, counts.touched, all);
    stac_count(run, site, counts);
}

static void step_on_device(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                           const float *x) {
    struct stac_gradual *g = state_of(run, site);
    struct stac_encoding e = stac_encoding_of(site);
    run->kernels->step_rows(&e, site->code.neuron.most, n, l->n_in, x, run->factor, g->sum, run->code,
                            &run->there.tally[stac_run_site_index(run, site)]);
    if (run->mode == STAC_MODE_TEMPORAL) run->kernels->add_steps(n, l->n_out, l->n_in, run->code, l->q, l->n_out, g->acc);
}

static void step_here(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n, const float *x) {
    struct stac_gradual *g = state_of(run, site);
    int64_t spikes = 0;
#pragma omp parallel for schedule(static) reduction(+ : spikes)
    for (int i = 0; i < n; i++) {
        struct stac_lane *lane = &run->lane[omp_get_thread_num()];
        int8_t *step = run->step_of + (size_t)omp_get_thread_num() * (size_t)run->widest;
        const float *row = x + (size_t)i * l->n_in;
        float scale = run->factor[i] = stac_row_scale(run, site, l->n_in, row);
        int64_t sent =
            stac_st_bif_step(&site->code, l->n_in, row, site->mean, 1.0f / scale, g->sum + (size_t)i * l->n_in, step);
        if (run->channels) stac_channels_step(run, site, l->n_in, step);
        if (run->mode == STAC_MODE_TEMPORAL) {
            struct stac_events events = events_of(l->n_in, step, lane->train.index);
            run->kernels->add_rows(l->n_out, g->acc + (size_t)i * l->n_out, l->q, l->n_out, events);
            sent = events.n_plus + events.n_minus;
        }
        spikes += sent;
    }
    stac_gradual_count(run, site, l, spikes);
}

void stac_gradual_step(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n, const float *x) {
    (run->device ? step_on_device : step_here)(run, site, l, n, x);
}

void stac_gradual_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int first, int n,
                          float *y) {
    const struct stac_gradual *g = state_of(run, site);
    int chunk = (int)(run->acc_size / (size_t)l->n_out);
    for (int from = 0; from < n; from += chunk) {
        int rows = n - from < chunk ? n - from : chunk;
        const int32_t *acc = run->acc;
        if (run->mode == STAC_MODE_TEMPORAL)
            acc = g->acc + (size_t)(first + from) * (size_t)l->n_out;
        else
            run->kernels->gemm_i16i8(rows, l->n_out, l->n_in, g->sum + (size_t)(first + from) * l->n_in, l->n_in, l->q,
                                     l->n_out, run->acc, l->n_out);
        run->kernels->decode_rows(rows, l->n_out, acc, run->factor + first + from, l->scale, l->bias,
                                  y + (size_t)from * (size_t)l->n_out);
    }
    stac_count(run, site, (struct stac_counts){.outputs = (int64_t)n * l->n_out});
}

/* ---- attention ---------------------------------------------------------------------------------------------------- */

void stac_gradual_rebuild(struct stac_run *run, int n_in, const int16_t *sum, int n_out, const int8_t *w, int ldw,
                          uint16_t *index, int32_t *acc) {
    memset(acc, 0, (size_t)n_out * sizeof *acc);
    for (int round = 1;; round++) { /* the round-th spike of every neuron that has sent so many */
        struct stac_events events = {.index = index};
        for (int i = 0; i < n_in; i++)
            if (sum[i] >= round) index[events.n_plus++] = (uint16_t)i;
        for (int i = 0; i < n_in; i++)
            if (sum[i] <= -round) index[events.n_plus + events.n_minus++] = (uint16_t)i;
        if (events.n_plus + events.n_minus == 0) return;
        run->kernels->add_rows(n_out, acc, w, ldw, events);
    }
}
