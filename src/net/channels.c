#include "net/channels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

int stac_channels_begin(struct stac_run *run, struct stac_error *err) {
    STAC_TRY(STAC_NEW(run->channels, run->n_sites, "counters of inputs", err));
    for (int i = 0; i < run->n_sites; i++) {
        const struct stac_site *site = stac_network_site(run->net, i);
        const struct stac_linear *l = site ? stac_site_linear(run->net, site) : NULL;
        if (l) STAC_TRY(STAC_NEW(run->channels[i].spikes, l->n_in, "counters of inputs", err));
    }
    return STAC_OK;
}

void stac_channels_clean(struct stac_run *run) {
    for (int i = 0; i < run->n_sites && run->channels; i++) free(run->channels[i].spikes);
    free(run->channels);
}

/* Where the counters of a site begin among those of all; head_in is a layer behind the last. */
static size_t place_of(const struct stac_hparams *hp, enum stac_site_kind kind, int layer) {
    size_t a_layer = 0, before = 0;
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        size_t n = 1 + (size_t)stac_site_inputs(hp, (enum stac_site_kind)k);
        before += k < (int)kind ? n : 0;
        a_layer += n;
    }
    return kind == STAC_SITE_HEAD_IN ? (size_t)hp->n_layer * a_layer : (size_t)layer * a_layer + before;
}

size_t stac_channels_size(const struct stac_hparams *hp) {
    return place_of(hp, STAC_SITE_HEAD_IN, 0) + 1 + (size_t)stac_site_inputs(hp, STAC_SITE_HEAD_IN);
}

static void take_site(struct stac_channels *c, int64_t *to, int inputs) {
    to[0] += c->updates;
    c->updates = 0;
    for (int i = 0; i < inputs; i++) {
        to[1 + i] += c->spikes[i];
        c->spikes[i] = 0;
    }
}

void stac_channels_take(struct stac_run *run, int64_t *all) {
    const struct stac_network *net = run->net;
    for (int i = 0; i < run->n_sites; i++) {
        bool head = i == run->n_sites - 1;
        enum stac_site_kind kind = head ? STAC_SITE_HEAD_IN : (enum stac_site_kind)(i % STAC_SITE_HEAD_IN);
        if (head && !net->has_head) continue;
        take_site(&run->channels[i], all + place_of(&net->hp, kind, net->first + i / STAC_SITE_HEAD_IN),
                  stac_site_inputs(&net->hp, kind));
    }
}

struct stac_channels stac_channels_in(const struct stac_hparams *hp, const struct stac_site *site, int64_t *all) {
    int64_t *at = all + place_of(hp, site->kind, site->layer);
    return (struct stac_channels){at + 1, at[0]};
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
