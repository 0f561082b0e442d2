/* The output folder of a conversion: made beside its final place, and put there when everything is in it. */
#ifndef STAC_STORE_OUTPUT_H
#define STAC_STORE_OUTPUT_H

#include <stdbool.h>

#include "base/log.h"
#include "store/snn_file.h"

struct stac_output {
    char *path;  /* final folder, owned */
    char *draft; /* where it is made, owned; NULL once it is in place */
    FILE *log;   /* conversion_log.txt in the draft */
};

/* Make the draft. STAC_ERR_USAGE when `path` exists and is not to be replaced; with `force` only a folder that holds a
 * converted network (or nothing) is. Called by rank 0 alone, as are the others. */
int stac_output_begin(struct stac_output *o, const char *path, bool force, struct stac_error *err);

/* Whether the result of the job with that digest is at `path` already, whole. */
bool stac_output_is_there(const char *path, const char *job_digest);

/* Path of a file in the draft, a new string. */
char *stac_output_file(const struct stac_output *o, const char *name, struct stac_error *err);

/* Put the draft in place; what was there before is removed afterwards. */
int stac_output_commit(struct stac_output *o, struct stac_error *err);

/* Remove the draft if it is not in place. Accepts a zeroed struct. */
void stac_output_discard(struct stac_output *o);

/* config.json: hyper-parameters as Hugging Face names them, and what STAC made of the model. */
int stac_output_config(const struct stac_output *o, const struct stac_hparams *original, const struct stac_origin *origin,
                       int timesteps, double ac_per_mac, struct stac_error *err);

/* The same for a network whose codes were designed anew: hyper-parameters from the config.json at `path`. */
int stac_output_config_again(const struct stac_output *o, const char *path, const struct stac_origin *origin, int timesteps,
                             double ac_per_mac, struct stac_error *err);

#endif
