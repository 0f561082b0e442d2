#include "energy/energy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "energy/rival.h"

const char *stac_machine_name(enum stac_machine m) {
    static const char *const names[] = {"dense", "snn", "rival", "snn_integer"};
    return names[m];
}

const char *stac_charge_name(enum stac_charge c) {
    static const char *const names[] = {"products", "neurons", "decoding", "rest", "main_memory", "buffers"};
    return names[c];
}

const char *stac_account_name(enum stac_account a) {
    static const char *const names[] = {"operations", "everything", "memory"};
    return names[a];
}

const char *stac_phase_name(enum stac_phase p) {
    static const char *const names[] = {"prefill", "decode"};
    return names[p];
}

const char *stac_metered_name(enum stac_metered m) {
    static const char *const names[] = {"text", "decode_dense", "decode_snn"};
    return names[m];
}

/* ---- equations ---------------------------------------------------------------------------------------------------- */

/* Additions, multiplications and special functions of an event of each kind. */
static const struct {
    double add, multiply, special;
} rest_work[STAC_REST_KINDS] = {
    [STAC_REST_NORM] = {2, 2, 0},     [STAC_REST_SOFTMAX] = {2, 1, 1},   [STAC_REST_ACTIVATION] = {1, 1, 1},
    [STAC_REST_GATE] = {0, 1, 0},     [STAC_REST_ROPE] = {1, 2, 0},      [STAC_REST_RESIDUAL] = {1, 0, 0},
    [STAC_REST_HADAMARD] = {1, 0, 0}, [STAC_REST_EMBEDDING] = {1, 0, 0}, [STAC_REST_CACHE] = {2, 1, 0},
    [STAC_REST_ROOT] = {0, 0, 1},
};

struct rest {
    double event[STAC_REST_KINDS];
};

static struct rest rest_in(const struct stac_counts *n) {
    struct rest r;
    for (int k = 0; k < STAC_REST_KINDS; k++) r.event[k] = (double)n->rest[k];
    return r;
}

static double rest_energy(const double *c, const struct rest *r) {
    double pj = 0;
    for (int k = 0; k < STAC_REST_KINDS; k++)
        pj += r->event[k] * (rest_work[k].add * c[STAC_PJ_ADD] + rest_work[k].multiply * c[STAC_PJ_MULTIPLY] +
                             rest_work[k].special * c[STAC_PJ_SPECIAL]);
    return pj;
}

enum { FLOAT_BYTES = 4, EVENT_BYTES = 2 }; /* of a number, and of the index of the input that sent a spike */

/* Bytes of main memory, and of buffers: `operands` for the operations, inputs and outputs written and read. */
static void bill_memory(const double *c, double bytes, const struct rest *r, double operands, double inputs, double outputs,
                        double *pj) {
    pj[STAC_CHARGE_MAIN_MEMORY] += c[STAC_PJ_DRAM] * (bytes + FLOAT_BYTES * r->event[STAC_REST_EMBEDDING]);
    pj[STAC_CHARGE_BUFFERS] += c[STAC_PJ_SRAM] * (operands + 2 * inputs + 2 * FLOAT_BYTES * outputs);
}

static void bill_dense(const double *c, const struct stac_counts *n, double *pj) {
    const struct rest r = rest_in(n);
    double width = c[STAC_WEIGHT_BYTES];
    pj[STAC_CHARGE_PRODUCTS] += (double)n->macs * c[STAC_PJ_MAC];
    pj[STAC_CHARGE_REST] += rest_energy(c, &r);
    bill_memory(c, (double)(n->streamed + n->stored) * width / FLOAT_BYTES, &r, (double)n->macs * width,
                (double)n->values * width, (double)n->outputs, pj);
}

