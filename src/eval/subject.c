#include "eval/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "convert/convert.h"
#include "dist/merge.h"
#include "eval/execution.h"
#include "job/digest.h"
#include "model/hub.h"
#include "net/placed.h"

/* ---- opening ------------------------------------------------------------------------------------------------------ */

/* The original of a converted folder: where the job says, else where it was when it was converted. */
static int open_original(struct stac_subject *s, struct stac_error *err) {
    char *path = NULL;
    int status = STAC_OK;
    if (s->job->model_name[0])
        status = stac_hub_resolve(s->job->model_name, &path, err);
    else if (!(path = stac_strdup(s->origin_path, err)))
        status = err->status;
    if (status == STAC_OK && !stac_file_exists(path))
        status = stac_fail(err, STAC_ERR_INPUT,
                           "the original model %s is not there any more: name it with --model_name, or use --mode snn", path);
    if (status == STAC_OK) status = stac_model_open(path, &s->model, err);
    free(path);
    return status;
}

/* The weights must be those that were converted; only rank 0 reads them all. */
static int check_identity(struct stac_subject *s, struct stac_error *err) {
    char hex[STAC_SHA256_HEX];
    if (s->ranks->rank != 0 || !s->model || !s->folder) return STAC_OK;
    STAC_TRY(stac_model_digest(s->model, hex, err));
    if (strcmp(hex, s->snn.origin.model_sha256) == 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s is not the model that was converted: its SHA-256 is %s, not %s",
                     stac_model_path(s->model), hex, s->snn.origin.model_sha256);
}

static int open_folder(struct stac_subject *s, const char *file, struct stac_error *err) {
    s->folder = stac_strdup(s->job->dir, err);
    if (!s->folder) return err->status;
    STAC_TRY(stac_snn_open(file, &s->snn, err));
    s->hp = s->snn.hp;
    s->side[STAC_SNN] = s->job->mode != STAC_JOB_BASELINE;
    s->side[STAC_BASELINE] = s->job->mode != STAC_JOB_SNN;
    if (!s->side[STAC_BASELINE]) return STAC_OK;
    s->origin_path = s->snn.origin.model_path;
    return open_original(s, err);
}

static int open_model_alone(struct stac_subject *s, struct stac_error *err) {
    if (s->job->mode != STAC_JOB_BASELINE)
        return stac_fail(
            err, STAC_ERR_USAGE,
            "%s is not a converted folder (it has no snn_model.h5): convert it with stac-convert, or use --mode baseline",
            s->job->dir);
    char *path;
    STAC_TRY(stac_hub_resolve(s->job->dir, &path, err));
    int status = stac_model_open(path, &s->model, err);
    free(path);
    s->side[STAC_BASELINE] = true;
    return status;
}

int stac_subject_tokenizer(const struct stac_job *job, struct stac_tokenizer **out, struct stac_error *err) {
    char *file = stac_file_join(job->dir, "snn_model.h5", err), *path = NULL;
    if (!file) return err->status;
    int status = STAC_OK;
    if (!stac_file_exists(file))
        status = stac_hub_resolve(job->dir, &path, err);
    else if (!(path = stac_file_join(job->dir, "tokenizer", err)))
        status = err->status;
    if (status == STAC_OK) status = stac_tokenizer_open(path, out, err);
    free(path);
    free(file);
    return status;
}

static int open_files(struct stac_subject *s, struct stac_error *err) {
    char *file = stac_file_join(s->job->dir, "snn_model.h5", err);
    if (!file) return err->status;
    int status = stac_file_exists(file) ? open_folder(s, file, err) : open_model_alone(s, err);
    free(file);
    STAC_TRY(status);
    if (s->model) s->hp = *stac_model_hparams(s->model);
    STAC_TRY(check_identity(s, err));
    return s->job->ids[0] ? STAC_OK : stac_subject_tokenizer(s->job, &s->tokenizer, err); /* ids need none */
}

static int load_parts(struct stac_subject *s, struct stac_error *err) {
    if (s->grid.stage < 0) return STAC_OK;
    if (s->side[STAC_BASELINE]) STAC_TRY(stac_network_load(s->model, s->part, true, &s->net[STAC_BASELINE], err));
    if (s->side[STAC_SNN]) STAC_TRY(stac_snn_load(&s->snn, s->part, &s->net[STAC_SNN], err));
    return STAC_OK;
}

/* ---- a device ------------------------------------------------------------------------------------------------------ */

static double mebibytes(double bytes) {
    return bytes / 1048576;
}

/* What the networks of this rank, and then a conversation, take of the device: told before it is reserved. */
static void tell_plan(const struct stac_subject *s) {
    double weights = 0, token = 0;
    char more[80];
    for (int i = 0; i < STAC_SIDES; i++) {
        if (!s->side[i]) continue;
        weights += (double)stac_network_placed_bytes(&s->net[i], false);
        token += stac_cache_bytes(&s->net[i], 1, 1);
    }
    snprintf(more, sizeof more, ", and each token of a conversation %.3f MiB", mebibytes(token));
    stac_hardware_tell(s->hardware.device, s->log, weights, more);
}

