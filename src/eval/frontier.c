#include "eval/frontier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "job/keys.h"

#define FINEST 0.01 /* additions per multiply-accumulate: where the search ends */

/* ---- what all points share ---------------------------------------------------------------------------------------- */

static int digest_network(struct stac_frontier *f, struct stac_error *err) {
    struct stac_mapping map = {0};
    if (f->subject->ranks->rank != 0) return STAC_OK;
    STAC_TRY(stac_file_map(f->subject->snn.h5.path, &map, err));
    int status = stac_sha256_bytes(map.data, map.size, f->table.common.network, err);
    stac_file_unmap(&map);
    return status;
}

static int open_table(struct stac_frontier *f, struct stac_error *err) {
    struct stac_frontier_table *t = &f->table;
    const struct stac_reading *text = &f->text;
    t->ranks = f->subject->ranks;
    t->path = f->subject->job->frontier;
    t->target_ratio = f->subject->job->target_ratio;
    t->common.text_name = f->text_name;
    t->common.tokens = (int64_t)text->n;
    t->common.context = (int64_t)text->context;
    t->common.stride = (int64_t)text->stride;
    int status = stac_sha256_bytes(text->tokens, text->n * sizeof *text->tokens, t->common.text, err);
    if (status == STAC_OK) status = digest_network(f, err);
    STAC_TRY(stac_agree(t->ranks, t->ranks->comm, status, err));
    return stac_table_open(t, err);
}

static int read_design(struct stac_frontier *f, struct stac_error *err) {
    struct stac_subject *s = f->subject;
    f->recoding.ranks = s->ranks;
    int status = STAC_NEW(f->recoding.plan, stac_site_count(&s->snn.hp), "plans", err);
    if (status == STAC_OK) status = stac_snn_read_design(&s->snn, &f->recoding.stats, f->recoding.plan, err);
    return stac_agree(s->ranks, s->ranks->comm, status, err);
}

/* ---- schemes ------------------------------------------------------------------------------------------------------ */

/* What the words of the key `code` stand for. */
static const struct {
    const char *name;
    struct stac_scheme scheme;
} schemes[] = {
    {"ternary", {.code = STAC_CODE_TERNARY}},
    {"causal", {.code = STAC_CODE_TERNARY, .neuron = STAC_NEURON_CAUSAL}},
    {"phase", {.code = STAC_CODE_PHASE}},
    {"one_spike", {.code = STAC_CODE_ONE_SPIKE}},
    {"rate", {.code = STAC_CODE_RATE}},
    {"if", {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_IF}},
    {"lif", {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_LIF, .leak = 0.9}},
    {"st_bif", {.code = STAC_CODE_RATE, .neuron = STAC_NEURON_ST_BIF}},
    {"int8", {.code = STAC_CODE_INTEGER, .activation_bits = 8}},
    {"int7", {.code = STAC_CODE_INTEGER, .activation_bits = 7}},
    {"int6", {.code = STAC_CODE_INTEGER, .activation_bits = 6}},
    {"int5", {.code = STAC_CODE_INTEGER, .activation_bits = 5}},
    {"int4", {.code = STAC_CODE_INTEGER, .activation_bits = 4}},
};

static int scheme_named(const char *name, int timesteps, struct stac_scheme *out, struct stac_error *err) {
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strcmp(schemes[i].name, name) != 0) continue;
        *out = schemes[i].scheme;
        out->timesteps = out->code == STAC_CODE_INTEGER ? 1 : timesteps;
        return STAC_OK;
    }
    return stac_fail(err, STAC_ERR_INTERNAL, "no code is called %s", name);
}

/* ---- a point ------------------------------------------------------------------------------------------------------ */

static void fill_figures(struct stac_point *p, const struct stac_score *s) {
    p->ac_per_mac = stac_ac_per_mac(&s->total);
    p->spikes_per_activation = stac_spikes_per_activation(&s->total);
    p->coverage = stac_coverage(&s->total);
    p->energy_ratio_fp32 = stac_energy_ratio(&s->total);
    p->perplexity = s->perplexity[STAC_SNN];
    p->ppl_ratio = s->ratio;
    p->kl = s->kl;
    p->top1_agreement = s->top1;
}

/* The original's own row. */
static int add_baseline(struct stac_frontier *f, const struct stac_score *s, struct stac_error *err) {
    struct stac_point p = {.code = "dense", .perplexity = s->perplexity[STAC_BASELINE], .ppl_ratio = 1};
    if (stac_table_find(&f->table, p.code, 0, 0)) return STAC_OK;
    p.top1_agreement = p.energy_ratio_fp32 = 1;
    return stac_table_add(&f->table, &p, err);
}

