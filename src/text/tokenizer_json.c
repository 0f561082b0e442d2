/* tokenizer.json of Hugging Face's tokenizers: every option is honoured, or refused by name. */
#include <stdio.h>
#include <string.h>

#include "model/json_bound.h"
#include "text/tokenizer_internal.h"

#define VALUES_MAX ((size_t)8 << 20) /* JSON values: tokens, and up to three for a merge */

/* What an object of the pipeline says it is: its "type". */
static int type_of(const json_t *obj, const char *name, const char **type, struct stac_error *err) {
    if (!json_is_object(obj)) return stac_fail(err, STAC_ERR_INPUT, "%s is not an object", name);
    STAC_TRY(stac_json_string_or(obj, name, "type", NULL, type, err));
    return *type ? STAC_OK : stac_fail(err, STAC_ERR_INPUT, "%s: \"type\" is missing", name);
}

static int unsupported(const char *name, const char *type, const char *supported, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_INPUT, "%s \"%.60s\" is not supported; %s", name, type, supported);
}

/* ---- vocabulary and added tokens --------------------------------------------------------------------------------- */

static int read_vocabulary(json_t *vocab, const json_t *added, struct stac_tokenizer *t, struct stac_error *err) {
    size_t n = json_object_size(vocab), i;
    const char *text;
    json_t *item;
    json_array_foreach(added, i, item) {
        const char *content = json_string_value(json_object_get(item, "content"));
        if (content && !json_object_get(vocab, content)) n++;
    }
    STAC_TRY(stac_vocabulary_init(&t->vocabulary, n, err));
    json_object_foreach(vocab, text, item) {
        if (!json_is_integer(item))
            return stac_fail(err, STAC_ERR_INPUT, "the id of token \"%.*s\" is not a whole number", STAC_SHOWN(strlen(text)),
                             text);
        STAC_TRY(stac_vocabulary_set(&t->vocabulary, json_integer_value(item), text, strlen(text), err));
    }
    return STAC_OK;
}

static int read_flags(const json_t *item, const char *name, struct stac_added_token *token, struct stac_error *err) {
    STAC_TRY(stac_json_bool_or(item, name, "special", false, &token->special, err));
    STAC_TRY(stac_json_bool_or(item, name, "lstrip", false, &token->lstrip, err));
    STAC_TRY(stac_json_bool_or(item, name, "rstrip", false, &token->rstrip, err));
    STAC_TRY(stac_json_bool_or(item, name, "single_word", false, &token->single_word, err));
    return stac_json_bool_or(item, name, "normalized", !token->special, &token->normalized, err);
}

/* Hugging Face's library goes by a token's place, not by its "id": one in the vocabulary has its id there, others are
 * counted on from the vocabulary's end. A file in which the two differ means different things to different readers. */
static int read_added_token(const json_t *item, const json_t *vocab, size_t i, int64_t *next, struct stac_tokenizer *t,
                            struct stac_error *err) {
    struct stac_added_token token;
    const char *content;
    char name[40];
    int64_t id;
    snprintf(name, sizeof name, "added token %zu", i);
    if (!json_is_object(item)) return stac_fail(err, STAC_ERR_INPUT, "%s is not an object", name);
    STAC_TRY(stac_json_string_or(item, name, "content", "", &content, err));
    STAC_TRY(stac_json_int(item, name, "id", 0, STAC_VOCABULARY_MAX, &id, err));
    STAC_TRY(read_flags(item, name, &token, err));
    const json_t *known = json_object_get(vocab, content);
    int64_t expected = known ? json_integer_value(known) : *next;
    if (id != expected)
        return stac_fail(err, STAC_ERR_INPUT, "the added token \"%.*s\" has the id %lld, but %lld by its place in the file",
                         STAC_SHOWN(strlen(content)), content, (long long)id, (long long)expected);
    if (!known) STAC_TRY(stac_vocabulary_set(&t->vocabulary, (*next)++, content, strlen(content), err));
    token.id = (int32_t)id;
    return stac_tokenizer_add(t, token, err);
}

