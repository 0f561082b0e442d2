#include "report/energy_section.h"

#include <math.h>

#include "report/html.h"
#include "report/picture.h"
#include "result/energy_result.h"

/* ---- table -------------------------------------------------------------------------------------------------------- */

static int cell(struct stac_strbuf *s, double value, bool strong, struct stac_error *err) {
    char text[24];
    return stac_strbuf_printf(s, err, strong ? "<td class=\"n\"><b>%s</b></td>" : "<td class=\"n\">%s</td>",
                              stac_energy_figure(value, text));
}

static int write_row(const struct stac_energy *e, enum stac_phase p, enum stac_account a, struct stac_strbuf *s,
                     struct stac_error *err) {
    static const char *const names[] = {"1: operations of the products", "2: and neurons, decoding, all that never spikes",
                                        "3: and memory"};
    const struct stac_bill *bill = &e->phase[p].total;
    double to_uj = 1e-6 / (double)e->phase[p].tokens;
    STAC_TRY(stac_strbuf_printf(s, err, "<tr><td>%s</td><td>%s</td>", stac_phase_name(p), names[a]));
    for (int integers = 0; integers < 2; integers++) {
        enum stac_machine other = integers ? STAC_RIVAL : STAC_DENSE, own = integers ? STAC_SPIKING_INTEGER : STAC_SPIKING;
        STAC_TRY(cell(s, to_uj * stac_bill_sum(&e->model, bill, other, a), false, err));
        STAC_TRY(cell(s, to_uj * stac_bill_sum(&e->model, bill, own, a), false, err));
        STAC_TRY(cell(s, stac_bill_ratio(&e->model, bill, integers, a), true, err));
    }
    return stac_strbuf_puts(s, "</tr>\n", err);
}

static int write_meters(const struct stac_energy *e, struct stac_strbuf *s, struct stac_error *err) {
    static const char *const names[] = {"reading the text, both sides", "decoding, original", "decoding, SNN"};
    STAC_TRY(stac_strbuf_puts(s, "<p class=\"note\">This machine, by its sensors:", err));
    for (int m = 0; m < STAC_METERED; m++) {
        STAC_TRY(stac_strbuf_printf(s, err, "%s %s", m ? ";" : "", names[m]));
        if (!isnan(e->used[m].seconds)) STAC_TRY(stac_strbuf_printf(s, err, " %.2f s", e->used[m].seconds));
        for (int k = 0; k < STAC_METER_KINDS; k++) {
            const struct stac_used *u = &e->used[m].of[k];
            if (u->measured || m == 0) STAC_TRY(stac_strbuf_printf(s, err, ", %s ", stac_meter_name((enum stac_meter_kind)k)));
            if (u->measured) STAC_TRY(stac_strbuf_printf(s, err, "%.1f J, ", u->joules));
            if (u->measured || m == 0) STAC_TRY(stac_html_text(s, u->source, err));
        }
    }
    return stac_strbuf_puts(s, ".</p>\n", err);
}

int stac_page_energy(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_energy *e = &r->energy;
    if (!e->measured) return STAC_OK;
    STAC_TRY(
        stac_strbuf_printf(s, err,
                           "<h2>Energy</h2>\n<table>\n<tr><th></th><th>account</th><th class=\"n\">original</th><th "
                           "class=\"n\">SNN</th><th class=\"n\">ratio</th>"
                           "<th class=\"n\">INT-%.1f</th><th class=\"n\">SNN, integers</th><th class=\"n\">ratio</th></tr>\n",
                           e->mean_bits));
    for (int p = 0; p < STAC_PHASES; p++)
        for (int a = 0; a < STAC_ACCOUNTS; a++) STAC_TRY(write_row(e, (enum stac_phase)p, (enum stac_account)a, s, err));
    STAC_TRY(stac_strbuf_puts(s, "</table>\n<p class=\"note\">Microjoules per token, by the coefficients ", err));
    STAC_TRY(stac_html_text(s, e->model.name, err));
    STAC_TRY(stac_strbuf_puts(s, "; original and SNN in ", err));
    STAC_TRY(stac_html_text(s, e->model.format, err));
    STAC_TRY(stac_strbuf_printf(
        s, err,
        ". INT-%.1f: this network with dense integers in place of spikes, as many bits as give the same error, against the SNN "
        "with its additions in integers. Prefill: %lld tokens in windows; decode: %lld tokens one by one after %d. "
        "Not counted: control, clocks, leakage, the network between cores.</p>\n",
        e->mean_bits, (long long)e->phase[STAC_PREFILL].tokens, (long long)e->phase[STAC_DECODE].tokens, e->decode_context));
    return write_meters(e, s, err);
}

/* ---- picture ------------------------------------------------------------------------------------------------------ */

/* "$prefill << EOD": place, from, to, colour, name of each bar, in microjoules per token. */
static int write_bars(const struct stac_energy *e, enum stac_phase p, struct stac_strbuf *s, struct stac_error *err) {
    static const char *const names[] = {"products", "neurons", "decoding", "rest", "main memory", "buffers"};
    const struct stac_bill *bill = &e->phase[p].total;
    double to_uj = 1e-6 / (double)e->phase[p].tokens, at = 0, end = 0;
    int charges = e->model.has_memory ? STAC_CHARGES : e->model.has_rest ? STAC_CHARGE_MAIN_MEMORY : STAC_CHARGE_NEURONS;
    for (int c = 0; c < charges; c++) at += to_uj * bill->pj[STAC_DENSE][c], end += to_uj * bill->pj[STAC_SPIKING][c];
    STAC_TRY(stac_strbuf_printf(s, err, "$%s << EOD\n0 0 %.8g 0x888888 \"original\"\n", stac_phase_name(p), at));
    for (int c = 0; c < charges; c++) {
        double step = to_uj * (bill->pj[STAC_SPIKING][c] - bill->pj[STAC_DENSE][c]);
        STAC_TRY(stac_strbuf_printf(s, err, "%d %.8g %.8g %s \"%s\"\n", c + 1, at, at + step,
                                    step > 0 ? "0xd55e00" : "0x009e73", names[c]));
        at += step;
    }
    return stac_strbuf_printf(s, err, "%d 0 %.8g 0x0072b2 \"SNN\"\nEOD\n", charges + 1, end);
}

int stac_picture_energy(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err) {
    const struct stac_energy *e = &r->energy;
    STAC_TRY(stac_picture_begin(s, path, 480, err));
    for (int p = 0; p < STAC_PHASES; p++) STAC_TRY(write_bars(e, (enum stac_phase)p, s, err));
    STAC_TRY(stac_strbuf_puts(s,
                              "set style fill solid 0.85\nset boxwidth 0.8\nset yrange [0:*]\nset xtics rotate by -40\n"
                              "set multiplot layout 1,2\n",
                              err));
    for (int p = 0; p < STAC_PHASES; p++) {
        const char *name = stac_phase_name((enum stac_phase)p);
        STAC_TRY(stac_strbuf_printf(s, err,
                                    "set title '%s'\nset ylabel 'microjoules per token'\nplot $%s using "
                                    "1:(0.5*($2+$3)):($1-0.4):($1+0.4):2:3:4:xtic(5) with boxxyerror lc rgb variable notitle\n",
                                    name, name));
    }
    return stac_strbuf_puts(s, "unset multiplot\n", err);
}
