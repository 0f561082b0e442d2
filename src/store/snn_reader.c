#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "store/snn_file.h"
#include "store/snn_layout.h"

void stac_origin_clean(struct stac_origin *o) {
    free(o->model_path);
    free(o->model_sha256);
    free(o->job);
    free(o->calibration);
    free(o->recoded_from);
    free(o->job_digest);
    *o = (struct stac_origin){0};
}

/* ---- heads -------------------------------------------------------------------------------------------------------- */

static int read_hparams(struct stac_snn *s, struct stac_error *err) {
    size_t n, n_eos;
    const struct stac_hparam_field *f = stac_hparam_fields(&n);
    char *arch;
    int64_t value;
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)&s->hp + f[i].offset;
        if (f[i].type == STAC_HP_REAL) {
            STAC_TRY(stac_h5_get_real(&s->h5, "/model", f[i].name, (double *)(void *)at, err));
            continue;
        }
        STAC_TRY(stac_h5_get_int(&s->h5, "/model", f[i].name, f[i].low, f[i].high, &value, err));
        switch (f[i].type) {
        case STAC_HP_BOOL: *(bool *)at = value != 0; break;
        case STAC_HP_NORM: *(enum stac_norm *)(void *)at = (enum stac_norm)value; break;
        case STAC_HP_ACTIVATION: *(enum stac_activation *)(void *)at = (enum stac_activation)value; break;
        default: *(int *)(void *)at = (int)value;
        }
    }
    STAC_TRY(stac_h5_get_int(&s->h5, "/model", "hadamard", 0, 512, &value, err));
    s->hadamard = (int)value;
    STAC_TRY(stac_h5_get_text(&s->h5, "/model", "arch", &arch, err));
    snprintf(s->hp.arch, sizeof s->hp.arch, "%.15s", stac_one_line(arch));
    free(arch);
    STAC_TRY(stac_h5_rows(&s->h5, "/model/eos", STAC_MAX_EOS, &n_eos, err));
    s->hp.n_eos = (int)n_eos;
    int32_t eos[STAC_MAX_EOS];
    STAC_TRY(stac_h5_read(&s->h5, "/model/eos", STAC_H5_I32, n_eos, 0, eos, err));
    for (size_t i = 0; i < n_eos; i++) s->hp.eos[i] = eos[i];
    return STAC_OK;
}

/* Numbers that are possible one by one may not be possible together. */
static int check_hparams(const struct stac_snn *s, struct stac_error *err) {
    const struct stac_hparams *hp = &s->hp;
    bool sane = hp->n_head % hp->n_head_kv == 0 && (int64_t)hp->n_head * hp->head_dim <= 65536 && hp->norm_eps >= 0 &&
                hp->norm_eps < 1 && hp->rope_theta >= 0 && hp->rope_theta < 1e12 && (s->hadamard & (s->hadamard - 1)) == 0 &&
                (s->hadamard == 0 || hp->n_ff % s->hadamard == 0) && (hp->rope_theta == 0 || hp->head_dim % 2 == 0);
    if (sane) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the shape of the model does not fit together: the file is damaged", s->h5.path);
}

/* One of n names, as an attribute of the root; its index. */
static int read_name(struct stac_snn *s, const char *what, int n, const char *(*name)(int), int *out, struct stac_error *err) {
    char *text;
    STAC_TRY(stac_h5_get_text(&s->h5, "/", what, &text, err));
    for (*out = 0; *out < n && strcmp(text, name(*out)) != 0;) ++*out;
    int status = *out < n ? STAC_OK : stac_fail(err, STAC_ERR_INPUT, "%s: %s of / is \"%.40s\"", s->h5.path, what, text);
    free(text);
    return status;
}

static const char *code_name(int i) {
    return stac_code_name((enum stac_code_kind)i);
}

static const char *neuron_name(int i) {
    return stac_neuron_name((enum stac_neuron_kind)i);
}

static int read_scheme(struct stac_snn *s, struct stac_error *err) {
    int code, neuron;
    STAC_TRY(read_name(s, "code", STAC_CODE_KINDS, code_name, &code, err));
    STAC_TRY(read_name(s, "neuron", STAC_NEURON_KINDS, neuron_name, &neuron, err));
    s->code = (enum stac_code_kind)code;
    s->neuron = (enum stac_neuron_kind)neuron;
    return STAC_OK;
}

