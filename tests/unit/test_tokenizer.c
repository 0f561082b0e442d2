/* text/tokenizer: equal to Hugging Face's on golden files, and its own promises. Provenance: golden/tokenizer/README.md. */
#include "fixture_files.h"

#include <pthread.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

#define GOLDEN STAC_TEST_DATA "/golden/tokenizer/"
#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

struct text {
    char *data; /* owned */
    size_t size;
};

static struct text read_golden(const char *name) {
    struct stac_error err = {0};
    struct text t;
    char path[512];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    OK(stac_file_read(path, 1 << 24, &t.data, &t.size, &err));
    return t;
}

static json_t *load_golden(const char *name) {
    struct stac_error err = {0};
    struct text t = read_golden(name);
    json_t *out;
    OK(stac_json_parse(name, t.data, t.size, &out, &err));
    free(t.data);
    return out;
}

static struct stac_tokenizer *open_at(const char *path) {
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    OK(stac_tokenizer_open(path, &t, &err));
    return t;
}

static struct stac_tokens encode(const struct stac_tokenizer *t, const char *text, size_t size, bool specials) {
    struct stac_error err = {0};
    struct stac_tokens out = {0};
    OK(stac_tokenizer_encode(t, text, size, specials, &out, &err));
    return out;
}

/* ---- golden files ------------------------------------------------------------------------------------------------ */

/* A tokenizer, and the name of its golden files. */
struct subject {
    const struct stac_tokenizer *tokenizer;
    const char *name;
};

/* The golden ids of the lines of a corpus begin at *at of a blob: a count of 4 bytes and ids of 2. */
static void check_lines(struct subject s, const char *corpus, struct text text, struct text blob, size_t *at) {
    for (size_t begin = 0, end, line = 1; begin < text.size; begin = end, line++) {
        const char *stop = memchr(text.data + begin, '\n', text.size - begin);
        uint32_t n;
        end = stop ? (size_t)(stop - text.data) + 1 : text.size;
        struct stac_tokens got = encode(s.tokenizer, text.data + begin, end - begin, true);
        memcpy(&n, blob.data + *at, sizeof n);
        *at += sizeof n;
        if (got.n != n) fail_msg("%s, %s line %zu: %zu tokens, expected %u", s.name, corpus, line, got.n, n);
        for (size_t i = 0; i < n; i++, *at += 2) {
            uint16_t id;
            memcpy(&id, blob.data + *at, sizeof id);
            if (got.id[i] != id)
                fail_msg("%s, %s line %zu: token %zu is %d, expected %d", s.name, corpus, line, i, got.id[i], id);
        }
        stac_tokens_clean(&got);
    }
}

/* A whole text by the digest of its ids, with special tokens and without. */
static void check_digest(struct subject s, const json_t *digests, const char *corpus, struct text text) {
    static const char *const ways[] = {"plain", "specials"};
    struct stac_error err = {0};
    for (int specials = 0; specials < 2; specials++) {
        const json_t *wanted = json_object_get(json_object_get(json_object_get(digests, s.name), corpus), ways[specials]);
        struct stac_tokens got = encode(s.tokenizer, text.data, text.size, specials);
        uint16_t *ids = calloc(got.n, sizeof *ids);
        char hex[STAC_SHA256_HEX];
        for (size_t i = 0; i < got.n; i++) ids[i] = (uint16_t)got.id[i];
        OK(stac_sha256_bytes(ids, got.n * sizeof *ids, hex, &err));
        if (got.n != (size_t)json_integer_value(json_object_get(wanted, "n")) ||
            strcmp(hex, json_string_value(json_object_get(wanted, "sha256"))) != 0)
            fail_msg("%s: the %zu tokens of %s (%s) are not the expected ones", s.name, got.n, corpus, ways[specials]);
        free(ids);
        stac_tokens_clean(&got);
    }
}

