/* text/corpus: a file in blocks equals the file at once, counts, limits; windows against their definition. */
#include "fixture_files.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "text/corpus.h"
#include "text/tokenizer_internal.h"

#define GOLDEN STAC_TEST_DATA "/golden/tokenizer/"
#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static struct stac_tokenizer *open_at(const char *path) {
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    OK(stac_tokenizer_open(path, &t, &err));
    return t;
}

static struct stac_corpus read_text(const struct fx_folder *f, const struct stac_tokenizer *t, const char *text, size_t limit) {
    struct stac_error err = {0};
    struct stac_corpus c;
    OK(stac_corpus_read(t, fx_write_text(f, "text", text), limit, &c, &err));
    return c;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* Both corpora, many times over, with limits that end inside and between blocks. */
static void a_file_in_blocks_equals_the_file_at_once(void **state) {
    static const char *const tokenizers[] = {GOLDEN "gpt2", GOLDEN "smol"};
    static const size_t limits[] = {0, 1, 2, 1000, 1001, 70000, 1000000};
    struct stac_error err = {0};
    struct stac_strbuf text = {0};
    for (int i = 0; i < 300; i++) {
        char *data;
        size_t size;
        OK(stac_file_read(i % 3 ? GOLDEN "unicode.txt" : GOLDEN "broken.txt", 1 << 20, &data, &size, &err));
        fx_put(&text, data, size);
        free(data);
    }
    const char *path = fx_write(*state, "text", text.data, text.size);
    for (size_t i = 0; i < LENGTH(tokenizers); i++) {
        struct stac_tokenizer *t = open_at(tokenizers[i]);
        struct stac_tokens whole = {0};
        OK(stac_tokenizer_encode(t, text.data, text.size, true, &whole, &err));
        for (size_t k = 0; k < LENGTH(limits); k++) {
            struct stac_corpus c;
            OK(stac_corpus_read(t, path, limits[k], &c, &err));
            assert_int_equal(c.tokens.n, limits[k] ? limits[k] : whole.n);
            assert_memory_equal(c.tokens.id, whole.id, c.tokens.n * sizeof *whole.id);
            stac_corpus_clean(&c);
        }
        stac_tokens_clean(&whole);
        stac_tokenizer_close(t);
    }
    stac_strbuf_clean(&text);
}

/* Wherever a text may be cut, its two halves give the tokens of the whole. */
static void every_cut_keeps_the_tokens(void **state) {
    (void)state;
    static const char *const tokenizers[] = {GOLDEN "gpt2", GOLDEN "smol"}, *const corpora[] = {"unicode.txt", "broken.txt"};
    struct stac_error err = {0};
    for (int i = 0; i < 4; i++) {
        struct stac_tokenizer *t = open_at(tokenizers[i % 2]);
        struct stac_tokens whole = {0};
        char path[512], *text;
        size_t size, cuts = 0;
        snprintf(path, sizeof path, GOLDEN "%s", corpora[i / 2]);
        OK(stac_file_read(path, 1 << 20, &text, &size, &err));
        OK(stac_tokenizer_encode(t, text, size, true, &whole, &err));
        for (size_t at = 0, wanted = 1; wanted<size; wanted = wanted> at ? wanted + 40 : at + 40) {
            struct stac_tokens halves = {0};
            at = stac_tokenizer_cut(t, text, size, wanted);
            OK(stac_tokenizer_encode(t, text, at, true, &halves, &err));
            OK(stac_tokenizer_encode(t, text + at, size - at, true, &halves, &err));
            assert_int_equal(halves.n, whole.n);
            assert_memory_equal(halves.id, whole.id, whole.n * sizeof *whole.id);
            stac_tokens_clean(&halves);
            cuts += at < size;
        }
        assert_true(cuts > 20);
        stac_tokens_clean(&whole);
        free(text);
        stac_tokenizer_close(t);
    }
}

static void texts_without_a_cut_stay_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t wanted, cut;
    } cases[] = {{"abc def", 100, 7}, {"abc def", 5, 3}, {"abc def", 2, 3},         {"abcdef", 2, 6},         {"      ", 2, 6},
                 {"a   b", 3, 1},     {"a\t b c", 3, 4}, {"a\xE3\x80\x80 b", 5, 6}, {"\xE4\xB8\xAD b", 4, 3}, {"ab\ncd", 4, 2}};
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(stac_tokenizer_cut(t, cases[i].text, strlen(cases[i].text), cases[i].wanted), cases[i].cut);
    t->cuttable = false;
    assert_int_equal(stac_tokenizer_cut(t, "abc def", 7, 5), 7);
    stac_tokenizer_close(t);
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