/* A text that is shown: one line. */
static int read_line(struct stac_snn *s, const char *what, char **out, struct stac_error *err) {
    STAC_TRY(stac_h5_get_text(&s->h5, "/", what, out, err));
    stac_one_line(*out);
    return STAC_OK;
}

int stac_snn_open(const char *path, struct stac_snn *snn, struct stac_error *err) {
    int64_t timesteps, longest;
    int status = STAC_OK;
    struct stac_error quiet = {0};
    *snn = (struct stac_snn){0};
    STAC_TRY(stac_h5_open(path, STAC_SNN_SCHEMA, STAC_SNN_SCHEMA_VERSION, &snn->h5, err));
    STAC_TRY_DONE(read_line(snn, "model_path", &snn->origin.model_path, err));
    STAC_TRY_DONE(read_line(snn, "model_sha256", &snn->origin.model_sha256, err));
    STAC_TRY_DONE(stac_h5_get_text(&snn->h5, "/", "job", &snn->origin.job, err));
    STAC_TRY_DONE(read_line(snn, "calibration", &snn->origin.calibration, err));
    STAC_TRY_DONE(stac_h5_get_int(&snn->h5, "/", "timesteps", 1, STAC_MAX_TIMESTEPS, &timesteps, err));
    snn->timesteps = (int)timesteps;
    STAC_TRY_DONE(read_scheme(snn, err));
    read_line(snn, "recoded_from", &snn->origin.recoded_from, &quiet); /* most are not */
    read_line(snn, "job_digest", &snn->origin.job_digest, &(struct stac_error){0});
    STAC_TRY_DONE(read_hparams(snn, err));
    STAC_TRY_DONE(check_hparams(snn, err));
    STAC_TRY_DONE(stac_h5_get_int(&snn->h5, "/", "longest_context", 1, snn->hp.n_ctx, &longest, err));
    snn->longest = (int)longest;
done:
    if (status != STAC_OK) stac_snn_close(snn);
    return status;
}

void stac_snn_close(struct stac_snn *snn) {
    stac_h5_close(&snn->h5);
    stac_origin_clean(&snn->origin);
}

/* ---- design ------------------------------------------------------------------------------------------------------- */

/* A number that must be positive. */
static int positive(struct stac_snn *s, const char *path, const char *name, double *out, struct stac_error *err) {
    STAC_TRY(stac_h5_get_real(&s->h5, path, name, out, err));
    if (*out > 0 && *out < 1e30) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is %g", s->h5.path, name, path, *out);
}

static int not_negative(struct stac_snn *s, const char *path, const char *name, double *out, struct stac_error *err) {
    STAC_TRY(stac_h5_get_real(&s->h5, path, name, out, err));
    if (*out >= 0 && *out < 1e30) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s: the attribute %s of %s is %g", s->h5.path, name, path, *out);
}

/* Bins that have values, in order, and how many: fewer than 2^50 each. */
static int read_histogram(struct stac_snn *s, const char *path, struct stac_histogram *h, struct stac_error *err) {
    size_t n;
    uint64_t *pair, next = 0;
    STAC_TRY(stac_h5_rows(&s->h5, path, STAC_BINS, &n, err));
    STAC_TRY(STAC_NEW(pair, 2 * n, "a histogram", err));
    int status = stac_h5_read(&s->h5, path, STAC_H5_U64, n, 2, pair, err);
    for (size_t i = 0; i < n && status == STAC_OK; i++) {
        uint64_t bin = pair[2 * i], count = pair[2 * i + 1];
        if (bin < next || bin >= STAC_BINS || count == 0 || count >> 50) {
            status = stac_fail(err, STAC_ERR_INPUT, "%s: row %zu of %s says that bin %llu has %llu values", s->h5.path, i, path,
                               (unsigned long long)bin, (unsigned long long)count);
            break;
        }
        h->count[bin] = count;
        next = bin + 1;
    }
    free(pair);
    return status;
}

