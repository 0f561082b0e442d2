/* The weight files of a model behind one interface: named tensors, each in a file that is opened when it is needed.
 *
 * A GGUF file and a single model.safetensors are one file, open from the start. Of a sharded folder only the index is
 * read at first; a tensor's description is known once its shard is open. */
#ifndef STAC_MODEL_SOURCE_H
#define STAC_MODEL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/status.h"
#include "model/gguf.h"
#include "model/tensor.h"

struct stac_source;

/* The tensors of an open GGUF file (borrowed: it must outlive the source), or of the safetensors of a folder. */
int stac_source_of_gguf(const struct stac_gguf *g, struct stac_source **out, struct stac_error *err);
int stac_source_of_folder(const char *folder, struct stac_source **out, struct stac_error *err);
void stac_source_close(struct stac_source *s); /* accepts NULL */

/* Tensors are numbered; -1: no tensor of that name. */
size_t stac_source_count(const struct stac_source *s);
ptrdiff_t stac_source_find(const struct stac_source *s, const char *name);
const char *stac_source_name(const struct stac_source *s, size_t tensor);
size_t stac_source_file(const struct stac_source *s, size_t tensor); /* number of the file that holds it */

/* Description of a tensor; NULL while its file is not open. */
const struct stac_tensor *stac_source_tensor(const struct stac_source *s, size_t tensor);

bool stac_source_is_open(const struct stac_source *s, size_t file);
bool stac_source_is_sharded(const struct stac_source *s);

const char *stac_source_path(const struct stac_source *s); /* of the folder or the GGUF file */
const char *stac_source_file_path(const struct stac_source *s, size_t file);

/* Map a file and check it against the index; does nothing to an open file. Shut a shard again. */
int stac_source_open(struct stac_source *s, size_t file, struct stac_error *err);
void stac_source_shut(struct stac_source *s, size_t file);

/* SHA-256 over the bytes of all files in the order of their names, and then over `last`. */
int stac_source_digest(const struct stac_source *s, struct stac_bytes last, char hex[STAC_SHA256_HEX], struct stac_error *err);

#endif
