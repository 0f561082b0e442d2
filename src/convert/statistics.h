/* What calibration learns of the sites of a whole model. Sums are integers, so statistics of different windows merge
 * exactly in any order: the result does not depend on how many ranks took part.
 *
 * Every rank holds the full arrays and fills in what passes through its own stage; merging adds them up over all ranks
 * and leaves the whole on each. */
#ifndef STAC_CONVERT_STATISTICS_H
#define STAC_CONVERT_STATISTICS_H

#include "dist/merge.h"
#include "net/network.h"

/* Index of a site in the arrays: layer by layer, then head_in. */
int stac_site_count(const struct stac_hparams *hp);
int stac_site_index(const struct stac_hparams *hp, const struct stac_site *site);
enum stac_site_kind stac_site_kind_at(const struct stac_hparams *hp, int index);
int stac_site_layer_at(const struct stac_hparams *hp, int index);

/* Sums of channels are kept as integers of 2^-STAC_SUM_BITS. */
#define STAC_SUM_BITS 20

struct stac_statistics {
    struct stac_hparams hp;
    int n_sites;
    int context;                      /* tokens of the windows that were read */
    int longest;                      /* tokens that a conversation with the network may have */
    int64_t *rows;                    /* [n_sites] rows seen in the pass for means */
    int64_t *sums;                    /* all channels of all sites one after the other */
    size_t *sums_at;                  /* [n_sites + 1] where a site's channels begin; q and p have none */
    int64_t *k_sums;                  /* [n_layer][kv] sums of keys, as they lie in the cache */
    bool means_cleared;               /* means count as 0 although they are not */
    float *v_max;                     /* [n_layer][kv] largest |value| of each channel of v */
    struct stac_histogram *histogram; /* [n_sites] of |x - mean| / scale; p: of the weight */
};

int stac_statistics_init(struct stac_statistics *s, const struct stac_hparams *hp, struct stac_error *err);
void stac_statistics_clean(struct stac_statistics *s);

/* Add the column sums of n rows of a site. STAC_ERR_INPUT when the activations are not finite or beyond 2^40. */
int stac_statistics_add_rows(struct stac_statistics *s, int site, int n, const float *x, struct stac_error *err);

/* As if every mean were 0. */
void stac_statistics_clear_means(struct stac_statistics *s);

/* Mean of every channel of a site, out[width]. */
void stac_statistics_mean(const struct stac_statistics *s, int site, float *out);

/* Keys and values of n tokens of a layer and head in a float cache: k[head_dim][ld], v[n][head_dim]. STAC_ERR_INPUT as above.
 */
int stac_statistics_add_cache(struct stac_statistics *s, int layer, int head, int n, const float *k, int ld, const float *v,
                              struct stac_error *err);

/* Mean of the keys of a layer, out[kv]. */
void stac_statistics_key_mean(const struct stac_statistics *s, int layer, float *out);

/* Value of the integer 1 in the int8 cache of v: the largest magnitude seen falls on 127. */
float stac_value_scale(const struct stac_statistics *s, int layer, int channel);

/* What the pass for means finds, of every rank a part; the histograms, part[n_sites]. Borrowed from s. */
enum { STAC_MEANS_PARTS = 4 };
void stac_statistics_means(struct stac_statistics *s, struct stac_partial part[STAC_MEANS_PARTS]);
void stac_statistics_histograms(struct stac_statistics *s, struct stac_partial *part);

#endif
