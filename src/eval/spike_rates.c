#include "eval/spike_rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dist/merge.h"

const char *stac_rate_fault_name(enum stac_rate_fault fault) {
    static const char *const names[] = {"fine", "dead", "saturated", "off"};
    return names[fault];
}

enum stac_rate_fault stac_rate_judge(const struct stac_spike_rate *rate, double factor) {
    if (!(rate->measured > 0)) return STAC_RATE_DEAD;
    if (rate->measured >= 0.95 * rate->most && rate->planned < 0.9 * rate->most) return STAC_RATE_SATURATED;
    bool near = rate->measured <= factor * rate->planned && rate->planned <= factor * rate->measured;
    return near ? STAC_RATE_FINE : STAC_RATE_OFF;
}

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

static const struct stac_site *site_of(const struct stac_subject *s, int index) {
    const struct stac_network *net = &s->net[STAC_SNN];
    int layer = stac_site_layer_at(&s->hp, index);
    enum stac_site_kind kind = stac_site_kind_at(&s->hp, index);
    if (s->grid.stage < 0) return NULL;
    if (kind == STAC_SITE_HEAD_IN) return s->part.head ? &net->head_in : NULL;
    return layer >= s->part.first && layer < s->part.last ? &net->block[layer - s->part.first].site[kind] : NULL;
}

/* Spikes of the longest word of each site that lies here. */
static void longest_words(const struct stac_subject *s, int n, float *most) {
    for (int i = 0; i < n; i++) {
        const struct stac_site *site = site_of(s, i);
        const struct stac_levels *levels = site ? &site->code.levels : NULL;
        for (int k = 0; levels && k < levels->n_levels; k++) most[i] = fmaxf(most[i], (float)levels->spikes[k]);
        if (site && site->code.neuron.kind == STAC_NEURON_ST_BIF) most[i] = (float)site->code.timesteps;
    }
}

static int read_plans(const struct stac_subject *s, int n, double *planned, struct stac_error *err) {
    struct stac_statistics stats = {0};
    struct stac_plan *plan;
    struct stac_snn snn = s->snn;
    if (s->ranks->rank != 0) return STAC_OK;
    STAC_TRY(STAC_NEW(plan, n, "plans", err));
    int status = stac_snn_read_design(&snn, &stats, plan, err);
    for (int i = 0; i < n && status == STAC_OK; i++) planned[i] = plan[i].expected.spikes;
    stac_statistics_clean(&stats);
    free(plan);
    return status;
}

int stac_spike_rates_measure(struct stac_subject *s, const struct stac_score *score, struct stac_spike_rates *out,
                             struct stac_error *err) {
    int n = stac_site_count(&s->hp), status = STAC_OK;
    double *planned = NULL;
    float *most = NULL;
    *out = (struct stac_spike_rates){.n_sites = n};
    status = STAC_NEW(out->site, n, "spike rates", err);
    if (status == STAC_OK) status = STAC_NEW(planned, n, "spike rates", err);
    if (status == STAC_OK) status = STAC_NEW(most, n, "spike rates", err);
    if (status == STAC_OK) status = read_plans(s, n, planned, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    STAC_TRY_DONE(stac_broadcast(s->ranks->comm, planned, (size_t)n * sizeof *planned, 0, err));
    longest_words(s, n, most);
    STAC_TRY_DONE(stac_merge_to_all(s->ranks, &(struct stac_partial){STAC_MAX_F32, most, (size_t)n}, 1, err));
    for (int i = 0; i < n; i++) {
        struct stac_spike_rate *rate = &out->site[i];
        *rate = (struct stac_spike_rate){planned[i], stac_spikes_per_activation(&score->counts[i]), (double)most[i], 0};
        rate->fault = stac_rate_judge(rate, s->job->spike_rate_factor);
    }
done:
    free(planned);
    free(most);
    if (status != STAC_OK) stac_spike_rates_clean(out);
    return status;
}

void stac_spike_rates_clean(struct stac_spike_rates *rates) {
    free(rates->site);
    *rates = (struct stac_spike_rates){0};
}

/* ---- the check ---------------------------------------------------------------------------------------------------- */

static double factor_of(const struct stac_spike_rate *rate) {
    if (!(rate->measured > 0) || !(rate->planned > 0)) return INFINITY;
    return rate->measured > rate->planned ? rate->measured / rate->planned : rate->planned / rate->measured;
}

/* "; block 3 q is dead" */
static void name_site(const struct stac_subject *s, int index, const struct stac_spike_rate *rate, char *text, size_t size) {
    size_t at = strlen(text);
    enum stac_site_kind kind = stac_site_kind_at(&s->hp, index);
    char where[40] = "";
    if (kind != STAC_SITE_HEAD_IN) snprintf(where, sizeof where, "block %d ", stac_site_layer_at(&s->hp, index));
    snprintf(text + at, size - at, "; %s%s is %s (%.4g, planned %.4g)", where, stac_site_name(kind),
             rate->fault == STAC_RATE_OFF ? "off its plan" : stac_rate_fault_name(rate->fault), rate->measured, rate->planned);
}

enum { NAMED = 4 };

void stac_check_spike_rates(const struct stac_subject *s, const struct stac_spike_rates *rates, struct stac_check *out) {
    int faults = 0;
    *out = (struct stac_check){.name = "spike_rates", .limit = s->job->spike_rate_factor};
    for (int i = 0; i < rates->n_sites; i++) out->figure = fmax(out->figure, factor_of(&rates->site[i]));
    snprintf(out->text, sizeof out->text,
             "largest factor between the spikes per value of a site and its plan, at most %.3g; %d sites", out->limit,
             rates->n_sites);
    for (int i = 0; i < rates->n_sites; i++) {
        if (rates->site[i].fault == STAC_RATE_FINE) continue;
        if (faults++ < NAMED) name_site(s, i, &rates->site[i], out->text, sizeof out->text);
    }
    size_t at = strlen(out->text);
    if (faults > NAMED) snprintf(out->text + at, sizeof out->text - at, "; and %d more", faults - NAMED);
    out->passed = faults == 0 && rates->n_sites > 0;
}
