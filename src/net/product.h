/* Products at the sites: inside of the forward pass. */
#ifndef STAC_NET_PRODUCT_H
#define STAC_NET_PRODUCT_H

#include "net/run.h"

/* The probe, if any, sees n rows x[n][width] that enter a site, and may change them. */
int stac_show(struct stac_run *run, const struct stac_site *site, int n, int width, float *x, struct stac_error *err);

/* y[n][n_out] = x[n][n_in] W + bias through a site: dense, or coded into spikes that drive the product. */
int stac_multiply(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                  float *y, struct stac_error *err);

/* One and then the other; y == NULL: only the probe sees x. */
int stac_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *linear, int n, float *x,
                 float *y, struct stac_error *err);

/* The same with float weights, past the site: neither probe nor counts. */
void stac_dense_product(const struct stac_run *run, const struct stac_linear *l, int n, const float *x, float *y);

/* How the rows of a site become codes. */
struct stac_encoding stac_encoding_of(const struct stac_site *site);

/* How a site's codes are played in this run: in no steps, unless its neurons run in time. */
struct stac_steps stac_steps_of(const struct stac_run *run, const struct stac_site *site);

/* Add to a site's counts what n rows sent on their way through a product that was not run in time; `by_events`: see
 * net/sparse.h. */
void stac_count_product(struct stac_run *run, const struct stac_site *site, const struct stac_linear *l, int n,
                        struct stac_tally tally, bool by_events);

/* Attention of all rows of the batch: q, k, v in qkv[n][q + 2 kv] -> out[n][q]. Keys and values are in the cache. */
int stac_attention(struct stac_run *run, int layer, float *qkv, float *out, struct stac_error *err);

/* Whether a site's product is driven by spikes in this run. */
bool stac_site_spikes(const struct stac_run *run, const struct stac_site *site);

/* What the integer 1 is worth in the codes of a row x[n] of a site: the code's unit times the scale of the row. */
float stac_row_scale(const struct stac_run *run, const struct stac_site *site, int n, const float *x);

/* Whether the neurons of a site run over time, one step after the other: temporal mode, and a code that has spikes. */
bool stac_site_runs_in_time(const struct stac_run *run, const struct stac_site *site);

/* What rows of neurons sent and drove. */
struct stac_spiked {
    int64_t neurons;             /* looked at: those of a row, with ST-BIF+ neurons anew at every step */
    int64_t values, macs;        /* of these, the values that were not looked at before; products that they enter */
    int64_t spikes, active, acs; /* spikes; neurons that sent them; elements of weight rows added */
    int64_t touched;             /* elements of the active neurons' weight rows */
    int64_t outputs;
};

/* Add `neurons` inputs, `active` of which sent `spikes`, each with that fan-out; their rows have so many outputs. */
static inline void stac_spiked_add(struct stac_spiked *s, int64_t neurons, int64_t spikes, int64_t active, int64_t outputs,
                                   int64_t fan_out) {
    s->neurons += neurons;
    s->values += neurons;
    s->macs += neurons * fan_out;
    s->spikes += spikes;
    s->active += active;
    s->acs += spikes * fan_out;
    s->touched += active * fan_out;
    s->outputs += outputs;
}

/* Add to a site's counts what the rows of a piece of attention did, which sees n_keys keys in all. */
void stac_count_piece(struct stac_run *run, const struct stac_site *site, int n_keys, const struct stac_spiked *s);

/* Their counts, but for what a batch reads. */
struct stac_counts stac_spiking_counts(const struct stac_site *site, const struct stac_spiked *s);

/* Bytes that rows which touched so many of `all` bytes of weights together read at most, each byte once. */
int64_t stac_bytes_fetched(const struct stac_site *site, int64_t touched, int64_t all);

/* Add to a site's counts from any thread. */
void stac_count(struct stac_run *run, const struct stac_site *site, struct stac_counts amount);

#endif