/* An addition, and a multiply-accumulate where no spikes drive the product, at these prices. */
static void bill_spiking(const double *c, const struct stac_counts *n, double addition, double mac, double *pj) {
    const struct rest r = rest_in(n);
    double a = c[STAC_PJ_ADD], m = c[STAC_PJ_MULTIPLY], acs = (double)n->acs, dense = (double)(n->macs - n->covered);
    pj[STAC_CHARGE_PRODUCTS] += acs * addition + dense * mac;
    pj[STAC_CHARGE_NEURONS] += (double)(n->values + n->scaled) * (a + m) + (double)n->updates * (a + c[STAC_PJ_COMPARE]) +
                               (double)n->lookups * c[STAC_PJ_LOOKUP];
    pj[STAC_CHARGE_DECODING] += (double)n->outputs * (2 * m + a) + (double)n->multiplies * m +
                                (double)n->sums * c[STAC_PJ_INT_ADD] + (double)n->shifts * c[STAC_PJ_SHIFT];
    pj[STAC_CHARGE_REST] += rest_energy(c, &r);
    bill_memory(c, (double)(n->fetched + n->stored), &r, acs + dense, EVENT_BYTES * (double)n->spikes, (double)n->outputs, pj);
    pj[STAC_CHARGE_BUFFERS] += acs * c[STAC_PJ_ACCUMULATOR];
}

static double integer_mac(const double *c, double bits) {
    return c[STAC_PJ_INT_MULTIPLY] * bits / 8 + c[STAC_PJ_INT_ADD];
}

/* The dense model's work on the weights, cache and Hadamard transform of the converted network. */
static void bill_rival(const double *c, const struct stac_site_work *w, double *pj) {
    const struct stac_counts *n = w->dense, *snn = w->spiking;
    struct rest r = rest_in(n);
    double a = c[STAC_PJ_ADD], m = c[STAC_PJ_MULTIPLY], bytes = w->bits / 8, scaled = snn->scaled > 0 ? (double)n->values : 0;
    r.event[STAC_REST_HADAMARD] = (double)snn->rest[STAC_REST_HADAMARD] / w->passes;
    r.event[STAC_REST_CACHE] = (double)snn->rest[STAC_REST_CACHE] / w->passes;
    r.event[STAC_REST_ROOT] = (double)snn->rest[STAC_REST_ROOT] / w->passes; /* the scales of keys too */
    pj[STAC_CHARGE_PRODUCTS] += (double)n->macs * integer_mac(c, w->bits);
    pj[STAC_CHARGE_NEURONS] += (double)n->values * (2 * a + m) + scaled * (a + m);
    pj[STAC_CHARGE_DECODING] += (double)n->outputs * (2 * m + a);
    pj[STAC_CHARGE_REST] += rest_energy(c, &r);
    bill_memory(c, (double)(snn->streamed + snn->stored) / w->passes, &r, (double)n->macs, bytes * (double)n->values,
                (double)n->outputs, pj);
}

void stac_bill_add(const struct stac_energy_model *m, const struct stac_site_work *w, struct stac_bill *bill) {
    bill_dense(m->c, w->dense, bill->pj[STAC_DENSE]);
    bill_spiking(m->c, w->spiking, m->c[STAC_PJ_AC], m->c[STAC_PJ_MAC], bill->pj[STAC_SPIKING]);
    bill_rival(m->c, w, bill->pj[STAC_RIVAL]);
    bill_spiking(m->c, w->spiking, m->c[STAC_PJ_INT_ADD], integer_mac(m->c, w->bits), bill->pj[STAC_SPIKING_INTEGER]);
}

double stac_bill_sum(const struct stac_energy_model *m, const struct stac_bill *bill, enum stac_machine machine,
                     enum stac_account account) {
    static const int charges[STAC_ACCOUNTS] = {STAC_CHARGE_NEURONS, STAC_CHARGE_MAIN_MEMORY, STAC_CHARGES};
    double sum = 0;
    if ((account >= STAC_EVERYTHING && !m->has_rest) || (account == STAC_MEMORY && !m->has_memory)) return NAN;
    for (int c = 0; c < charges[account]; c++) sum += bill->pj[machine][c];
    return sum;
}