/* The texts that make_golden.py calls long_texts. */
static struct text long_text(const char *kind, struct text corpus) {
    struct text t = {.size = strcmp(kind, "spaces") == 0 ? 50001 : strcmp(kind, "letters") == 0 ? 50000 : 8 * corpus.size};
    t.data = calloc(t.size, 1);
    for (size_t i = 0; i < t.size; i++)
        t.data[i] = *kind == 's' ? ' ' : *kind == 'l' ? (char)('a' + (i * i * 7 + i / 3) % 26) : corpus.data[i % corpus.size];
    if (*kind == 's') t.data[t.size - 1] = 'x';
    return t;
}

static void check_subject(struct subject s) {
    static const char *const corpora[] = {"unicode", "broken"}, *const kinds[] = {"spaces", "letters", "repeats"};
    char name[64];
    size_t at = 0;
    snprintf(name, sizeof name, "%s.ids", s.name);
    struct text blob = read_golden(name), text[2];
    json_t *digests = load_golden("digests.json");
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.txt", corpora[i]);
        text[i] = read_golden(name);
        check_lines(s, corpora[i], text[i], blob, &at);
        check_digest(s, digests, corpora[i], text[i]);
    }
    assert_int_equal(at, blob.size);
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        struct text made = long_text(kinds[i], text[0]);
        check_digest(s, digests, kinds[i], made);
        free(made.data);
    }
    json_decref(digests);
    free(blob.data);
    free(text[0].data);
    free(text[1].data);
}

static void tokens_of_gpt2_equal_hugging_face(void **state) {
    (void)state;
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    check_subject((struct subject){t, "gpt2"});
    stac_tokenizer_close(t);
}

static void tokens_of_smol_equal_hugging_face(void **state) {
    (void)state;
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    check_subject((struct subject){t, "smol"});
    stac_tokenizer_close(t);
}

/* The real vocabulary, and what is saved from it. */
static void tokens_of_smollm2_equal_hugging_face(void **state) {
    const char *path = getenv("STAC_SMOLLM2_GGUF"), *folder = fx_path(*state, "saved");
    struct stac_error err = {0};
    if (!path) {
        print_message("skipped: STAC_SMOLLM2_GGUF does not name a SmolLM2 GGUF file\n");
        skip();
    }
    struct stac_tokenizer *t = open_at(path);
    check_subject((struct subject){t, "smollm2"});
    OK(stac_tokenizer_save(t, folder, &err));
    struct stac_tokenizer *again = open_at(folder);
    check_subject((struct subject){again, "smollm2"});
    assert_string_equal(stac_tokenizer_chat_template(t), stac_tokenizer_chat_template(again));
    stac_tokenizer_close(again);
    stac_tokenizer_close(t);
}

/* Every code point that Unicode 14 assigns, beside a letter, a numeral, a mark and a space. */
static void characters_are_classed_as_hugging_face_does(void **state) {
    (void)state;
    static const char *const kinds[] = {"letter", "numeral", "other"};
    static const char beside[] = {'a', '1', '!'};
    struct stac_error err = {0};
    struct stac_pretokenizer p = {0};
    struct stac_word_reader r;
    struct text classes = read_golden("classes.txt");
    size_t checked = 0;
    OK(stac_pretokenizer_compile(&p, &err));
    OK(stac_word_reader_open(&p, &r, &err));
    for (char *line = strtok(classes.data, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned low, high;
        char kind[16];
        assert_int_equal(sscanf(line, "%x %x %15s", &low, &high, kind), 3);
        for (unsigned c = low; c <= high; c++, checked++) {
            char text[8];
            size_t size = 1 + (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)text + 1), end;
            for (int i = 0; i < 3; i++) {
                text[0] = beside[i];
                OK(stac_word_reader_end(&r, text, size, 0, &end, &err));
                if ((end == size) != (strcmp(kind, kinds[i]) == 0)) fail_msg("U+%04X is not read as %s", c, kind);
            }
        }
    }
    assert_int_equal(checked, 144697 + 65 + 137468); /* graphic and format; control; private use */
    stac_word_reader_close(&r);
    stac_pretokenizer_clean(&p);
    free(classes.data);
}

