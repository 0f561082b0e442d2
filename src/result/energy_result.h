/* The accounts of energy and the spike rates in the files of a result. */
#ifndef STAC_RESULT_ENERGY_RESULT_H
#define STAC_RESULT_ENERGY_RESULT_H

#include <jansson.h>

#include "energy/energy.h"
#include "eval/spike_rates.h"
#include "store/h5_writer.h"

/* Add the figures to a flat object: pJ per token by phase, account and machine, ratios, bits of the rival, and what was metered
 * (keys measured_...). Where nothing was measured all of them are null. STAC_ERR_MEMORY. */
int stac_energy_json(const struct stac_energy *e, json_t *object, struct stac_error *err);

/* Write /energy: attributes (name of the set, bits, tokens); the tables `counts` (side, phase, site), `sites` (pJ of a site by
 * account and machine), `layers` and `charges`; and /run/metered_NAME. Nothing where it was not measured. */
int stac_energy_h5(const struct stac_subject *s, const struct stac_energy *e, struct stac_h5_writer *h, struct stac_error *err);

/* Write the table /spike_rates. */
int stac_spike_rates_h5(const struct stac_subject *s, const struct stac_spike_rates *rates, struct stac_h5_writer *h,
                        struct stac_error *err);

/* A positive figure with about four digits and no exponent; "-" for NaN. Returns out. */
char *stac_energy_figure(double value, char out[24]);

/* Append the table that a person reads, in microjoules per token, and what was metered. */
int stac_energy_text(const struct stac_energy *e, struct stac_strbuf *out, struct stac_error *err);

#endif