static void words_and_bytes_are_those_of_the_text(void **state) {
    static const struct {
        const char *text;
        size_t bytes, words;
    } cases[] = {
        {"one", 3, 1},
        {" one  two\n", 10, 2},
        {" \n\t ", 4, 0},
        {"a\xC2\xA0"
         "b\xE3\x80\x80"
         "c",
         8, 3}, /* no-break and ideographic space */
        {"a\xE2\x80\x8B"
         "b",
         5, 1},                    /* zero width space is not white space */
        {"x\xFFy \xF0\x9F", 9, 2}, /* U+FFFD for what is malformed */
        {"one<|endoftext|>two", 19, 1},
    };
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_corpus c = read_text(*state, t, cases[i].text, 0);
        assert_int_equal(c.spelling.bytes, cases[i].bytes);
        assert_int_equal(c.spelling.words, cases[i].words);
        stac_corpus_clean(&c);
    }
    stac_tokenizer_close(t);
}

static void a_limit_counts_what_it_keeps(void **state) {
    struct stac_error err = {0};
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    struct stac_strbuf text = {0};
    const char *all = "one two three\nfour, five 6 sieben \xE5\x85\xAB";
    struct stac_corpus whole = read_text(*state, t, all, 0);
    assert_int_equal(whole.spelling.bytes, strlen(all));
    assert_int_equal(whole.spelling.words, 8);
    for (size_t limit = 1; limit <= whole.tokens.n; limit++) {
        struct stac_corpus c = read_text(*state, t, all, limit);
        char hex[STAC_SHA256_HEX];
        stac_strbuf_clean(&text);
        OK(stac_tokenizer_decode(t, c.tokens.id, c.tokens.n, false, &text, &err));
        assert_int_equal(c.tokens.n, limit);
        assert_int_equal(c.spelling.bytes, text.size);
        OK(stac_sha256_bytes(all, strlen(all), hex, &err));
        assert_string_equal(c.sha256, hex);
        stac_corpus_clean(&c);
    }
    stac_strbuf_clean(&text);
    stac_corpus_clean(&whole);
    stac_tokenizer_close(t);
}

/* len(re.split(r"\\s+", text)) in Python 3.11. */
static void parts_are_those_of_python(void **state) {
    static const struct {
        const char *text;
        size_t parts;
    } cases[] = {{"one", 1},
                 {" one  two\n", 4},
                 {"one two", 2},
                 {"\n\n", 2},
                 {"a\x1C\x1F"
                  "b c",
                  3},
                 {"a\xC2\x85 b", 2},
                 {"a\xE1\xA0\x8E"
                  "b",
                  1},
                 {"a\xE2\x80\x8B"
                  "b",
                  1},
                 {"x\xFF y", 2}};
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct stac_corpus c = read_text(*state, t, cases[i].text, 0);
        assert_int_equal(c.spelling.parts, cases[i].parts);
        stac_corpus_clean(&c);
    }
    stac_tokenizer_close(t);
}

/* Every token counts for itself what it begins: the sums over any split of the tokens are those of the whole. */
static void spellings_of_parts_add_up(void **state) {
    (void)state;
    struct stac_error err = {0};
    char *text;
    size_t size, alone_bytes = 0, alone_words = 0, alone_gaps = 0;
    struct stac_tokens ids = {0};
    struct stac_spelling whole, one;
    struct stac_tokenizer *t = open_at(GOLDEN "gpt2");
    OK(stac_file_read(GOLDEN "unicode.txt", 1 << 20, &text, &size, &err));
    OK(stac_tokenizer_encode(t, text, size < 4000 ? size : 4000, true, &ids, &err));
    OK(stac_spelling_count(t, ids.id, ids.n, NULL, &whole, &err));
    uint8_t *counted = calloc(ids.n, 1);
    for (size_t i = 0; i < ids.n; i++) {
        memset(counted, 0, ids.n);
        counted[i] = 1;
        OK(stac_spelling_count(t, ids.id, ids.n, counted, &one, &err));
        assert_int_equal(one.tokens, 1);
        alone_bytes += one.bytes;
        alone_words += one.words;
        alone_gaps += one.parts - 1;
    }
    assert_int_equal(whole.tokens, ids.n);
    assert_int_equal(whole.bytes, alone_bytes);
    assert_int_equal(whole.words, alone_words);
    assert_int_equal(whole.parts, alone_gaps + 1);
    assert_true(whole.words > 100);
    ids.id[0] = 1 << 20;
    FAILS(stac_spelling_count(t, ids.id, ids.n, NULL, &one, &err), STAC_ERR_USAGE, "not in the vocabulary");
    free(counted);
    free(text);
    stac_tokens_clean(&ids);
    stac_tokenizer_close(t);
}