static int read_added_tokens(const json_t *added, const json_t *vocab, struct stac_tokenizer *t, struct stac_error *err) {
    int64_t next = (int64_t)json_object_size(vocab);
    json_t *item;
    size_t i;
    json_array_foreach(added, i, item) STAC_TRY(read_added_token(item, vocab, i, &next, t, err));
    return STAC_OK;
}

/* ---- model ------------------------------------------------------------------------------------------------------- */

/* Options that change what a merge is. */
static int check_options(const json_t *model, struct stac_error *err) {
    static const char *const must_be_empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    static const char *const must_be_false[] = {"byte_fallback", "ignore_merges"};
    double dropout;
    for (int i = 0; i < 2; i++) {
        const char *text;
        bool flag;
        STAC_TRY(stac_json_string_or(model, "model", must_be_empty[i], "", &text, err));
        if (*text) return stac_fail(err, STAC_ERR_INPUT, "model: \"%s\" is not supported", must_be_empty[i]);
        STAC_TRY(stac_json_bool_or(model, "model", must_be_false[i], false, &flag, err));
        if (flag) return stac_fail(err, STAC_ERR_INPUT, "model: \"%s\": true is not supported", must_be_false[i]);
    }
    STAC_TRY(stac_json_real_or(model, "model", "dropout", 0, 1, 0, &dropout, err));
    if (dropout > 0)
        return stac_fail(err, STAC_ERR_INPUT, "model: \"dropout\" %g is not supported: tokens would be random", dropout);
    return STAC_OK;
}

static int read_unknown(const json_t *model, struct stac_tokenizer *t, struct stac_error *err) {
    const char *unknown;
    STAC_TRY(stac_json_string_or(model, "model", "unk_token", NULL, &unknown, err));
    STAC_TRY(stac_json_bool_or(model, "model", "fuse_unk", false, &t->bpe.fuse_unknown, err));
    if (!unknown) return STAC_OK;
    t->bpe.unknown = stac_tokenizer_find(t, unknown);
    if (t->bpe.unknown >= 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "model: \"unk_token\" is \"%.*s\", which is not in the vocabulary",
                     STAC_SHOWN(strlen(unknown)), unknown);
}

/* A merge is "left right" or ["left", "right"]. */
static int read_merge(const json_t *item, size_t i, struct stac_tokenizer *t, struct stac_error *err) {
    if (json_is_string(item)) {
        const char *text = json_string_value(item), *space = strchr(text, ' ');
        if (strncmp(text, "#version", 8) == 0) return STAC_OK; /* first line of merges.txt, passed over by HF as well */
        if (!space || strchr(space + 1, ' '))
            return stac_fail(err, STAC_ERR_INPUT, "merge %zu (\"%.*s\") is not two texts with a space between", i,
                             STAC_SHOWN(strlen(text)), text);
        return stac_tokenizer_merge(t, text, (size_t)(space - text), space + 1, strlen(space + 1), err);
    }
    const char *left = json_string_value(json_array_get(item, 0)), *right = json_string_value(json_array_get(item, 1));
    if (json_array_size(item) != 2 || !left || !right)
        return stac_fail(err, STAC_ERR_INPUT, "merge %zu is neither \"left right\" nor [\"left\", \"right\"]", i);
    return stac_tokenizer_merge(t, left, strlen(left), right, strlen(right), err);
}