/* ---- variants: added tokens, normalizer, pre-tokenizer ----------------------------------------------------------- */

static void write_variant(const struct fx_folder *f, const json_t *variant) {
    char name[64];
    snprintf(name, sizeof name, "%s/tokenizer.json", json_string_value(json_object_get(variant, "tokenizer")));
    json_t *tokenizer = load_golden(name), *change = json_deep_copy(json_object_get(variant, "change"));
    json_array_extend(json_object_get(tokenizer, "added_tokens"), json_object_get(change, "added_tokens"));
    json_object_update(json_object_get(tokenizer, "model"), json_object_get(change, "model"));
    json_object_del(change, "added_tokens");
    json_object_del(change, "model");
    json_object_update(tokenizer, change);
    char *text = json_dumps(tokenizer, 0);
    fx_write_text(f, "tokenizer.json", text);
    free(text);
    json_decref(change);
    json_decref(tokenizer);
}

static void variants_equal_hugging_face(void **state) {
    const struct fx_folder *f = *state;
    json_t *all = load_golden("variants.json"), *variant, *item;
    size_t v, i;
    json_array_foreach(json_object_get(all, "variants"), v, variant) {
        write_variant(f, variant);
        struct stac_tokenizer *t = open_at(f->path);
        json_array_foreach(json_object_get(variant, "cases"), i, item) {
            const char *text = json_string_value(json_array_get(item, 0));
            const json_t *wanted = json_array_get(item, 2);
            struct stac_tokens got = encode(t, text, strlen(text), json_is_true(json_array_get(item, 1)));
            bool equal = got.n == json_array_size(wanted);
            for (size_t k = 0; equal && k < got.n; k++) equal = got.id[k] == json_integer_value(json_array_get(wanted, k));
            if (!equal) fail_msg("%s: case %zu (\"%s\") differs", json_string_value(json_object_get(variant, "name")), i, text);
            stac_tokens_clean(&got);
        }
        stac_tokenizer_close(t);
    }
    assert_true(v >= 12);
    json_decref(all);
}

/* ---- malformed text, decoding, queries --------------------------------------------------------------------------- */

static void malformed_utf8_is_read_as_python_reads_it(void **state) {
    (void)state;
#define R "\xEF\xBF\xBD"
    static const struct {
        const char *bytes, *wanted;
    } cases[] = {
        {"\x80", R},
        {"\xC0\xAF", R R},
        {"\xE0\x80\xBF", R R R},
        {"\xED\xA0\x80", R R R},
        {"\xF4\x91\x92\x93", R R R R},
        {"\xFF\x41", R "A"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", R R R R "A"}, /* The Unicode Standard, table 3-11 */
        {"a\xF0\x9F\x98", "a" R},
        {"\xF0\x9F\x98 \xE2\x82", R " " R},
        {"\xE2\x82\xAC\xF4\x8F\xBF\xBF", "\xE2\x82\xAC\xF4\x8F\xBF\xBF"},
    };
    struct stac_error err = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_strbuf got = {0};
        OK(stac_utf8_repair(&got, cases[i].bytes, strlen(cases[i].bytes), &err));
        assert_string_equal(stac_strbuf_text(&got), cases[i].wanted);
        stac_strbuf_clean(&got);
    }
}

