/* net/sessions.h: texts that are read together, taken back, cut when they grow too long, and continued. */
#include "unit.h"

#include <math.h>

#include "fixture_networks.h"
#include "net/logits.h"
#include "net/sessions.h"

enum { CAPACITY = 40, ROWS = 7, SLOTS = 3 }; /* the model has 40 positions */

/* A network behind a pipeline of one stage. */
struct bench {
    struct stac_model *model;
    struct stac_network net;
    struct stac_cache cache;
    struct stac_run run;
    struct stac_pipeline pipeline;
    struct stac_sessions s;
    size_t vocab;
};

static void bench_begin(struct bench *b, int capacity) {
    struct stac_error err = {0};
    struct stac_run *run = &b->run;
    fx_open("gpt2-2heads", &b->model);
    fx_load(b->model, &b->net);
    OK(stac_cache_init(&b->cache, &b->net, SLOTS, capacity, &err));
    OK(stac_run_init(&b->run, &b->net, &b->cache, STAC_MODE_DENSE, ROWS, &err));
    OK(stac_pipeline_init(&b->pipeline, &fx_grid, 1, &run, &err));
    OK(stac_sessions_init(&b->s, &b->pipeline, 5, &err));
    b->vocab = (size_t)b->net.hp.n_vocab;
}

static void bench_end(struct bench *b) {
    stac_sessions_clean(&b->s);
    stac_pipeline_clean(&b->pipeline);
    stac_run_clean(&b->run);
    stac_cache_clean(&b->cache);
    stac_network_clean(&b->net);
    stac_model_close(b->model);
}

struct seen {
    float *logits[SLOTS]; /* [CAPACITY][vocab] */
    size_t vocab;
};

static void see(void *ctx, int id, size_t index, const float *logits) {
    struct seen *seen = ctx;
    memcpy(seen->logits[id] + index * seen->vocab, logits, seen->vocab * sizeof *logits);
}

static void add(struct bench *b, int id, const int32_t *token, size_t n) {
    struct stac_error err = {0};
    OK(stac_sessions_add(&b->s, id, token, n, &err));
}

static void read_all(struct bench *b) {
    struct stac_error err = {0};
    OK(stac_sessions_read(&b->s, NULL, NULL, &err));
}

/* What the text predicts when it is read alone and at once. */
static void assert_predicts(struct bench *b, int id, const int32_t *token, size_t n) {
    float *wanted = fx_logits(&b->net, STAC_MODE_DENSE, NULL, token, (int)n, NULL);
    assert_same_bits(wanted + (n - 1) * b->vocab, b->s.logits + (size_t)id * b->vocab, b->vocab, "session %d", id);
    free(wanted);
}

static void together_each_predicts_what_it_does_alone(void **state) {
    (void)state;
    static const size_t length[SLOTS] = {23, 2, 17};
    struct stac_error err = {0};
    struct bench b;
    struct seen seen = {{0}, 0};
    int32_t text[SLOTS][CAPACITY];
    bench_begin(&b, CAPACITY);
    seen.vocab = b.vocab;
    for (int id = 0; id < SLOTS; id++) {
        seen.logits[id] = calloc(CAPACITY * b.vocab, sizeof(float));
        fx_tokens(text[id], CAPACITY, b.net.hp.n_vocab, (uint64_t)id + 1);
        add(&b, id, text[id], length[id]);
    }
    OK(stac_sessions_read(&b.s, see, &seen, &err));
    for (int id = 0; id < SLOTS; id++) { /* after every token, whatever the batches were */
        float *wanted = fx_logits(&b.net, STAC_MODE_DENSE, NULL, text[id], (int)length[id], NULL);
        assert_same_bits(wanted, seen.logits[id], length[id] * b.vocab, "session %d", id);
        assert_predicts(&b, id, text[id], length[id]);
        assert_int_equal(b.cache.length[id], length[id]);
        free(wanted);
    }
    for (int step = 0; step < 9; step++) { /* some go on, one of them by more than a batch */
        add(&b, 1, text[1] + 2 + step, 1);
        if (step == 4) add(&b, 2, text[2] + 17, 20);
        read_all(&b);
    }
    assert_predicts(&b, 0, text[0], 23);
    assert_predicts(&b, 1, text[1], 11);
    assert_predicts(&b, 2, text[2], 37);
    for (int id = 0; id < SLOTS; id++) free(seen.logits[id]);
    bench_end(&b);
}

