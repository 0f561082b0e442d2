/* Spikes of every input of a product, one by one, and updates of membranes: counted where they happen, for figures that need to
 * know which weights a spike adds (NeuroBench leaves out those that are zero). Nothing is counted unless it was begun; bits and
 * counts of the run are the same with it. Inside of the forward pass. */
#ifndef STAC_NET_CHANNELS_H
#define STAC_NET_CHANNELS_H

#include "net/run.h"

/* Count from now on, in the batches of `run`. Released with the run. */
int stac_channels_begin(struct stac_run *run, struct stac_error *err);
void stac_channels_clean(struct stac_run *run);

/* What was counted at a site, or NULL: nothing is. */
const struct stac_channels *stac_channels_of(const struct stac_run *run, const struct stac_site *site);

/* The codes of a row x[n] in count mode, as the kernel `encode` makes them; each value's spikes are counted. Returns their sum.
 */
int64_t stac_channels_encode(struct stac_run *run, const struct stac_site *site, int n, const float *x, float inverse,
                             int16_t *code);

/* The same for the words that a row has sent in temporal mode, and the spikes of one step of ST-BIF+ neurons. At q and p only
 * updates of membranes are counted. */
void stac_channels_words(struct stac_run *run, const struct stac_site *site, int n, const float *x, float inverse,
                         const struct stac_word *word);
void stac_channels_step(struct stac_run *run, const struct stac_site *site, int n, const int8_t *step);

#endif