static void decoding_gives_the_text_back(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    struct text text = read_golden("unicode.txt");
    for (int specials = 0; specials < 2; specials++) {
        struct stac_tokens ids = encode(t, text.data, text.size, specials);
        struct stac_strbuf got = {0};
        OK(stac_tokenizer_decode(t, ids.id, ids.n, false, &got, &err));
        assert_int_equal(got.size, text.size);
        assert_memory_equal(got.data, text.data, text.size);
        stac_strbuf_clean(&got);
        OK(stac_tokenizer_decode(t, ids.id, ids.n, true, &got, &err));
        assert_true((got.size < text.size) == specials);
        stac_strbuf_clean(&got);
        FAILS(stac_tokenizer_decode(t, (int32_t[]){1, 1024}, 2, false, &got, &err), STAC_ERR_USAGE, "token 1 has the id 1024");
        FAILS(stac_tokenizer_decode(t, (int32_t[]){-1}, 1, true, &got, &err), STAC_ERR_USAGE, "-1");
        stac_strbuf_clean(&got);
        stac_tokens_clean(&ids);
    }
    free(text.data);
    stac_tokenizer_close(t);
}

static void tokenizers_answer_questions(void **state) {
    (void)state;
    struct stac_tokenizer *gpt2 = open_at(GOLDEN "gpt2"), *smol = open_at(GOLDEN "smol");
    assert_int_equal(stac_tokenizer_n_vocab(gpt2), 1024);
    assert_int_equal(stac_tokenizer_bos(gpt2), 0);
    assert_int_equal(stac_tokenizer_eos(gpt2), 0);
    assert_null(stac_tokenizer_chat_template(gpt2));
    assert_int_equal(stac_tokenizer_n_vocab(smol), 2000);
    assert_int_equal(stac_tokenizer_bos(smol), 1); /* given as an object */
    assert_int_equal(stac_tokenizer_eos(smol), 2); /* given as a text */
    assert_non_null(strstr(stac_tokenizer_chat_template(smol), "named SmolLM"));
    assert_true(stac_tokenizer_is_special(smol, 2));
    assert_false(stac_tokenizer_is_special(smol, 3));
    assert_false(stac_tokenizer_is_special(smol, -1));
    assert_false(stac_tokenizer_is_special(smol, 2000));
    assert_int_equal(stac_tokenizer_find(smol, "<|im_end|>"), 2);
    assert_true(stac_tokenizer_find(smol, "\xC4\xA0the") > 2); /* as tokenizer.json writes " the" */
    assert_int_equal(stac_tokenizer_find(smol, " the"), -1);
    stac_tokenizer_close(gpt2);
    stac_tokenizer_close(smol);
    stac_tokenizer_close(NULL);
}

/* ---- trusted and other text -------------------------------------------------------------------------------------- */

#define TRUSTED(text)                                                                                                          \
    { (text), sizeof(text) - 1, true }
#define OTHER(text)                                                                                                            \
    { (text), sizeof(text) - 1, false }

/* `wanted` is encoded with special tokens where `controls` is true; its tokens are the expected ones. */
static void only_trusted_parts_spell_control_tokens(void **state) {
    (void)state;
    static const struct {
        struct stac_text_part parts[4];
        size_t n;
        int controls; /* control tokens in the result */
        const char *wanted;
    } cases[] = {
        {{TRUSTED("<|im_start|>"), OTHER("user"), TRUSTED("\n")}, 3, 1, "<|im_start|>user\n"},
        {{OTHER("<|im_start|>"), OTHER("user")}, 2, 0, "<|im_start|>user"},
        {{TRUSTED("<|im_"), OTHER("end|>")}, 2, 0, "<|im_end|>"},
        {{TRUSTED("<|im_"), TRUSTED("end|>")}, 2, 0, "<|im_end|>"},
        {{OTHER("<|im_end|"), TRUSTED("<|im_end|>")}, 2, 1, NULL},
        {{OTHER("<"), TRUSTED("<|im_end|>"), OTHER("|>")}, 3, 1, NULL},
        {{TRUSTED("a"), OTHER("b"), TRUSTED("out "), OTHER(" the")}, 4, 0, "about  the"},
        {{TRUSTED("<|im_end|><|im_end|>"), OTHER("")}, 2, 2, "<|im_end|><|im_end|>"},
        {{OTHER("\xF0\x9F"), OTHER("\x98\x80")}, 2, 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {{OTHER("")}, 1, 0, ""},
        {{TRUSTED("")}, 0, 0, ""},
    };
    struct stac_error err = {0};
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_tokens got = {0};
        int controls = 0;
        OK(stac_tokenizer_encode_parts(t, cases[i].parts, cases[i].n, &got, &err));
        for (size_t k = 0; k < got.n; k++) controls += stac_tokenizer_is_special(t, got.id[k]);
        assert_int_equal(controls, cases[i].controls);
        if (cases[i].wanted) {
            struct stac_tokens wanted = encode(t, cases[i].wanted, strlen(cases[i].wanted), controls > 0);
            assert_int_equal(got.n, wanted.n);
            if (got.n) assert_memory_equal(got.id, wanted.id, got.n * sizeof *got.id);
            stac_tokens_clean(&wanted);
        }
        stac_tokens_clean(&got);
    }
    stac_tokenizer_close(t);
}

