#include "store/output.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

/* ---- folders ------------------------------------------------------------------------------------------------------ */

static bool is_empty_folder(const char *path) {
    DIR *dir = opendir(path);
    int entries = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir) closedir(dir);
    return dir && entries == 0;
}

static int may_replace(const char *path, bool force, struct stac_error *err) {
    if (!stac_file_exists(path) || is_empty_folder(path)) return STAC_OK;
    if (!force) return stac_fail(err, STAC_ERR_USAGE, "%s exists: choose another output_dir, or replace it with --force", path);
    char *snn = stac_file_join(path, "snn_model.h5", err);
    if (!snn) return err->status;
    bool ours = stac_file_is_folder(path) && stac_file_exists(snn);
    free(snn);
    if (ours) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "%s holds no converted network: --force does not replace what STAC did not make",
                     path);
}

bool stac_output_is_there(const char *path, const char *job_digest) {
    struct stac_error ignored = {0};
    struct stac_snn snn = {0};
    char *file = stac_file_join(path, "snn_model.h5", &ignored);
    bool same = file && stac_file_exists(file) && stac_snn_open(file, &snn, &ignored) == STAC_OK && snn.origin.job_digest &&
                strcmp(snn.origin.job_digest, job_digest) == 0;
    if (snn.h5.path) stac_snn_close(&snn);
    free(file);
    return same;
}

int stac_output_begin(struct stac_output *o, const char *path, bool force, struct stac_error *err) {
    char *log = NULL;
    int status = STAC_OK;
    *o = (struct stac_output){0};
    STAC_TRY(may_replace(path, force, err));
    if (!(o->path = stac_strdup(path, err))) return err->status;
    for (size_t n = strlen(o->path); n > 1 && o->path[n - 1] == '/'; n--) o->path[n - 1] = 0;
    char *draft = stac_draft_name(o->path, "draft", err);
    if (!draft) return err->status;
    status = stac_file_make_folder(draft, err);
    if (status != STAC_OK) {
        free(draft);
        goto done;
    }
    o->draft = draft;
    if (!(log = stac_output_file(o, "conversion_log.txt", err))) status = err->status;
    if (status == STAC_OK && !(o->log = fopen(log, "w")))
        status = stac_fail(err, STAC_ERR_IO, "cannot create %s: %s", log, strerror(errno));
done:
    free(log);
    if (status != STAC_OK) stac_output_discard(o);
    return status;
}

char *stac_output_file(const struct stac_output *o, const char *name, struct stac_error *err) {
    return stac_file_join(o->draft, name, err);
}

static int put_in_place(struct stac_output *o, struct stac_error *err) {
    STAC_TRY(stac_file_commit(o->draft, o->path, err));
    free(o->draft);
    o->draft = NULL;
    return STAC_OK;
}

/* Moves the earlier result aside first; brings it back if the new one cannot take its place. */
static int put_in_place_of(struct stac_output *o, struct stac_error *err) {
    char *old = stac_draft_name(o->path, "old", err);
    int status = old ? STAC_OK : err->status;
    if (status == STAC_OK && rename(o->path, old) != 0)
        status = stac_fail(err, STAC_ERR_IO, "cannot move %s aside: %s", o->path, strerror(errno));
    if (status == STAC_OK) {
        status = put_in_place(o, err);
        if (status == STAC_OK)
            status = stac_draft_remove(old, err);
        else if (rename(old, o->path) != 0)
            stac_fail_in(err, "the earlier result is kept as %s", old);
    }
    free(old);
    return status;
}

int stac_output_commit(struct stac_output *o, struct stac_error *err) {
    if (o->log && fclose(o->log) != 0) {
        o->log = NULL;
        return stac_fail(err, STAC_ERR_IO, "cannot write the conversion log in %s: %s", o->draft, strerror(errno));
    }
    o->log = NULL;
    if (!stac_file_exists(o->path)) return put_in_place(o, err);
    bool swapped;
    STAC_TRY(stac_file_swap(o->draft, o->path, &swapped, err));
    if (swapped) return stac_draft_remove(o->draft, err); /* which is the earlier result now */
    return put_in_place_of(o, err);
}

void stac_output_discard(struct stac_output *o) {
    struct stac_error ignored = {0};
    if (o->log) fclose(o->log);
    if (o->draft) stac_draft_remove(o->draft, &ignored);
    free(o->draft);
    free(o->path);
    *o = (struct stac_output){0};
}

/* ---- config.json -------------------------------------------------------------------------------------------------- */

static json_t *hparams_as_json(const struct stac_hparams *hp) {
    if (strcmp(hp->arch, "gpt2") == 0)
        return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:b}", "model_type", "gpt2", "n_layer", hp->n_layer,
                         "n_embd", hp->n_embd, "n_head", hp->n_head, "n_inner", hp->n_ff, "n_positions", hp->n_ctx,
                         "vocab_size", hp->n_vocab, "layer_norm_epsilon", hp->norm_eps, "tie_word_embeddings", hp->tied);
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:b}", "model_type", hp->arch,
                     "num_hidden_layers", hp->n_layer, "hidden_size", hp->n_embd, "num_attention_heads", hp->n_head,
                     "num_key_value_heads", hp->n_head_kv, "head_dim", hp->head_dim, "intermediate_size", hp->n_ff,
                     "max_position_embeddings", hp->n_ctx, "vocab_size", hp->n_vocab, "rms_norm_eps", hp->norm_eps,
                     "rope_theta", hp->rope_theta, "tie_word_embeddings", hp->tied);
}

enum { LARGEST_CONFIG = 1 << 20 };

/* config.json out of what describes the model, which is used up. */
static int write_config(const struct stac_output *o, json_t *config, const struct stac_origin *origin, int timesteps,
                        double ac_per_mac, struct stac_error *err) {
    json_t *stac = json_pack("{s:i, s:f, s:s, s:s, s:s, s:s*}", "timesteps", timesteps, "planned_ac_per_mac", ac_per_mac,
                             "model_path", origin->model_path, "model_sha256", origin->model_sha256, "job", origin->job,
                             "recoded_from", origin->recoded_from);
    char *path = stac_output_file(o, "config.json", err), *text = NULL;
    int status = path ? STAC_OK : err->status;
    if (status == STAC_OK && (!config || !stac || json_object_set(config, "stac", stac) != 0 ||
                              !(text = json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(9)))))
        status = stac_fail(err, STAC_ERR_MEMORY, "cannot describe the model as JSON");
    if (status == STAC_OK) status = stac_file_write(path, text, strlen(text), err);
    free(text);
    free(path);
    json_decref(config);
    json_decref(stac);
    return status;
}

int stac_output_config(const struct stac_output *o, const struct stac_hparams *original, const struct stac_origin *origin,
                       int timesteps, double ac_per_mac, struct stac_error *err) {
    return write_config(o, hparams_as_json(original), origin, timesteps, ac_per_mac, err);
}

int stac_output_config_again(const struct stac_output *o, const char *path, const struct stac_origin *origin, int timesteps,
                             double ac_per_mac, struct stac_error *err) {
    json_t *config;
    STAC_TRY(stac_json_load(path, LARGEST_CONFIG, &config, err));
    return write_config(o, config, origin, timesteps, ac_per_mac, err);
}
