/* text/tokenizer: every refusal of a file is one line that says which file, what, and where. */
#include "fixture_files.h"

#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* A whole tokenizer of ten tokens. Each case of the tables below changes one place of it. */
static const char tiny[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
    "\"added_tokens\":[{\"id\":9,\"content\":\"<end>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
    "\"normalized\":false,\"special\":true}],"
    "\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\","
    "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,"
    "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"!\":4,\"ab\":5,\"cd\":6,\"abc\":7,\"\xC4\xA0\":8},"
    "\"merges\":[\"a b\",\"c d\",[\"ab\",\"c\"]]}}";

/* A new text: `from` replaced by `to`, once. Owned by the caller. */
static char *replaced(const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    if (!at) fail_msg("\"%s\" is not in the text", from);
    char *out = calloc(strlen(text) + strlen(to) + 1, 1);
    memcpy(out, text, (size_t)(at - text));
    strcat(strcat(out, to), at + strlen(from));
    return out;
}

static int open_json(const struct fx_folder *f, const char *text, size_t size, struct stac_tokenizer **t,
                     struct stac_error *err) {
    unlink(fx_path(f, "tokenizer.json")); /* some file systems sync a file that is written over */
    fx_write(f, "tokenizer.json", text, size);
    return stac_tokenizer_open(f->path, t, err);
}

/* ---- tokenizer.json ---------------------------------------------------------------------------------------------- */

struct change {
    const char *from, *to, *refusal;
};

static void check_refusals(const struct fx_folder *f, const struct change *changes, size_t n) {
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    for (size_t i = 0; i < n; i++) {
        char *text = replaced(tiny, changes[i].from, changes[i].to);
        FAILS(open_json(f, text, strlen(text), &t, &err), STAC_ERR_INPUT, changes[i].refusal);
        assert_null(t);
        if (!strstr(err.text, "/tokenizer.json")) fail_msg("\"%s\" does not name the file", err.text);
        free(text);
    }
}

/* What transformers 5.23 puts before a text with each of these (AutoTokenizer, five tokenizer classes). */
static void the_post_processor_says_what_comes_before_a_text(void **state) {
#define TEMPLATE                                                                                                               \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<end>\",\"type_id\":0}},{\"Sequence\":"
    static const struct {
        const char *post;
        int32_t prefix;
    } cases[] = {
        {"null", -1},
        {"{\"type\":\"ByteLevel\"}", -1},
        {"{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}", -1},
        {TEMPLATE "{\"id\":\"A\",\"type_id\":0}}]}", 9},
        {TEMPLATE "{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"<end>\":{\"id\":\"<end>\",\"ids\":[4]}}}", 4},
        {"{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE "{\"id\":\"A\"}}]}]}", 9},
        {"{\"type\":\"RobertaProcessing\",\"sep\":[\"!\",4],\"cls\":[\"<end>\",9]}", 9},
    };
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char post[600];
        snprintf(post, sizeof post, "\"post_processor\":%s", cases[i].post);
        char *text = replaced(tiny, "\"post_processor\":null", post);
        OK(open_json(*state, text, strlen(text), &t, &err));
        assert_int_equal(stac_tokenizer_prefix(t), cases[i].prefix);
        stac_tokenizer_close(t);
        free(text);
    }
}

static void what_is_understood_is_accepted(void **state) {
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"\"type\":\"BPE\",", ""},
        {"\"version\":\"1.0\",", ""},
        {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}"},
        {"\"dropout\":null", "\"dropout\":0.0"},
        {"\"unk_token\":null", "\"unk_token\":\"!\""},
        {"\"post_processor\":null", "\"post_processor\":{\"type\":\"TemplateProcessing\"}"},
        {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":null"},
        {"\"merges\":[", "\"merges\":[\"#version: 0.2\","},
        {",\"trim_offsets\":true,\"use_regex\":true", ""},
        {"\"added_tokens\":[{", "\"more\":[{"},
    };
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    for (size_t i = 0; i < LENGTH(changes); i++) {
        char *text = replaced(tiny, changes[i].from, changes[i].to);
        if (strstr(text, "\"more\"")) strcpy(strstr(text, "\"vocab\""), "\"vocab\":{\"a\":0},\"merges\":[]}}");
        OK(open_json(*state, text, strlen(text), &t, &err));
        stac_tokenizer_close(t);
        free(text);
    }
}

