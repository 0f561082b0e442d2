/* The tables of metrics.h5: one compound table a test; units are attributes NAME_unit of the table. The README tells all
 * columns. */
#ifndef STAC_RESULT_TABLES_H
#define STAC_RESULT_TABLES_H

#include "result/result.h"
#include "store/h5_reader.h"
#include "store/h5_writer.h"

/* What all tables tell as the layer of a site: that of its block, and n_layer for the head, which is of no block. */
int stac_tables_layer(const struct stac_hparams *hp, int site);

/* One site of the SNN. */
struct stac_site_row {
    int32_t layer; /* stac_tables_layer */
    char site[16];
    int64_t activations, spikes, acs, macs, covered_macs, multiplies;
    double spikes_per_activation, ac_per_mac, coverage;
};

/* The sites of a result that has an SNN side and was scored, in the order of the network: rows[stac_site_count]. */
void stac_tables_sites(const struct stac_result *r, struct stac_site_row *rows);

/* One check. */
struct stac_check_row {
    char name[32];
    int32_t passed;
    double figure, limit;
    char text[sizeof((struct stac_check *)0)->text];
};

/* Write /checks, /perplexity (a row a side), /windows, /sites, /layers, /raster, /turns and /kinds (of conversations): those
 * there are.
 */
int stac_tables_write(const struct stac_result *r, struct stac_h5_writer *h, struct stac_error *err);

/* Read /checks: owned by the caller. A file without them has none. */
int stac_tables_read_checks(struct stac_h5_reader *h, struct stac_check_row **out, size_t *n, struct stac_error *err);

#endif
