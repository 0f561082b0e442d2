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

/* Add to a site's counts from any thread. */
void stac_count(struct stac_run *run, const struct stac_site *site, struct stac_counts amount);

#endif