double stac_bill_ratio(const struct stac_energy_model *m, const struct stac_bill *bill, bool integers,
                       enum stac_account account) {
    double other = stac_bill_sum(m, bill, integers ? STAC_RIVAL : STAC_DENSE, account);
    double own = stac_bill_sum(m, bill, integers ? STAC_SPIKING_INTEGER : STAC_SPIKING, account);
    return own > 0 ? other / own : NAN;
}

/* ---- the rival ---------------------------------------------------------------------------------------------------- */

/* Rank 0: its bits at every site, from the file. */
static int find_bits(struct stac_subject *s, double *bits, struct stac_error *err) {
    struct stac_statistics stats = {0};
    struct stac_plan *plan = NULL;
    int n = stac_site_count(&s->hp), status = STAC_OK;
    STAC_TRY(STAC_NEW(plan, n, "plans", err));
    STAC_TRY_DONE(stac_snn_read_design(&s->snn, &stats, plan, err));
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < n; i++) {
        struct stac_error mine = {0};
        bool is_signed = stac_site_kind_at(&s->hp, i) != STAC_SITE_P;
        if (stac_rival_bits(&stats.histogram[i], is_signed, plan[i].expected.distortion, &bits[i], &mine) == STAC_OK) continue;
#pragma omp critical(stac_rival)
        status = stac_fail(err, mine.status, "%s", mine.text);
    }
done:
    stac_statistics_clean(&stats);
    free(plan);
    return status;
}

/* ---- decoding ----------------------------------------------------------------------------------------------------- */

enum { DECODED = 32 }; /* tokens that are read one by one */

