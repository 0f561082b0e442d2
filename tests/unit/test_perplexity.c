/* eval/perplexity: figures by hand, the token before a text, what predicted tokens spell. */
#include "fixture_files.h"

#include <math.h>

#include "eval/perplexity.h"

#define TINY STAC_TEST_DATA "/models/gpt2-tiny-shakespeare"

static struct stac_tokenizer *open_at(const char *path) {
    struct stac_error err = {0};
    struct stac_tokenizer *t;
    OK(stac_tokenizer_open(path, &t, &err));
    return t;
}

static void figures_by_hand(void **state) {
    (void)state;
    struct stac_spelling s = {.tokens = 6, .bytes = 24, .words = 3, .parts = 4};
    struct stac_job job = {.words = STAC_JOB_SPLIT};
    struct stac_perplexity p = stac_perplexity_of(log(16), &s, stac_perplexity_words(&s, &job)); /* 24 bits in all */
    assert_true(fabs(p.token - 16) < 1e-12 && fabs(p.word - 64) < 1e-10 && fabs(p.byte - 2) < 1e-12);
    assert_true(fabs(p.bits_per_byte - 1) < 1e-12);
    job.words = STAC_JOB_RUNS;
    assert_true(fabs(stac_perplexity_of(log(16), &s, stac_perplexity_words(&s, &job)).word - 256) < 1e-9);
}

/* A folder with a tokenizer of three letters and a special token, of which the config says what it is for. */
static struct stac_tokenizer *with_config(const struct fx_folder *f, const char *config) {
    fx_write_text(f, "tokenizer.json",
                  "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":3,\"content\":\"<end>\",\"special\":true}],"
                  "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
                  "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2},\"merges\":[]}}");
    fx_write_text(f, "tokenizer_config.json", config);
    return open_at(f->path);
}

static void the_token_before_the_text_follows_the_policy(void **state) {
    static const struct {
        const char *config;
        int32_t always; /* -1: refused */
    } cases[] = {
        {"{\"bos_token\":\"<end>\",\"eos_token\":\"a\"}", 3},
        {"{\"eos_token\":\"<end>\"}", 3},
        {"{\"bos_token\":\"<end>\",\"add_bos_token\":true}", 3}, /* which transformers does not heed */
        {"{}", -1},
    };
    struct stac_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_tokenizer *t = with_config(*state, cases[i].config);
        struct stac_job job = {.bos = STAC_JOB_BOS_ALWAYS};
        int32_t got;
        if (cases[i].always < 0)
            FAILS(stac_perplexity_prefix(t, &job, &got, &err), STAC_ERR_USAGE, "neither a BOS nor an EOS");
        else
            OK(stac_perplexity_prefix(t, &job, &got, &err));
        assert_int_equal(got, cases[i].always);
        job.bos = STAC_JOB_BOS_NEVER;
        OK(stac_perplexity_prefix(t, &job, &got, &err));
        assert_int_equal(got, -1);
        job.bos = STAC_JOB_BOS_MODEL;
        OK(stac_perplexity_prefix(t, &job, &got, &err));
        assert_int_equal(got, -1);
        stac_tokenizer_close(t);
    }
}

/* Tokens without a prediction spell nothing: the first of the text, or the one put before it, and of windows that do not
 * overlap. */
static void predicted_tokens_spell_what_counts(void **state) {
    (void)state;
    static const char text[] = "First Citizen: Before we proceed any further, hear me speak.";
    struct stac_error err = {0};
    struct stac_tokens ids = {0};
    struct stac_spelling s, whole;
    struct stac_tokenizer *t = open_at(TINY);
    OK(stac_tokens_add(&ids, 0, &err));
    OK(stac_tokenizer_encode(t, text, strlen(text), true, &ids, &err));
    OK(stac_spelling_count(t, ids.id + 1, ids.n - 1, NULL, &whole, &err));
    assert_int_equal(whole.bytes, strlen(text));
    for (size_t stride = 3; stride <= 4; stride++) {
        struct stac_reading prefixed = {ids.id, ids.n, 4, stride}, plain = {ids.id + 1, ids.n - 1, 4, stride};
        size_t windows = (plain.n + 3) / 4;
        OK(stac_perplexity_spelling(t, &prefixed, true, &s, &err));
        if (stride == 3) assert_memory_equal(&s, &whole, sizeof s); /* they overlap: every token of the text */
        if (stride == 4) assert_true(s.tokens < whole.tokens && s.bytes < whole.bytes);
        OK(stac_perplexity_spelling(t, &plain, false, &s, &err));
        assert_int_equal(s.tokens, stride == 3 ? plain.n - 1 : plain.n - windows);
        assert_true(s.bytes < whole.bytes);
    }
    stac_tokens_clean(&ids);
    stac_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_by_hand),
        cmocka_unit_test_setup_teardown(the_token_before_the_text_follows_the_policy, fx_folder_make, fx_folder_remove),
        cmocka_unit_test(predicted_tokens_spell_what_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
