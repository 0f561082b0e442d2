#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "energy/energy.h"

/* Append to the text of a check. */
static void add(struct stac_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct stac_check *c, const char *format, ...) {
    va_list arguments;
    size_t at = strlen(c->text);
    va_start(arguments, format);
    vsnprintf(c->text + at, sizeof c->text - at, format, arguments);
    va_end(arguments);
}

/* ---- counters ----------------------------------------------------------------------------------------------------- */

/* What is wrong with the counts of a site, or NULL. */
static const char *fault_of(const struct stac_counts *dense, const struct stac_counts *spiking) {
    const struct stac_counts *s = spiking;
    if (s->macs != dense->macs) return "the products of both sides differ";
    if (s->covered != s->macs) return "products are not driven by spikes: coverage is below 1";
    if (s->spikes > 0 && (s->active == 0 || s->touched == 0)) return "spikes touch no weight rows";
    if (s->active > s->spikes) return "more values sent a spike than there were spikes";
    if (s->spikes > 0 && s->acs == 0) return "spikes add nothing";
    if (s->fetched > s->streamed) return "more bytes were fetched than all weights have";
    if (s->updates == 0 && s->lookups < s->values) return "values passed no neuron";
    return NULL;
}

static void check_counters(const struct stac_subject *s, const struct stac_energy *e, const struct stac_check *temporal,
                           struct stac_check *out) {
    for (int p = 0; p < STAC_PHASES; p++)
        for (int i = 0; i < e->n_sites; i++) {
            const char *fault = fault_of(&e->phase[p].dense[i], &e->phase[p].spiking[i]);
            enum stac_site_kind kind = stac_site_kind_at(&s->hp, i);
            if (!fault || !out->passed) continue;
            out->passed = false;
            add(out, "; counters: %s (", fault);
            if (kind != STAC_SITE_HEAD_IN) add(out, "block %d ", stac_site_layer_at(&s->hp, i));
            add(out, "%s, %s)", stac_site_name(kind), stac_phase_name((enum stac_phase)p));
        }
    if (temporal->passed) return;
    out->passed = false;
    add(out, "; temporal and count mode differ");
}

/* ---- ratios ------------------------------------------------------------------------------------------------------- */

static void tell_ratios(const struct stac_energy *e, bool integers, struct stac_check *out) {
    for (int p = 0; p < STAC_PHASES; p++) {
        add(out, "%s%s", p ? "; " : "", stac_phase_name((enum stac_phase)p));
        for (int a = 0; a < STAC_ACCOUNTS; a++) {
            double ratio = stac_bill_ratio(&e->model, &e->phase[p].total, integers, (enum stac_account)a);
            add(out, isnan(ratio) ? "%s -" : "%s %.2f", a ? "," : "", ratio);
        }
    }
}

/* "account 1, account 3 in decode": the accounts under which the original does, or does not, cost at least `times` as much. */
static int tell_accounts(const struct stac_energy *e, double times, bool wanted, const char *before, struct stac_check *out) {
    int told = 0;
    for (int a = 0; a < STAC_ACCOUNTS; a++) {
        bool is[STAC_PHASES];
        for (int p = 0; p < STAC_PHASES; p++) {
            double ratio = stac_bill_ratio(&e->model, &e->phase[p].total, false, (enum stac_account)a);
            is[p] = !isnan(ratio) && (ratio >= times) == wanted;
        }
        if (!is[STAC_PREFILL] && !is[STAC_DECODE]) continue;
        const char *where = is[STAC_PREFILL] && is[STAC_DECODE] ? "" : is[STAC_DECODE] ? " in decode" : " in prefill";
        add(out, "%s%d%s", told++ ? ", " : before, a + 1, where);
    }
    return told;
}

/* "; 4x holds under account 1, 3 in decode, not under 2, 3 in prefill" */
static void tell_where(const struct stac_energy *e, double times, struct stac_check *out) {
    add(out, "; %gx holds under ", times);
    if (tell_accounts(e, times, true, "account ", out) == 0) add(out, "no account");
    tell_accounts(e, times, false, ", not under ", out);
}

void stac_check_energy(const struct stac_subject *s, const struct stac_energy *e, const struct stac_check *temporal,
                       struct stac_check *out) {
    double least = s->job->energy_ratio_min;
    double ratio = stac_bill_ratio(&e->model, &e->phase[STAC_PREFILL].total, false, STAC_OPERATIONS);
    *out = (struct stac_check){.name = "energy", .figure = ratio, .limit = least, .passed = ratio >= least};
    add(out, "original over SNN by accounts 1, 2, 3 (operations, all operations, with memory): ");
    tell_ratios(e, false, out);
    add(out, "; INT-%.1f of the same error over SNN in integers: ", e->mean_bits);
    tell_ratios(e, true, out);
    tell_where(e, 3, out);
    tell_where(e, 4, out);
    add(out, "; account 1 must reach %g", least);
    if (!out->passed) add(out, " and does not");
    check_counters(s, e, temporal, out);
}
