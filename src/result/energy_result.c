#include "result/energy_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "result/tables.h"

/* pJ per token of a machine; NaN where nothing was measured or the set has no coefficients. */
static double per_token(const struct stac_energy *e, enum stac_phase p, enum stac_machine m, enum stac_account a) {
    if (!e->measured) return NAN;
    return stac_bill_sum(&e->model, &e->phase[p].total, m, a) / (double)e->phase[p].tokens;
}

static double ratio_of(const struct stac_energy *e, enum stac_phase p, bool integers, enum stac_account a) {
    return e->measured ? stac_bill_ratio(&e->model, &e->phase[p].total, integers, a) : NAN;
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

/* A figure that has a name, behind those before it; NaN: not measured. */
static void put(struct stac_figure **f, double value, const char *unit) {
    (*f)->value = value;
    (*f)->unit = unit;
    (*f)->measured = !isnan(value);
    (*f)->whole = false;
    ++*f;
}

static void put_accounts(const struct stac_energy *e, enum stac_phase p, enum stac_account a, struct stac_figure **f) {
    const char *phase = stac_phase_name(p), *account = stac_account_name(a);
    for (int m = 0; m < STAC_MACHINES; m++) {
        const char *machine = stac_machine_name((enum stac_machine)m);
        snprintf((*f)->name, sizeof(*f)->name, "energy_%s_%s_%s", phase, account, machine);
        put(f, per_token(e, p, (enum stac_machine)m, a), "pJ per token");
    }
    snprintf((*f)->name, sizeof(*f)->name, "energy_ratio_%s_%s", phase, account);
    put(f, ratio_of(e, p, false, a), "");
    snprintf((*f)->name, sizeof(*f)->name, "energy_ratio_rival_%s_%s", phase, account);
    put(f, ratio_of(e, p, true, a), "");
}

static void put_metered(const struct stac_energy *e, enum stac_metered m, struct stac_figure **f) {
    const struct stac_usage *u = &e->used[m];
    snprintf((*f)->name, sizeof(*f)->name, "measured_%s_seconds", stac_metered_name(m));
    put(f, e->measured ? u->seconds : NAN, "s");
    for (int k = 0; k < STAC_METER_KINDS; k++) {
        const char *name = stac_meter_name((enum stac_meter_kind)k);
        snprintf((*f)->name, sizeof(*f)->name, "measured_%s_%s_joules", stac_metered_name(m), name);
        put(f, e->measured && u->of[k].measured ? u->of[k].joules : NAN, "J");
    }
}

void stac_energy_figures(const struct stac_energy *e, struct stac_figure f[STAC_ENERGY_FIGURES]) {
    *f++ = (struct stac_figure){"energy_rival_bits", "bits", e->mean_bits, e->measured, false};
    *f++ = (struct stac_figure){"energy_decode_tokens", "tokens", (double)e->phase[STAC_DECODE].tokens, e->measured, true};
    *f++ = (struct stac_figure){"energy_decode_context", "tokens", e->decode_context, e->measured, true};
    for (int p = 0; p < STAC_PHASES; p++)
        for (int a = 0; a < STAC_ACCOUNTS; a++) put_accounts(e, (enum stac_phase)p, (enum stac_account)a, &f);
    for (int m = 0; m < STAC_METERED; m++) put_metered(e, (enum stac_metered)m, &f);
}

void stac_energy_notes(const struct stac_energy *e, struct stac_note n[STAC_ENERGY_NOTES]) {
    *n++ = (struct stac_note){"energy_model", e->measured ? e->model.name : NULL};
    for (int m = 0; m < STAC_METERED; m++)
        for (int k = 0; k < STAC_METER_KINDS; k++, n++) {
            snprintf(n->name, sizeof n->name, "measured_%s_%s_source", stac_metered_name((enum stac_metered)m),
                     stac_meter_name((enum stac_meter_kind)k));
            n->value = e->measured ? e->used[m].of[k].source : NULL;
        }
}

/* ---- metrics.h5 --------------------------------------------------------------------------------------------------- */

#define NAME_BYTES 16

/* A row of counts. */
struct count_row {
    char side[NAME_BYTES], phase[NAME_BYTES], site[NAME_BYTES];
    int64_t layer;
    struct stac_counts counts;
};

#define COUNT(name, unit)                                                                                                      \
    { #name, STAC_H5_I64, 0, offsetof(struct count_row, counts.name), unit }
#define REST(name, kind)                                                                                                       \
    { name, STAC_H5_I64, 0, offsetof(struct count_row, counts.rest[kind]), "" }
static const struct stac_h5_field count_fields[] = {
    {"side", STAC_H5_I64, NAME_BYTES, offsetof(struct count_row, side), ""},
    {"phase", STAC_H5_I64, NAME_BYTES, offsetof(struct count_row, phase), ""},
    {"layer", STAC_H5_I64, 0, offsetof(struct count_row, layer), ""},
    {"site", STAC_H5_I64, NAME_BYTES, offsetof(struct count_row, site), ""},
    COUNT(values, ""),
    COUNT(spikes, ""),
    COUNT(acs, ""),
    COUNT(macs, ""),
    COUNT(covered, ""),
    COUNT(multiplies, ""),
    COUNT(updates, ""),
    COUNT(lookups, ""),
    COUNT(scaled, ""),
    COUNT(active, ""),
    COUNT(outputs, ""),
    COUNT(sums, ""),
    COUNT(shifts, ""),
    COUNT(touched, "bytes"),
    COUNT(fetched, "bytes"),
    COUNT(streamed, "bytes"),
    COUNT(stored, "bytes"),
    REST("norm", STAC_REST_NORM),
    REST("softmax", STAC_REST_SOFTMAX),
    REST("activation", STAC_REST_ACTIVATION),
    REST("gate", STAC_REST_GATE),
    REST("rope", STAC_REST_ROPE),
    REST("residual", STAC_REST_RESIDUAL),
    REST("hadamard", STAC_REST_HADAMARD),
    REST("embedding", STAC_REST_EMBEDDING),
    REST("cache", STAC_REST_CACHE),
    REST("root", STAC_REST_ROOT),
};

/* A row of pJ: of a site, or of a layer (site "all"). */
struct energy_row {
    char phase[NAME_BYTES], site[NAME_BYTES];
    int64_t layer;
    double bits, pj[STAC_ACCOUNTS][STAC_MACHINES];
};

#define PJ(name, a, m)                                                                                                         \
    { name, STAC_H5_F64, 0, offsetof(struct energy_row, pj[a][m]), "pJ" }
#define PJ_OF(account, a)                                                                                                      \
    PJ(account "_dense", a, STAC_DENSE), PJ(account "_snn", a, STAC_SPIKING), PJ(account "_rival", a, STAC_RIVAL),             \
        PJ(account "_snn_integer", a, STAC_SPIKING_INTEGER)
static const struct stac_h5_field energy_fields[] = {
    {"phase", STAC_H5_I64, NAME_BYTES, offsetof(struct energy_row, phase), ""},
    {"layer", STAC_H5_I64, 0, offsetof(struct energy_row, layer), ""},
    {"site", STAC_H5_I64, NAME_BYTES, offsetof(struct energy_row, site), ""},
    {"rival_bits", STAC_H5_F64, 0, offsetof(struct energy_row, bits), "bits"},
    PJ_OF("operations", STAC_OPERATIONS),
    PJ_OF("everything", STAC_EVERYTHING),
    PJ_OF("memory", STAC_MEMORY),
};

#define WRITE(h, path, fields, rows, n, err)                                                                                   \
    stac_h5_write_table((h), (path), (fields), (int)(sizeof(fields) / sizeof *(fields)), sizeof *(rows), (rows), (n), (err))

static void name_it(char out[NAME_BYTES], const char *text) {
    snprintf(out, NAME_BYTES, "%s", text);
}

static int write_counts(const struct stac_subject *s, const struct stac_energy *e, struct stac_h5_writer *h,
                        struct stac_error *err) {
    struct count_row *rows;
    size_t n = 0;
    STAC_TRY(STAC_NEW(rows, 2 * STAC_PHASES * (size_t)e->n_sites, "a table", err));
    for (int side = 0; side < STAC_SIDES; side++)
        for (int p = 0; p < STAC_PHASES; p++)
            for (int i = 0; i < e->n_sites; i++) {
                struct count_row *r = &rows[n++];
                name_it(r->side, side == STAC_SNN ? "snn" : "dense");
                name_it(r->phase, stac_phase_name((enum stac_phase)p));
                name_it(r->site, stac_site_name(stac_site_kind_at(&s->hp, i)));
                r->layer = stac_tables_layer(&s->hp, i);
                r->counts = side == STAC_SNN ? e->phase[p].spiking[i] : e->phase[p].dense[i];
            }
    int status = WRITE(h, "/energy/counts", count_fields, rows, n, err);
    free(rows);
    return status;
}

/* The row of a site, or of all sites of a layer. */
static void fill_row(const struct stac_subject *s, const struct stac_energy *e, enum stac_phase p, int site, bool of_layer,
                     struct energy_row *r) {
    struct stac_bill bill = stac_energy_of_site(e, p, site);
    bool head = stac_site_kind_at(&s->hp, site) == STAC_SITE_HEAD_IN;
    name_it(r->phase, stac_phase_name(p));
    name_it(r->site, of_layer && !head ? "all" : stac_site_name(stac_site_kind_at(&s->hp, site)));
    r->layer = stac_tables_layer(&s->hp, site);
    r->bits = of_layer && !head ? NAN : e->bits[site];
    for (int a = 0; a < STAC_ACCOUNTS; a++)
        for (int m = 0; m < STAC_MACHINES; m++)
            r->pj[a][m] += stac_bill_sum(&e->model, &bill, (enum stac_machine)m, (enum stac_account)a);
}

static int write_energies(const struct stac_subject *s, const struct stac_energy *e, bool of_layers, struct stac_h5_writer *h,
                          struct stac_error *err) {
    struct energy_row *rows;
    int group = of_layers ? STAC_SITE_HEAD_IN : 1;
    size_t n = 0;
    STAC_TRY(STAC_NEW(rows, STAC_PHASES * (size_t)e->n_sites, "a table", err));
    for (int p = 0; p < STAC_PHASES; p++)
        for (int i = 0; i < e->n_sites; n++)
            for (int k = 0; k < group && i < e->n_sites; k++, i++) fill_row(s, e, (enum stac_phase)p, i, of_layers, &rows[n]);
    int status = WRITE(h, of_layers ? "/energy/layers" : "/energy/sites", energy_fields, rows, n, err);
    free(rows);
    return status;
}

static int write_charges(const struct stac_energy *e, struct stac_h5_writer *h, struct stac_error *err) {
    static struct row {
        char phase[NAME_BYTES], charge[NAME_BYTES];
        double pj[STAC_MACHINES];
    } rows[STAC_PHASES * STAC_CHARGES];
    static const struct stac_h5_field fields[] = {
        {"phase", STAC_H5_I64, NAME_BYTES, offsetof(struct row, phase), ""},
        {"charge", STAC_H5_I64, NAME_BYTES, offsetof(struct row, charge), ""},
        {"dense", STAC_H5_F64, 0, offsetof(struct row, pj[STAC_DENSE]), "pJ per token"},
        {"snn", STAC_H5_F64, 0, offsetof(struct row, pj[STAC_SPIKING]), "pJ per token"},
        {"rival", STAC_H5_F64, 0, offsetof(struct row, pj[STAC_RIVAL]), "pJ per token"},
        {"snn_integer", STAC_H5_F64, 0, offsetof(struct row, pj[STAC_SPIKING_INTEGER]), "pJ per token"},
    };
    for (int p = 0; p < STAC_PHASES; p++)
        for (int c = 0; c < STAC_CHARGES; c++) {
            struct row *r = &rows[p * STAC_CHARGES + c];
            name_it(r->phase, stac_phase_name((enum stac_phase)p));
            name_it(r->charge, stac_charge_name((enum stac_charge)c));
            for (int m = 0; m < STAC_MACHINES; m++) r->pj[m] = e->phase[p].total.pj[m][c] / (double)e->phase[p].tokens;
        }
    return WRITE(h, "/energy/charges", fields, rows, (size_t)STAC_PHASES * STAC_CHARGES, err);
}

int stac_energy_h5(const struct stac_subject *s, const struct stac_energy *e, struct stac_h5_writer *h,
                   struct stac_error *err) {
    if (!e->measured) return STAC_OK;
    STAC_TRY(write_counts(s, e, h, err));
    STAC_TRY(write_energies(s, e, false, h, err));
    STAC_TRY(write_energies(s, e, true, h, err));
    STAC_TRY(write_charges(e, h, err));
    STAC_TRY(stac_h5_set_text(h, "/energy", "model", e->model.name, err));
    STAC_TRY(stac_h5_set_text(h, "/energy", "format", e->model.format, err));
    STAC_TRY(stac_h5_set_real(h, "/energy", "rival_bits", e->mean_bits, err));
    STAC_TRY(stac_h5_set_int(h, "/energy", "prefill_tokens", e->phase[STAC_PREFILL].tokens, err));
    STAC_TRY(stac_h5_set_int(h, "/energy", "decode_tokens", e->phase[STAC_DECODE].tokens, err));
    return stac_h5_set_int(h, "/energy", "decode_context", e->decode_context, err);
}

int stac_spike_rates_h5(const struct stac_subject *s, const struct stac_spike_rates *rates, struct stac_h5_writer *h,
                        struct stac_error *err) {
    struct row {
        int64_t layer;
        char site[NAME_BYTES], fault[NAME_BYTES];
        double planned, measured, most;
    } * rows;
    static const struct stac_h5_field fields[] = {
        {"layer", STAC_H5_I64, 0, offsetof(struct row, layer), ""},
        {"site", STAC_H5_I64, NAME_BYTES, offsetof(struct row, site), ""},
        {"planned", STAC_H5_F64, 0, offsetof(struct row, planned), "spikes per value"},
        {"measured", STAC_H5_F64, 0, offsetof(struct row, measured), "spikes per value"},
        {"most", STAC_H5_F64, 0, offsetof(struct row, most), "spikes per value"},
        {"fault", STAC_H5_I64, NAME_BYTES, offsetof(struct row, fault), ""},
    };
    if (!rates->site) return STAC_OK;
    STAC_TRY(STAC_NEW(rows, rates->n_sites, "a table", err));
    for (int i = 0; i < rates->n_sites; i++) {
        const struct stac_spike_rate *rate = &rates->site[i];
        rows[i] = (struct row){.layer = stac_tables_layer(&s->hp, i),
                               .planned = rate->planned,
                               .measured = rate->measured,
                               .most = rate->most};
        name_it(rows[i].site, stac_site_name(stac_site_kind_at(&s->hp, i)));
        name_it(rows[i].fault, stac_rate_fault_name(rate->fault));
    }
    int status = WRITE(h, "/spike_rates", fields, rows, (size_t)rates->n_sites, err);
    free(rows);
    return status;
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

char *stac_energy_figure(double value, char out[24]) {
    if (isnan(value))
        snprintf(out, 24, "-");
    else
        snprintf(out, 24, "%.*f", value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3, value);
    return out;
}

static int tell_row(const struct stac_energy *e, enum stac_phase p, enum stac_account a, struct stac_strbuf *out,
                    struct stac_error *err) {
    static const char *const names[] = {"1 operations", "2 all operations", "3 with memory"};
    char uj[STAC_MACHINES][24], ratio[2][24];
    for (int m = 0; m < STAC_MACHINES; m++) stac_energy_figure(1e-6 * per_token(e, p, (enum stac_machine)m, a), uj[m]);
    for (int integers = 0; integers < 2; integers++) stac_energy_figure(ratio_of(e, p, integers, a), ratio[integers]);
    return stac_strbuf_printf(out, err, "  %-8s %-17s %10s %10s %8s  %10s %10s %8s\n", stac_phase_name(p), names[a],
                              uj[STAC_DENSE], uj[STAC_SPIKING], ratio[0], uj[STAC_RIVAL], uj[STAC_SPIKING_INTEGER], ratio[1]);
}

static int tell_metered(const struct stac_energy *e, enum stac_metered m, struct stac_strbuf *out, struct stac_error *err) {
    static const char *const names[] = {"the text, both sides", "decoding, original", "decoding, SNN"};
    const struct stac_usage *u = &e->used[m];
    STAC_TRY(stac_strbuf_printf(out, err, "  %-24s", names[m]));
    STAC_TRY(isnan(u->seconds) ? stac_strbuf_puts(out, "        -", err)
                               : stac_strbuf_printf(out, err, " %8.2f s", u->seconds));
    for (int k = 0; k < STAC_METER_KINDS; k++) {
        STAC_TRY(stac_strbuf_printf(out, err, ", %s ", stac_meter_name((enum stac_meter_kind)k)));
        if (u->of[k].measured) STAC_TRY(stac_strbuf_printf(out, err, "%.2f J, ", u->of[k].joules));
        STAC_TRY(stac_strbuf_puts(out, u->of[k].source, err));
    }
    return stac_strbuf_puts(out, "\n", err);
}

int stac_energy_text(const struct stac_energy *e, struct stac_strbuf *out, struct stac_error *err) {
    char rival[24];
    if (!e->measured) return STAC_OK;
    snprintf(rival, sizeof rival, "INT-%.1f", e->mean_bits);
    STAC_TRY(
        stac_strbuf_printf(out, err,
                           "energy, microjoules per token (%s; original and SNN in %s; %s: dense integers of the same error)\n"
                           "  %-26s %10s %10s %8s  %10s %10s %8s\n",
                           e->model.name, e->model.format, rival, "", "original", "SNN", "ratio", rival, "SNN, int.", "ratio"));
    for (int p = 0; p < STAC_PHASES; p++)
        for (int a = 0; a < STAC_ACCOUNTS; a++) STAC_TRY(tell_row(e, (enum stac_phase)p, (enum stac_account)a, out, err));
    STAC_TRY(stac_strbuf_puts(out, "energy of this machine, by its sensors\n", err));
    for (int m = 0; m < STAC_METERED; m++) STAC_TRY(tell_metered(e, (enum stac_metered)m, out, err));
    return STAC_OK;
}