static int read_site_design(struct stac_snn *s, const struct stac_site *site, struct stac_histogram *h, struct stac_plan *plan,
                            struct stac_error *err) {
    char path[96];
    int64_t logarithmic;
    struct stac_error quiet = {0};
    STAC_TRY(read_histogram(s, stac_site_path(site, "calibration/histogram", path), h, err));
    stac_site_path(site, "calibration", path);
    STAC_TRY(stac_h5_get_int(&s->h5, path, "logarithmic", 0, 1, &logarithmic, err));
    h->logarithmic = logarithmic != 0;
    STAC_TRY(positive(s, path, "range", &h->range, err));
    STAC_TRY(positive(s, path, "power", &plan->power, err));
    STAC_TRY(not_negative(s, path, "spikes", &plan->expected.spikes, err));
    STAC_TRY(not_negative(s, path, "distortion", &plan->expected.distortion, err));
    if (positive(s, path, "sensitivity", &plan->sensitivity, &quiet) == STAC_OK) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s holds no sensitivity for %s: an older version wrote it; convert the model again",
                     s->h5.path, path);
}

int stac_snn_read_design(struct stac_snn *snn, struct stac_statistics *stats, struct stac_plan *plan, struct stac_error *err) {
    int64_t context;
    int status = STAC_OK;
    STAC_TRY(stac_statistics_init(stats, &snn->hp, err));
    STAC_TRY_DONE(stac_h5_get_int(&snn->h5, "/", "calibration_context", 1, snn->hp.n_ctx, &context, err));
    stats->context = (int)context;
    stats->longest = snn->longest;
    for (int i = 0; i < stats->n_sites; i++) {
        struct stac_site site = {.kind = stac_site_kind_at(&snn->hp, i), .layer = stac_site_layer_at(&snn->hp, i)};
        STAC_TRY_DONE(read_site_design(snn, &site, &stats->histogram[i], &plan[i], err));
    }
done:
    if (status != STAC_OK) stac_statistics_clean(stats);
    return status;
}

enum { MOST_LOSSES = 1001 }; /* as many as a job may ask for */

int stac_snn_read_losses(const struct stac_snn *snn, int layer, double **loss, size_t *n, struct stac_error *err) {
    char path[96];
    const struct stac_h5_reader *h5 = &snn->h5;
    *loss = NULL;
    *n = 0;
    if (!h5->path || !stac_h5_has(h5, stac_layer_path(layer, "threshold_loss", path))) return STAC_OK;
    STAC_TRY(stac_h5_rows(h5, path, MOST_LOSSES, n, err));
    STAC_TRY(STAC_NEW(*loss, *n, "losses", err));
    int status = stac_h5_read(h5, path, STAC_H5_F64, *n, 0, *loss, err);
    for (size_t i = 0; i < *n && status == STAC_OK; i++)
        if (!((*loss)[i] >= 0 && (*loss)[i] < 1e30))
            status = stac_fail(err, STAC_ERR_INPUT, "%s: loss %zu of %s is %g", h5->path, i, path, (*loss)[i]);
    if (status != STAC_OK) {
        free(*loss);
        *loss = NULL;
    }
    return status;
}

/* ---- sites and products ------------------------------------------------------------------------------------------- */

/* What every code has: numbers of its neuron, unit, step weights. */
static int read_head(struct stac_snn *s, const struct stac_site *site, struct stac_code *code, struct stac_error *err) {
    char path[96];
    int64_t n_classes, shift, heavy, curve, ratio, most;
    double unit, leak;
    stac_site_path(site, "code", path);
    STAC_TRY(stac_h5_get_int(&s->h5, path, "n_classes", 0, STAC_MAX_CLASSES, &n_classes, err));
    STAC_TRY(stac_h5_get_int(&s->h5, path, "shift", 0, 15, &shift, err));
    STAC_TRY(stac_h5_get_int(&s->h5, path, "heavy", 0, STAC_MAX_HEAVY, &heavy, err));
    STAC_TRY(stac_h5_get_int(&s->h5, path, "curve", 0, 1000, &curve, err));
    STAC_TRY(stac_h5_get_int(&s->h5, path, "ratio", 0, 1000, &ratio, err));
    STAC_TRY(stac_h5_get_int(&s->h5, path, "most", 0, 1023, &most, err));
    STAC_TRY(stac_h5_get_real(&s->h5, path, "unit", &unit, err));
    STAC_TRY(stac_h5_get_real(&s->h5, path, "leak", &leak, err));
    *code = (struct stac_code){.kind = s->code,
                               .timesteps = s->timesteps,
                               .base = {(int)n_classes, (int)shift, (int)heavy, (int)curve, (int)ratio},
                               .unit = (float)unit,
                               .neuron = {.kind = s->neuron, .most = (int)most, .leak = (float)leak}};
    size_t factors = (size_t)stac_base_factors(code->base);
    if (factors > 0)
        return stac_h5_read(&s->h5, stac_site_path(site, "code/mantissa", path), STAC_H5_I32, factors, 0, code->mantissa, err);
    return stac_h5_read(&s->h5, stac_site_path(site, "code/weight", path), STAC_H5_I32, (size_t)s->timesteps, 0, code->weight,
                        err);
}