/* Recode, score, write. */
static int compute(struct stac_frontier *f, struct stac_point *p, struct stac_error *err) {
    struct stac_subject *s = f->subject;
    struct stac_score score = {0};
    char took[32];
    if (!f->kept.x) STAC_TRY(stac_score_keep(s, &f->text, &f->kept, err));
    double began = stac_clock_now();
    struct stac_scheme scheme;
    STAC_TRY(scheme_named(p->code, p->timesteps, &scheme, err));
    STAC_TRY(stac_recode_plan(&f->recoding, &scheme, p->spike_budget, err));
    int status = s->grid.stage >= 0 ? stac_recode_network(&f->recoding, scheme.timesteps, &s->net[STAC_SNN], err) : STAC_OK;
    if (status == STAC_OK) status = stac_subject_place(s, STAC_SNN, err);
    STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    STAC_TRY_DONE(stac_score_text(s, &f->text, &f->kept, &score, err));
    p->planned_ac_per_mac = scheme.code == STAC_CODE_INTEGER ? 0 : f->recoding.expected_ac_per_mac;
    fill_figures(p, &score);
    STAC_TRY_DONE(add_baseline(f, &score, err));
    p->seconds = stac_clock_now() - began;
    STAC_TRY_DONE(stac_broadcast(s->ranks->comm, &p->seconds, sizeof p->seconds, 0, err));
    STAC_TRY_DONE(stac_table_add(&f->table, p, err));
    stac_log_info(s->log, "%s, T = %d, budget %.4g: ratio %.4f at %.3f AC/MAC, %s", p->code, p->timesteps, p->spike_budget,
                  p->ppl_ratio, p->ac_per_mac, stac_clock_duration(p->seconds, took, sizeof took));
    f->computed++;
done:
    stac_score_clean(&score);
    return status;
}

/* The table is the checkpoint of a sweep: between two points it may stop. */
static int may_stop(struct stac_frontier *f, struct stac_error *err) {
    bool due;
    STAC_TRY(stac_checkpoint_ask(f->subject->checkpoint, &due, err));
    return stac_checkpoint_leave(f->subject->checkpoint, err);
}

/* The point, out of the table or computed. */
static int point_at(struct stac_frontier *f, const char *code, int timesteps, double budget, struct stac_error *err) {
    struct stac_point p = {.timesteps = timesteps, .spike_budget = budget};
    snprintf(p.code, sizeof p.code, "%s", code);
    if (stac_table_find(&f->table, code, timesteps, budget)) {
        f->found++;
        return STAC_OK;
    }
    STAC_TRY(may_stop(f, err));
    return compute(f, &p, err);
}

/* ---- the search --------------------------------------------------------------------------------------------------- */

/* The next budget to try between the cheapest that meets the target and the one below it that does not; false when they are
 * FINEST apart, none meets it, or the smallest does. */
static bool next_budget(const struct stac_frontier_table *t, const char *code, int timesteps, double *budget) {
    double meets = INFINITY, fails = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < t->n; i++) {
            const struct stac_point *p = &t->point[i];
            if (p->timesteps != timesteps || strcmp(p->code, code) != 0) continue;
            if (pass == 0 && p->ppl_ratio <= t->target_ratio) meets = fmin(meets, p->spike_budget);
            if (pass == 1 && p->spike_budget < meets) fails = fmax(fails, p->spike_budget);
        }
    *budget = rint((meets + fails) / 2 * 1e4) / 1e4;
    return isfinite(meets) && fails > 0 && meets - fails > FINEST;
}

static int search(struct stac_frontier *f, const char *code, int timesteps, struct stac_error *err) {
    double budget;
    while (next_budget(&f->table, code, timesteps, &budget)) STAC_TRY(point_at(f, code, timesteps, budget, err));
    return STAC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* All points of a code at one T. What has no price is the same at any budget, what has no spikes at any T. */
static int sweep_budgets(struct stac_frontier *f, const char *code, int timesteps, struct stac_error *err) {
    const struct stac_job *job = f->subject->job;
    struct stac_scheme scheme;
    STAC_TRY(scheme_named(code, timesteps, &scheme, err));
    if (!stac_scheme_is_priced(&scheme)) return point_at(f, code, scheme.code == STAC_CODE_INTEGER ? 0 : timesteps, 0, err);
    for (int b = 0; b < job->sweep_budget.n; b++) STAC_TRY(point_at(f, code, timesteps, job->sweep_budget.at[b], err));
    return job->target_ratio > 0 ? search(f, code, timesteps, err) : STAC_OK;
}

static int sweep(struct stac_frontier *f, struct stac_error *err) {
    const struct stac_job *job = f->subject->job;
    const char *nearest;
    char code[sizeof f->table.point->code];
    for (int c = 0; c < job->sweep_code.n; c++) {
        stac_key_word(stac_key_find(STAC_EVAL, "code", &nearest)->words, (int64_t)job->sweep_code.at[c], code, sizeof code);
        for (int t = 0; t < job->sweep_timesteps.n; t++) STAC_TRY(sweep_budgets(f, code, (int)job->sweep_timesteps.at[t], err));
    }
    return stac_table_mark(&f->table, err);
}

int stac_frontier_run(struct stac_frontier *f, struct stac_error *err) {
    STAC_TRY(open_table(f, err));
    if (f->table.n > 0) stac_log_info(f->subject->log, "%s has %zu rows already", f->table.path, f->table.n);
    STAC_TRY(read_design(f, err));
    return sweep(f, err);
}

void stac_frontier_clean(struct stac_frontier *f) {
    stac_recoding_clean(&f->recoding);
    stac_kept_clean(&f->kept);
    stac_table_clean(&f->table);
}