int stac_subject_place(struct stac_subject *s, enum stac_side side, struct stac_error *err) {
    if (!s->hardware.device || s->grid.stage < 0) return STAC_OK;
    stac_network_clean(&s->placed[side]);
    return stac_network_place(&s->net[side], s->hardware.device, false, &s->placed[side], err);
}

static int place_parts(struct stac_subject *s, struct stac_error *err) {
    if (!s->hardware.device || s->grid.stage < 0) return STAC_OK;
    tell_plan(s);
    for (int i = 0; i < STAC_SIDES; i++)
        if (s->side[i]) STAC_TRY(stac_subject_place(s, (enum stac_side)i, err));
    return STAC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

int stac_subject_open(struct stac_subject *s, struct stac_error *err) {
    int status = STAC_OK;
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, open_files(s, err), err));
    STAC_TRY_DONE(stac_spread(s->job, s->ranks, &s->hp, &s->grid, &s->stage_begin, &s->part, err));
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, load_parts(s, err), err));
    STAC_TRY_DONE(stac_hardware_open(&s->hardware, s->job, s->ranks, &s->grid, s->log, err));
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, place_parts(s, err), err));
    if (s->job->use_sparse && s->side[STAC_SNN]) STAC_TRY_DONE(stac_execution_measure(s, err));
done:
    if (status != STAC_OK) stac_subject_close(s);
    return status;
}

/* The network or the model, but for what lies beside it. */
static int describe(const struct stac_subject *s, struct stac_strbuf *subject, struct stac_error *err) {
    char hex[STAC_SHA256_HEX];
    struct stac_mapping map = {0};
    if (!s->folder) {
        STAC_TRY(stac_model_digest(s->model, hex, err));
        return stac_strbuf_puts(subject, hex, err);
    }
    STAC_TRY(stac_file_map(s->snn.h5.path, &map, err));
    int status = stac_strbuf_printf(subject, err, "%016" PRIx64 " of %zu bytes", stac_xxh3(map.data, map.size), map.size);
    stac_file_unmap(&map);
    return status;
}

int stac_subject_digest(const struct stac_subject *s, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    struct stac_strbuf subject = {0};
    const char *model = s->model ? stac_model_path(s->model) : NULL;
    char *tokenizer = s->folder ? stac_file_join(s->folder, "tokenizer", err) : stac_strdup(model, err);
    int status = tokenizer ? describe(s, &subject, err) : err->status;
    if (status == STAC_OK) status = stac_digest_companions(tokenizer, model, &subject, err);
    if (status == STAC_OK) status = stac_job_digest(s->job, stac_build_info(), stac_strbuf_text(&subject), hex, err);
    free(tokenizer);
    stac_strbuf_clean(&subject);
    return status;
}

void stac_subject_close(struct stac_subject *s) {
    for (int i = 0; i < STAC_SIDES; i++) {
        stac_network_clean(&s->placed[i]);
        stac_network_clean(&s->net[i]);
    }
    stac_hardware_close(&s->hardware, &s->grid);
    stac_model_close(s->model);
    stac_tokenizer_close(s->tokenizer);
    if (s->folder) stac_snn_close(&s->snn);
    stac_grid_clean(&s->grid);
    free(s->folder);
    free(s->stage_begin);
    *s = (struct stac_subject){.job = s->job, .ranks = s->ranks, .log = s->log};
}

int stac_subject_context(const struct stac_subject *s) {
    int64_t asked = s->job->max_context_length;
    return (int)(asked > s->hp.n_ctx && !stac_job_gives(s->job, "max_context_length") ? s->hp.n_ctx : asked);
}

bool stac_subject_holds_in_pieces(const struct stac_subject *s, enum stac_side side) {
    return side != STAC_SNN || s->snn.neuron != STAC_NEURON_ST_BIF;
}

/* ---- stands ------------------------------------------------------------------------------------------------------- */

static enum stac_mode mode_of(const struct stac_stand *t, int p, enum stac_mode spiking) {
    return t->side[p] == STAC_SNN ? spiking : STAC_MODE_DENSE;
}

/* Whether caches and runs of the sides of a stand fit the device, told in words that help. */
static int check_room(const struct stac_stand *t, enum stac_mode spiking, int n_slots, int capacity, int max_rows,
                      struct stac_error *err) {
    const struct stac_subject *s = t->subject;
    size_t left = 0, all = 0;
    double cache = 0, run = 0;
    for (int p = 0; p < t->n_sides; p++) {
        cache += stac_cache_bytes(&s->net[t->side[p]], n_slots, capacity);
        run += stac_run_bytes(&s->net[t->side[p]], mode_of(t, p, spiking), capacity, max_rows);
    }
    const char *why = s->hardware.device->room(&left, &all);
    if (why || cache + run <= (double)left) return STAC_OK; /* a failure is told by what is reserved next */
    return stac_fail(
        err, STAC_ERR_MEMORY,
        "%s: %d conversations of %d tokens take %.0f MiB, reading %d tokens at once %.0f MiB, and %.0f MiB are free: "
        "fewer conversations, a shorter max_context_length, or more ranks",
        s->hardware.device->name, n_slots, capacity, mebibytes(cache), max_rows, mebibytes(run), mebibytes((double)left));
}

