#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/revision.h"
#include "store/h5_writer.h"
#include "store/snn_file.h"
#include "store/snn_layout.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *stac_build_info(void) {
    return "stac " STAC_VERSION " (" STAC_REVISION "), gcc " __VERSION__
           ", HDF5 " STRING(H5_VERS_MAJOR) "." STRING(H5_VERS_MINOR) "." STRING(H5_VERS_RELEASE) ", Open MPI " STRING(
               OMPI_MAJOR_VERSION) "." STRING(OMPI_MINOR_VERSION) "." STRING(OMPI_RELEASE_VERSION);
}

/* Bytes of headers: of the root with its texts, and of a site with its dozen of objects; a little more than measured. */
enum { ROOT_HEADERS = 8192, SITE_HEADERS = 4096 };

/* What the functions of the writer share; h5 is open on rank 0 only. */
struct writer {
    const struct stac_ranks *ranks;
    const struct stac_grid *grid;
    const int *stage_begin;
    const struct stac_network *net;
    const struct stac_statistics *stats;
    const struct stac_plan *plan;
    int timesteps;
    const struct stac_training *training;
    struct stac_h5_writer h5;
};

/* ---- heads -------------------------------------------------------------------------------------------------------- */

static int write_hparams(struct writer *w, struct stac_error *err) {
    size_t n;
    const struct stac_hparam_field *f = stac_hparam_fields(&n);
    const struct stac_hparams *hp = &w->net->hp;
    STAC_TRY(stac_h5_set_text(&w->h5, "/model", "arch", hp->arch, err));
    STAC_TRY(stac_h5_set_int(&w->h5, "/model", "hadamard", w->net->hadamard, err));
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)hp + f[i].offset;
        switch (f[i].type) {
        case STAC_HP_INT: STAC_TRY(stac_h5_set_int(&w->h5, "/model", f[i].name, *(const int *)(const void *)at, err)); break;
        case STAC_HP_BOOL: STAC_TRY(stac_h5_set_int(&w->h5, "/model", f[i].name, *(const bool *)at, err)); break;
        case STAC_HP_REAL:
            STAC_TRY(stac_h5_set_real(&w->h5, "/model", f[i].name, *(const double *)(const void *)at, err));
            break;
        case STAC_HP_NORM:
            STAC_TRY(stac_h5_set_int(&w->h5, "/model", f[i].name, *(const enum stac_norm *)(const void *)at, err));
            break;
        default: STAC_TRY(stac_h5_set_int(&w->h5, "/model", f[i].name, *(const enum stac_activation *)(const void *)at, err));
        }
    }
    int32_t eos[STAC_MAX_EOS];
    for (int i = 0; i < hp->n_eos; i++) eos[i] = hp->eos[i];
    return stac_h5_write(&w->h5, "/model/eos", STAC_H5_I32, (size_t)hp->n_eos, 0, eos, err);
}

static int write_root(struct writer *w, const struct stac_origin *origin, struct stac_error *err) {
    const struct {
        const char *name, *value;
    } texts[] = {{"schema", STAC_SNN_SCHEMA},
                 {"built_with", stac_build_info()},
                 {"code", stac_code_name(w->plan[0].recipe.code)},
                 {"neuron", stac_neuron_name(w->plan[0].recipe.neuron)},
                 {"model_path", origin->model_path},
                 {"model_sha256", origin->model_sha256},
                 {"job", origin->job},
                 {"job_digest", origin->job_digest},
                 {"calibration", origin->calibration},
                 {"recoded_from", origin->recoded_from}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value) STAC_TRY(stac_h5_set_text(&w->h5, "/", texts[i].name, texts[i].value, err));
    STAC_TRY(stac_h5_set_int(&w->h5, "/", "calibration_context", w->stats->context, err));
    STAC_TRY(stac_h5_set_int(&w->h5, "/", "longest_context", w->stats->longest, err));
    STAC_TRY(stac_h5_set_int(&w->h5, "/", "schema_version", STAC_SNN_SCHEMA_VERSION, err));
    STAC_TRY(stac_h5_set_int(&w->h5, "/", "timesteps", w->timesteps, err));
    return write_hparams(w, err);
}

