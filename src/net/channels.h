/* Spikes of every input of a product, one by one, and updates of membranes: counted where they happen, for figures that need to
 * know which weights a spike adds (NeuroBench leaves out those that are zero). Nothing is counted unless it was begun; bits and
 * counts of the run are the same with it. Inside of the forward pass. */
#ifndef STAC_NET_CHANNELS_H
#define STAC_NET_CHANNELS_H

#include "net/run.h"

/* Count from now on, in the batches of `run`. Released with the run. */
int stac_channels_begin(struct stac_run *run, struct stac_error *err);
void stac_channels_clean(struct stac_run *run);

/* Counters of a whole network in one array, which ranks can add up: of each site its updates, then the spikes of its inputs. */
size_t stac_channels_size(const struct stac_hparams *hp);

/* Add what was counted to those of a whole network, all[stac_channels_size], and count from 0 again. */
void stac_channels_take(struct stac_run *run, int64_t *all);

/* The counters of a site among them; its spikes are borrowed. */
struct stac_channels stac_channels_in(const struct stac_hparams *hp, const struct stac_site *site, int64_t *all);

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
