/* A tokenizer as the files that Hugging Face's libraries read. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/tokenizer_internal.h"

static int write_into(const char *folder, const char *name, const void *data, size_t size, struct stac_error *err) {
    char *path = stac_file_join(folder, name, err);
    if (!path) return err->status;
    int status = stac_file_write(path, data, size, err);
    free(path);
    return status;
}

static int copy_files(const struct stac_tokenizer *t, const char *folder, struct stac_error *err) {
    for (int i = 0; i < STAC_TOKENIZER_FILES; i++)
        if (t->files[i].data) STAC_TRY(write_into(folder, t->files[i].name, t->files[i].data, t->files[i].size, err));
    return STAC_OK;
}

/* Takes the value over, also where it is NULL: what could not be made. */
static int write_json(const char *folder, const char *name, json_t *value, struct stac_error *err) {
    char *text = value ? json_dumps(value, JSON_INDENT(1)) : NULL;
    int status = text ? write_into(folder, name, text, strlen(text), err)
                      : stac_fail(err, STAC_ERR_MEMORY, "cannot make %s: out of memory", name);
    free(text);
    json_decref(value);
    return status;
}

static json_t *token_text(const struct stac_tokenizer *t, int32_t id) {
    struct stac_piece text = stac_vocabulary_text(&t->vocabulary, id);
    return json_stringn(text.data, text.size);
}

/* The list or object if all n items went in, else NULL: memory ran out. json_pack passes a NULL on. */
static json_t *complete(json_t *value, size_t n) {
    if ((json_is_array(value) ? json_array_size(value) : json_object_size(value)) == n) return value;
    json_decref(value);
    return NULL;
}

/* All tokens, in the order of their ids; added tokens may stand here as well. */
static json_t *make_vocabulary(const struct stac_tokenizer *t) {
    json_t *vocab = json_object();
    for (size_t i = 0; i < t->vocabulary.n; i++) {
        struct stac_piece text = stac_vocabulary_text(&t->vocabulary, (int32_t)i);
        char key[STAC_TOKEN_BYTES_MAX + 1];
        memcpy(key, text.data, text.size);
        key[text.size] = 0;
        json_object_set_new(vocab, key, json_integer((json_int_t)i));
    }
    return complete(vocab, t->vocabulary.n);
}

static json_t *make_added_tokens(const struct stac_tokenizer *t) {
    json_t *list = json_array();
    for (size_t i = 0; i < t->n_added; i++) {
        const struct stac_added_token *a = &t->added[i];
        json_array_append_new(list, json_pack("{s:i, s:o, s:b, s:b, s:b, s:b, s:b}", "id", (int)a->id, "content",
                                              token_text(t, a->id), "single_word", a->single_word, "lstrip", a->lstrip,
                                              "rstrip", a->rstrip, "normalized", a->normalized, "special", a->special));
    }
    return complete(list, t->n_added);
}

/* Merges as pairs, in the order of their rank. */
static int make_merges(const struct stac_tokenizer *t, json_t **out, struct stac_error *err) {
    const struct stac_merge **by_rank;
    STAC_TRY(STAC_NEW(by_rank, t->bpe.n_merges, "the merges", err));
    for (size_t i = 0; i <= t->bpe.mask; i++)
        if (t->bpe.merges[i].rank != STAC_NO_MERGE) by_rank[t->bpe.merges[i].rank] = &t->bpe.merges[i];
    *out = json_array();
    for (size_t i = 0; i < t->bpe.n_merges; i++)
        json_array_append_new(*out, json_pack("[o, o]", token_text(t, by_rank[i]->left), token_text(t, by_rank[i]->right)));
    *out = complete(*out, t->bpe.n_merges);
    free(by_rank);
    return STAC_OK;
}

static json_t *make_pretokenizer(const struct stac_tokenizer *t) {
    json_t *level =
        json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1);
    if (!t->pretokenizer.digits) return level;
    json_t *digits = json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1);
    return json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", digits, level);
}

/* The template that puts a token before every text, or null. */
static json_t *make_post_processor(const struct stac_tokenizer *t) {
    if (t->prefix < 0) return json_null();
    json_t *name = token_text(t, t->prefix), *ids = json_pack("[i]", (int)t->prefix), *special = json_object();
    json_t *first = json_pack("{s:{s:O, s:i}}", "SpecialToken", "id", name, "type_id", 0);
    json_t *pair = json_pack("[O, {s:{s:s, s:i}}, {s:{s:s, s:i}}]", first, "Sequence", "id", "A", "type_id", 0, "Sequence",
                             "id", "B", "type_id", 1);
    json_t *single = json_pack("[o, {s:{s:s, s:i}}]", first, "Sequence", "id", "A", "type_id", 0);
    json_object_set_new(special, json_string_value(name),
                        json_pack("{s:O, s:o, s:[O]}", "id", name, "ids", ids, "tokens", name));
    json_decref(name);
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens",
                     special);
}

static int write_tokenizer(const struct stac_tokenizer *t, const char *folder, struct stac_error *err) {
    json_t *merges;
    STAC_TRY(make_merges(t, &merges, err));
    json_t *model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
                              "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
                              "ignore_merges", 0, "vocab", make_vocabulary(t), "merges", merges);
    json_t *decoder =
        json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1);
    json_t *root = json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding",
                             "added_tokens", make_added_tokens(t), "normalizer", "pre_tokenizer", make_pretokenizer(t),
                             "post_processor", make_post_processor(t), "decoder", decoder, "model", model);
    return write_json(folder, "tokenizer.json", root, err);
}

static int write_config(const struct stac_tokenizer *t, const char *folder, struct stac_error *err) {
    json_t *config = json_pack("{s:s, s:b, s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "add_prefix_space", 0,
                               "clean_up_tokenization_spaces", 0);
    if (t->bos >= 0) json_object_set_new(config, "bos_token", token_text(t, t->bos));
    if (t->eos >= 0) json_object_set_new(config, "eos_token", token_text(t, t->eos));
    if (t->chat_template) json_object_set_new(config, "chat_template", json_string(t->chat_template));
    return write_json(folder, "tokenizer_config.json", config, err);
}

int stac_tokenizer_save(const struct stac_tokenizer *t, const char *folder, struct stac_error *err) {
    STAC_TRY(stac_file_make_folder(folder, err));
    if (t->files[0].data) return copy_files(t, folder, err);
    STAC_TRY(write_tokenizer(t, folder, err));
    return write_config(t, folder, err);
}