/* BOS and EOS of the small GPT-2's tokenizer.json beside other files, as transformers 5.23 has them where there is a
 * config.json. */
static void gpt2_without_names_has_those_of_its_class(void **state) {
#define LENGTH_ONLY "{\"model_max_length\": 1024"
#define GPT2_MODEL(ids) "{\"model_type\": \"gpt2\"" ids "}"
    static const struct {
        const char *config, *model, *specials; /* NULL: not there */
        int32_t bos, eos;
    } cases[] = {
        {LENGTH_ONLY "}", GPT2_MODEL(", \"bos_token_id\": 0, \"eos_token_id\": 0"), NULL, 0, 0}, /* as on the hub */
        {LENGTH_ONLY "}", GPT2_MODEL(", \"bos_token_id\": 5, \"eos_token_id\": 6"), NULL, 0, 0},
        {NULL, GPT2_MODEL(""), NULL, 0, 0},
        {NULL, NULL, NULL, 0, 0},
        {LENGTH_ONLY "}", "{\"model_type\": \"llama\", \"eos_token_id\": 6}", NULL, -1, -1},
        {LENGTH_ONLY ", \"bos_token\": null}", GPT2_MODEL(""), NULL, -1, 0},
        {LENGTH_ONLY ", \"bos_token\": null, \"eos_token\": null}", GPT2_MODEL(""), NULL, -1, -1},
        {LENGTH_ONLY ", \"eos_token\": \"!\"}", GPT2_MODEL(""), NULL, 0, 1},
        {LENGTH_ONLY "}", GPT2_MODEL(""), "{\"eos_token\": \"!\"}", 0, 1},
        {LENGTH_ONLY ", \"eos_token\": null}", GPT2_MODEL(""), "{\"eos_token\": \"!\"}", 0, 1},
        {LENGTH_ONLY ", \"tokenizer_class\": \"GPT2Tokenizer\"}", GPT2_MODEL(""), NULL, 0, 0},
        {LENGTH_ONLY ", \"tokenizer_class\": \"GPT2TokenizerFast\"}", NULL, NULL, 0, 0},
        {LENGTH_ONLY ", \"tokenizer_class\": \"PreTrainedTokenizerFast\"}", GPT2_MODEL(", \"bos_token_id\": 0"), NULL, -1, -1},
    };
    struct stac_error err = {0};
    struct text json = read_golden("gpt2/tokenizer.json");
    fx_write(*state, "tokenizer.json", json.data, json.size);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *const name[3] = {"tokenizer_config.json", "config.json", "special_tokens_map.json"};
        const char *const text[3] = {cases[i].config, cases[i].model, cases[i].specials};
        char saved[16];
        snprintf(saved, sizeof saved, "saved-%zu", i);
        for (int k = 0; k < 3; k++)
            text[k] ? (void)fx_write_text(*state, name[k], text[k]) : (void)unlink(fx_path(*state, name[k]));
        struct stac_tokenizer *t = open_at(((struct fx_folder *)*state)->path);
        OK(stac_tokenizer_save(t, fx_path(*state, saved), &err));
        struct stac_tokenizer *again = open_at(fx_path(*state, saved)); /* as a converted folder has it */
        if (stac_tokenizer_bos(t) != cases[i].bos || stac_tokenizer_eos(t) != cases[i].eos)
            fail_msg("case %zu: BOS %d, EOS %d", i, stac_tokenizer_bos(t), stac_tokenizer_eos(t));
        assert_int_equal(stac_tokenizer_bos(again), cases[i].bos);
        assert_int_equal(stac_tokenizer_eos(again), cases[i].eos);
        stac_tokenizer_close(t);
        stac_tokenizer_close(again);
    }
    free(json.data);
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

