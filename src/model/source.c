#include "model/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/gguf_internal.h"
#include "model/name_index.h"
#include "model/safetensors.h"
#include "model/shard_index.h"

#define SINGLE_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

struct weight_file {
    char *path;
    bool open;
    struct stac_safetensors *safetensors; /* NULL: GGUF, or not open */
};

struct entry {
    const char *name; /* borrowed from the GGUF file, the safetensors file or the index */
    size_t file;
    struct stac_tensor tensor; /* all zero while the file is not open */
};

struct stac_source {
    char *path;                /* of the folder or the GGUF file */
    struct weight_file *files; /* sorted by name */
    size_t n_files;
    struct entry *entries;
    struct stac_name *names; /* sorted */
    size_t n;
    struct stac_shard_index index; /* of a sharded folder */
};

/* ---- building --------------------------------------------------------------------------------------------------- */

static int reserve(struct stac_source *s, size_t n, size_t n_files, struct stac_error *err) {
    STAC_TRY(STAC_NEW(s->entries, n, "tensor descriptions", err));
    STAC_TRY(STAC_NEW(s->names, n, "tensor names", err));
    STAC_TRY(STAC_NEW(s->files, n_files, "weight files", err));
    s->n_files = n_files;
    return STAC_OK;
}

static struct entry *append(struct stac_source *s, const char *name, size_t file) {
    s->entries[s->n] = (struct entry){.name = name, .file = file};
    s->names[s->n] = (struct stac_name){name, strlen(name), s->n};
    return &s->entries[s->n++];
}

static int begin(const char *path, struct stac_source **out, struct stac_error *err) {
    STAC_TRY(STAC_NEW(*out, 1, "the weights of a model", err));
    (*out)->path = stac_strdup(path, err);
    return (*out)->path ? STAC_OK : err->status;
}

