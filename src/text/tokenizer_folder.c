/* The files of a Hugging Face tokenizer folder: tokenizer.json, and beside it what names BOS, EOS and chat template. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/tokenizer_internal.h"

#define MIB ((size_t)1 << 20)

enum { TOKENIZER, CONFIG, SPECIALS, TEMPLATE };
static const struct {
    const char *name;
    size_t limit;
} known_files[STAC_TOKENIZER_FILES] = {
    [TOKENIZER] = {"tokenizer.json", 64 * MIB},
    [CONFIG] = {"tokenizer_config.json", 4 * MIB},
    [SPECIALS] = {"special_tokens_map.json", MIB},
    [TEMPLATE] = {"chat_template.jinja", MIB},
};

/* Keep the file in memory; one that is not there stays NULL, but for tokenizer.json. */
static int read_file(const char *folder, int which, struct stac_tokenizer *t, struct stac_error *err) {
    struct stac_source_file *f = &t->files[which];
    char *path = stac_file_join(folder, known_files[which].name, err);
    if (!path) return err->status;
    f->name = known_files[which].name;
    int status = STAC_OK;
    if (which == TOKENIZER || stac_file_exists(path))
        status = stac_file_read(path, known_files[which].limit, &f->data, &f->size, err);
    if (status == STAC_OK && which == TOKENIZER) status = stac_tokenizer_load_json(path, f->data, f->size, t, err);
    free(path);
    return status;
}

/* These files hold model_max_length: 1e30 written as an integer, so integers are read as real numbers. */
static int parse_config(const char *folder, const struct stac_source_file *f, json_t **out, struct stac_error *err) {
    json_error_t where;
    *out = json_loadb(f->data, f->size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &where);
    if (!*out)
        return stac_fail(err, STAC_ERR_INPUT, "%s/%s is not valid JSON at line %d, column %d: %s", folder, f->name, where.line,
                         where.column, where.text);
    if (json_is_object(*out)) return STAC_OK;
    json_decref(*out);
    *out = NULL;
    return stac_fail(err, STAC_ERR_INPUT, "%s/%s does not hold a JSON object", folder, f->name);
}

/* The id of a token named as "text" or {"content": "text"}; *id stays when there is none. */
static int read_token(const struct stac_tokenizer *t, const json_t *config, const char *key, int32_t *id,
                      struct stac_error *err) {
    const json_t *value = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    if (!value || json_is_null(value)) return STAC_OK;
    if (!text) return stac_fail(err, STAC_ERR_INPUT, "\"%s\" is not a token's text", key);
    *id = stac_tokenizer_find(t, text);
    if (*id >= 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "\"%s\" is \"%.*s\", which is not in the vocabulary", key, STAC_SHOWN(strlen(text)),
                     text);
}

static int keep_template(struct stac_tokenizer *t, const char *text, struct stac_error *err) {
    t->chat_template = stac_strdup(text, err);
    return t->chat_template ? STAC_OK : err->status;
}

/* "chat_template" is a text, or a list of {name, template} of which "default" counts. */
static int read_template(struct stac_tokenizer *t, const json_t *config, struct stac_error *err) {
    const json_t *value = json_object_get(config, "chat_template");
    json_t *item;
    size_t i;
    if (!value || json_is_null(value)) return STAC_OK;
    if (json_is_string(value)) return keep_template(t, json_string_value(value), err);
    if (!json_is_array(value)) return stac_fail(err, STAC_ERR_INPUT, "\"chat_template\" is neither a text nor a list");
    json_array_foreach(value, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *text = json_string_value(json_object_get(item, "template"));
        if (!name || !text) return stac_fail(err, STAC_ERR_INPUT, "\"chat_template\" %zu has no name or no template", i);
        if (strcmp(name, "default") == 0) return keep_template(t, text, err);
    }
    return STAC_OK;
}

/* chat_template.jinja goes before "chat_template", and tokenizer_config.json before special_tokens_map.json, as in
 * Hugging Face's transformers. */
static int read_config(const char *folder, int which, struct stac_tokenizer *t, struct stac_error *err) {
    const struct stac_source_file *f = &t->files[which];
    json_t *config;
    int status = STAC_OK;
    if (!f->data) return STAC_OK;
    STAC_TRY(parse_config(folder, f, &config, err));
    if (t->bos < 0) status = read_token(t, config, "bos_token", &t->bos, err);
    if (status == STAC_OK && t->eos < 0) status = read_token(t, config, "eos_token", &t->eos, err);
    if (status == STAC_OK && which == CONFIG && !t->chat_template) status = read_template(t, config, err);
    json_decref(config);
    return status == STAC_OK ? STAC_OK : stac_fail_in(err, "%s/%s", folder, f->name);
}

int stac_tokenizer_load_folder(const char *folder, struct stac_tokenizer *t, struct stac_error *err) {
    for (int which = 0; which < STAC_TOKENIZER_FILES; which++) STAC_TRY(read_file(folder, which, t, err));
    const struct stac_source_file *jinja = &t->files[TEMPLATE];
    if (jinja->data && strlen(jinja->data) != jinja->size)
        return stac_fail(err, STAC_ERR_INPUT, "%s/%s holds a NUL byte", folder, jinja->name);
    if (jinja->data) STAC_TRY(keep_template(t, jinja->data, err));
    STAC_TRY(read_config(folder, CONFIG, t, err));
    return read_config(folder, SPECIALS, t, err);
}