/* ---- sites -------------------------------------------------------------------------------------------------------- */

/* The words of a table and where they begin. */
static int write_words(struct writer *w, const struct stac_site *site, const struct stac_code *code, struct stac_error *err) {
    char path[96];
    uint64_t *mask;
    size_t n = (size_t)code->n_levels;
    STAC_TRY(STAC_NEW(mask, n, "a code", err));
    int status = STAC_OK;
    for (size_t i = 0; i < n; i++) mask[i] = code->word[i].plus;
    STAC_TRY_DONE(stac_h5_write(&w->h5, stac_site_path(site, "code/plus", path), STAC_H5_U64, n, 0, mask, err));
    for (size_t i = 0; i < n; i++) mask[i] = code->word[i].minus;
    STAC_TRY_DONE(stac_h5_write(&w->h5, stac_site_path(site, "code/minus", path), STAC_H5_U64, n, 0, mask, err));
    STAC_TRY_DONE(stac_h5_write(&w->h5, stac_site_path(site, "code/threshold", path), STAC_H5_F32, n - 1, 0,
                                code->levels.threshold, err));
done:
    free(mask);
    return status;
}

static int write_code(struct writer *w, const struct stac_site *site, const struct stac_code *code, struct stac_error *err) {
    char path[96];
    const struct stac_neuron *neuron = &code->neuron;
    bool ternary = code->kind == STAC_CODE_TERNARY, law = stac_base_factors(code->base) > 0;
    if (ternary && neuron->kind == STAC_NEURON_TABLE) STAC_TRY(write_words(w, site, code, err));
    if (ternary && neuron->kind == STAC_NEURON_CAUSAL)
        STAC_TRY(stac_h5_write(&w->h5, stac_site_path(site, "code/firing", path), STAC_H5_F32, (size_t)code->timesteps,
                               STAC_MAX_SPIKES, neuron->threshold, err));
    if (law)
        STAC_TRY(stac_h5_write(&w->h5, stac_site_path(site, "code/mantissa", path), STAC_H5_I32,
                               (size_t)stac_base_factors(code->base), 0, code->mantissa, err));
    else
        STAC_TRY(stac_h5_write(&w->h5, stac_site_path(site, "code/weight", path), STAC_H5_I32, (size_t)code->timesteps, 0,
                               code->weight, err));
    stac_site_path(site, "code", path);
    STAC_TRY(stac_h5_set_real(&w->h5, path, "unit", (double)code->unit, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "n_classes", code->base.n_classes, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "shift", code->base.shift, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "heavy", code->base.heavy, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "curve", code->base.curve, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "ratio", code->base.ratio, err));
    STAC_TRY(stac_h5_set_int(&w->h5, path, "most", neuron->most, err));
    return stac_h5_set_real(&w->h5, path, "leak", (double)neuron->leak, err);
}

/* Bins that have values, and how many: most have none. */
static int write_histogram(struct writer *w, const char *path, const struct stac_histogram *h, struct stac_error *err) {
    uint64_t *pair;
    size_t n = 0;
    STAC_TRY(STAC_NEW(pair, 2 * STAC_BINS, "a histogram", err));
    for (uint64_t bin = 0; bin < STAC_BINS; bin++)
        if (h->count[bin]) pair[2 * n] = bin, pair[2 * n++ + 1] = h->count[bin];
    int status = stac_h5_write(&w->h5, path, STAC_H5_U64, n, 2, pair, err);
    free(pair);
    return status;
}

