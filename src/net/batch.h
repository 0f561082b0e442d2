/* From padded input as Hugging Face models take it to the rows of a batch. */
#ifndef STAC_NET_BATCH_H
#define STAC_NET_BATCH_H

#include "net/run.h"

/* Rows of n_seq sequences of `length` tokens each: ids[n_seq][length], mask[n_seq][length] (0: the token is not there;
 * NULL: all are), position[n_seq][length] (NULL: each sequence counts its present tokens on from `begin`[n_seq], or from 0).
 * Sequence i is in slot i. token, position and slot of the result point into `storage`, which is owned by the caller and
 * replaced; row_of[n_seq * length] (NULL: not wanted) receives the row of every token, -1 for masked ones. */
int stac_batch_from_padded(int n_seq, int length, const int32_t *ids, const int8_t *mask, const int32_t *position,
                           const int32_t *begin, struct stac_batch *out, int32_t **storage, int32_t *row_of,
                           struct stac_error *err);

#endif