/* The words of a table. */
static int read_words(struct stac_snn *s, const struct stac_site *site, size_t n, struct stac_word *words, float *thresholds,
                      struct stac_error *err) {
    char path[96];
    uint64_t *mask;
    int status = STAC_OK;
    STAC_TRY(STAC_NEW(mask, n, "a code", err));
    STAC_TRY_DONE(stac_h5_read(&s->h5, stac_site_path(site, "code/plus", path), STAC_H5_U64, n, 0, mask, err));
    for (size_t i = 0; i < n; i++) words[i].plus = mask[i];
    STAC_TRY_DONE(stac_h5_read(&s->h5, stac_site_path(site, "code/minus", path), STAC_H5_U64, n, 0, mask, err));
    for (size_t i = 0; i < n; i++) words[i].minus = mask[i];
    if (n > 1)
        STAC_TRY_DONE(
            stac_h5_read(&s->h5, stac_site_path(site, "code/threshold", path), STAC_H5_F32, n - 1, 0, thresholds, err));
done:
    free(mask);
    return status;
}

/* A code that is a table of words. */
static int read_table(struct stac_snn *s, const struct stac_site *site, const struct stac_code *head, struct stac_code *out,
                      bool *refused, struct stac_error *err) {
    char path[96];
    size_t n;
    struct stac_word *words = NULL;
    float *thresholds = NULL;
    int status = STAC_OK;
    STAC_TRY(stac_h5_rows(&s->h5, stac_site_path(site, "code/plus", path), STAC_MAX_LEVELS, &n, err));
    STAC_TRY_DONE(STAC_NEW(words, n, "a code", err));
    STAC_TRY_DONE(STAC_NEW(thresholds, n, "a code", err));
    STAC_TRY_DONE(read_words(s, site, n, words, thresholds, err));
    status = stac_code_restore(out, s->timesteps, head->base, head->mantissa, head->unit, (int)n, words, thresholds, err);
    *refused = status != STAC_OK;
done:
    free(words);
    free(thresholds);
    return status;
}

/* A code that follows from the parameters of its neuron. */
static int read_neuron(struct stac_snn *s, const struct stac_site *site, const struct stac_code *head, struct stac_code *out,
                       bool *refused, struct stac_error *err) {
    char path[96];
    *out = *head;
    if (head->kind == STAC_CODE_TERNARY)
        STAC_TRY(stac_h5_read(&s->h5, stac_site_path(site, "code/firing", path), STAC_H5_F32, (size_t)s->timesteps,
                              STAC_MAX_SPIKES, out->neuron.threshold, err));
    int status = stac_recipe_restore(out, err);
    *refused = status != STAC_OK;
    return status;
}

static int read_code(struct stac_snn *s, struct stac_site *site, struct stac_error *err) {
    char path[96];
    struct stac_code head;
    bool refused = false;
    STAC_TRY(read_head(s, site, &head, err));
    bool words = head.kind == STAC_CODE_TERNARY && head.neuron.kind == STAC_NEURON_TABLE;
    int status = words ? read_table(s, site, &head, &site->code, &refused, err)
                       : read_neuron(s, site, &head, &site->code, &refused, err);
    if (status == STAC_OK) {
        int64_t reach = words ? site->code.levels.value[site->code.n_levels - 1] : stac_code_reach(&site->code);
        if ((refused = reach > stac_largest_integer(&s->hp, site->kind, s->longest)))
            status = stac_fail(err, STAC_ERR_INPUT, "its integers reach %lld, which could overflow", (long long)reach);
    }
    if (refused) stac_fail_in(err, "%s: %s", s->h5.path, stac_site_path(site, "code", path));
    site->spiking = status == STAC_OK;
    return status;
}

int stac_snn_read_code(struct stac_snn *snn, enum stac_site_kind kind, int layer, struct stac_code *out,
                       struct stac_error *err) {
    struct stac_site site = {.kind = kind, .layer = layer};
    int status = read_code(snn, &site, err);
    *out = site.code;
    if (status != STAC_OK) stac_code_clean(out);
    return status;
}