/* Histogram and expectation of a site: rank 0 has the plans and statistics of all of them. */
static int write_design(struct writer *w, const struct stac_site *site, struct stac_error *err) {
    int index = stac_site_index(&w->net->hp, site);
    const struct stac_plan *plan = &w->plan[index];
    const struct stac_histogram *h = &w->stats->histogram[index];
    char path[96];
    STAC_TRY(write_histogram(w, stac_site_path(site, "calibration/histogram", path), h, err));
    stac_site_path(site, "calibration", path);
    STAC_TRY(stac_h5_set_int(&w->h5, path, "logarithmic", h->logarithmic, err));
    STAC_TRY(stac_h5_set_real(&w->h5, path, "range", h->range, err));
    STAC_TRY(stac_h5_set_real(&w->h5, path, "power", plan->power, err));
    STAC_TRY(stac_h5_set_real(&w->h5, path, "sensitivity", plan->sensitivity, err));
    STAC_TRY(stac_h5_set_real(&w->h5, path, "lambda", plan->lambda, err));
    STAC_TRY(stac_h5_set_real(&w->h5, path, "spikes", plan->expected.spikes, err));
    return stac_h5_set_real(&w->h5, path, "distortion", plan->expected.distortion, err);
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

/* Rank that sends a layer to rank 0: of the groups that hold it, one takes every n_groups-th layer. */
static int owner_of(const struct writer *w, int layer) {
    int stage = 0;
    while (layer >= w->stage_begin[stage + 1]) stage++;
    return (layer % w->grid->n_groups) * w->grid->n_stages + stage;
}

/* An array of n bytes from its owner to rank 0. Called by these two. */
static int pass_on(struct writer *w, int owner, size_t n, void *data, struct stac_error *err) {
    if (owner == 0) return STAC_OK;
    return w->ranks->rank == 0 ? stac_receive_bytes(w->ranks->comm, data, n, owner, err)
                               : stac_send_bytes(w->ranks->comm, data, n, 0, err);
}

/* A code as it was sent, with arrays for its thresholds and words. */
static int fetch_code(struct writer *w, int owner, struct stac_code *got, struct stac_error *err) {
    float *threshold = NULL;
    int status = STAC_OK;
    STAC_TRY(pass_on(w, owner, sizeof *got, got, err));
    bool words = got->word != NULL; /* of the sender */
    got->word = NULL;
    got->levels = (struct stac_levels){.n_levels = got->n_levels};
    STAC_TRY_DONE(STAC_NEW(threshold, got->n_levels, "a code on its way to the file", err));
    got->levels.threshold = threshold;
    if (words) STAC_TRY_DONE(STAC_NEW(got->word, got->n_levels, "a code on its way to the file", err));
    STAC_TRY_DONE(pass_on(w, owner, (size_t)got->n_levels * sizeof *threshold, threshold, err));
    if (words) STAC_TRY_DONE(pass_on(w, owner, (size_t)got->n_levels * sizeof *got->word, got->word, err));
done:
    if (status != STAC_OK) stac_code_clean(got);
    return status;
}

static int send_code(struct writer *w, int owner, const struct stac_code *code, struct stac_error *err) {
    struct stac_code head = *code;
    STAC_TRY(pass_on(w, owner, sizeof head, &head, err));
    STAC_TRY(pass_on(w, owner, (size_t)code->n_levels * sizeof(float), (void *)(uintptr_t)code->levels.threshold, err));
    return code->word ? pass_on(w, owner, (size_t)code->n_levels * sizeof *code->word, code->word, err) : STAC_OK;
}

/* The code of a site, from its owner into the file, and what it was designed from. `site` is the owner's. */
static int write_site(struct writer *w, const struct stac_site *site, int owner, int *trouble, struct stac_error *err) {
    struct stac_code got = {0};
    if (w->ranks->rank != 0) return w->ranks->rank == owner ? send_code(w, owner, &site->code, err) : STAC_OK;
    if (owner != 0) STAC_TRY(fetch_code(w, owner, &got, err));
    if (*trouble == STAC_OK) *trouble = write_code(w, site, owner == 0 ? &site->code : &got, err);
    if (*trouble == STAC_OK) *trouble = write_design(w, site, err);
    stac_code_clean(&got);
    return STAC_OK;
}

/* A product with the means of its site, from its owner into the file. `site` and `l` are the owner's; on other ranks only
 * their shape is used. */
static int write_linear(struct writer *w, const struct stac_site *site, const struct stac_linear *l, int owner, int *trouble,
                        struct stac_error *err) {
    size_t n_in = (size_t)l->n_in, n_out = (size_t)l->n_out;
    bool root = w->ranks->rank == 0, fetched = root && owner != 0;
    struct stac_linear got = *l;
    float *mean = site->mean;
    char path[96];
    int status = STAC_OK;
    if (!root && w->ranks->rank != owner) return STAC_OK;
    if (fetched) {
        got.q = NULL, got.scale = got.bias = mean = NULL;
        STAC_TRY_DONE(STAC_NEW(got.q, n_in * n_out, "weights on their way to the file", err));
        STAC_TRY_DONE(STAC_NEW(got.scale, n_out, "weights on their way to the file", err));
        STAC_TRY_DONE(STAC_NEW(got.bias, n_out, "weights on their way to the file", err));
        STAC_TRY_DONE(STAC_NEW(mean, n_in, "means on their way to the file", err));
    }
    STAC_TRY_DONE(pass_on(w, owner, n_in * n_out, got.q, err));
    STAC_TRY_DONE(pass_on(w, owner, n_out * sizeof(float), got.scale, err));
    STAC_TRY_DONE(pass_on(w, owner, n_out * sizeof(float), got.bias, err));
    STAC_TRY_DONE(pass_on(w, owner, n_in * sizeof(float), mean, err));
    if (!root || *trouble != STAC_OK) goto done; /* a file that is lost already still hears its senders */
    *trouble = stac_h5_write(&w->h5, stac_site_path(site, "weight", path), STAC_H5_I8, n_in, n_out, got.q, err);
    if (*trouble == STAC_OK)
        *trouble = stac_h5_write(&w->h5, stac_site_path(site, "scale", path), STAC_H5_F32, n_out, 0, got.scale, err);
    if (*trouble == STAC_OK)
        *trouble = stac_h5_write(&w->h5, stac_site_path(site, "bias", path), STAC_H5_F32, n_out, 0, got.bias, err);
    if (*trouble == STAC_OK)
        *trouble = stac_h5_write(&w->h5, stac_site_path(site, "mean", path), STAC_H5_F32, n_in, 0, mean, err);
done:
    if (fetched) {
        stac_linear_clean(&got);
        free(mean);
    }
    return status;
}

/* A vector of the cache, from its owner into the file. */
static int write_cache_vector(struct writer *w, int layer, const char *name, float *x, int owner, int *trouble,
                              struct stac_error *err) {
    size_t kv = (size_t)stac_kv_width(&w->net->hp);
    bool root = w->ranks->rank == 0, fetched = root && owner != 0;
    char path[96];
    int status = STAC_OK;
    if (!root && w->ranks->rank != owner) return STAC_OK;
    if (fetched) STAC_TRY(STAC_NEW(x, kv, name, err));
    STAC_TRY_DONE(pass_on(w, owner, kv * sizeof *x, x, err));
    if (root && *trouble == STAC_OK)
        *trouble = stac_h5_write(&w->h5, stac_layer_path(layer, name, path), STAC_H5_F32, kv, 0, x, err);
done:
    if (fetched) free(x);
    return status;
}

/* The losses of a block whose codes were trained. Rank 0. */
static int write_training(struct writer *w, int layer, struct stac_error *err) {
    const struct stac_training *t = w->training;
    char path[96];
    if (!t || !t->steps) return STAC_OK;
    size_t n = (size_t)t->steps + 1;
    return stac_h5_write(&w->h5, stac_layer_path(layer, "threshold_loss", path), STAC_H5_F64, n, 0, t->loss + (size_t)layer * n,
                         err);
}

static int write_layer(struct writer *w, int layer, int *trouble, struct stac_error *err) {
    /* ranks that do not hold the layer know its shape from an empty network of the same kind */
    struct stac_network shape;
    struct stac_part part = {layer, layer + 1, false, false};
    bool here = layer >= w->net->first && layer < w->net->last;
    STAC_TRY(stac_network_init(&shape, &w->net->hp, part, err));
    const struct stac_block *b = here ? &w->net->block[layer - w->net->first] : &shape.block[0];
    const struct stac_linear *fed[STAC_SITE_HEAD_IN] = {&b->qkv, NULL, NULL, &b->o, &b->up, &b->down};
    int status = STAC_OK, owner = owner_of(w, layer);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
        if (fed[k]) STAC_TRY_DONE(write_linear(w, &b->site[k], fed[k], owner, trouble, err));
        STAC_TRY_DONE(write_site(w, &b->site[k], owner, trouble, err));
    }
    STAC_TRY_DONE(write_cache_vector(w, layer, "k_mean", b->k_mean, owner, trouble, err));
    STAC_TRY_DONE(write_cache_vector(w, layer, "v_scale", b->v_scale, owner, trouble, err));
    if (w->ranks->rank == 0 && *trouble == STAC_OK) *trouble = write_training(w, layer, err);
done:
    stac_network_clean(&shape);
    return status;
}