static int read_model(const json_t *model, const json_t *added, struct stac_tokenizer *t, struct stac_error *err) {
    const char *type;
    json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges"), *item;
    size_t i;
    if (!json_is_object(model)) return stac_fail(err, STAC_ERR_INPUT, "\"model\" is missing or not an object");
    STAC_TRY(stac_json_string_or(model, "model", "type", "BPE", &type, err)); /* files of 2020 have no type */
    if (strcmp(type, "BPE") != 0) return unsupported("the model", type, "only BPE is", err);
    if (!json_is_object(vocab)) return stac_fail(err, STAC_ERR_INPUT, "model: \"vocab\" is missing or not an object");
    if (!json_is_array(merges)) return stac_fail(err, STAC_ERR_INPUT, "model: \"merges\" is missing or not an array");
    STAC_TRY(check_options(model, err));
    STAC_TRY(read_vocabulary(vocab, added, t, err));
    STAC_TRY(read_added_tokens(added, vocab, t, err));
    STAC_TRY(stac_tokenizer_vocabulary_done(t, json_array_size(merges), err));
    STAC_TRY(read_unknown(model, t, err));
    json_array_foreach(merges, i, item) STAC_TRY(read_merge(item, i, t, err));
    return STAC_OK;
}

/* ---- pipeline ---------------------------------------------------------------------------------------------------- */

static int read_normalizer(const json_t *normalizer, struct stac_tokenizer *t, struct stac_error *err) {
    const char *type;
    if (!normalizer || json_is_null(normalizer)) return STAC_OK;
    STAC_TRY(type_of(normalizer, "normalizer", &type, err));
    t->nfc = strcmp(type, "NFC") == 0;
    return t->nfc ? STAC_OK : unsupported("the normalizer", type, "NFC or none is", err);
}

static int read_digits(const json_t *digits, struct stac_tokenizer *t, struct stac_error *err) {
    STAC_TRY(stac_json_bool_or(digits, "pre_tokenizer Digits", "individual_digits", false, &t->pretokenizer.digits, err));
    if (t->pretokenizer.digits) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "the pre-tokenizer Digits is supported with \"individual_digits\": true only");
}

static int read_byte_level(const json_t *level, struct stac_tokenizer *t, struct stac_error *err) {
    bool regex;
    STAC_TRY(stac_json_bool_or(level, "pre_tokenizer", "add_prefix_space", true, &t->pretokenizer.prefix_space, err));
    STAC_TRY(stac_json_bool_or(level, "pre_tokenizer", "use_regex", true, &regex, err));
    if (!regex) return stac_fail(err, STAC_ERR_INPUT, "the pre-tokenizer ByteLevel with \"use_regex\": false is not supported");
    if (t->pretokenizer.digits && t->pretokenizer.prefix_space)
        return stac_fail(err, STAC_ERR_INPUT,
                         "the pre-tokenizers Digits and ByteLevel with \"add_prefix_space\": true together "
                         "are not supported");
    return STAC_OK;
}

/* ByteLevel, alone or as the last of a Sequence that may begin with Digits. */
static int read_pretokenizer(const json_t *pre, struct stac_tokenizer *t, struct stac_error *err) {
    static const char supported[] = "ByteLevel, and Digits before ByteLevel, are";
    const char *type;
    size_t i = 0, n = 1;
    const json_t *list = NULL;
    STAC_TRY(type_of(pre, "pre_tokenizer", &type, err));
    if (strcmp(type, "Sequence") == 0) {
        list = json_object_get(pre, "pretokenizers");
        n = json_array_size(list);
        if (n < 1 || n > 2) return unsupported("a pre-tokenizer", type, supported, err);
        STAC_TRY(type_of(json_array_get(list, 0), "pre_tokenizer", &type, err));
    }
    if (n == 2) {
        if (strcmp(type, "Digits") != 0) return unsupported("as the first of two pre-tokenizers", type, supported, err);
        STAC_TRY(read_digits(json_array_get(list, i++), t, err));
        STAC_TRY(type_of(json_array_get(list, i), "pre_tokenizer", &type, err));
    }
    if (strcmp(type, "ByteLevel") != 0) return unsupported("the pre-tokenizer", type, supported, err);
    return read_byte_level(list ? json_array_get(list, i) : pre, t, err);
}

/* ---- the post-processor ------------------------------------------------------------------------------------------ */