static void options_that_change_tokens_are_refused_by_name(void **state) {
    static const struct change changes[] = {
        {"\"version\":\"1.0\"", "\"version\":\"2.0\"", "the version \"2.0\" is not supported"},
        {"\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "the normalizer \"Lowercase\" is not supported"},
        {"\"normalizer\":null", "\"normalizer\":{}", "normalizer: \"type\" is missing"},
        {"\"normalizer\":null", "\"normalizer\":5", "normalizer is not an object"},
        {"{\"type\":\"ByteLevel\",\"add", "{\"type\":\"Metaspace\",\"add", "the pre-tokenizer \"Metaspace\" is not supported"},
        {"\"pre_tokenizer\":{", "\"other\":{", "pre_tokenizer is not an object"},
        {"\"use_regex\":true", "\"use_regex\":false", "\"use_regex\": false is not supported"},
        {"{\"type\":\"ByteLevel\",\"add", "{\"type\":\"Sequence\",\"add", "\"Sequence\" is not supported"},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}",
         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":false},{\"type\":\"ByteLevel\"}]"
         "}",
         "\"individual_digits\": true only"},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}",
         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\"}]"
         "}",
         "\"add_prefix_space\": true together"},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}",
         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"},{\"type\":\"ByteLevel\"}]}",
         "\"Split\" is not supported"},
        {"\"post_processor\":null", "\"post_processor\":{\"type\":\"New\"}", "the post-processor \"New\" is not supported"},
        {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"WordPiece\"}",
         "the decoder \"WordPiece\" is not supported"},
        {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "the model \"Unigram\" is not supported"},
        {"\"dropout\":null", "\"dropout\":0.1", "\"dropout\" 0.1 is not supported"},
        {"\"unk_token\":null", "\"unk_token\":\"<unk>\"", "\"unk_token\" is \"<unk>\", which is not in the vocabulary"},
        {"\"continuing_subword_prefix\":\"\"", "\"continuing_subword_prefix\":\"##\"", "\"continuing_subword_prefix\" is not"},
        {"\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"", "\"end_of_word_suffix\" is not supported"},
        {"\"byte_fallback\":false", "\"byte_fallback\":true", "\"byte_fallback\": true is not supported"},
        {"\"ignore_merges\":false", "\"ignore_merges\":true", "\"ignore_merges\": true is not supported"},
    };
    check_refusals(*state, changes, LENGTH(changes));
}

static void faulty_vocabularies_are_refused(void **state) {
    static const struct change changes[] = {
        {"\"a\":0", "\"a\":10", "token \"a\" has the id 10; the ids of 10 tokens run from 0 to 9"},
        {"\"a\":0", "\"a\":-1", "token \"a\" has the id -1"},
        {"\"a\":0", "\"a\":9223372036854775807", "token \"a\" has the id 9223372036854775807"},
        {"\"a\":0", "\"a\":92233720368547758070", "not valid JSON"},
        {"\"a\":0", "\"a\":1", "have the same id 1"},
        {"\"a\":0", "\"a\":0.5", "the id of token \"a\" is not a whole number"},
        {"\"a\":0", "\"a\":\"0\"", "the id of token \"a\" is not a whole number"},
        {"\"a\":0", "\"b\":0", "not valid JSON at line 1"},
        {"\"a\":0", "\"\":0", "token 0 is an empty text"},
        {"\"a\":0", "\"a b\":0", "holds U+0020, which is not in the byte-level alphabet"},
        {"\"a\":0", "\"\xE4\xB8\xAD\":0", "token 0 (\"\xE4\xB8\xAD\") holds U+4E2D"},
        {"\"a\":0", "\"\xC2\xAD\":0", "holds U+00AD"},
        {"\"a\":0", "\"\xE4\xB8\":0", "not valid JSON"},
        {"\"a\":0", "\"\\ud800\":0", "not valid JSON"},
        {"\"a\":0", "\"a\\u0000\":0", "not valid JSON"},
        {"\"vocab\":{", "\"vocab\":5,\"other\":{", "\"vocab\" is missing or not an object"},
        {"\"model\":{", "\"model\":[],\"other\":{", "\"model\" is missing or not an object"},
        {"{\"version\"", "[{\"version\"", "not valid JSON"},
    };
    check_refusals(*state, changes, LENGTH(changes));
}