static void a_folder_is_saved_as_it_is(void **state) {
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json"};
    struct stac_error err = {0};
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    OK(stac_tokenizer_save(t, fx_path(*state, "new/folder"), &err));
    for (int i = 0; i < 2; i++) {
        char from[64], to[64], *data;
        size_t size;
        snprintf(from, sizeof from, "smol/%s", names[i]);
        snprintf(to, sizeof to, "new/folder/%s", names[i]);
        struct text wanted = read_golden(from);
        OK(stac_file_read(fx_path(*state, to), 1 << 24, &data, &size, &err));
        assert_int_equal(size, wanted.size);
        assert_memory_equal(data, wanted.data, size);
        free(data);
        free(wanted.data);
    }
    stac_tokenizer_close(t);
    fx_write_text(*state, "file", "");
    t = open_at(GOLDEN "gpt2");
    FAILS(stac_tokenizer_save(t, fx_path(*state, "file"), &err), STAC_ERR_IO, "is a file");
    stac_tokenizer_close(t);
}

/* smol/ as llama.cpp's converter would write it. */
static const char *write_smol_gguf(const struct fx_folder *f, bool adds_bos) {
    json_t *json = load_golden("smol/tokenizer.json"), *chat = load_golden("chat.json");
    json_t *model = json_object_get(json, "model"), *vocab = json_object_get(model, "vocab"), *item;
    json_t *merges = json_object_get(model, "merges");
    size_t n = json_object_size(vocab), i;
    const char **texts = calloc(n, sizeof *texts), *text;
    struct fx_gguf g = {0};
    struct stac_strbuf file = {0};
    json_object_foreach(vocab, text, item) texts[json_integer_value(item)] = text;
    fx_key_text(&g, "tokenizer.ggml.model", "gpt2");
    fx_key_text(&g, "tokenizer.ggml.pre", "smollm");
    fx_key_array(&g, "tokenizer.ggml.tokens", 8, n);
    for (i = 0; i < n; i++) fx_text(&g.keys, texts[i]);
    fx_key_array(&g, "tokenizer.ggml.token_type", 5, n);
    for (i = 0; i < n; i++) fx_u32(&g.keys, i < 3 ? 3 : 1);
    fx_key_array(&g, "tokenizer.ggml.merges", 8, json_array_size(merges));
    json_array_foreach(merges, i, item) fx_text(&g.keys, json_string_value(item));
    fx_key_u32(&g, "tokenizer.ggml.bos_token_id", 1);
    fx_key_u32(&g, "tokenizer.ggml.eos_token_id", 2);
    fx_key_bool(&g, "tokenizer.ggml.add_bos_token", adds_bos);
    fx_key_text(&g, "tokenizer.chat_template", json_string_value(json_object_get(chat, "template")));
    fx_gguf_finish(&g, &file);
    const char *path = fx_write(f, "smol.gguf", file.data, file.size);
    stac_strbuf_clean(&file);
    free(texts);
    json_decref(json);
    json_decref(chat);
    return path;
}

