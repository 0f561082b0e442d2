/* net/: the forward pass gives the same bits however a text is read (at once, in pieces, beside others), by whichever
 * kernels and threads, and whether time runs step by step or at once; and it refuses batches that make no sense. */
#include "unit.h"

#include <math.h>
#include <omp.h>

#include "fixture_networks.h"

enum { LENGTH = 40 }; /* what the golden models can read; more than the rows of one attention piece */

/* ---- networks --------------------------------------------------------------------------------------------------- */

/* Calls look() with every golden model: dense as it is stored, and spiking. */
static void on_all_networks(void (*look)(const char *name, const struct stac_network *net, enum stac_mode mode)) {
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network dense;
        struct fx_spiking spiking;
        char name[80];
        fx_open(fx_golden[g], &model);
        fx_load(model, &dense);
        look(fx_golden[g], &dense, STAC_MODE_DENSE);
        stac_network_clean(&dense);
        stac_model_close(model);
        fx_spiking_make(&spiking, fx_golden[g], 16, 8);
        snprintf(name, sizeof name, "%s, spiking", fx_golden[g]);
        look(name, &spiking.net, STAC_MODE_COUNT);
        fx_spiking_clean(&spiking);
    }
}

/* ---- the cache -------------------------------------------------------------------------------------------------- */

static void read_in_pieces(const char *name, const struct stac_network *net, enum stac_mode mode) {
    struct stac_random random = stac_random_seeded(5, 5);
    size_t vocab = (size_t)net->hp.n_vocab;
    int32_t token[LENGTH];
    float *logits = calloc(LENGTH * vocab, sizeof *logits);
    fx_tokens(token, LENGTH, net->hp.n_vocab, 1);
    float *at_once = fx_logits(net, mode, NULL, token, LENGTH, NULL);
    for (int way = 0; way < 12; way++) { /* one by one, then pieces of random sizes; more room than is needed */
        struct fx_reader r;
        fx_reader_init(&r, net, mode, 2, LENGTH + way, LENGTH + 3);
        for (int at = 0, n; at < LENGTH; at += n) {
            n = way == 0 ? 1 : 1 + (int)(stac_random_u64(&random) % (way < 6 ? 7 : LENGTH));
            if (n > LENGTH - at) n = LENGTH - at;
            fx_read(&r, way % 2, token + at, at, n, logits + (size_t)at * vocab);
        }
        assert_int_equal(r.cache.length[way % 2], LENGTH);
        assert_int_equal(r.cache.length[1 - way % 2], 0);
        assert_same_bits(at_once, logits, LENGTH * vocab, "%s, way %d", name, way);
        fx_reader_clean(&r);
    }
    free(at_once), free(logits);
}

static void a_text_read_in_pieces_gives_the_bits_of_one_read_at_once(void **state) {
    (void)state;
    on_all_networks(read_in_pieces);
}

enum { SLOTS = 4 };