/* Give the finished source to the caller, or close what there is of it. */
static int hand_over(struct stac_source *s, int status, struct stac_source **out) {
    if (status == STAC_OK) {
        stac_names_sort(s->names, s->n); /* no duplicates: every reader has refused them */
        *out = s;
    } else {
        stac_source_close(s);
    }
    return status;
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static struct stac_tensor tensor_of_gguf(const struct stac_gguf_tensor *g) {
    struct stac_tensor t = {
        .name = g->name, .dtype = stac_gguf_dtype(g->type), .n_dims = g->n_dims, .data = g->data, .size = g->size};
    for (int i = 0; i < g->n_dims; i++) t.shape[i] = g->ne[g->n_dims - 1 - i];
    return t;
}

static int fill_from_gguf(struct stac_source *s, const struct stac_gguf *g, struct stac_error *err) {
    STAC_TRY(reserve(s, stac_gguf_n_tensors(g), 1, err));
    s->files[0].path = stac_strdup(stac_gguf_path(g), err);
    if (!s->files[0].path) return err->status;
    s->files[0].open = true;
    for (size_t i = 0; i < stac_gguf_n_tensors(g); i++) {
        const struct stac_gguf_tensor *t = stac_gguf_tensor_at(g, i);
        append(s, t->name, 0)->tensor = tensor_of_gguf(t);
    }
    return STAC_OK;
}

int stac_source_of_gguf(const struct stac_gguf *g, struct stac_source **out, struct stac_error *err) {
    struct stac_source *s = NULL;
    *out = NULL;
    int status = begin(stac_gguf_path(g), &s, err);
    if (status == STAC_OK) status = fill_from_gguf(s, g, err);
    return hand_over(s, status, out);
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static int fill_from_single(struct stac_source *s, const char *path, struct stac_error *err) {
    struct stac_safetensors *file;
    STAC_TRY(stac_safetensors_open(path, &file, err));
    int status = reserve(s, stac_safetensors_count(file), 1, err);
    if (status != STAC_OK) {
        stac_safetensors_close(file);
        return status;
    }
    s->files[0] = (struct weight_file){.path = stac_strdup(path, err), .open = true, .safetensors = file};
    if (!s->files[0].path) return err->status;
    for (size_t i = 0; i < stac_safetensors_count(file); i++) {
        const struct stac_tensor *t = stac_safetensors_at(file, i);
        append(s, t->name, 0)->tensor = *t;
    }
    return STAC_OK;
}

static int fill_from_index(struct stac_source *s, const char *folder, const char *path, struct stac_error *err) {
    STAC_TRY(stac_shard_index_read(path, &s->index, err));
    STAC_TRY(reserve(s, s->index.n, s->index.n_files, err));
    for (size_t i = 0; i < s->n_files; i++) {
        s->files[i].path = stac_file_join(folder, s->index.files[i], err);
        if (!s->files[i].path) return err->status;
        if (access(s->files[i].path, R_OK) != 0)
            return stac_fail(err, STAC_ERR_INPUT, "the shard %s is missing in the folder %s (an incomplete download?)",
                             s->index.files[i], folder);
    }
    for (size_t i = 0; i < s->index.n; i++) append(s, s->index.entries[i].tensor, s->index.entries[i].file);
    return STAC_OK;
}

static int refuse_folder(const char *folder, struct stac_error *err) {
    char *pickle = stac_file_join(folder, "pytorch_model.bin", err);
    if (!pickle) return err->status;
    bool has_pickle = stac_file_exists(pickle);
    free(pickle);
    return stac_fail(err, STAC_ERR_INPUT, "the folder %s holds neither " SINGLE_FILE " nor " INDEX_FILE "%s", folder,
                     has_pickle ? "; its pytorch_model.bin can run code and is not read: save the model as safetensors" : "");
}

static int fill_from_folder(struct stac_source *s, const char *folder, struct stac_error *err) {
    char *single = stac_file_join(folder, SINGLE_FILE, err), *index = stac_file_join(folder, INDEX_FILE, err);
    int status = err->status;
    if (single && index) {
        if (stac_file_exists(single))
            status = fill_from_single(s, single, err);
        else if (stac_file_exists(index))
            status = fill_from_index(s, folder, index, err);
        else
            status = refuse_folder(folder, err);
    }
    free(single);
    free(index);
    return status;
}

int stac_source_of_folder(const char *folder, struct stac_source **out, struct stac_error *err) {
    struct stac_source *s = NULL;
    *out = NULL;
    int status = begin(folder, &s, err);
    if (status == STAC_OK) status = fill_from_folder(s, folder, err);
    return hand_over(s, status, out);
}

void stac_source_close(struct stac_source *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n_files; i++) {
        stac_safetensors_close(s->files[i].safetensors);
        free(s->files[i].path);
    }
    free(s->path);
    free(s->files);
    free(s->entries);
    free(s->names);
    stac_shard_index_clean(&s->index);
    free(s);
}

/* ---- shards ----------------------------------------------------------------------------------------------------- */

/* Every tensor that the index puts into a shard is there, and none that it puts elsewhere. */
static int match_shard(struct stac_source *s, size_t file, const struct stac_safetensors *shard, struct stac_error *err) {
    for (size_t i = 0; i < stac_safetensors_count(shard); i++) {
        const char *name = stac_safetensors_at(shard, i)->name;
        ptrdiff_t at = stac_source_find(s, name);
        if (at >= 0 && s->entries[at].file != file)
            return stac_fail(err, STAC_ERR_INPUT, "%s holds the tensor %s, which the index puts into %s", s->files[file].path,
                             name, s->index.files[s->entries[at].file]);
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->entries[i].file == file && !stac_safetensors_find(shard, s->entries[i].name))
            return stac_fail(err, STAC_ERR_INPUT, "%s lacks the tensor %s, which the index puts there", s->files[file].path,
                             s->entries[i].name);
    return STAC_OK;
}

int stac_source_open(struct stac_source *s, size_t file, struct stac_error *err) {
    struct weight_file *f = &s->files[file];
    struct stac_safetensors *shard;
    if (f->open) return STAC_OK;
    STAC_TRY(stac_safetensors_open(f->path, &shard, err));
    int status = match_shard(s, file, shard, err);
    if (status != STAC_OK) {
        stac_safetensors_close(shard);
        return status;
    }
    f->safetensors = shard;
    f->open = true;
    for (size_t i = 0; i < s->n; i++)
        if (s->entries[i].file == file) s->entries[i].tensor = *stac_safetensors_find(shard, s->entries[i].name);
    return STAC_OK;
}

void stac_source_shut(struct stac_source *s, size_t file) {
    struct weight_file *f = &s->files[file];
    if (!stac_source_is_sharded(s)) return; /* the names of the tensors are borrowed from a single file */
    stac_safetensors_close(f->safetensors);
    f->safetensors = NULL;
    f->open = false;
}

const char *stac_source_path(const struct stac_source *s) {
    return s->path;
}

const char *stac_source_file_path(const struct stac_source *s, size_t file) {
    return s->files[file].path;
}

bool stac_source_is_open(const struct stac_source *s, size_t file) {
    return s->files[file].open;
}

bool stac_source_is_sharded(const struct stac_source *s) {
    return s->index.json != NULL;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

size_t stac_source_count(const struct stac_source *s) {
    return s->n;
}

ptrdiff_t stac_source_find(const struct stac_source *s, const char *name) {
    const struct stac_name *found = stac_names_find(s->names, s->n, name);
    return found ? (ptrdiff_t)found->at : -1;
}

const char *stac_source_name(const struct stac_source *s, size_t tensor) {
    return s->entries[tensor].name;
}

size_t stac_source_file(const struct stac_source *s, size_t tensor) {
    return s->entries[tensor].file;
}

const struct stac_tensor *stac_source_tensor(const struct stac_source *s, size_t tensor) {
    const struct entry *e = &s->entries[tensor];
    return s->files[e->file].open ? &e->tensor : NULL;
}

/* ---- identity --------------------------------------------------------------------------------------------------- */

int stac_source_digest(const struct stac_source *s, struct stac_bytes last, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    struct stac_mapping *maps = NULL;
    struct stac_bytes *parts = NULL;
    size_t n = 0;
    int status;
    STAC_TRY_DONE(STAC_NEW(maps, s->n_files, "weight files", err));
    STAC_TRY_DONE(STAC_NEW(parts, s->n_files + 1, "weight files", err));
    for (; n < s->n_files; n++) {
        STAC_TRY_DONE(stac_file_map(s->files[n].path, &maps[n], err));
        parts[n] = (struct stac_bytes){maps[n].data, maps[n].size};
    }
    parts[n] = last;
    status = stac_sha256_parts(parts, n + 1, hex, err);
done:
    while (n > 0) stac_file_unmap(&maps[--n]);
    free(maps);
    free(parts);
    return status;
}