static void faulty_merges_are_refused(void **state) {
    static const struct change changes[] = {
        {"\"a b\"", "\"a z\"", "merge 0 names \"z\", which is not in the vocabulary"},
        {"\"a b\"", "\"z b\"", "merge 0 names \"z\""},
        {"\"c d\"", "\"b d\"", "merge 1 names \"bd\", which is not in the vocabulary"},
        {"\"a b\"", "\"ab\"", "merge 0 (\"ab\") is not two texts with a space between"},
        {"\"a b\"", "\"a b c\"", "merge 0 (\"a b c\") is not two texts"},
        {"\"a b\"", "\" b\"", "merge 0 names \"\""},
        {"\"a b\"", "\"a \"", "merge 0 names \"\""},
        {"\"a b\"", "\"\"", "merge 0 (\"\") is not two texts"},
        {"[\"ab\",\"c\"]", "[\"ab\"]", "merge 2 is neither"},
        {"[\"ab\",\"c\"]", "[\"ab\",\"c\",\"d\"]", "merge 2 is neither"},
        {"[\"ab\",\"c\"]", "[\"ab\",5]", "merge 2 is neither"},
        {"[\"ab\",\"c\"]", "{\"ab\":\"c\"}", "merge 2 is neither"},
        {"[\"ab\",\"c\"]", "null", "merge 2 is neither"},
        {"[\"ab\",\"c\"]", "[\"a\",\"b\"]", "merges 0 and 2 are the same pair"},
        {"\"merges\":[", "\"merges\":{},\"other\":[", "\"merges\" is missing or not an array"},
    };
    check_refusals(*state, changes, LENGTH(changes));
}

static void faulty_added_tokens_are_refused(void **state) {
    static const struct change changes[] = {
        {"\"content\":\"<end>\"", "\"content\":\"\"", "token 9 is an empty text"},
        {"\"content\":\"<end>\",", "", "is an empty text"},
        {"\"content\":\"<end>\"", "\"content\":5", "\"content\" is not a text"},
        {"\"id\":9", "\"id\":8", "\"<end>\" has the id 8, but 9 by its place"},
        {"\"id\":9", "\"id\":10", "\"<end>\" has the id 10, but 9 by its place"},
        {"\"id\":9", "\"id\":-1", "\"id\" is -1"},
        {"\"id\":9,", "", "\"id\" is missing"},
        {"\"content\":\"<end>\"", "\"content\":\"b\"", "the added token \"b\" has the id 9, but 1 by its place"},
        {"\"id\":9,\"content\":\"<end>\"", "\"id\":7,\"content\":\"abc\"", "\"abc\" is also the result of a merge"},
        {"\"id\":9,\"content\":\"<end>\"", "\"id\":3,\"content\":\"d\"", "\"d\" is also the token of a single byte"},
        {"\"lstrip\":false", "\"lstrip\":1", "\"lstrip\" is not true or false"},
        {"\"added_tokens\":[", "\"added_tokens\":[7,", "added token 0 is not an object"},
        {"\"added_tokens\":[", "\"added_tokens\":{},\"other\":[", "\"added_tokens\" is not an array"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":9,\"content\":\"<end>\"},", "has the id 9, but 10 by its place"},
        {"\"added_tokens\":[", "\"added_tokens\":[{\"id\":4,\"content\":\"!\"},{\"id\":4,\"content\":\"!\"},",
         "the added token \"!\" is listed twice"},
        {"\"special\":true}]", "\"special\":true},{\"id\":10,\"content\":\"<end>\"}]", "tokens 9 and 10 are the same text"},
    };
    check_refusals(*state, changes, LENGTH(changes));
    static const char equal_in_nfc[] =
        "\"special\":true},{\"id\":10,\"content\":\"e\\u0301\"},{\"id\":11,\"content\":\"\xC3\xA9\"}],"
        "\"normalizer\":{\"type\":\"NFC\"}";
    static const struct change nfc = {"\"special\":true}],\"normalizer\":null", equal_in_nfc, "\"\xC3\xA9\" is listed twice"};
    check_refusals(*state, &nfc, 1);
}

/* `times` copies of a text. */
static void repeat(struct stac_strbuf *b, const char *text, size_t times) {
    struct stac_error err = {0};
    size_t n = strlen(text);
    OK(stac_grow(&b->data, &b->cap, b->size + n * times + 1, 1, "a text", &err));
    for (; times; times--) fx_put(b, text, n);
}