/* Several texts at the same time, in batches that hold pieces of some of them in any order. */
static void read_interleaved(const char *name, const struct stac_network *net, enum stac_mode mode) {
    struct stac_random random = stac_random_seeded(6, 6);
    size_t vocab = (size_t)net->hp.n_vocab;
    int32_t text[SLOTS][LENGTH];
    float *alone[SLOTS], *got[SLOTS], *logits = calloc(SLOTS * LENGTH * vocab, sizeof *logits);
    for (int s = 0; s < SLOTS; s++) {
        fx_tokens(text[s], LENGTH, net->hp.n_vocab, 10 + (uint64_t)s);
        alone[s] = fx_logits(net, mode, NULL, text[s], LENGTH, NULL);
        got[s] = calloc(LENGTH * vocab, sizeof *got[s]);
    }
    struct fx_reader r;
    fx_reader_init(&r, net, mode, SLOTS, LENGTH, SLOTS * LENGTH);
    int begin[SLOTS] = {0}, batches = 0;
    for (int left = SLOTS * LENGTH; left > 0; batches++) {
        int32_t token[SLOTS * LENGTH], position[SLOTS * LENGTH], slot[SLOTS * LENGTH];
        int n = 0, first[SLOTS], took[SLOTS] = {0}, turn = (int)(stac_random_u64(&random) % SLOTS);
        for (int k = 0; k < SLOTS; k++) {
            int s = (turn + 3 * k) % SLOTS; /* 3 and 4 have no common divisor: every slot once */
            int room = LENGTH - begin[s], piece = (int)(stac_random_u64(&random) % 12);
            took[s] = piece < room ? piece : room;
            first[s] = n;
            for (int i = 0; i < took[s]; i++, n++) token[n] = text[s][begin[s] + i], position[n] = begin[s] + i, slot[n] = s;
        }
        if (n == 0) continue;
        fx_read_batch(&r, &(struct stac_batch){n, token, position, slot}, logits);
        for (int s = 0; s < SLOTS; s++) {
            memcpy(got[s] + (size_t)begin[s] * vocab, logits + (size_t)first[s] * vocab,
                   (size_t)took[s] * vocab * sizeof(float));
            begin[s] += took[s];
        }
        left -= n;
    }
    assert_true(batches >= LENGTH / 12);
    for (int s = 0; s < SLOTS; s++) assert_same_bits(alone[s], got[s], LENGTH * vocab, "%s, slot %d", name, s);

    stac_cache_reset(&r.cache, 2); /* forgetting one text leaves the others: the same text again gives the same bits */
    assert_int_equal(r.cache.length[1], LENGTH);
    fx_read(&r, 2, text[0], 0, LENGTH, logits);
    assert_same_bits(alone[0], logits, LENGTH * vocab, "%s, after another text", name);
    fx_reader_clean(&r);
    for (int s = 0; s < SLOTS; s++) free(alone[s]), free(got[s]);
    free(logits);
}

static void texts_read_side_by_side_do_not_touch_each_other(void **state) {
    (void)state;
    on_all_networks(read_interleaved);
}

/* Later tokens, and what the cache held before, leave no trace. */
static void read_changed_tail(const char *name, const struct stac_network *net, enum stac_mode mode) {
    size_t vocab = (size_t)net->hp.n_vocab;
    int32_t token[LENGTH];
    fx_tokens(token, LENGTH, net->hp.n_vocab, 1);
    float *before = fx_logits(net, mode, NULL, token, LENGTH, NULL);
    token[LENGTH / 2] = (token[LENGTH / 2] + 1) % net->hp.n_vocab;
    float *after = fx_logits(net, mode, NULL, token, LENGTH, NULL);
    assert_same_bits(before, after, LENGTH / 2 * vocab, "%s, before the change", name);
    assert_memory_not_equal(before + LENGTH / 2 * vocab, after + LENGTH / 2 * vocab, vocab * sizeof *before);
    assert_memory_not_equal(before + (LENGTH - 1) * vocab, after + (LENGTH - 1) * vocab, vocab * sizeof *before);
    free(before), free(after);
}

static void no_row_sees_a_later_one(void **state) {
    (void)state;
    on_all_networks(read_changed_tail);
}

/* ---- kernels and threads ---------------------------------------------------------------------------------------- */

static void read_by_all_kernels_and_threads(const char *name, const struct stac_network *net, enum stac_mode mode) {
    size_t n = LENGTH * (size_t)net->hp.n_vocab, n_sites = (size_t)stac_site_count(&net->hp);
    int32_t token[LENGTH];
    int threads = omp_get_max_threads();
    struct stac_counts *first_counts = calloc(n_sites, sizeof *first_counts), *counts = calloc(n_sites, sizeof *counts);
    fx_tokens(token, LENGTH, net->hp.n_vocab, 1);
    const enum stac_mode modes[] = {mode, mode == STAC_MODE_COUNT ? STAC_MODE_TEMPORAL : mode};
    const char *sets[] = {"ref", "avx2", "avx512"};
    omp_set_num_threads(1);
    float *first = fx_logits(net, mode, stac_kernels_named("ref"), token, LENGTH, first_counts);
    for (int m = 0; m < (mode == STAC_MODE_COUNT ? 2 : 1); m++)
        for (int s = 0; s < 3; s++)
            for (int t = 1; t <= 3; t++) {
                const struct stac_kernels *kernels = stac_kernels_named(sets[s]);
                if (!kernels) continue;
                omp_set_num_threads(t);
                float *logits = fx_logits(net, modes[m], kernels, token, LENGTH, counts);
                assert_same_bits(first, logits, n, "%s, mode %d, %s, %d threads", name, (int)modes[m], kernels->name, t);
                assert_memory_equal(first_counts, counts, n_sites * sizeof *counts);
                free(logits);
            }
    omp_set_num_threads(threads);
    free(first), free(counts), free(first_counts);
}