static void a_gguf_vocabulary_is_read_saved_and_read_back(void **state) {
    struct stac_error err = {0};
    struct stac_tokenizer *gguf = open_at(write_smol_gguf(*state, false));
    OK(stac_tokenizer_save(gguf, fx_path(*state, "saved"), &err));
    struct stac_tokenizer *saved = open_at(fx_path(*state, "saved"));
    const struct stac_tokenizer *both[] = {gguf, saved};
    for (int i = 0; i < 2; i++) {
        check_subject((struct subject){both[i], "smol"});
        assert_int_equal(stac_tokenizer_n_vocab(both[i]), 2000);
        assert_int_equal(stac_tokenizer_bos(both[i]), 1);
        assert_int_equal(stac_tokenizer_eos(both[i]), 2);
        assert_int_equal(stac_tokenizer_prefix(both[i]), -1);
        assert_true(stac_tokenizer_is_special(both[i], 0));
        assert_non_null(strstr(stac_tokenizer_chat_template(both[i]), "named SmolLM"));
    }
    stac_tokenizer_close(gguf);
    stac_tokenizer_close(saved);
}

/* What Hugging Face's tokenizers put before a text goes into the saved files, and stays out of the tokens. */
static void a_token_before_every_text_is_known(void **state) {
    struct stac_error err = {0};
    struct stac_tokenizer *gguf = open_at(write_smol_gguf(*state, true));
    OK(stac_tokenizer_save(gguf, fx_path(*state, "with"), &err));
    struct stac_tokenizer *saved = open_at(fx_path(*state, "with"));
    assert_int_equal(stac_tokenizer_prefix(gguf), 1);
    assert_int_equal(stac_tokenizer_prefix(saved), 1);
    struct stac_tokens got = encode(saved, "one", 3, true);
    assert_true(got.n > 0 && got.id[0] != 1);
    stac_tokens_clean(&got);
    stac_tokenizer_close(gguf);
    stac_tokenizer_close(saved);
}

/* ---- size and threads -------------------------------------------------------------------------------------------- */

/* A quadratic merge would need hours for these. */
static void long_words_take_no_quadratic_time(void **state) {
    (void)state;
    static const char *const words[] = {" ", "a", "=", "\xE4\xB8\xAD", "\n", "the", "\xFF"};
    enum { SIZE = 3 << 20 };
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    char *text = malloc(SIZE);
    for (size_t i = 0; i < LENGTH(words); i++) {
        for (size_t k = 0, n = strlen(words[i]); k < SIZE; k++) text[k] = words[i][k % n];
        struct stac_tokens got = encode(t, text, SIZE, true);
        assert_true(got.n > 0 && got.n <= 3 * (size_t)SIZE);
        stac_tokens_clean(&got);
    }
    free(text);
    stac_tokenizer_close(t);
}

static void *check_in_thread(void *subject) {
    check_subject(*(struct subject *)subject);
    return subject;
}

static void threads_share_a_tokenizer(void **state) {
    (void)state;
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    struct subject s = {t, "smol"};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, check_in_thread, &s), 0);
    for (int i = 0; i < 4; i++) {
        void *done;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_ptr_equal(done, &s);
    }
    stac_tokenizer_close(t);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_gpt2_equal_hugging_face),
        cmocka_unit_test(tokens_of_smol_equal_hugging_face),
        IN_FOLDER(tokens_of_smollm2_equal_hugging_face),
        cmocka_unit_test(characters_are_classed_as_hugging_face_does),
        IN_FOLDER(variants_equal_hugging_face),
        cmocka_unit_test(malformed_utf8_is_read_as_python_reads_it),
        cmocka_unit_test(decoding_gives_the_text_back),
        cmocka_unit_test(tokenizers_answer_questions),
        cmocka_unit_test(only_trusted_parts_spell_control_tokens),
        IN_FOLDER(gpt2_without_names_has_those_of_its_class),
        IN_FOLDER(a_folder_is_saved_as_it_is),
        IN_FOLDER(a_gguf_vocabulary_is_read_saved_and_read_back),
        IN_FOLDER(a_token_before_every_text_is_known),
        cmocka_unit_test(long_words_take_no_quadratic_time),
        cmocka_unit_test(threads_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