/* Scales are divided by or stand for a unit: none is 0. */
static int read_scales(struct stac_snn *s, const char *path, size_t n, float **out, struct stac_error *err) {
    STAC_TRY(stac_h5_read_reals(&s->h5, path, n, 0, out, err));
    for (size_t i = 0; i < n; i++)
        if (!((*out)[i] > 0))
            return stac_fail(err, STAC_ERR_INPUT, "%s: scale %zu of %s is %g", s->h5.path, i, path, (double)(*out)[i]);
    return STAC_OK;
}

static int read_linear(struct stac_snn *s, const struct stac_mapping *file, struct stac_site *site, struct stac_linear *l,
                       struct stac_error *err) {
    char path[96];
    size_t n_in = (size_t)l->n_in, n_out = (size_t)l->n_out;
    STAC_TRY(stac_h5_view_weights(&s->h5, file, stac_site_path(site, "weight", path), n_in, n_out, &l->q, err));
    STAC_TRY(read_scales(s, stac_site_path(site, "scale", path), n_out, &l->scale, err));
    STAC_TRY(stac_h5_read_reals(&s->h5, stac_site_path(site, "bias", path), n_out, 0, &l->bias, err));
    STAC_TRY(stac_h5_read_reals(&s->h5, stac_site_path(site, "mean", path), n_in, 0, &site->mean, err));
    return read_code(s, site, err);
}

static int read_block(struct stac_snn *s, const struct stac_mapping *file, int layer, struct stac_block *b,
                      struct stac_error *err) {
    struct stac_linear *fed[STAC_SITE_HEAD_IN] = {&b->qkv, NULL, NULL, &b->o, &b->up, &b->down};
    size_t kv = (size_t)stac_kv_width(&s->hp);
    char path[96];
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++)
        STAC_TRY(fed[k] ? read_linear(s, file, &b->site[k], fed[k], err) : read_code(s, &b->site[k], err));
    STAC_TRY(stac_h5_read_reals(&s->h5, stac_layer_path(layer, "k_mean", path), kv, 0, &b->k_mean, err));
    return read_scales(s, stac_layer_path(layer, "v_scale", path), kv, &b->v_scale, err);
}

static int read_embedding(struct stac_snn *s, struct stac_network *net, struct stac_error *err) {
    size_t d = (size_t)s->hp.n_embd, rows = (size_t)s->hp.n_vocab, positions = (size_t)s->hp.n_ctx;
    STAC_TRY(stac_h5_view_reals(&s->h5, &net->stored, "/embedding/token", rows, d, &net->token_embd, err));
    if (!s->hp.learned_positions) return STAC_OK;
    return stac_h5_view_reals(&s->h5, &net->stored, "/embedding/position", positions, d, &net->position_embd, err);
}

/* Pieces of a part, largest first: embedding, output head, blocks. */
static int read_piece(struct stac_snn *s, struct stac_part part, int piece, struct stac_network *net, struct stac_error *err) {
    if (piece == 0) return part.embedding ? read_embedding(s, net, err) : STAC_OK;
    if (piece == 1) return part.head ? read_linear(s, &net->stored, &net->head_in, &net->head, err) : STAC_OK;
    return read_block(s, &net->stored, part.first + piece - 2, &net->block[piece - 2], err);
}

/* Of several failures the first in the order of the pieces is told, as if they were read one after the other. */
static int read_pieces(struct stac_snn *s, struct stac_part part, struct stac_network *net, struct stac_error *err) {
    int n = part.last - part.first + 2, failed = n;
#pragma omp parallel for schedule(dynamic, 1)
    for (int piece = 0; piece < n; piece++) {
        struct stac_error own = {0};
        if (read_piece(s, part, piece, net, &own) == STAC_OK) continue;
#pragma omp critical(read_pieces)
        if (piece < failed) {
            failed = piece;
            *err = own;
        }
    }
    return failed < n ? err->status : STAC_OK;
}

int stac_snn_load(struct stac_snn *snn, struct stac_part part, struct stac_network *net, struct stac_error *err) {
    const struct stac_h5_reader *h = &snn->h5;
    STAC_TRY(stac_network_init(net, &snn->hp, part, err));
    net->hadamard = snn->hadamard;
    int status = stac_file_map_open(h->path, h->fd, h->map.size, &net->stored, err);
    if (status == STAC_OK) status = read_pieces(snn, part, net, err);
    if (status != STAC_OK) stac_network_clean(net);
    return status;
}