/* use_sparse: whatever is chosen, the bits are the same; and what is chosen follows the density. */
static void event_driven_and_packed_products_give_the_same_bits(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct stac_sparse sparse;
    int32_t token[LENGTH];
    fx_spiking_make(&s, fx_golden[0], 16, 8);
    size_t n = LENGTH * (size_t)s.net.hp.n_vocab;
    fx_tokens(token, LENGTH, s.net.hp.n_vocab, 1);
    float *logits = calloc(n, sizeof *logits), *packed = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, NULL);
    OK(stac_sparse_measure(&sparse, &s.net, &err));
    assert_in_range(sparse.n, 3, STAC_SPARSE_SHAPES); /* some shapes may be equal */
    for (int i = 0; i < sparse.n; i++) assert_true(sparse.shape[i].packed > 0 && sparse.shape[i].break_even >= 0);
    for (int limit = 0; limit < 2; limit++) { /* never, always */
        struct fx_reader r;
        struct stac_counts sum = {0};
        for (int i = 0; i < sparse.n; i++) sparse.shape[i].break_even = limit ? 1.01 : 0;
        fx_reader_init(&r, &s.net, STAC_MODE_COUNT, 1, LENGTH, LENGTH);
        r.run.sparse = &sparse;
        fx_read(&r, 0, token, 0, LENGTH, logits);
        for (int i = 0; i < stac_site_count(&s.net.hp); i++) stac_counts_add(&sum, &r.run.counts[i]);
        assert_int_equal(limit ? sum.rows_packed : sum.rows_by_events, 0);
        assert_int_equal(sum.rows_packed + sum.rows_by_events, LENGTH * (4 * s.net.hp.n_layer + 1));
        assert_same_bits(packed, logits, n, limit ? "event-driven" : "packed");
        fx_reader_clean(&r);
    }
    free(packed), free(logits);
    fx_spiking_clean(&s);
}

/* A model in bfloat16 keeps its weights so where it only runs, and predicts the same. */
static void bfloat16_weights_give_the_bits_of_floats(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network floats = {0}, halves = {0};
    int32_t token[LENGTH];
    fx_open("llama-wide-heads-bf16", &model);
    fx_load(model, &floats);
    OK(stac_network_load(model, (struct stac_part){0, floats.hp.n_layer, true, true}, true, &halves, &err));
    assert_true(floats.block[0].up.w && !floats.block[0].up.half);
    assert_true(!halves.block[0].up.w && halves.block[0].up.half && !halves.block[1].qkv.w && !halves.head.w);
    fx_tokens(token, LENGTH, floats.hp.n_vocab, 1);
    for (int n = 1; n <= LENGTH; n += LENGTH - 1) { /* a single row has a loop of its own */
        float *a = fx_logits(&floats, STAC_MODE_DENSE, NULL, token, n, NULL);
        float *b = fx_logits(&halves, STAC_MODE_DENSE, NULL, token, n, NULL);
        assert_same_bits(a, b, (size_t)n * (size_t)floats.hp.n_vocab, "%d rows", n);
        free(a), free(b);
    }
    stac_network_clean(&floats);
    stac_network_clean(&halves);
    stac_model_close(model);
}