static void what_is_taken_back_was_never_there(void **state) {
    (void)state;
    struct bench b;
    int32_t text[CAPACITY], other[CAPACITY];
    bench_begin(&b, CAPACITY);
    fx_tokens(text, CAPACITY, b.net.hp.n_vocab, 1);
    fx_tokens(other, CAPACITY, b.net.hp.n_vocab, 2);
    add(&b, 0, text, 10);
    add(&b, 1, other, 12);
    read_all(&b);
    add(&b, 0, other, 15);
    read_all(&b);
    stac_sessions_take_back(&b.s, 0, 10);
    add(&b, 0, text + 10, 4);
    read_all(&b);
    assert_predicts(&b, 0, text, 14);
    add(&b, 0, other, 3); /* and what was not read yet */
    stac_sessions_take_back(&b.s, 0, 14);
    add(&b, 0, text + 14, 1);
    read_all(&b);
    assert_predicts(&b, 0, text, 15);
    stac_sessions_reset(&b.s, 0); /* the other session stays */
    assert_int_equal(b.cache.length[0], 0);
    assert_int_equal(b.cache.length[1], 12);
    add(&b, 0, other, 12);
    read_all(&b);
    assert_predicts(&b, 0, other, 12);
    assert_int_equal(b.s.passed, 10 + 12 + 15 + 4 + 1 + 12); /* each as often as it was read */
    bench_end(&b);
}

/* Turns of different length, far beyond the slot: what is left is always the kept tokens and the newest whole turns, and
 * predicts what these tokens predict. */
static void old_turns_are_forgotten(void **state) {
    (void)state;
    enum { TURNS = 60, KEPT = 3 };
    struct stac_error err = {0};
    struct bench b;
    int32_t text[TURNS * 10], wanted[CAPACITY];
    size_t begin[TURNS + 1] = {KEPT}, forgotten = 0;
    bench_begin(&b, CAPACITY);
    const struct stac_session *q = &b.s.at[1];
    fx_tokens(text, TURNS * 10, b.net.hp.n_vocab, 3);
    add(&b, 1, text, KEPT);
    b.s.at[1].kept = KEPT;
    for (int turn = 0; turn < TURNS; turn++) {
        size_t n = 2 + (size_t)(turn * 7 % 8), left = 0;
        begin[turn + 1] = begin[turn] + n;
        OK(stac_sessions_turn(&b.s, 1, &err));
        add(&b, 1, text + begin[turn], n - 1);
        if (turn % 3) read_all(&b);
        add(&b, 1, text + begin[turn] + n - 1, 1); /* the answer grows */
        read_all(&b);
        assert_in_range(q->n, KEPT + n, CAPACITY);
        if (q->forgotten > forgotten) assert_true(q->n <= CAPACITY - CAPACITY / 4 + 1);
        forgotten = q->forgotten;
        assert_int_equal(begin[turn + 1], q->n + forgotten);
        while (begin[left] - KEPT < forgotten) left++;
        assert_int_equal(begin[left] - KEPT, forgotten); /* whole turns */
        assert_int_equal(q->n_turns, (size_t)turn + 1 - left);
        assert_int_equal(q->turn[0], KEPT);
        memcpy(wanted, text, KEPT * sizeof *text);
        memcpy(wanted + KEPT, text + begin[left], (q->n - KEPT) * sizeof *text);
        assert_memory_equal(q->token, wanted, q->n * sizeof *wanted);
        assert_predicts(&b, 1, wanted, q->n);
    }
    assert_true(forgotten > 5 * CAPACITY);
    bench_end(&b);
}

static void a_text_without_turns_forgets_its_oldest_tokens(void **state) {
    (void)state;
    struct bench b;
    int32_t text[200], wanted[CAPACITY];
    bench_begin(&b, CAPACITY);
    fx_tokens(text, 200, b.net.hp.n_vocab, 4);
    add(&b, 0, text, 1);
    b.s.at[0].kept = 1;
    for (int i = 1; i < 200; i++) {
        add(&b, 0, text + i, 1);
        if (i % 5 == 0) read_all(&b);
    }
    read_all(&b);
    const struct stac_session *q = &b.s.at[0];
    assert_int_equal(q->n + q->forgotten, 200);
    wanted[0] = text[0];
    memcpy(wanted + 1, text + 1 + q->forgotten, (q->n - 1) * sizeof *text);
    assert_predicts(&b, 0, wanted, q->n);
    bench_end(&b);
}

