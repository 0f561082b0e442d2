/* Where a model named on the command line lies: a path, or a name of the Hugging Face hub in the local cache. */
#ifndef STAC_MODEL_HUB_H
#define STAC_MODEL_HUB_H

#include "base/status.h"

/* `name` -> path of a model folder or GGUF file, a new string owned by the caller.
 * An existing path is returned as it is. "ORG/NAME" or "NAME" is looked up in the cache folders that the Hugging Face
 * tools use ($HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub): revision of
 * refs/main, else the only snapshot; a snapshot without config.json may hold one GGUF file instead. The reference's
 * short names "distilgpt2" and "SmolLM2-1.7B-Instruct" are understood too. Otherwise STAC_ERR_INPUT with the command
 * that downloads the model; STAC_ERR_USAGE where the path of the cache is not a text in UTF-8. */
int stac_hub_resolve(const char *name, char **path, struct stac_error *err);

#endif