static void kernels_and_threads_do_not_change_a_bit(void **state) {
    (void)state;
    if (!stac_kernels_named("avx2")) print_message("no avx2 here: only the plain kernels were run\n");
    if (!stac_kernels_named("avx512")) print_message("no AVX-512 with VNNI here: its kernels were not run\n");
    on_all_networks(read_by_all_kernels_and_threads);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static struct stac_counts total_of(const struct stac_counts *counts, int n_sites) {
    struct stac_counts total = {0};
    for (int i = 0; i < n_sites; i++) stac_counts_add(&total, &counts[i]);
    return total;
}

static void temporal_mode_gives_the_bits_and_counts_of_count_mode(void **state) {
    (void)state;
    static const int timesteps[] = {1, 2, 4, 8, 16, 31, 32, 64};
    for (int g = 0; g < FX_GOLDEN; g++)
        for (size_t t = 0; t < sizeof timesteps / sizeof *timesteps; t++) {
            struct fx_spiking s;
            int32_t token[LENGTH];
            if (timesteps[t] > 16 && g % 3 != 0) continue; /* long codes take long to design: three models will do */
            fx_spiking_make(&s, fx_golden[g], timesteps[t], 8);
            int n_sites = stac_site_count(&s.net.hp);
            size_t n = LENGTH * (size_t)s.net.hp.n_vocab;
            struct stac_counts *counts = calloc(2 * (size_t)n_sites, sizeof *counts);
            fx_tokens(token, LENGTH, s.net.hp.n_vocab, 1);
            float *at_once = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, counts);
            float *stepped = fx_logits(&s.net, STAC_MODE_TEMPORAL, NULL, token, LENGTH, counts + n_sites);
            assert_same_bits(at_once, stepped, n, "%s, T = %d", fx_golden[g], timesteps[t]);
            for (size_t i = 0; i < n; i++) assert_true(isfinite(at_once[i]));
            assert_memory_equal(counts, counts + n_sites, (size_t)n_sites * sizeof *counts);
            for (int i = 0; i < n_sites; i++) { /* every site spikes, and spikes drive all of its product */
                if (counts[i].spikes <= 0) fail_msg("%s, T = %d: site %d is silent", fx_golden[g], timesteps[t], i);
                assert_true(counts[i].covered == counts[i].macs && counts[i].macs > 0);
                assert_true(counts[i].spikes <=
                            counts[i].values * (timesteps[t] < STAC_MAX_SPIKES ? timesteps[t] : STAC_MAX_SPIKES));
            }
            free(at_once), free(stepped), free(counts);
            fx_spiking_clean(&s);
        }
}

/* The dense run counts the same products, none of them covered; products are counted by formula here. */
static void counts_are_those_of_the_products(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct fx_spiking s;
        struct stac_model *model;
        struct stac_network dense;
        int32_t token[LENGTH];
        fx_spiking_make(&s, fx_golden[g], 16, 8);
        fx_open(fx_golden[g], &model);
        fx_load(model, &dense);
        const struct stac_hparams *hp = &dense.hp;
        int n_sites = stac_site_count(hp);
        struct stac_counts *counts = calloc(2 * (size_t)n_sites, sizeof *counts);
        fx_tokens(token, LENGTH, hp->n_vocab, 1);
        free(fx_logits(&dense, STAC_MODE_DENSE, NULL, token, LENGTH, counts));
        free(fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, counts + n_sites));
        int64_t q = stac_q_width(hp), kv = stac_kv_width(hp), d = hp->n_embd, pairs = LENGTH * (LENGTH + 1) / 2;
        int64_t wanted[STAC_SITE_KINDS][2] = {/* values, multiply-accumulates */
                                              {LENGTH * d, LENGTH * d * (q + 2 * kv)},
                                              {0, pairs * q},
                                              {pairs * hp->n_head, pairs * q},
                                              {LENGTH * q, LENGTH * q * d},
                                              {LENGTH * d, LENGTH * d * hp->n_ff * (hp->gated ? 2 : 1)},
                                              {LENGTH * (int64_t)hp->n_ff, LENGTH * (int64_t)hp->n_ff * d},
                                              {LENGTH * d, LENGTH * d * hp->n_vocab}};
        wanted[STAC_SITE_Q][0] = LENGTH * q;
        for (int i = 0; i < n_sites; i++) {
            enum stac_site_kind kind = stac_site_kind_at(hp, i);
            for (int spiking = 0; spiking < 2; spiking++) {
                const struct stac_counts *c = &counts[spiking * n_sites + i];
                if (c->values != wanted[kind][0] || c->macs != wanted[kind][1])
                    fail_msg("%s, %s%s: %lld values, %lld macs, not %lld and %lld", fx_golden[g], stac_site_name(kind),
                             spiking ? ", spiking" : "", (long long)c->values, (long long)c->macs, (long long)wanted[kind][0],
                             (long long)wanted[kind][1]);
            }
            assert_int_equal(counts[i].spikes | counts[i].acs | counts[i].covered, 0);
            if (kind != STAC_SITE_Q && kind != STAC_SITE_P) /* a fixed fan-out */
                assert_true(counts[n_sites + i].acs * counts[i].values == counts[n_sites + i].spikes * counts[i].macs);
        }
        assert_true(total_of(counts + n_sites, n_sites).acs < 3 * total_of(counts, n_sites).macs);
        free(counts);
        stac_network_clean(&dense);
        stac_model_close(model);
        fx_spiking_clean(&s);
    }
}

