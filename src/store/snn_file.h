/* snn_model.h5: a converted network on disk, with everything that made it. The layout is told in the README.
 *
 * Written by rank 0, which gathers the layers from their owners one at a time; read by every rank for itself. */
#ifndef STAC_STORE_SNN_FILE_H
#define STAC_STORE_SNN_FILE_H

#include "convert/budget.h"
#include "convert/train_codes.h"
#include "dist/grid.h"
#include "store/h5_reader.h"

/* The version goes up when a file is no longer what its readers take it for, not when it has more in it. Files of every version
 * since 4 are kept in tests/data/schema and must go on being read; those before lie in chunks and heaps, which are not read. */
#define STAC_SNN_SCHEMA "stac-snn"
#define STAC_SNN_SCHEMA_VERSION 4

/* Where a network comes from. Texts are owned by whoever fills them in. */
struct stac_origin {
    char *model_path;   /* absolute */
    char *model_sha256; /* of the weight files */
    char *job;          /* the job as YAML */
    char *calibration;  /* what was read: "the model's own texts" or a file name and its SHA-256 */
    char *job_digest;   /* what the network depends on (job/digest.h); NULL in files of older versions */
    char *recoded_from; /* SHA-256 of the snn_model.h5 whose codes were designed anew; NULL: made from the model */
};
void stac_origin_clean(struct stac_origin *o);

/* Write the network of which each rank holds a quantised part. `plan` and the histograms of `stats` cover all sites; `training`
 * is what became of the codes after the plan, or NULL.
 * Collective over all ranks; ends with an agreement; on failure nothing stays under `path`. */
int stac_snn_write(const char *path, const struct stac_ranks *ranks, const struct stac_grid *grid, const int *stage_begin,
                   const struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                   int timesteps, const struct stac_training *training, const struct stac_origin *origin,
                   struct stac_error *err);

/* An open file: hyper-parameters of the folded network, origin, time steps. Not collective. */
struct stac_snn {
    struct stac_h5_reader h5;
    struct stac_hparams hp;
    int hadamard;
    int timesteps;
    int longest;              /* tokens that its codes allow in a context */
    enum stac_code_kind code; /* of all sites, as is the neuron */
    enum stac_neuron_kind neuron;
    struct stac_origin origin;
};
int stac_snn_open(const char *path, struct stac_snn *snn, struct stac_error *err);
void stac_snn_close(struct stac_snn *snn);

/* Read a part of the network, in threads; its weights stay in the file, which is mapped (struct stac_network). */
int stac_snn_load(struct stac_snn *snn, struct stac_part part, struct stac_network *net, struct stac_error *err);

/* Read what the codes were designed from: histograms and window of calibration into *stats, which is initialised here and
 * the caller's to clean; powers, sensitivities and expected costs into plan[stac_site_count(&snn->hp)]. STAC_ERR_INPUT also
 * when the file is of a version that kept no sensitivities. */
int stac_snn_read_design(struct stac_snn *snn, struct stac_statistics *stats, struct stac_plan *plan, struct stac_error *err);

/* The code of one site; the caller's to clean. */
int stac_snn_read_code(struct stac_snn *snn, enum stac_site_kind kind, int layer, struct stac_code *out,
                       struct stac_error *err);

/* Losses of training the codes of a layer, *loss[*n], owned by the caller; NULL and 0 where they were not trained. */
int stac_snn_read_losses(const struct stac_snn *snn, int layer, double **loss, size_t *n, struct stac_error *err);

/* What made this program: version, revision, compiler, MPI, HDF5; static text. */
const char *stac_build_info(void);

#endif
