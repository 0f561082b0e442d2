/* eval/conversation.h: how answers end, and what sessions hold afterwards. */
#include "unit.h"

#include "eval/conversation.h"
#include "fixture_networks.h"

enum { SLOTS = 2, MOST = 12 };
static const char *const question = "ROMEO:";
static const struct stac_sampling greedy = {.temperature = 0, .top_p = 1};

/* The small GPT-2, whose chat format is plain, behind sessions of some length. */
struct bench {
    struct stac_job job;
    struct stac_model *model;
    struct stac_subject subject;
    struct stac_network net;
    struct stac_cache cache;
    struct stac_run run;
    struct stac_pipeline pipeline;
    struct stac_sessions sessions;
    struct stac_conversation talk[SLOTS];
};

static void bench_begin(struct bench *b, int room) {
    static const char tiny[] = STAC_TEST_DATA "/models/gpt2-tiny-shakespeare";
    struct stac_error err = {0};
    struct stac_run *run = &b->run;
    *b = (struct bench){0};
    OK(stac_model_open(tiny, &b->model, &err));
    b->subject = (struct stac_subject){.job = &b->job, .hp = *stac_model_hparams(b->model)};
    OK(stac_tokenizer_open(tiny, &b->subject.tokenizer, &err));
    fx_load(b->model, &b->net);
    OK(stac_cache_init(&b->cache, &b->net, SLOTS, room, &err));
    OK(stac_run_init(&b->run, &b->net, &b->cache, STAC_MODE_DENSE, 16, &err));
    OK(stac_pipeline_init(&b->pipeline, &fx_grid, 1, &run, &err));
    OK(stac_sessions_init(&b->sessions, &b->pipeline, 5, &err));
    for (int i = 0; i < SLOTS; i++) OK(stac_conversation_init(&b->talk[i], &b->subject, &b->sessions, i, NULL, &err));
}

static void bench_end(struct bench *b) {
    for (int i = 0; i < SLOTS; i++) stac_conversation_clean(&b->talk[i]);
    stac_sessions_clean(&b->sessions);
    stac_pipeline_clean(&b->pipeline);
    stac_run_clean(&b->run);
    stac_cache_clean(&b->cache);
    stac_network_clean(&b->net);
    stac_tokenizer_close(b->subject.tokenizer);
    stac_model_close(b->model);
}

static const struct stac_session *take_turn(struct bench *b, int i, const char *text) {
    struct stac_error err = {0};
    OK(stac_conversation_ask(&b->talk[i], text, &err));
    OK(stac_conversations_answer(&b->talk[i], 1, &greedy, MOST, NULL, NULL, &err));
    return &b->sessions.at[i];
}

static bool said_before(const int32_t *answer, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (answer[i] == answer[n]) return true;
    return false;
}

/* The same question to a model that names one more token as its end: the answer is the one from before up to that token, which
 * neither shows nor stays, and what closes an answer follows. */
static void every_end_that_the_model_names_ends_an_answer(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_strbuf wanted = {0};
    struct stac_tokens closing = {0};
    struct bench b;
    bench_begin(&b, 64);
    OK(stac_chat_close(b.subject.tokenizer, STAC_CHAT_PLAIN, &closing, &err));
    const struct stac_session *whole = take_turn(&b, 0, question);
    size_t asked = whole->n - MOST - closing.n, said = 0;
    const int32_t *answer = whole->token + asked;
    while (said < 3 || said_before(answer, said)) said++;
    assert_true(said < MOST);
    b.subject.hp.n_eos = 2, b.subject.hp.eos[1] = answer[said];
    const struct stac_session *cut = take_turn(&b, 1, question);
    assert_int_equal(cut->n, asked + said + closing.n);
    assert_memory_equal(cut->token, whole->token, (asked + said) * sizeof *cut->token);
    assert_memory_equal(cut->token + asked + said, closing.id, closing.n * sizeof *cut->token);
    OK(stac_tokenizer_decode(b.subject.tokenizer, answer, said, true, &wanted, &err));
    assert_string_equal(stac_conversation_last(&b.talk[1]), wanted.data);
    assert_int_equal(b.talk[0].n_said, MOST);
    assert_int_equal(b.talk[1].n_said, said);
    stac_strbuf_clean(&wanted);
    stac_tokens_clean(&closing);
    bench_end(&b);
}

/* `n` words of a line. */
static char *line_of(size_t n) {
    char *text = calloc(n, 3);
    for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, " a", 2);
    return text;
}

/* Lines of every length that may matter: each is answered, or refused and nothing has changed, also where turns came before. */
static void a_line_fits_with_an_answer_or_changes_nothing(void **state) {
    (void)state;
    enum { ROOM = 40 };
    struct stac_error err = {0};
    size_t longest[SLOTS] = {0};
    struct bench b;
    bench_begin(&b, ROOM);
    for (int later = 0; later < SLOTS; later++) {
        for (size_t n = ROOM - 8; n < ROOM + 8; n++) {
            struct stac_conversation *c = &b.talk[later];
            char *text = line_of(n);
            if (!later) stac_conversation_clean(c);
            if (!later) OK(stac_conversation_init(c, &b.subject, &b.sessions, later, NULL, &err));
            if (later) take_turn(&b, later, question);
            struct stac_session before = b.sessions.at[later];
            bool begun = c->begun;
            int status = stac_conversation_check(c, text, &err);
            assert_memory_equal(&before, &b.sessions.at[later], sizeof before);
            assert_int_equal(begun, c->begun);
            if (status == STAC_OK) {
                take_turn(&b, later, text);
                longest[later] = n;
            } else {
                FAILS(stac_conversation_ask(c, text, &err), STAC_ERR_USAGE, "max_context_length leaves room for 40 in all");
                assert_memory_equal(&before, &b.sessions.at[later], sizeof before);
                assert_int_equal(begun, c->begun);
            }
            free(text);
        }
    }
    assert_int_equal(longest[0], ROOM - 3); /* two line breaks and a token of the answer */
    assert_int_equal(longest[1], ROOM - 4); /* behind the token that is kept */
    bench_end(&b);
}

/* Who listens hears of an answer as much as there is room for. */
static void an_answer_that_is_told_is_cut_to_the_room(void **state) {
    (void)state;
    enum { ROOM = 40 };
    struct stac_error err = {0};
    struct bench b;
    char *text = line_of(ROOM + 5);
    bench_begin(&b, ROOM);
    OK(stac_conversation_ask(&b.talk[0], question, &err));
    OK(stac_conversation_tell(&b.talk[0], text, &err));
    assert_int_equal(b.sessions.at[0].n, ROOM);
    assert_int_equal(b.sessions.at[0].n_turns, 1);
    take_turn(&b, 0, question);
    free(text);
    bench_end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_that_the_model_names_ends_an_answer),
        cmocka_unit_test(a_line_fits_with_an_answer_or_changes_nothing),
        cmocka_unit_test(an_answer_that_is_told_is_cut_to_the_room),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
