/* Which stored tensor, or which part of one, each weight of a model is. */
#ifndef STAC_MODEL_WEIGHT_MAP_H
#define STAC_MODEL_WEIGHT_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "model/arch.h"
#include "model/source.h"
#include "model/stored_matrix.h"

struct stac_weight_map;

/* Find every weight of the architecture among the names of a source. Refused by name: a tensor that is missing, one
 * that the architecture does not know, and one of a wrong shape in a file that is open. Everything is borrowed. */
int stac_weight_map_build(const struct stac_arch *arch, const struct stac_hparams *hp, struct stac_source *source, bool gguf,
                          struct stac_weight_map **out, struct stac_error *err);
void stac_weight_map_free(struct stac_weight_map *map); /* accepts NULL */

/* Whether a tensor is stored for the weight; false for the head of a tied model. */
bool stac_weight_map_has(const struct stac_weight_map *map, enum stac_weight weight, int layer);

/* Where a stored weight lies, and whether its rows are its outputs, so that reading it means transposing. Opens its
 * file if need be and then checks the shapes of all weights in it. */
struct stac_weight_place {
    struct stac_stored stored;
    bool transposed;
    const char *path; /* of the file, borrowed */
};
int stac_weight_map_place(struct stac_weight_map *map, enum stac_weight weight, int layer, struct stac_weight_place *out,
                          struct stac_error *err);

/* Bytes of a weight on disk. Of a sharded source, whose types are not known before its shards are open, this is the
 * number of values times `assumed`, so that every rank gets the same figure. */
size_t stac_weight_map_bytes(const struct stac_weight_map *map, enum stac_weight weight, int layer, size_t assumed);

#endif