/* Relative error, as a root mean square, of the logits of a golden model converted with T steps at a price. */
static double error_of(const char *name, const float *wanted, const int32_t *token, int timesteps, double price) {
    struct fx_spiking s;
    double square = 0, power = 0;
    fx_spiking_make_at(&s, name, timesteps, 8, price);
    float *got = fx_logits(&s.net, STAC_MODE_COUNT, NULL, token, LENGTH, NULL);
    for (size_t i = 0; i < LENGTH * (size_t)s.net.hp.n_vocab; i++) {
        square += ((double)got[i] - wanted[i]) * ((double)got[i] - wanted[i]);
        power += (double)wanted[i] * wanted[i];
    }
    free(got);
    fx_spiking_clean(&s);
    return sqrt(square / power);
}

/* More time steps and a lower price bring the spiking network closer to the dense one: the codes do carry the values. */
static void more_spikes_and_time_come_closer_to_the_dense_logits(void **state) {
    (void)state;
    for (int g = 0; g < FX_GOLDEN; g++) {
        struct stac_model *model;
        struct stac_network dense;
        int32_t token[LENGTH];
        fx_open(fx_golden[g], &model);
        fx_load(model, &dense);
        fx_tokens(token, LENGTH, dense.hp.n_vocab, 1);
        float *wanted = fx_logits(&dense, STAC_MODE_DENSE, NULL, token, LENGTH, NULL);
        double poor = error_of(fx_golden[g], wanted, token, 2, 1), usual = error_of(fx_golden[g], wanted, token, 16, 1),
               rich = error_of(fx_golden[g], wanted, token, 16, 1e-3);
        printf("%-26s relative error of the logits: T = 2 %.3f, T = 16 %.3f, with more spikes %.3f\n", fx_golden[g], poor,
               usual, rich);
        assert_true(rich < 0.5 * usual && usual < 0.5 * poor);
        free(wanted);
        stac_network_clean(&dense);
        stac_model_close(model);
    }
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void batches_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        int n;
        int32_t token[6], position[6], slot[6];
        const char *part;
    } cases[] = {
        {1, {-1}, {0}, {0}, "token -1 is outside the vocabulary of 61"},
        {1, {61}, {0}, {0}, "token 61 is outside the vocabulary of 61"},
        {1, {INT32_MAX}, {0}, {0}, "outside the vocabulary"},
        {2, {5, 1 << 30}, {0, 1}, {0, 0}, "token 1073741824"},
        {1, {5}, {-1}, {0}, "position -1 is outside the model's 40"},
        {1, {5}, {40}, {0}, "position 40 is outside the model's 40"},
        {2, {5, 5}, {39, 40}, {0, 0}, "position 40"},
        {1, {5}, {0}, {-1}, "slot -1 is outside the cache of 2"},
        {1, {5}, {0}, {2}, "slot 2 is outside the cache of 2"},
        {3, {5, 5, 5}, {0, 0, 1}, {0, 1, 0}, "rows of slot 0 are not contiguous"},
        {4, {5, 5, 5, 5}, {0, 0, 1, 1}, {1, 0, 0, 1}, "rows of slot 1 are not contiguous"},
        {6, {5, 5, 5, 5, 5, 5}, {0, 1, 2, 3, 4, 5}, {0}, "a batch of 6 rows; the workspace is for 5"},
        {4, {5, 5, 5, 5}, {1, 2, 3, 4}, {0}, "slot 0 holds 1 tokens and cannot take 4 more: its capacity is 4"},
        {5, {5, 5, 5, 5, 5}, {1, 2, 3, 4, 5}, {0}, "cannot take 5 more"},
    };
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net;
    struct fx_reader r;
    int32_t first = 7;
    fx_open("llama-4heads-2kv-tied", &model);
    fx_load(model, &net);
    size_t vocab = (size_t)net.hp.n_vocab;
    float *logits = calloc(4 * vocab, sizeof *logits), *again = calloc(4 * vocab, sizeof *again);
    int32_t rest[] = {9, 11, 13};
    fx_reader_init(&r, &net, STAC_MODE_DENSE, 2, 4, 5);
    fx_read(&r, 0, &first, 0, 1, logits);
    fx_read(&r, 0, rest, 1, 3, logits + vocab);
    stac_cache_reset(&r.cache, 0);
    fx_read(&r, 0, &first, 0, 1, again);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stac_batch batch = {cases[i].n, cases[i].token, cases[i].position, cases[i].slot};
        FAILS(stac_run_begin(&r.run, &batch, &err), STAC_ERR_USAGE, cases[i].part);
        assert_int_equal(r.cache.length[0], 1); /* a refused batch leaves the cache as it was */
        assert_int_equal(r.cache.length[1], 0);
    }
    fx_read(&r, 0, rest, 1, 3, again + vocab); /* and the next good one is read as ever, up to the last place */
    assert_same_bits(logits, again, 4 * vocab, "after refusals");
    fx_reader_clean(&r);
    free(logits), free(again);
    stac_network_clean(&net);
    stac_model_close(model);
}