static void files_that_are_no_text_are_refused(void **state) {
    const struct fx_folder *f = *state;
    struct stac_error err = {0};
    struct stac_corpus c;
    struct stac_tokenizer *t = open_at(GOLDEN "smol");
    FAILS(stac_corpus_read(t, fx_path(f, "nothing"), 0, &c, &err), STAC_ERR_IO, "cannot open");
    FAILS(stac_corpus_read(t, f->path, 0, &c, &err), STAC_ERR_INPUT, "is a folder");
    FAILS(stac_corpus_read(t, fx_write_text(f, "empty", ""), 0, &c, &err), STAC_ERR_INPUT, "is empty");
    const char *huge = fx_write_text(f, "huge", "");
    assert_int_equal(truncate(huge, (1l << 30) + 1), 0);
    FAILS(stac_corpus_read(t, huge, 0, &c, &err), STAC_ERR_INPUT, "more than the 1073741824 accepted");
    assert_int_equal(mkfifo(fx_path(f, "fifo"), 0600), 0);
    FAILS(stac_corpus_read(t, fx_path(f, "fifo"), 0, &c, &err), STAC_ERR_INPUT, "is special");
    stac_tokenizer_close(t);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* The definition in corpus.h, for all small sizes. */
static void check_windows(size_t n_tokens, size_t context, size_t stride) {
    struct stac_error err = {0};
    struct stac_window *w;
    size_t n;
    unsigned predicted[64] = {0};
    OK(stac_windows_cut(n_tokens, context, stride, &w, &n, &err));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w[i].begin, i * stride);
        assert_true(w[i].skip >= 1 && w[i].skip < w[i].size && w[i].size <= context);
        assert_true(w[i].begin + w[i].size <= n_tokens);
        assert_true(w[i].size == context || i + 1 == n);
        assert_true(i == 0 || w[i].skip >= context - stride);
        for (size_t k = w[i].skip; k < w[i].size; k++) predicted[w[i].begin + k]++;
    }
    for (size_t k = 0; k < n_tokens; k++) assert_int_equal(predicted[k], k > 0 && (stride < context || k % stride != 0));
    free(w);
}

static void windows_predict_every_token_once(void **state) {
    (void)state;
    for (size_t n = 2; n <= 40; n++)
        for (size_t context = 2; context <= 12; context++)
            for (size_t stride = 1; stride <= context; stride++) check_windows(n, context, stride);
}

static void windows_of_the_readme(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_window *w;
    size_t n;
    OK(stac_windows_cut(49408, 256, 256, &w, &n, &err));
    assert_int_equal(n, 193);
    assert_int_equal(w[192].begin, 192 * 256);
    assert_int_equal(w[192].size, 256);
    free(w);
    OK(stac_windows_cut(1024, 1024, 512, &w, &n, &err)); /* exactly the context; one more; one less */
    assert_int_equal(n, 1);
    free(w);
    OK(stac_windows_cut(1025, 1024, 512, &w, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(w[1].size - w[1].skip, 1);
    free(w);
    OK(stac_windows_cut(1023, 1024, 512, &w, &n, &err));
    assert_int_equal(n, 1);
    free(w);
}

static void impossible_windows_are_refused(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_window *w;
    size_t n;
    FAILS(stac_windows_cut(100, 1, 1, &w, &n, &err), STAC_ERR_USAGE, "a window of 1 tokens");
    FAILS(stac_windows_cut(100, 8, 0, &w, &n, &err), STAC_ERR_USAGE, "a stride of 0");
    FAILS(stac_windows_cut(100, 8, 9, &w, &n, &err), STAC_ERR_USAGE, "accepted are 1 to the window's 8");
    FAILS(stac_windows_cut(1, 8, 8, &w, &n, &err), STAC_ERR_INPUT, "has 1 tokens");
    FAILS(stac_windows_cut(0, 8, 8, &w, &n, &err), STAC_ERR_INPUT, "has 0 tokens");
    FAILS(stac_windows_cut(SIZE_MAX, 2, 1, &w, &n, &err), STAC_ERR_MEMORY, "the windows");
    assert_null(w);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_in_blocks_equals_the_file_at_once),
        cmocka_unit_test(every_cut_keeps_the_tokens),
        cmocka_unit_test(texts_without_a_cut_stay_whole),
        IN_FOLDER(words_and_bytes_are_those_of_the_text),
        IN_FOLDER(a_limit_counts_what_it_keeps),
        IN_FOLDER(parts_are_those_of_python),
        cmocka_unit_test(spellings_of_parts_add_up),
        IN_FOLDER(files_that_are_no_text_are_refused),
        cmocka_unit_test(windows_predict_every_token_once),
        cmocka_unit_test(windows_of_the_readme),
        cmocka_unit_test(impossible_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
