/* A result for the tests of result/ and report/: the energy of a network of two layers on a text that nobody read. */
#ifndef STAC_TESTS_FIXTURE_RESULTS_H
#define STAC_TESTS_FIXTURE_RESULTS_H

#include "fixture_networks.h"
#include "result/result.h"

enum { FX_LAYERS = 2, FX_SITES = FX_LAYERS * STAC_SITE_HEAD_IN + 1 };

/* Points into itself; the job must be released with stac_job_clean. */
struct fx_result {
    struct stac_job job;
    struct stac_subject subject;
    struct stac_result result;
    struct stac_counts dense[FX_SITES], spiking[FX_SITES];
    double bits[FX_SITES];
};

FX_NET void fx_result_phase(struct fx_result *m, enum stac_phase p) {
    struct stac_energy *e = &m->result.energy;
    struct stac_phase_work *w = &e->phase[p];
    *w = (struct stac_phase_work){.tokens = 4, .dense = m->dense, .spiking = m->spiking};
    for (int i = 0; i < FX_SITES; i++) {
        struct stac_bill b = stac_energy_of_site(e, p, i);
        for (int k = 0; k < STAC_MACHINES; k++)
            for (int c = 0; c < STAC_CHARGES; c++) w->total.pj[k][c] += b.pj[k][c];
    }
}

/* The processors' joules are there, a GPU's are not. */
FX_NET void fx_result_meter(struct stac_energy *e) {
    for (int u = 0; u < STAC_METERED; u++) {
        struct stac_used *gpu = &e->used[u].of[STAC_METER_GPU];
        e->used[u] = (struct stac_usage){.seconds = 0.5 + u};
        e->used[u].of[STAC_METER_CPU] = (struct stac_used){true, 7.5, "measured-rapl"};
        snprintf(gpu->source, sizeof gpu->source, "not measured: none");
    }
}

/* Needs fx_one_rank_begin. */
FX_NET void fx_result_make(struct fx_result *m) {
    struct stac_error err = {0};
    struct stac_energy *e = &m->result.energy;
    *m = (struct fx_result){.bits = {0}};
    OK(stac_job_init(&m->job, STAC_EVAL, &err));
    m->subject = (struct stac_subject){.job = &m->job, .ranks = &fx_ranks, .hp = {.n_layer = FX_LAYERS}};
    m->result.subject = &m->subject;
    snprintf(m->subject.hardware.name, sizeof m->subject.hardware.name, "cpu");
    for (int i = 0; i < FX_SITES; i++) {
        m->bits[i] = 5;
        m->dense[i] = (struct stac_counts){.values = 10, .macs = 200, .outputs = 20, .streamed = 800};
        m->spiking[i] = (struct stac_counts){.values = 10, .spikes = 12, .acs = 240 + i, .macs = 200, .outputs = 20};
    }
    *e = (struct stac_energy){.measured = true, .n_sites = FX_SITES, .passes = 1, .bits = m->bits, .mean_bits = 5.25};
    e->decode_context = 3;
    OK(stac_energy_model_read("", &e->model, &err));
    for (int p = 0; p < STAC_PHASES; p++) fx_result_phase(m, (enum stac_phase)p);
    fx_result_meter(e);
}

#endif