static void a_converted_network_does_not_run_dense(void **state) {
    (void)state;
    struct stac_error err = {0};
    struct fx_spiking s;
    struct fx_reader r;
    int32_t token = 5, zero = 0;
    struct stac_batch batch = {1, &token, &zero, &zero};
    fx_spiking_make(&s, fx_golden[0], 8, 8);
    fx_reader_init(&r, &s.net, STAC_MODE_DENSE, 1, 4, 4);
    OK(stac_run_begin(&r.run, &batch, &err));
    stac_run_embed(&r.run, r.x);
    FAILS(stac_run_blocks(&r.run, r.x, &err), STAC_ERR_USAGE, "runs spiking only");
    fx_reader_clean(&r);
    fx_spiking_clean(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_read_in_pieces_gives_the_bits_of_one_read_at_once),
        cmocka_unit_test(texts_read_side_by_side_do_not_touch_each_other),
        cmocka_unit_test(no_row_sees_a_later_one),
        cmocka_unit_test(kernels_and_threads_do_not_change_a_bit),
        cmocka_unit_test(bfloat16_weights_give_the_bits_of_floats),
        cmocka_unit_test(event_driven_and_packed_products_give_the_same_bits),
        cmocka_unit_test(temporal_mode_gives_the_bits_and_counts_of_count_mode),
        cmocka_unit_test(counts_are_those_of_the_products),
        cmocka_unit_test(more_spikes_and_time_come_closer_to_the_dense_logits),
        cmocka_unit_test(batches_that_make_no_sense_are_refused),
        cmocka_unit_test(a_converted_network_does_not_run_dense),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
