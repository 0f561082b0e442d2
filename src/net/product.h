/* Products at the sites: inside of the forward pass. */
#ifndef STAC_NET_PRODUCT_H
#define STAC_NET_PRODUCT_H

#include "net/run.h"

/* y[n][n_out] = x[n][n_in] W + bias through a site: dense, or coded into spikes that drive the product. x[n][n_in] is
 * contiguous and may be changed by the probe. y == NULL: only the probe sees x. */
int stac_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                 float *y, struct stac_error *err);

/* The same with float weights, past the site: neither probe nor counts. */
void stac_dense_product(const struct stac_run *run, const struct stac_linear *l, int n, const float *x, float *y);

/* Attention of all rows of the batch: q, k, v in qkv[n][q + 2 kv] -> out[n][q]. Keys and values are in the cache. */
int stac_attention(struct stac_run *run, int layer, float *qkv, float *out, struct stac_error *err);

/* Whether a site's product is driven by spikes in this run. */
bool stac_site_spikes(const struct stac_run *run, const struct stac_site *site);

/* What the integer 1 is worth in the codes of a row x[n] of a site: the code's unit times the scale of the row. */
float stac_row_scale(const struct stac_run *run, const struct stac_site *site, int n, const float *x);

/* Whether the neurons of a site run over time, one step after the other: temporal mode, and a code that has spikes. */
bool stac_site_runs_in_time(const struct stac_run *run, const struct stac_site *site);

/* Counts of rows that spiked: `values` inputs of as many spikes, `outputs` of the rows together, fan-out of each spike. */
struct stac_counts stac_spiking_counts(const struct stac_site *site, int64_t values, int64_t spikes, int64_t outputs,
                                       int64_t fan_out);

/* Add to a site's counts from any thread. */
void stac_count(struct stac_run *run, const struct stac_site *site, struct stac_counts amount);

#endif