static int write_embedding(struct writer *w, struct stac_error *err) {
    const struct stac_hparams *hp = &w->net->hp;
    size_t d = (size_t)hp->n_embd;
    STAC_TRY(stac_h5_write(&w->h5, "/embedding/token", STAC_H5_F32, (size_t)hp->n_vocab, d, w->net->token_embd, err));
    if (!w->net->position_embd) return STAC_OK;
    return stac_h5_write(&w->h5, "/embedding/position", STAC_H5_F32, (size_t)hp->n_ctx, d, w->net->position_embd, err);
}

/* Everything in the order of the network. `trouble` keeps a failure of the file on rank 0, so that the exchange of
 * layers goes on and no rank waits; a failure of the exchange itself is returned. */
static int write_all(struct writer *w, int *trouble, struct stac_error *err) {
    bool root = w->ranks->rank == 0;
    if (root && *trouble == STAC_OK) *trouble = write_embedding(w, err);
    for (int l = 0; l < w->net->hp.n_layer; l++) STAC_TRY(write_layer(w, l, trouble, err));
    int owner = w->grid->n_stages - 1;
    STAC_TRY(write_linear(w, &w->net->head_in, &w->net->head, owner, trouble, err));
    return write_site(w, &w->net->head_in, owner, trouble, err);
}

int stac_snn_write(const char *path, const struct stac_ranks *ranks, const struct stac_grid *grid, const int *stage_begin,
                   const struct stac_network *net, const struct stac_statistics *stats, const struct stac_plan *plan,
                   int timesteps, const struct stac_training *training, const struct stac_origin *origin,
                   struct stac_error *err) {
    struct writer w = {ranks, grid, stage_begin, net, stats, plan, timesteps, training, {.file = -1}};
    int trouble = STAC_OK;
    if (ranks->rank == 0) {
        trouble = stac_h5_create(path, ROOT_HEADERS + (size_t)stac_site_count(&net->hp) * SITE_HEADERS, &w.h5, err);
        if (trouble == STAC_OK) trouble = write_root(&w, origin, err);
    }
    int status = write_all(&w, &trouble, err);
    if (ranks->rank == 0) {
        if (status == STAC_OK) status = trouble;
        if (status == STAC_OK) status = stac_h5_commit(&w.h5, err);
        stac_h5_discard(&w.h5);
    }
    return stac_agree(ranks, ranks->comm, status, err);
}
