#include "net/channels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

int stac_channels_begin(struct stac_run *run, struct stac_error *err) {
    STAC_TRY(STAC_NEW(run->channels, run->n_sites, "counters of inputs", err));
    for (int i = 0; i < run->n_sites; i++) {
        bool head = i == run->n_sites - 1;
        if (head && !run->net->has_head) continue;
        const struct stac_site *site =
            head ? &run->net->head_in : &run->net->block[i / STAC_SITE_HEAD_IN].site[i % STAC_SITE_HEAD_IN];
        const struct stac_linear *l = stac_site_linear(run->net, site);
        if (l) STAC_TRY(STAC_NEW(run->channels[i].spikes, l->n_in, "counters of inputs", err));
    }
    return STAC_OK;
}

void stac_channels_clean(struct stac_run *run) {
    for (int i = 0; i < run->n_sites && run->channels; i++) free(run->channels[i].spikes);
    free(run->channels);
}

const struct stac_channels *stac_channels_of(const struct stac_run *run, const struct stac_site *site) {
    return run->channels ? &run->channels[stac_run_site_index(run, site)] : NULL;
}

static struct stac_channels *counters(struct stac_run *run, const struct stac_site *site) {
    return &run->channels[stac_run_site_index(run, site)];
}

static void add(int64_t *to, int64_t amount) {
    if (amount == 0) return;
#pragma omp atomic
    *to += amount;
}

int64_t stac_channels_encode(struct stac_run *run, const struct stac_site *site, int n, const float *x, float inverse,
                             int16_t *code) {
    int64_t *spikes = counters(run, site)->spikes, all = 0;
    for (int i = 0; i < n; i++) {
        const float *mean = site->mean ? site->mean + i : NULL;
        int64_t sent = run->kernels->encode(&site->code.levels, 1, x + i, mean, inverse, code + i);
        add(&spikes[i], sent);
        all += sent;
    }
    return all;
}

void stac_channels_words(struct stac_run *run, const struct stac_site *site, int n, const float *x, float inverse,
                         const struct stac_word *word) {
    struct stac_channels *c = counters(run, site);
    int64_t updates = 0;
    for (int i = 0; i < n; i++) {
        float magnitude = fabsf(site->mean ? x[i] - site->mean[i] : x[i]) * inverse;
        updates += stac_neuron_updates(&site->code, magnitude > FLT_MAX ? FLT_MAX : magnitude);
        if (c->spikes) add(&c->spikes[i], stac_word_spikes(word[i]));
    }
    add(&c->updates, updates);
}

void stac_channels_step(struct stac_run *run, const struct stac_site *site, int n, const int8_t *step) {
    int64_t *spikes = counters(run, site)->spikes;
    for (int i = 0; i < n; i++) add(&spikes[i], step[i] != 0);
}
