/* One safetensors file. Source of the format: huggingface/safetensors, README.md "Format".
 *
 *     u64 n | n bytes of JSON: name -> {dtype, shape, data_offsets [begin, end)} | tensor data
 *
 * The reader is as strict as the reference: a header of at most 100 MB, tensors that cover the data without hole,
 * overlap or trailing byte, and sizes that follow from type and shape. */
#ifndef STAC_MODEL_SAFETENSORS_H
#define STAC_MODEL_SAFETENSORS_H

#include <stddef.h>

#include "base/status.h"
#include "model/tensor.h"

struct stac_safetensors;

/* Map a file and check its header. *out is owned by the caller. Values are not looked at. */
int stac_safetensors_open(const char *path, struct stac_safetensors **out, struct stac_error *err);
void stac_safetensors_close(struct stac_safetensors *s); /* accepts NULL */

size_t stac_safetensors_count(const struct stac_safetensors *s);
const struct stac_tensor *stac_safetensors_at(const struct stac_safetensors *s, size_t i); /* in the order of the data */
const struct stac_tensor *stac_safetensors_find(const struct stac_safetensors *s, const char *name); /* NULL: none */

#endif