/* A special token of a post-processor, by its text: the ids of "special_tokens", else the vocabulary. */
static int32_t special_of(const json_t *post, const char *name, const struct stac_tokenizer *t) {
    const json_t *ids = json_object_get(json_object_get(json_object_get(post, "special_tokens"), name), "ids");
    const json_t *id = json_array_get(ids, 0);
    if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) < (json_int_t)t->vocabulary.n)
        return (int32_t)json_integer_value(id);
    return stac_tokenizer_find(t, name);
}

/* What it puts before a text: the first piece of the template of one text, or "cls": ["<s>", 0]. */
static int read_one_processor(const json_t *post, struct stac_tokenizer *t, struct stac_error *err) {
    static const char supported[] =
        "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing, a Sequence of them or none is";
    const char *type, *name = NULL;
    STAC_TRY(type_of(post, "post_processor", &type, err));
    if (strcmp(type, "ByteLevel") == 0) return STAC_OK; /* offsets, which we have not */
    if (strcmp(type, "TemplateProcessing") == 0)
        name = json_string_value(
            json_object_get(json_object_get(json_array_get(json_object_get(post, "single"), 0), "SpecialToken"), "id"));
    else if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0)
        name = json_string_value(json_array_get(json_object_get(post, "cls"), 0));
    else
        return unsupported("the post-processor", type, supported, err);
    if (name) t->prefix = special_of(post, name, t);
    return STAC_OK;
}

/* Post-processors add tokens such as BOS. Nothing here does so by itself; `prefix` says what Hugging Face's would add. It goes
 * by this alone: "add_bos_token" of tokenizer_config.json counts for nothing beside a tokenizer.json (transformers 5.23). */
static int read_post_processor(const json_t *post, struct stac_tokenizer *t, struct stac_error *err) {
    const char *type;
    if (!post || json_is_null(post)) return STAC_OK;
    STAC_TRY(type_of(post, "post_processor", &type, err));
    if (strcmp(type, "Sequence") != 0) return read_one_processor(post, t, err);
    const json_t *list = json_object_get(post, "processors");
    for (size_t i = 0; i < json_array_size(list); i++) STAC_TRY(read_one_processor(json_array_get(list, i), t, err));
    return STAC_OK;
}

static int check_decoder(const json_t *decoder, struct stac_error *err) {
    const char *type;
    if (!decoder || json_is_null(decoder)) return STAC_OK;
    STAC_TRY(type_of(decoder, "decoder", &type, err));
    return strcmp(type, "ByteLevel") == 0 ? STAC_OK : unsupported("the decoder", type, "ByteLevel is", err);
}

static int read_root(const json_t *root, struct stac_tokenizer *t, struct stac_error *err) {
    const char *version;
    const json_t *added = json_object_get(root, "added_tokens");
    STAC_TRY(stac_json_string_or(root, "the file", "version", "1.0", &version, err));
    if (strcmp(version, "1.0") != 0) return unsupported("the version", version, "1.0 is", err);
    if (added && !json_is_null(added) && !json_is_array(added))
        return stac_fail(err, STAC_ERR_INPUT, "\"added_tokens\" is not an array");
    STAC_TRY(read_normalizer(json_object_get(root, "normalizer"), t, err));
    STAC_TRY(read_pretokenizer(json_object_get(root, "pre_tokenizer"), t, err));
    STAC_TRY(check_decoder(json_object_get(root, "decoder"), err));
    STAC_TRY(read_model(json_object_get(root, "model"), added, t, err));
    STAC_TRY(read_post_processor(json_object_get(root, "post_processor"), t, err));
    return stac_tokenizer_complete(t, err);
}

int stac_tokenizer_load_json(const char *path, const char *text, size_t size, struct stac_tokenizer *t,
                             struct stac_error *err) {
    json_t *root;
    STAC_TRY(stac_json_parse_bounded(path, text, size, VALUES_MAX, &root, err));
    int status = read_root(root, t, err);
    json_decref(root);
    return status == STAC_OK ? STAC_OK : stac_fail_in(err, "%s", path);
}
