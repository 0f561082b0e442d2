/* What a checkpoint keeps of a fitted layer: the integer weights of its products and, where they were trained, its codes. */
#ifndef STAC_CONVERT_FIT_RECORD_H
#define STAC_CONVERT_FIT_RECORD_H

#include "convert/train_codes.h"

/* All borrowed. */
struct stac_fitted {
    int layer; /* of the model */
    struct stac_linear *const *linear;
    int n_linear;
    struct stac_block *block; /* whose sites have trained codes; NULL: they follow from the plan */
    struct stac_training *training;
};

/* Keep it under its name. By one rank alone. */
void stac_fit_keep(struct stac_checkpoint *c, const struct stac_fitted *f);

/* The record of a layer as its bytes, owned by the caller; NULL: there is none. By one rank alone. */
char *stac_fit_find(struct stac_checkpoint *c, int layer, size_t *size);

/* Put a record in place: integer weights for the floats, codes and losses. STAC_ERR_INPUT, with what was there before, when
 * the bytes are not those of such a layer. */
int stac_fit_restore(const char *bytes, size_t size, const struct stac_fitted *f, struct stac_error *err);

#endif
