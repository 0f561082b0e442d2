/* The files of a Hugging Face tokenizer folder: tokenizer.json, and beside it what names BOS, EOS and chat template. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/tokenizer_internal.h"

#define MIB ((size_t)1 << 20)

enum { TOKENIZER, CONFIG, SPECIALS, TEMPLATE, MODEL };
enum { UNNAMED = -2 }; /* no file says that there is a token or none */
static const struct {
    const char *name;
    size_t limit;
} known_files[STAC_TOKENIZER_FILES] = {
    [TOKENIZER] = {"tokenizer.json", 64 * MIB},
    [CONFIG] = {"tokenizer_config.json", 4 * MIB},
    [SPECIALS] = {"special_tokens_map.json", MIB},
    [TEMPLATE] = {"chat_template.jinja", MIB},
    [MODEL] = {"config.json", 4 * MIB}, /* read where the others name no BOS or EOS */
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

/* These files hold model_max_length: 1e30 written as an integer, so integers are read as real numbers. *out is NULL where there
 * is no file. */
static int parse_config(const char *folder, const struct stac_source_file *f, json_t **out, struct stac_error *err) {
    json_error_t where;
    *out = NULL;
    if (!f->data) return STAC_OK;
    *out = json_loadb(f->data, f->size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &where);
    if (!*out)
        return stac_fail(err, STAC_ERR_INPUT, "%s/%s is not valid JSON at line %d, column %d: %s", folder, f->name, where.line,
                         where.column, where.text);
    if (json_is_object(*out)) return STAC_OK;
    json_decref(*out);
    *out = NULL;
    return stac_fail(err, STAC_ERR_INPUT, "%s/%s does not hold a JSON object", folder, f->name);
}

/* The id of a token named as "text" or {"content": "text"}, or null; *id stays when the key is missing. */
static int read_token(const struct stac_tokenizer *t, const json_t *config, const char *key, int32_t *id,
                      struct stac_error *err) {
    const json_t *value = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    if (value && json_is_null(value)) *id = -1;
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
    STAC_TRY(parse_config(folder, f, &config, err));
    if (!config) return STAC_OK;
    if (t->bos < 0) status = read_token(t, config, "bos_token", &t->bos, err);
    if (status == STAC_OK && t->eos < 0) status = read_token(t, config, "eos_token", &t->eos, err);
    if (status == STAC_OK && which == CONFIG && !t->chat_template) status = read_template(t, config, err);
    json_decref(config);
    return status == STAC_OK ? STAC_OK : stac_fail_in(err, "%s/%s", folder, f->name);
}

/* Whether transformers takes the folder for a GPT-2 tokenizer: by the name of its class, without one by the model. */
static bool is_gpt2(const json_t *config, const json_t *model) {
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    const char *type = json_string_value(json_object_get(model, "model_type"));
    if (name) return strcmp(name, "GPT2Tokenizer") == 0 || strcmp(name, "GPT2TokenizerFast") == 0;
    return !type || strcmp(type, "gpt2") == 0;
}

/* The token of a tokenizer without names: <|endoftext|>, or where the vocabulary has none what the model names. */
static void name_token(const struct stac_tokenizer *t, const json_t *model, const char *key, int32_t *id) {
    const json_t *value = json_object_get(model, key), *first = json_is_array(value) ? json_array_get(value, 0) : value;
    double named = json_is_number(first) ? json_number_value(first) : -1;
    int32_t usual = stac_tokenizer_find(t, "<|endoftext|>");
    if (*id != UNNAMED) return;
    if (stac_tokenizer_is_special(t, usual))
        *id = usual;
    else if (named >= 0 && named < stac_tokenizer_n_vocab(t))
        *id = (int32_t)named;
}

/* What no file names, where it is a GPT-2 tokenizer. Its config.json is kept like the others, so that a copy is read alike. */
static int read_defaults(const char *folder, struct stac_tokenizer *t, struct stac_error *err) {
    json_t *config = NULL, *model = NULL;
    int status = STAC_OK;
    if (t->bos != UNNAMED && t->eos != UNNAMED) return STAC_OK;
    STAC_TRY_DONE(parse_config(folder, &t->files[CONFIG], &config, err));
    if (is_gpt2(config, NULL)) STAC_TRY_DONE(read_file(folder, MODEL, t, err));
    STAC_TRY_DONE(parse_config(folder, &t->files[MODEL], &model, err));
    if (is_gpt2(config, model)) {
        name_token(t, model, "bos_token_id", &t->bos);
        name_token(t, model, "eos_token_id", &t->eos);
    }
done:
    json_decref(config);
    json_decref(model);
    if (t->bos == UNNAMED) t->bos = -1;
    if (t->eos == UNNAMED) t->eos = -1;
    return status;
}

int stac_tokenizer_load_folder(const char *folder, struct stac_tokenizer *t, struct stac_error *err) {
    t->bos = t->eos = UNNAMED;
    for (int which = TOKENIZER; which < MODEL; which++) STAC_TRY(read_file(folder, which, t, err));
    const struct stac_source_file *jinja = &t->files[TEMPLATE];
    if (jinja->data && strlen(jinja->data) != jinja->size)
        return stac_fail(err, STAC_ERR_INPUT, "%s/%s holds a NUL byte", folder, jinja->name);
    if (jinja->data) STAC_TRY(keep_template(t, jinja->data, err));
    STAC_TRY(read_config(folder, CONFIG, t, err));
    STAC_TRY(read_config(folder, SPECIALS, t, err));
    return read_defaults(folder, t, err);
}