static int init_stand(struct stac_stand *t, struct stac_subject *s, bool on_device, enum stac_mode spiking, enum stac_side only,
                      int n_slots, int capacity, int max_rows, struct stac_error *err) {
    struct stac_run *runs[STAC_SIDES];
    int status = STAC_OK;
    *t = (struct stac_stand){.subject = s};
    for (int i = 0; i < STAC_SIDES; i++)
        if (s->side[i] && (only == STAC_SIDES || only == (enum stac_side)i)) t->side[t->n_sides++] = (enum stac_side)i;
    if (on_device && s->grid.stage >= 0) STAC_TRY_DONE(check_room(t, spiking, n_slots, capacity, max_rows, err));
    for (int p = 0; p < t->n_sides && s->grid.stage >= 0; p++) {
        const struct stac_network *net = on_device ? &s->placed[t->side[p]] : &s->net[t->side[p]];
        STAC_TRY_DONE(stac_cache_init(&t->cache[p], net, n_slots, capacity, err));
        STAC_TRY_DONE(stac_run_init(&t->run[p], net, &t->cache[p], mode_of(t, p, spiking), max_rows, err));
        if (s->job->use_sparse && t->side[p] == STAC_SNN) t->run[p].sparse = &s->sparse;
        runs[p] = &t->run[p];
    }
    STAC_TRY_DONE(stac_pipeline_init(&t->pipeline, &s->grid, t->n_sides, runs, err));
done:
    status = stac_agree(s->ranks, s->ranks->comm, status, err);
    if (status != STAC_OK) stac_stand_clean(t);
    return status;
}

/* As the job says. */
static enum stac_mode spiking_mode(const struct stac_subject *s) {
    return s->job->execution == STAC_JOB_TEMPORAL ? STAC_MODE_TEMPORAL : STAC_MODE_COUNT;
}

int stac_stand_init(struct stac_stand *t, struct stac_subject *s, enum stac_side only, int n_slots, int capacity, int max_rows,
                    struct stac_error *err) {
    return init_stand(t, s, s->hardware.device != NULL, spiking_mode(s), only, n_slots, capacity, max_rows, err);
}

int stac_stand_init_on_processors(struct stac_stand *t, struct stac_subject *s, enum stac_side only, int n_slots, int capacity,
                                  int max_rows, struct stac_error *err) {
    return init_stand(t, s, false, spiking_mode(s), only, n_slots, capacity, max_rows, err);
}

int stac_stand_init_in_mode(struct stac_stand *t, struct stac_subject *s, enum stac_mode mode, int capacity,
                            struct stac_error *err) {
    bool on_device = s->hardware.device && mode == STAC_MODE_COUNT;
    return init_stand(t, s, on_device, mode, STAC_SNN, 1, capacity, capacity, err);
}

void stac_stand_clean(struct stac_stand *t) {
    stac_pipeline_clean(&t->pipeline);
    for (int p = 0; p < STAC_SIDES; p++) {
        stac_run_clean(&t->run[p]);
        stac_cache_clean(&t->cache[p]);
    }
    t->n_sides = 0;
}

static void add_counts(struct stac_stand *t, int position, struct stac_counts *counts) {
    const struct stac_subject *s = t->subject;
    struct stac_run *run = &t->run[position];
    if (s->grid.stage < 0) return;
    for (int l = s->part.first; l < s->part.last; l++)
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) {
            const struct stac_site *site = &run->net->block[l - s->part.first].site[k];
            stac_counts_add(&counts[stac_site_index(&s->hp, site)], stac_run_counts(run, site));
        }
    if (s->part.head) stac_counts_add(&counts[stac_site_count(&s->hp) - 1], stac_run_counts(run, &run->net->head_in));
}

void stac_stand_take_counts(struct stac_stand *t, int position, struct stac_counts *counts) {
    add_counts(t, position, counts);
    if (t->subject->grid.stage >= 0) stac_run_clear_counts(&t->run[position]);
}

int stac_stand_counts(struct stac_stand *t, int position, struct stac_counts *counts, struct stac_error *err) {
    struct stac_subject *s = t->subject;
    int n = stac_site_count(&s->hp);
    memset(counts, 0, (size_t)n * sizeof *counts);
    add_counts(t, position, counts);
    return stac_merge_to_all(s->ranks, &(struct stac_partial){STAC_ADD_I64, (int64_t *)counts, STAC_COUNT_FIELDS * (size_t)n},
                             1, err);
}
