/* Logits after each of some tokens that are given as numbers. */
#ifndef STAC_EVAL_ID_LOGITS_H
#define STAC_EVAL_ID_LOGITS_H

#include "eval/subject.h"

/* Read the tokens `ids` of the job ("5,17,42") by the SNN, or by the original where that alone runs, and write what it predicts
 * after every one of them to the HDF5 file `logits_out`: /logits, float32 [tokens][n_vocab]. Collective; ends with an
 * agreement.
 */
int stac_id_logits_write(struct stac_subject *s, struct stac_error *err);

#endif