static void huge_files_are_refused(void **state) {
    static const struct {
        const char *before, *repeated, *after, *refusal;
        size_t times;
    } cases[] = {
        {"{\"added_tokens\":[{\"id\":1,\"content\":\"", "<",
         "\"}],\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":"
         "{\"a\":0},\"merges\":[]}}",
         "has 10000000 bytes, more than the 4096 accepted", 10000000},
        {"", " ", "", "more than the 67108864 accepted", (64u << 20) + 1},
        {"{\"a\":", "[", "", "not valid JSON", 100000},
        {"{\"a\":[", "{},", "{}]}", "values accepted", 10u << 20},
    };
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_strbuf b = {0};
        repeat(&b, cases[i].before, 1);
        repeat(&b, cases[i].repeated, cases[i].times);
        repeat(&b, cases[i].after, 1);
        FAILS(open_json(*state, b.data, b.size, &t, &err), STAC_ERR_INPUT, cases[i].refusal);
        stac_strbuf_clean(&b);
    }
}

/* Each prefix of the file, and many kinds of damage: refused, or a tokenizer that works. */
static void damaged_files_do_no_harm(void **state) {
    struct stac_error err = {0};
    struct stac_strbuf whole = {0}, copy = {0};
    struct stac_tokenizer *t;
    fx_puts(&whole, tiny);
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct stac_tokens ids = {0};
        bool cut = seed < whole.size;
        if (!cut) fx_damage(&copy, &whole, seed);
        stac_error_clear(&err);
        if (open_json(*state, cut ? whole.data : copy.data, cut ? seed : copy.size, &t, &err) == STAC_OK) {
            assert_false(cut);
            OK(stac_tokenizer_encode(t, "abcd <end> dcba!\xFF", 17, true, &ids, &err));
            for (size_t i = 0; i < ids.n; i++) assert_in_range(ids.id[i], 0, stac_tokenizer_n_vocab(t) - 1);
            stac_tokens_clean(&ids);
            stac_tokenizer_close(t);
        } else {
            assert_true(strlen(err.text) > 0 && !strchr(err.text, '\n'));
        }
    }
    stac_strbuf_clean(&whole);
    stac_strbuf_clean(&copy);
}

/* ---- the other files of a folder --------------------------------------------------------------------------------- */

static void other_files_are_checked(void **state) {
    static const struct {
        const char *name, *text, *refusal; /* NULL: accepted */
    } cases[] = {
        {"tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}", NULL},
        {"tokenizer_config.json", "{\"eos_token\": \"<end>\", \"chat_template\": null}", NULL},
        {"tokenizer_config.json", "{\"eos_token\": \"</s>\"}", "\"eos_token\" is \"</s>\", which is not in the vocabulary"},
        {"tokenizer_config.json", "{\"bos_token\": 5}", "\"bos_token\" is not a token's text"},
        {"tokenizer_config.json", "{\"chat_template\": 5}", "\"chat_template\" is neither a text nor a list"},
        {"tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\"}]}",
         "\"chat_template\" 0 has no name or no template"},
        {"tokenizer_config.json", "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}", NULL},
        {"tokenizer_config.json", "[]", "does not hold a JSON object"},
        {"tokenizer_config.json", "{", "tokenizer_config.json is not valid JSON at line 1"},
        {"special_tokens_map.json", "{\"eos_token\": {\"content\": \"</s>\"}}", "special_tokens_map.json: \"eos_token\" is"},
        {"chat_template.jinja", "", NULL},
    };
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    fx_write_text(f, "tokenizer.json", tiny);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *path = fx_write_text(f, cases[i].name, cases[i].text);
        if (cases[i].refusal) {
            FAILS(stac_tokenizer_open(f->path, &t, &err), STAC_ERR_INPUT, cases[i].refusal);
            assert_non_null(strstr(err.text, cases[i].name));
        } else {
            OK(stac_tokenizer_open(f->path, &t, &err));
            stac_tokenizer_close(t);
        }
        unlink(path);
    }
    static const struct {
        const char *model;
        int32_t eos;
    } named[] = {{"{\"eos_token_id\": 9}", 9},          {"{\"eos_token_id\": [8, 9]}", 8}, {"{\"eos_token_id\": 10}", -1},
                 {"{\"eos_token_id\": \"<end>\"}", -1}, {"{\"eos_token_id\": []}", -1},    {"{\"eos_token_id\": null}", -1}};
    for (size_t i = 0; i < LENGTH(named); i++) { /* where the vocabulary has no <|endoftext|> */
        fx_write_text(f, "config.json", named[i].model);
        OK(stac_tokenizer_open(f->path, &t, &err));
        assert_int_equal(stac_tokenizer_eos(t), named[i].eos);
        assert_int_equal(stac_tokenizer_bos(t), -1);
        stac_tokenizer_close(t);
    }
    fx_write(f, "chat_template.jinja", "a\0b", 3);
    FAILS(stac_tokenizer_open(f->path, &t, &err), STAC_ERR_INPUT, "holds a NUL byte");
}

