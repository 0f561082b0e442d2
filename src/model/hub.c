#include "model/hub.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* Short names of the original system and of older versions of the hub. */
static const struct {
    const char *name, *full;
} short_names[] = {
    {"distilgpt2", "distilbert/distilgpt2"},
    {"gpt2", "openai-community/gpt2"},
    {"SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"},
    {"SmolLM2-360M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct"},
    {"SmolLM2-1.7B-Instruct", "HuggingFaceTB/SmolLM2-1.7B-Instruct"},
};

static const char *full_name(const char *name) {
    for (size_t i = 0; i < sizeof short_names / sizeof short_names[0]; i++)
        if (strcmp(short_names[i].name, name) == 0) return short_names[i].full;
    return name;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* A word that is safe as a part of a path and of a shell command: letters, digits, - _ . and no leading dot or dash. */
static bool is_word(const char *s, size_t n) {
    if (n == 0 || n > 96 || s[0] == '.' || s[0] == '-') return false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.') return false;
        if (i > 0 && s[i] == '.' && s[i - 1] == '.') return false;
    }
    return true;
}

/* NAME or ORG/NAME. */
static bool is_hub_name(const char *name) {
    size_t n = strcspn(name, "/");
    return is_word(name, n) && (name[n] == 0 || is_word(name + n + 1, strlen(name + n + 1)));
}

/* "models--ORG--NAME", the folder of a model in a cache. */
static int cache_name(const char *name, struct stac_strbuf *out, struct stac_error *err) {
    size_t n = strcspn(name, "/");
    STAC_TRY(stac_strbuf_puts(out, "models--", err));
    STAC_TRY(stac_strbuf_add(out, name, n, err));
    return name[n] ? stac_strbuf_printf(out, err, "--%s", name + n + 1) : STAC_OK;
}

/* ---- one model in one cache ------------------------------------------------------------------------------------- */

/* The revision in refs/main, a new string; NULL when there is none or it is no plain word. */
static char *main_revision(const char *folder, struct stac_error *err) {
    struct stac_error ignored = {0};
    char *path = stac_file_join(folder, "refs/main", err), *text = NULL;
    size_t size = 0;
    if (path && stac_file_read(path, 256, &text, &size, &ignored) == STAC_OK) {
        size_t n = strcspn(text, " \t\r\n");
        text[n] = 0;
        if (!is_word(text, n)) {
            free(text);
            text = NULL;
        }
    }
    free(path);
    return text;
}

/* The one entry of a folder that ends in `suffix`, a new string; NULL when there is none or several. */
static char *only_entry(const char *folder, const char *suffix, struct stac_error *err) {
    char *found = NULL;
    size_t n = 0;
    DIR *d = opendir(folder);
    if (!d) return NULL;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t length = strlen(e->d_name), tail = strlen(suffix);
        if (e->d_name[0] == '.' || length < tail || strcmp(e->d_name + length - tail, suffix) != 0) continue;
        if (n++ == 0) found = stac_strdup(e->d_name, err);
    }
    closedir(d);
    if (n == 1) return found;
    free(found);
    return NULL;
}

/* folder/name, taking the name: a new string, or NULL when the name is NULL. */
static char *join_taken(const char *folder, char *name, struct stac_error *err) {
    char *path = name ? stac_file_join(folder, name, err) : NULL;
    free(name);
    return path;
}

/* A snapshot that holds a model: its folder, or the only GGUF file in it. Takes the path. */
static char *model_in(char *snapshot, struct stac_error *err) {
    if (!snapshot) return NULL;
    char *config = stac_file_join(snapshot, "config.json", err);
    bool whole = config && stac_file_exists(config);
    free(config);
    if (whole) return snapshot;
    char *gguf = join_taken(snapshot, only_entry(snapshot, ".gguf", err), err);
    free(snapshot);
    return gguf;
}

/* Path of a model in a cache folder, or NULL. */
static char *find_in(const char *cache, const char *name, struct stac_error *err) {
    struct stac_strbuf entry = {0};
    char *found = NULL;
    if (cache_name(name, &entry, err) == STAC_OK) {
        char *folder = stac_file_join(cache, stac_strbuf_text(&entry), err);
        char *snapshots = folder ? stac_file_join(folder, "snapshots", err) : NULL;
        char *revision = snapshots ? main_revision(folder, err) : NULL;
        if (snapshots && !revision) revision = only_entry(snapshots, "", err);
        if (revision) found = model_in(join_taken(snapshots, revision, err), err);
        free(snapshots);
        free(folder);
    }
    stac_strbuf_clean(&entry);
    return found;
}

/* ---- all caches ------------------------------------------------------------------------------------------------- */

/* Where the Hugging Face tools look, the strongest setting first. */
static const struct {
    const char *variable, *below;
} caches[] = {
    {"HF_HUB_CACHE", ""},
    {"HF_HOME", "hub"},
    {"XDG_CACHE_HOME", "huggingface/hub"},
    {"HOME", ".cache/huggingface/hub"},
};

static char *find_cached(const char *name, struct stac_error *err) {
    char *found = NULL;
    for (size_t i = 0; i < sizeof caches / sizeof caches[0] && !found && err->status == STAC_OK; i++) {
        const char *root = getenv(caches[i].variable);
        char *cache = root && *root ? stac_file_join(root, caches[i].below, err) : NULL;
        if (cache) found = find_in(cache, name, err);
        free(cache);
    }
    return found;
}

int stac_hub_resolve(const char *name, char **path, struct stac_error *err) {
    *path = NULL;
    if (stac_file_exists(name)) {
        *path = stac_strdup(name, err);
        return *path ? STAC_OK : err->status;
    }
    if (!is_hub_name(name))
        return stac_fail(err, STAC_ERR_INPUT, "there is no file or folder \"%.200s\", and it is no name of a model (ORG/NAME)",
                         name);
    const char *full = full_name(name);
    *path = find_cached(name, err);
    if (!*path && full != name) *path = find_cached(full, err);
    if (*path && !stac_is_utf8(*path)) { /* results name it, and JSON is UTF-8 */
        free(*path);
        *path = NULL;
        return stac_fail(err, STAC_ERR_USAGE, "the path of the Hugging Face cache that holds %s is not a text in UTF-8", name);
    }
    if (*path) return STAC_OK;
    if (err->status != STAC_OK) return err->status;
    return stac_fail(
        err, STAC_ERR_INPUT,
        "there is no file or folder %s, and no whole model of that name in the Hugging Face cache; download it with: "
        "hf download %s",
        name, full);
}
