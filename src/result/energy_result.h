/* The accounts of energy and the spike rates in the files of a result. */
#ifndef STAC_RESULT_ENERGY_RESULT_H
#define STAC_RESULT_ENERGY_RESULT_H

#include "result/figures.h"
#include "store/h5_writer.h"

enum {
    STAC_ENERGY_FIGURES = 3 + STAC_PHASES * STAC_ACCOUNTS * (STAC_MACHINES + 2) + STAC_METERED * (1 + STAC_METER_KINDS),
    STAC_ENERGY_NOTES = 1 + STAC_METERED * STAC_METER_KINDS
};

/* The part of the energy in the list of figures: bits of the rival, pJ per token by phase, account and machine, ratios, and
 * what was metered (measured_...). Where nothing was measured none of them is, and all notes are NULL. */
void stac_energy_figures(const struct stac_energy *e, struct stac_figure f[STAC_ENERGY_FIGURES]);
void stac_energy_notes(const struct stac_energy *e, struct stac_note n[STAC_ENERGY_NOTES]);

/* Write /energy: attributes (name of the set, bits, tokens); the tables `counts` (side, phase, site), `sites` (pJ of a site by
 * account and machine), `layers` and `charges`. Nothing where it was not measured. */
int stac_energy_h5(const struct stac_subject *s, const struct stac_energy *e, struct stac_h5_writer *h, struct stac_error *err);

/* Write the table /spike_rates. */
int stac_spike_rates_h5(const struct stac_subject *s, const struct stac_spike_rates *rates, struct stac_h5_writer *h,
                        struct stac_error *err);

/* A positive figure with about four digits and no exponent; "-" for NaN. Returns out. */
char *stac_energy_figure(double value, char out[24]);

/* Append the table that a person reads, in microjoules per token, and what was metered. */
int stac_energy_text(const struct stac_energy *e, struct stac_strbuf *out, struct stac_error *err);

#endif