static void files_go_before_one_another_as_in_transformers(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    fx_write_text(f, "tokenizer.json", tiny);
    fx_write_text(f, "special_tokens_map.json", "{\"bos_token\": \"!\", \"eos_token\": {\"content\": \"<end>\"}}");
    fx_write_text(f, "tokenizer_config.json",
                  "{\"bos_token\": \"a\", \"chat_template\": [{\"name\": \"rag\", \"template\": \"r\"},"
                  "{\"name\": \"default\", \"template\": \"from the list\"}]}");
    OK(stac_tokenizer_open(f->path, &t, &err));
    assert_int_equal(stac_tokenizer_bos(t), 0);
    assert_int_equal(stac_tokenizer_eos(t), 9);
    assert_string_equal(stac_tokenizer_chat_template(t), "from the list");
    stac_tokenizer_close(t);
    fx_write_text(f, "chat_template.jinja", "from the file");
    OK(stac_tokenizer_open(f->path, &t, &err));
    assert_string_equal(stac_tokenizer_chat_template(t), "from the file");
    stac_tokenizer_close(t);
}

static void paths_that_are_no_tokenizer_are_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    FAILS(stac_tokenizer_open(fx_path(f, "nothing"), &t, &err), STAC_ERR_IO, "there is no such file or folder");
    FAILS(stac_tokenizer_open(f->path, &t, &err), STAC_ERR_IO, "/tokenizer.json: No such file");
    FAILS(stac_tokenizer_open(fx_write_text(f, "x.txt", "hello"), &t, &err), STAC_ERR_INPUT, "neither a folder with");
    assert_null(t);
}

/* ---- GGUF -------------------------------------------------------------------------------------------------------- */

/* What a GGUF file says; a NULL text or a count of -1 leaves the key out. */
struct vocabulary {
    const char *model, *pre;
    const char *tokens[4];
    int n_tokens;
    uint32_t types[4];
    int n_types;
    const char *merges[2];
    int n_merges;
    uint32_t eos;
    const char *chat_template, *refusal;
};

static const char *write_gguf(const struct fx_folder *f, const struct vocabulary *v) {
    struct fx_gguf g = {0};
    struct stac_strbuf file = {0};
    if (v->model) fx_key_text(&g, "tokenizer.ggml.model", v->model);
    if (v->pre) fx_key_text(&g, "tokenizer.ggml.pre", v->pre);
    if (v->n_tokens >= 0) fx_key_array(&g, "tokenizer.ggml.tokens", 8, (uint64_t)v->n_tokens);
    for (int i = 0; i < v->n_tokens; i++) fx_text(&g.keys, v->tokens[i]);
    if (v->n_types >= 0) fx_key_array(&g, "tokenizer.ggml.token_type", 5, (uint64_t)v->n_types);
    for (int i = 0; i < v->n_types; i++) fx_u32(&g.keys, v->types[i]);
    if (v->n_merges >= 0) fx_key_array(&g, "tokenizer.ggml.merges", 8, (uint64_t)v->n_merges);
    for (int i = 0; i < v->n_merges; i++) fx_text(&g.keys, v->merges[i]);
    fx_key_u32(&g, "tokenizer.ggml.eos_token_id", v->eos);
    if (v->chat_template) fx_key_text(&g, "tokenizer.chat_template", v->chat_template);
    fx_gguf_finish(&g, &file);
    const char *path = fx_write(f, "x.gguf", file.data, file.size);
    stac_strbuf_clean(&file);
    return path;
}

#define TOKENS {"a", "b", "ab", "<e>"}, 4
#define TYPES {1, 1, 1, 3}, 4
#define MERGES {"a b"}, 1