/* Counts of n tokens that a side reads one by one after their context. The first group does it. */
static int decode_side(struct stac_subject *s, enum stac_side side, const int32_t *tokens, int context, int n,
                       struct stac_meter *meter, struct stac_usage *used, struct stac_counts *counts, struct stac_error *err) {
    struct stac_stand stand;
    struct stac_sessions sessions = {0};
    bool mine = s->grid.stage >= 0 && s->grid.group == 0;
    int status = STAC_OK;
    STAC_TRY(stac_stand_init(&stand, s, side, 1, context + n, context, err));
    if (mine) status = stac_sessions_init(&sessions, &stand.pipeline, 0, err);
    if (mine && status == STAC_OK) status = stac_sessions_add(&sessions, 0, tokens, (size_t)context, err);
    if (mine && status == STAC_OK) status = stac_sessions_read(&sessions, NULL, NULL, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    if (mine) stac_run_clear_counts(&stand.run[0]);
    stac_meter_begin(meter);
    for (int i = 0; i < n && mine && status == STAC_OK; i++) {
        status = stac_sessions_add(&sessions, 0, tokens + context + i, 1, err);
        if (status == STAC_OK) status = stac_sessions_read(&sessions, NULL, NULL, err);
    }
    if (mine && status == STAC_OK) status = stac_pipeline_settle(&stand.pipeline, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    STAC_TRY_DONE(stac_meter_end(meter, used, err));
    STAC_TRY_DONE(stac_stand_counts(&stand, 0, counts, err));
done:
    stac_sessions_clean(&sessions);
    stac_stand_clean(&stand);
    return status;
}

static int decode(struct stac_subject *s, const struct stac_reading *text, struct stac_meter *meter, struct stac_energy *e,
                  struct stac_error *err) {
    int length = (int)(text->n < text->context ? text->n : text->context), n = DECODED < length / 2 ? DECODED : length / 2;
    struct stac_phase_work *w = &e->phase[STAC_DECODE];
    w->tokens = n;
    e->decode_context = length - n;
    STAC_TRY(decode_side(s, STAC_BASELINE, text->tokens, length - n, n, meter, &e->used[STAC_METERED_DENSE], w->dense, err));
    return decode_side(s, STAC_SNN, text->tokens, length - n, n, meter, &e->used[STAC_METERED_SPIKING], w->spiking, err);
}

/* ---- the account -------------------------------------------------------------------------------------------------- */

struct stac_bill stac_energy_of_site(const struct stac_energy *e, enum stac_phase phase, int site) {
    const struct stac_phase_work *p = &e->phase[phase];
    struct stac_bill bill = {{{0}}};
    stac_bill_add(&e->model, &(struct stac_site_work){&p->dense[site], &p->spiking[site], e->bits[site], e->passes}, &bill);
    return bill;
}

static void draw_up(struct stac_energy *e) {
    double macs = 0;
    for (int p = 0; p < STAC_PHASES; p++)
        for (int i = 0; i < e->n_sites; i++) {
            struct stac_bill bill = stac_energy_of_site(e, (enum stac_phase)p, i);
            for (int m = 0; m < STAC_MACHINES; m++)
                for (int c = 0; c < STAC_CHARGES; c++) e->phase[p].total.pj[m][c] += bill.pj[m][c];
        }
    for (int i = 0; i < e->n_sites; i++) {
        macs += (double)e->phase[STAC_PREFILL].dense[i].macs;
        e->mean_bits += (double)e->phase[STAC_PREFILL].dense[i].macs * e->bits[i];
    }
    e->mean_bits /= macs;
}

static int prepare(struct stac_subject *s, const struct stac_score *score, struct stac_energy *e, struct stac_error *err) {
    size_t n = (size_t)e->n_sites;
    STAC_TRY(STAC_NEW(e->bits, n, "bits", err));
    for (int p = 0; p < STAC_PHASES; p++) {
        STAC_TRY(STAC_NEW(e->phase[p].dense, n, "counts", err));
        STAC_TRY(STAC_NEW(e->phase[p].spiking, n, "counts", err));
    }
    memcpy(e->phase[STAC_PREFILL].dense, score->dense, n * sizeof *score->dense);
    memcpy(e->phase[STAC_PREFILL].spiking, score->counts, n * sizeof *score->counts);
    e->phase[STAC_PREFILL].tokens = score->dense[0].values / s->hp.n_embd;
    if (s->ranks->rank != 0) return STAC_OK;
    STAC_TRY(stac_energy_model_read(s->job->energy_model, &e->model, err));
    return find_bits(s, e->bits, err);
}

/* The meter saw a part of the text only. */
static void tell_interruption(struct stac_usage *u) {
    u->seconds = NAN;
    for (int k = 0; k < STAC_METER_KINDS; k++)
        u->of[k] = (struct stac_used){.source = "not measured: part of the text was read before an interruption"};
}

int stac_energy_measure(struct stac_subject *s, const struct stac_reading *text, const struct stac_score *score,
                        struct stac_meter *meter, const struct stac_usage *read, struct stac_energy *out,
                        struct stac_error *err) {
    int status = STAC_OK;
    *out = (struct stac_energy){.n_sites = stac_site_count(&s->hp)};
    out->passes = s->snn.neuron == STAC_NEURON_ST_BIF ? s->snn.timesteps : 1;
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, prepare(s, score, out, err), err));
    STAC_TRY_DONE(stac_broadcast(s->ranks->comm, &out->model, sizeof out->model, 0, err));
    STAC_TRY_DONE(stac_broadcast(s->ranks->comm, out->bits, (size_t)out->n_sites * sizeof *out->bits, 0, err));
    out->used[STAC_METERED_TEXT] = *read;
    if (score->found > 0) tell_interruption(&out->used[STAC_METERED_TEXT]);
    STAC_TRY_DONE(decode(s, text, meter, out, err));
    draw_up(out);
    out->measured = true;
done:
    if (status != STAC_OK) stac_energy_clean(out);
    return status;
}

void stac_energy_clean(struct stac_energy *e) {
    free(e->bits);
    for (int p = 0; p < STAC_PHASES; p++) {
        free(e->phase[p].dense);
        free(e->phase[p].spiking);
    }
    *e = (struct stac_energy){0};
}