static void what_cannot_fit_is_refused(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct bench b;
    int32_t text[CAPACITY + 1];
    bench_begin(&b, CAPACITY);
    fx_tokens(text, CAPACITY + 1, b.net.hp.n_vocab, 1);
    FAILS(stac_sessions_add(&b.s, 0, text, CAPACITY + 1, &err), STAC_ERR_USAGE, "max_context_length leaves room for 40");
    assert_int_equal(b.s.at[0].n, 0);
    add(&b, 0, text, 30);
    b.s.at[0].kept = 30;
    OK(stac_sessions_turn(&b.s, 0, &err));
    add(&b, 0, text, 8);
    assert_true(stac_sessions_fit(&b.s, 0, 2));
    assert_false(stac_sessions_fit(&b.s, 0, 3)); /* the turn at work is not cut */
    FAILS(stac_sessions_add(&b.s, 0, text, 3, &err), STAC_ERR_USAGE, "a turn of 11 tokens behind 30 that are kept");
    add(&b, 0, text, 2);
    read_all(&b);
    assert_int_equal(b.cache.length[0], CAPACITY);
    bench_end(&b);
}

/* A slot longer than the model: later tokens share the last position, and it is told. */
static void positions_end_with_the_model(void **state) {
    (void)state;
    struct bench b;
    int32_t text[CAPACITY + 10];
    bench_begin(&b, CAPACITY + 10);
    fx_tokens(text, CAPACITY + 10, b.net.hp.n_vocab, 1);
    add(&b, 0, text, CAPACITY);
    read_all(&b);
    assert_false(b.s.clamped);
    assert_predicts(&b, 0, text, CAPACITY);
    add(&b, 0, text + CAPACITY, 10);
    read_all(&b);
    assert_true(b.s.clamped);
    assert_int_equal(b.cache.length[0], CAPACITY + 10);
    for (size_t i = 0; i < b.vocab; i++) assert_true(isfinite(b.s.logits[i]));
    bench_end(&b);
}

static void continuations_repeat_with_their_seed(void **state) {
    (void)state;
    enum { LENGTH = 30 };
    static const struct stac_sampling drawn = {1, 10, 1}, greedy = {0, 0, 1};
    static const int all[SLOTS] = {0, 1, 2}, last[1] = {2};
    struct stac_error err = {0};
    int32_t written[2][SLOTS][LENGTH], token[SLOTS];
    for (int round = 0; round < 2; round++) {
        struct bench b;
        bench_begin(&b, CAPACITY);
        for (int id = 0; id < SLOTS; id++) token[id] = 3, add(&b, id, &token[id], 1);
        for (int i = 0; i < LENGTH; i++) {
            read_all(&b);
            OK(stac_sessions_next(&b.s, &drawn, SLOTS, all, token, &err));
            for (int id = 0; id < SLOTS; id++) add(&b, id, &token[id], 1), written[round][id][i] = token[id];
        }
        OK(stac_sessions_next(&b.s, &greedy, 1, last, token, &err));
        assert_int_equal(token[0], stac_most_likely((int)b.vocab, b.s.logits + 2 * b.vocab));
        bench_end(&b);
    }
    assert_memory_equal(written[0], written[1], sizeof written[0]);
    assert_memory_not_equal(written[0][0], written[0][1], sizeof written[0][0]); /* streams of their own */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_each_predicts_what_it_does_alone),
        cmocka_unit_test(what_is_taken_back_was_never_there),
        cmocka_unit_test(old_turns_are_forgotten),
        cmocka_unit_test(a_text_without_turns_forgets_its_oldest_tokens),
        cmocka_unit_test(what_cannot_fit_is_refused),
        cmocka_unit_test(positions_end_with_the_model),
        cmocka_unit_test(continuations_repeat_with_their_seed),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