static void faulty_gguf_vocabularies_are_refused(void **state) {
    static const struct vocabulary cases[] = {
        {"gpt2", "gpt-2", TOKENS, TYPES, MERGES, 3, "x", NULL},
        {"gpt2", "smollm", TOKENS, {1, 5, 1, 4}, 4, MERGES, 3, NULL, NULL},
        {NULL, "gpt-2", TOKENS, TYPES, MERGES, 3, NULL, "there is no tokenizer in the file"},
        {"llama", "gpt-2", TOKENS, TYPES, MERGES, 3, NULL, "the tokenizer \"llama\" is not supported"},
        {"gpt2", "default", TOKENS, TYPES, MERGES, 3, NULL,
         "the pre-tokenizer \"default\" (tokenizer.ggml.pre) is not supported"},
        {"gpt2", NULL, TOKENS, TYPES, MERGES, 3, NULL, "the pre-tokenizer \"\""},
        {"gpt2", "gpt-2", {NULL}, -1, {0}, -1, MERGES, 0, NULL, "accepted are 0 to -1"},
        {"gpt2", "gpt-2", TOKENS, {1, 1, 1}, 3, MERGES, 3, NULL, "has 4 items and tokenizer.ggml.token_type 3"},
        {"gpt2", "gpt-2", TOKENS, {0}, -1, MERGES, 3, NULL, "has 4 items and tokenizer.ggml.token_type 0"},
        {"gpt2", "gpt-2", TOKENS, {1, 1, 6, 3}, 4, MERGES, 3, NULL, "token 2 (\"ab\") has the type 6"},
        {"gpt2", "gpt-2", {"a", "b", "a", "<e>"}, 4, TYPES, MERGES, 3, NULL, "tokens 0 and 2 are the same text \"a\""},
        {"gpt2", "gpt-2", {"a", "b", "", "<e>"}, 4, TYPES, MERGES, 3, NULL, "token 2 is an empty text"},
        {"gpt2", "gpt-2", {"a", "b", "a b", "<e>"}, 4, TYPES, MERGES, 3, NULL, "holds U+0020"},
        {"gpt2", "gpt-2", {"a", "b", "\xFF", "<e>"}, 4, TYPES, MERGES, 3, NULL, "token 2 is not valid UTF-8"},
        {"gpt2", "gpt-2", TOKENS, {1, 1, 3, 1}, 4, MERGES, 3, NULL, "\"ab\" is also the result of a merge"},
        {"gpt2", "gpt-2", TOKENS, TYPES, {"ab"}, 1, 3, NULL, "merge 0 (\"ab\") is not two texts"},
        {"gpt2", "gpt-2", TOKENS, TYPES, {"b a"}, 1, 3, NULL, "merge 0 names \"ba\""},
        {"gpt2", "gpt-2", TOKENS, TYPES, {"a b", "a b"}, 2, 3, NULL, "merges 0 and 1 are the same pair"},
        {"gpt2", "gpt-2", TOKENS, TYPES, {NULL}, -1, 3, NULL, "there are no merges"},
        {"gpt2", "gpt-2", TOKENS, TYPES, MERGES, 4, NULL, "accepted are 0 to 3"},
        {"gpt2", "gpt-2", TOKENS, TYPES, MERGES, 3, "\xFF", "chat template 0 is not valid UTF-8"},
    };
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *path = write_gguf(*state, &cases[i]);
        if (cases[i].refusal) {
            FAILS(stac_tokenizer_open(path, &t, &err), STAC_ERR_INPUT, cases[i].refusal);
            assert_non_null(strstr(err.text, "x.gguf"));
            assert_null(t);
        } else {
            OK(stac_tokenizer_open(path, &t, &err));
            assert_int_equal(stac_tokenizer_is_special(t, 3), i == 0);
            stac_tokenizer_close(t);
        }
    }
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_understood_is_accepted),
        IN_FOLDER(the_post_processor_says_what_comes_before_a_text),
        IN_FOLDER(options_that_change_tokens_are_refused_by_name),
        IN_FOLDER(faulty_vocabularies_are_refused),
        IN_FOLDER(faulty_merges_are_refused),
        IN_FOLDER(faulty_added_tokens_are_refused),
        IN_FOLDER(huge_files_are_refused),
        IN_FOLDER(damaged_files_do_no_harm),
        IN_FOLDER(other_files_are_checked),
        IN_FOLDER(files_go_before_one_another_as_in_transformers),
        IN_FOLDER(paths_that_are_no_tokenizer_are_refused),
        IN_FOLDER(faulty_gguf_vocabularies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
