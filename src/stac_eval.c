/* stac-eval: measures a converted network against its original, over MPI ranks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "convert/sample.h"
#include "dist/start.h"
#include "eval/compare.h"
#include "eval/csv.h"
#include "eval/energy_result.h"
#include "eval/frontier.h"
#include "eval/harness.h"
#include "eval/result.h"
#include "report/frontier_picture.h"
#include "report/page.h"

struct program {
    struct stac_start start;
    struct stac_subject subject;
    struct stac_result result;
    struct stac_frontier frontier;
    bool worse; /* --compare: a check that passed fails; rank 0 */
};

/* ---- tokens and logits -------------------------------------------------------------------------------------------- */

static int print_tokens(const struct stac_start *s, struct stac_error *err) {
    struct stac_corpus corpus = {0};
    struct stac_tokenizer *tokenizer = NULL;
    if (s->ranks.rank != 0) return STAC_OK;
    STAC_TRY(stac_subject_tokenizer(&s->job, &tokenizer, err));
    int status = stac_corpus_read(tokenizer, s->job.tokenize, 0, &corpus, err);
    for (size_t i = 0; i < corpus.tokens.n; i++) printf("%s%" PRId32, i ? " " : "", corpus.tokens.id[i]);
    if (status == STAC_OK) printf("\n");
    stac_corpus_clean(&corpus);
    stac_tokenizer_close(tokenizer);
    return status;
}

/* "5,17,42" */
static int parse_ids(const char *text, struct stac_tokens *out, struct stac_error *err) {
    const char *at = text;
    for (;;) {
        char *end;
        long id = strtol(at, &end, 10);
        if (end == at || id < 0 || id > INT32_MAX || (*end && *end != ','))
            return stac_fail(err, STAC_ERR_USAGE, "--ids: \"%.20s\" is not a list of token ids like 5,17,42", at);
        STAC_TRY(stac_tokens_add(out, (int32_t)id, err));
        if (!*end) return STAC_OK;
        at = end + 1;
    }
}

static int write_logits(const char *path, const float *logits, size_t rows, size_t columns, struct stac_error *err) {
    struct stac_h5 h;
    STAC_TRY(stac_h5_create(path, &h, err));
    int status = stac_h5_set_text(&h, "/", "schema", "stac-logits", err);
    if (status == STAC_OK) status = stac_h5_set_int(&h, "/", "schema_version", 1, err);
    if (status == STAC_OK) status = stac_h5_write(&h, "/logits", STAC_H5_F32, rows, columns, logits, false, err);
    if (status == STAC_OK) return stac_h5_commit(&h, err);
    stac_h5_discard(&h);
    return status;
}

struct wanted {
    float *logits; /* [tokens][n_vocab] */
    size_t n_vocab;
};

static void keep_logits(void *ctx, int id, size_t index, const float *logits) {
    struct wanted *w = ctx;
    (void)id;
    memcpy(w->logits + index * w->n_vocab, logits, w->n_vocab * sizeof *logits);
}

/* The logits after every token of --ids, by the SNN or, with --mode baseline, by the original. */
static int logits_of_ids(struct program *p, struct stac_error *err) {
    struct stac_subject *s = &p->subject;
    struct stac_ranks *ranks = &p->start.ranks;
    struct stac_tokens ids = {0};
    struct stac_stand stand = {0};
    struct stac_sessions sessions = {0};
    float *logits = NULL;
    int status = STAC_OK, source = s->grid.n_stages - 1; /* last stage of the first group */
    size_t vocab = (size_t)s->hp.n_vocab;
    enum stac_side side = s->side[STAC_SNN] ? STAC_SNN : STAC_BASELINE;
    status = p->start.job.logits_out[0] ? parse_ids(p->start.job.ids, &ids, err)
                                        : stac_fail(err, STAC_ERR_USAGE, "--ids needs --logits_out FILE.h5 for the logits");
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_stand_init(&stand, s, side, 1, (int)ids.n, (int)ids.n, err));
    status = STAC_NEW(logits, ids.n * vocab, "logits", err);
    if (status == STAC_OK && s->grid.stage >= 0) {
        struct wanted wanted = {logits, vocab};
        status = stac_sessions_init(&sessions, &stand.pipeline, 0, err);
        if (status == STAC_OK) status = stac_sessions_add(&sessions, 0, ids.id, ids.n, err);
        if (status == STAC_OK) status = stac_sessions_read(&sessions, keep_logits, &wanted, err);
        if (status == STAC_OK) status = stac_pipeline_settle(&stand.pipeline, err);
    }
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    if (source != 0 && ranks->rank == source)
        status = stac_send_bytes(ranks->comm, logits, ids.n * vocab * sizeof *logits, 0, err);
    if (source != 0 && ranks->rank == 0)
        status = stac_receive_bytes(ranks->comm, logits, ids.n * vocab * sizeof *logits, source, err);
    if (status == STAC_OK && ranks->rank == 0) status = write_logits(p->start.job.logits_out, logits, ids.n, vocab, err);
    status = stac_agree(ranks, ranks->comm, status, err);
done:
    free(logits);
    stac_sessions_clean(&sessions);
    stac_stand_clean(&stand);
    stac_tokens_clean(&ids);
    return status;
}

/* ---- the text ----------------------------------------------------------------------------------------------------- */

/* The text of the job as tokens on rank 0, after the token that its policy puts before it. */
static int load_text(struct program *p, struct stac_tokens *out, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_result *r = &p->result;
    struct stac_corpus corpus = {0};
    int status = STAC_OK;
    STAC_TRY_DONE(stac_perplexity_prefix(p->subject.tokenizer, job, &r->prefix, err));
    STAC_TRY_DONE(stac_corpus_read(p->subject.tokenizer, job->text, (size_t)job->limit_tokens, &corpus, err));
    if (r->prefix >= 0) STAC_TRY_DONE(stac_tokens_add(out, r->prefix, err));
    for (size_t i = 0; i < corpus.tokens.n; i++) STAC_TRY_DONE(stac_tokens_add(out, corpus.tokens.id[i], err));
    if (out->n < 2)
        status = stac_fail(err, STAC_ERR_INPUT, "%s has %zu tokens: nothing to predict", job->text, corpus.tokens.n);
    r->text = corpus.spelling;
    if (!(r->text_path = stac_strdup(job->text, err)) || !(r->text_sha256 = stac_strdup(corpus.sha256, err)))
        status = err->status;
done:
    stac_corpus_clean(&corpus);
    return status;
}

/* The same on all ranks. */
static int read_text(struct program *p, int32_t **tokens, size_t *n, struct stac_error *err) {
    struct stac_ranks *ranks = &p->start.ranks;
    struct stac_tokens text = {0};
    uint64_t count;
    int status = STAC_OK;
    *tokens = NULL;
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, ranks->rank == 0 ? load_text(p, &text, err) : STAC_OK, err));
    count = text.n;
    STAC_TRY_DONE(stac_broadcast(ranks->comm, &count, sizeof count, 0, err));
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, STAC_NEW(*tokens, count, "the text", err), err));
    if (ranks->rank == 0) memcpy(*tokens, text.id, count * sizeof **tokens);
    STAC_TRY_DONE(stac_broadcast(ranks->comm, *tokens, count * sizeof **tokens, 0, err));
    *n = (size_t)count;
done:
    stac_tokens_clean(&text);
    return status;
}

enum { OWN_WINDOWS = 4 };

/* Without a text of the job: windows that the original writes, with another seed than calibration has. */
static int write_text(struct program *p, size_t context, int32_t **tokens, size_t *n, struct stac_error *err) {
    struct stac_subject *s = &p->subject;
    struct stac_ranks *ranks = &p->start.ranks;
    const struct stac_network *net = s->grid.stage >= 0 ? &s->net[STAC_BASELINE] : NULL;
    char what[120];
    uint64_t seed = (uint64_t)p->start.job.seed + (UINT64_C(1) << 32);
    int32_t first = stac_sample_start(&s->hp);
    size_t wanted = (size_t)p->start.job.limit_tokens;
    *tokens = NULL;
    snprintf(what, sizeof what, "%d texts written by the original after token %d, seed %lld + 2^32", OWN_WINDOWS, first,
             (long long)p->start.job.seed);
    *n = OWN_WINDOWS * context;
    int status = STAC_NEW(*tokens, *n, "the text", err);
    if (status == STAC_OK && ranks->rank == 0 && !(p->result.text_path = stac_strdup(what, err))) status = err->status;
    STAC_TRY(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY(
        stac_sample_windows(ranks, &s->grid, s->log, net, s->hp.n_vocab, first, seed, OWN_WINDOWS, (int)context, *tokens, err));
    if (wanted > 1 && wanted < *n) *n = wanted;
    return STAC_OK;
}

/* Tokens of a window. */
static size_t context_of(const struct program *p) {
    size_t most = (size_t)p->subject.hp.n_ctx;
    return p->start.job.context > 0 ? (size_t)p->start.job.context : most < 512 ? most : 512;
}

/* The text of the job, in the windows it asks for. Its tokens are the caller's. */
static int reading_of(struct program *p, int32_t **tokens, struct stac_reading *out, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    size_t n, context = context_of(p);
    STAC_TRY(job->text[0] ? read_text(p, tokens, &n, err) : write_text(p, context, tokens, &n, err));
    *out = (struct stac_reading){*tokens, n, context, job->stride > 0 ? (size_t)job->stride : context};
    return STAC_OK;
}

/* What the predicted tokens of a text file spell, on rank 0. */
static int spell(struct program *p, const struct stac_reading *text, struct stac_error *err) {
    struct stac_result *r = &p->result;
    if (p->start.ranks.rank != 0 || !r->text_sha256) return STAC_OK;
    return stac_perplexity_spelling(p->subject.tokenizer, text, r->prefix >= 0, &r->counted, err);
}

/* Whether the accounts of energy are drawn up: they hold the SNN against its original. */
static bool accounts(const struct program *p) {
    const struct stac_job *job = &p->start.job;
    return job->test_energy || (job->test_all && p->subject.side[STAC_BASELINE] && p->subject.side[STAC_SNN]);
}

static bool looks_at_rates(const struct program *p) {
    const struct stac_job *job = &p->start.job;
    return job->test_spike_rates || (job->test_all && p->subject.side[STAC_SNN]);
}

/* The text through both sides, and what belongs to it. */
static int score(struct program *p, struct stac_error *err) {
    struct stac_result *r = &p->result;
    struct stac_meter meter = {0};
    struct stac_usage used = {0};
    struct stac_reading text;
    int32_t *tokens = NULL;
    int status = STAC_OK;
    STAC_TRY_DONE(reading_of(p, &tokens, &text, err));
    if (accounts(p)) STAC_TRY_DONE(stac_meter_open(&meter, &p->start.ranks, STAC_RAPL_ROOT, STAC_NVML_LIBRARY, err));
    if (accounts(p)) stac_meter_begin(&meter);
    STAC_TRY_DONE(stac_score_text(&p->subject, &text, NULL, &r->score, err));
    if (accounts(p)) {
        STAC_TRY_DONE(stac_meter_end(&meter, &used, err));
        STAC_TRY_DONE(stac_energy_measure(&p->subject, &text, &r->score, &meter, &used, &r->energy, err));
    }
    if (looks_at_rates(p)) STAC_TRY_DONE(stac_spike_rates_measure(&p->subject, &r->score, &r->rates, err));
    STAC_TRY_DONE(stac_agree(&p->start.ranks, p->start.ranks.comm, spell(p, &text, err), err));
    r->scored = true;
done:
    stac_meter_close(&meter);
    free(tokens);
    return status;
}

/* ---- the frontier ------------------------------------------------------------------------------------------------- */

/* Whether a check is asked for that looks at a text; and one that needs none. */
static bool checks_text(const struct stac_job *job) {
    return job->test_all || job->test_perplexity || job->test_fidelity || job->test_energy || job->test_spike_rates;
}

static bool checks_itself(const struct stac_job *job) {
    return job->test_multi_turn || job->test_attention_mask || job->test_position_boundaries || job->test_temporal ||
           job->test_tsp_state || job->test_parity_multi_turn;
}

/* A file of results that is asked for by name, or NULL. */
static const char *result_file(const struct stac_job *job) {
    return job->json[0] ? "json" : job->lm_eval[0] ? "lm_eval" : job->neurobench[0] ? "neurobench" : job->csv[0] ? "csv" : NULL;
}

static int check_frontier(const struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    const char *other = checks_text(job) || checks_itself(job) ? "checks" : job->ids[0] ? "ids" : result_file(job);
    size_t most = (size_t)p->subject.hp.n_ctx;
    if (other) return stac_fail(err, STAC_ERR_USAGE, "--frontier writes its own table: leave %s out", other);
    if (!p->subject.side[STAC_BASELINE] || !p->subject.side[STAC_SNN])
        return stac_fail(err, STAC_ERR_USAGE, "--frontier holds a converted network against its original: use --mode both");
    if (context_of(p) <= most) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "--context is %zu, but the model reads at most %zu tokens", context_of(p), most);
}

static void print_points(const struct stac_frontier_table *t) {
    printf("%-8s %3s %8s %8s %8s %8s %7s %8s %7s %8s\n", "code", "T", "budget", "AC/MAC", "ratio", "KL", "top-1", "spikes",
           "energy", "seconds");
    for (size_t i = 0; i < t->n; i++) {
        const struct stac_point *p = &t->point[i];
        printf("%-8s %3d %8.4f %8.4f %8.5f %8.5f %7.4f %8.4f %7.2f %8.1f%s\n", p->code, p->timesteps, p->spike_budget,
               p->ac_per_mac, p->ppl_ratio, p->kl, p->top1_agreement, p->spikes_per_activation, p->energy_ratio_fp32,
               p->seconds, p->cheapest ? "  cheapest" : "");
    }
}

/* "DIR/frontier.h5" to "DIR/frontier.png", a new string. */
static char *picture_path(const char *table, struct stac_error *err) {
    size_t n = strlen(table), stem = n > 3 && strcmp(table + n - 3, ".h5") == 0 ? n - 3 : n;
    char *path = stac_alloc(stem + 5, 1, "a path", err);
    if (path) snprintf(path, stem + 5, "%.*s.png", (int)stem, table);
    return path;
}

/* Rank 0. */
static int show_frontier(const struct stac_frontier *f, struct stac_error *err) {
    bool drawn;
    char *picture = picture_path(f->table.path, err);
    if (!picture) return err->status;
    int status = stac_picture_frontier(&f->table, picture, &drawn, err);
    if (status == STAC_OK) {
        print_points(&f->table);
        printf("%d points computed, %d were there; written to %s%s%s\n", f->computed, f->found, f->table.path,
               drawn ? " and " : "", drawn ? picture : "");
    }
    free(picture);
    return status;
}

static int frontier(struct program *p, struct stac_error *err) {
    struct stac_frontier *f = &p->frontier;
    struct stac_ranks *ranks = &p->start.ranks;
    int32_t *tokens = NULL;
    int status = STAC_OK;
    STAC_TRY(stac_agree(ranks, ranks->comm, check_frontier(p, err), err));
    STAC_TRY_DONE(reading_of(p, &tokens, &f->text, err));
    f->subject = &p->subject;
    f->text_name = p->result.text_path ? p->result.text_path : "";
    STAC_TRY_DONE(stac_frontier_run(f, err));
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, ranks->rank == 0 ? show_frontier(f, err) : STAC_OK, err));
done:
    free(tokens);
    return status;
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

/* Whether a text is to be predicted: for its checks, or because there is a text and no other check. */
static bool scores(const struct stac_job *job) {
    return checks_text(job) || (job->text[0] && !checks_itself(job));
}

/* Whether some side can be compared with itself, read in pieces and at once. */
static bool has_pieces(const struct stac_subject *s) {
    return s->side[STAC_BASELINE] || stac_check_holds_in_pieces(s, STAC_SNN);
}

static bool same_list(const struct stac_job_list *a, const struct stac_job_list *b) {
    bool same = a->n == b->n;
    for (int i = 0; i < a->n && same; i++) same = a->at[i] == b->at[i];
    return same;
}

/* What is to be swept says nothing without a sweep: a network has the codes that its file holds. */
static int check_sweep_keys(const struct stac_job *job, struct stac_error *err) {
    struct stac_job plain = {0};
    int status = stac_job_init(&plain, STAC_EVAL, err);
    bool asked = !same_list(&job->sweep_timesteps, &plain.sweep_timesteps) ||
                 !same_list(&job->sweep_budget, &plain.sweep_budget) || !same_list(&job->sweep_code, &plain.sweep_code) ||
                 job->target_ratio != plain.target_ratio;
    stac_job_clean(&plain);
    if (status != STAC_OK || !asked) return status;
    return stac_fail(
        err, STAC_ERR_USAGE,
        "timesteps, spike_budget, code and target_ratio belong to --frontier FILE; other codes for a stored network: "
        "stac-convert --from %s",
        job->dir);
}

/* Files and keys that need a text that is read, or spikes. */
static int check_files(const struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    bool file = scores(job) && job->text[0];
    if (job->lm_eval[0] && !file) return stac_fail(err, STAC_ERR_USAGE, "--lm_eval is about a text: give --text FILE");
    if (job->bos != STAC_JOB_BOS_MODEL && !file)
        return stac_fail(err, STAC_ERR_USAGE, "--bos is about a text: give --text FILE");
    if (!job->neurobench[0]) return STAC_OK;
    if (!scores(job))
        return stac_fail(err, STAC_ERR_USAGE,
                         "--neurobench counts while a text is read: give --text FILE or --test_perplexity");
    if (!p->subject.side[STAC_SNN])
        return stac_fail(err, STAC_ERR_USAGE, "--neurobench counts the spikes of the SNN: use --mode snn or both");
    if (p->subject.snn.code == STAC_CODE_INTEGER)
        return stac_fail(err, STAC_ERR_USAGE, "--neurobench counts spikes, and the code integer has none");
    return STAC_OK;
}

/* What is asked makes sense for what was opened. The same on every rank. */
static int check_request(const struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    STAC_TRY(check_sweep_keys(job, err));
    STAC_TRY(check_files(p, err));
    const bool *side = p->subject.side;
    size_t context = context_of(p), most = (size_t)p->subject.hp.n_ctx;
    if (!scores(job) && !checks_itself(job))
        return stac_fail(err, STAC_ERR_USAGE, "nothing to do: give --text FILE, --test_all or another check; see --help");
    if (job->test_fidelity && !(side[STAC_BASELINE] && side[STAC_SNN]))
        return stac_fail(err, STAC_ERR_USAGE, "--test_fidelity compares both sides: use --mode both");
    if (job->test_energy && !(side[STAC_BASELINE] && side[STAC_SNN]))
        return stac_fail(err, STAC_ERR_USAGE, "--test_energy compares both sides: use --mode both");
    if (job->test_parity_multi_turn && !(side[STAC_BASELINE] && side[STAC_SNN]))
        return stac_fail(err, STAC_ERR_USAGE, "--test_parity_multi_turn compares both sides: use --mode both");
    if ((job->test_temporal || job->test_spike_rates) && !side[STAC_SNN])
        return stac_fail(err, STAC_ERR_USAGE, "--%s needs the SNN: use --mode snn or both",
                         job->test_temporal ? "test_temporal" : "test_spike_rates");
    if ((job->test_multi_turn || job->test_position_boundaries || job->test_tsp_state) && !has_pieces(&p->subject))
        return stac_fail(err, STAC_ERR_USAGE,
                         "--test_multi_turn, --test_position_boundaries and --test_tsp_state compare a text read in pieces and "
                         "at once, which ST-BIF+ neurons tell apart: use --mode both");
    if (scores(job) && !job->text[0] && !side[STAC_BASELINE])
        return stac_fail(err, STAC_ERR_USAGE, "perplexity without the original needs a text: --text FILE");
    if (scores(job) && context > most)
        return stac_fail(err, STAC_ERR_USAGE, "--context is %zu, but the model reads at most %zu tokens", context, most);
    return STAC_OK;
}

/* The kept set: the file of the job, or the one that is built in. The same on every rank. */
static int talk(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_result *r = &p->result;
    struct stac_dialogues set = {0};
    struct stac_mapping map = {0};
    int status = job->conversations[0] ? stac_file_map(job->conversations, &map, err) : STAC_OK;
    const char *text = map.data ? (const char *)map.data : stac_kept_conversations;
    if (status == STAC_OK)
        status = stac_dialogues_parse(map.data ? job->conversations : "the kept conversations", text,
                                      map.data ? map.size : strlen(text), &set, err);
    status = stac_agree(&p->start.ranks, p->start.ranks.comm, status, err);
    stac_dialogues_thin(&set, (size_t)job->parity_steps);
    if (status == STAC_OK) status = stac_parity_run(&p->subject, &set, &r->parity, err);
    if (status == STAC_OK) stac_check_parity(&p->subject, &r->parity, &r->check[r->n_checks++]);
    r->talked = status == STAC_OK;
    stac_dialogues_clean(&set);
    stac_file_unmap(&map);
    return status;
}

/* Temporal against count mode, and the energy, whose counters must be those of both. */
static int check_time(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_result *r = &p->result;
    struct stac_check temporal;
    bool asked = job->test_temporal || (job->test_all && p->subject.side[STAC_SNN]);
    if (!asked && !accounts(p)) return STAC_OK;
    STAC_TRY(stac_check_temporal(&p->subject, &temporal, err));
    if (asked) r->check[r->n_checks++] = temporal;
    if (accounts(p)) stac_check_energy(&p->subject, &r->energy, &temporal, &r->check[r->n_checks++]);
    return STAC_OK;
}

static int run_checks(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_subject *s = &p->subject;
    struct stac_result *r = &p->result;
    bool both = s->side[STAC_BASELINE] && s->side[STAC_SNN];
    if (scores(job)) STAC_TRY(score(p, err));
    if (r->scored && (job->test_all || job->test_perplexity)) stac_check_perplexity(s, &r->score, &r->check[r->n_checks++]);
    if (r->scored && both && (job->test_all || job->test_fidelity)) stac_check_fidelity(s, &r->score, &r->check[r->n_checks++]);
    if ((job->test_all && has_pieces(s)) || job->test_multi_turn)
        STAC_TRY(stac_check_multi_turn(s, r->transcript, &r->check[r->n_checks++], err));
    if ((job->test_all && has_pieces(s)) || job->test_position_boundaries)
        STAC_TRY(stac_check_positions(s, &r->check[r->n_checks++], err));
    if (job->test_all || job->test_attention_mask) STAC_TRY(stac_check_mask(s, &r->check[r->n_checks++], err));
    if (looks_at_rates(p)) stac_check_spike_rates(s, &r->rates, &r->check[r->n_checks++]);
    STAC_TRY(check_time(p, err));
    if ((job->test_all && has_pieces(s)) || job->test_tsp_state)
        STAC_TRY(stac_check_tsp_state(s, &r->check[r->n_checks++], err));
    return job->test_parity_multi_turn || (job->test_all && both) ? talk(p, err) : STAC_OK;
}

/* Perplexity of a side, per token; and per word and byte where the text is a file. */
static void print_perplexity(const struct stac_result *r, const char *name, enum stac_side side) {
    char what[40];
    if (!r->subject->side[side]) return;
    snprintf(what, sizeof what, "perplexity, %s", name);
    printf("%-28s %.4f\n", what, r->score.perplexity[side]);
    if (r->text.tokens == 0) return;
    struct stac_perplexity p = stac_result_perplexity(r, side);
    printf("%-28s %.4f, %.4f (%.4f bits per byte)\n", "  per word, per byte", p.word, p.byte, p.bits_per_byte);
}

/* What perplexities are about: tokens, words, bytes, windows, and the token before the text. */
static void print_text(const struct stac_result *r) {
    static const char *const bos[] = {"model", "always", "never"};
    const struct stac_job *job = r->subject->job;
    if (r->text.tokens == 0) return;
    printf("%-28s %zu, %zu (of %zu, %zu)\n", job->words == STAC_JOB_SPLIT ? "words (split), bytes" : "words (runs), bytes",
           stac_perplexity_words(&r->counted, job), r->counted.bytes, stac_perplexity_words(&r->text, job), r->text.bytes);
    if (r->prefix >= 0)
        printf("%-28s token %d (%s)\n", "before the text", r->prefix, bos[job->bos]);
    else
        printf("%-28s nothing (%s)\n", "before the text", bos[job->bos]);
}

static void print_score(const struct stac_result *r) {
    const struct stac_score *s = &r->score;
    const bool *side = r->subject->side;
    printf("%-28s %zu (%zu windows of %zu, stride %zu)\n", "tokens predicted", s->tokens, s->windows, s->context, s->stride);
    print_text(r);
    print_perplexity(r, "original", STAC_BASELINE);
    print_perplexity(r, "SNN", STAC_SNN);
    if (side[STAC_BASELINE] && side[STAC_SNN]) {
        printf("%-28s %.4f\n", "ratio", s->ratio);
        printf("%-28s %.5f nats per token\n", "divergence", s->kl);
        printf("%-28s %.4f\n", "top-1 agreement", s->top1);
    }
    if (!side[STAC_SNN]) return;
    printf("%-28s %d\n", "time steps", r->subject->snn.timesteps);
    printf("%-28s %.4f\n", "AC/MAC", stac_ac_per_mac(&s->total));
    printf("%-28s %.4f\n", "spikes per activation", stac_spikes_per_activation(&s->total));
    printf("%-28s %.2f %%\n", "coverage", 100 * stac_coverage(&s->total));
    if (s->total.acs > 0)
        printf("%-28s %.2f (operations only, FP32: 4.6 pJ a MAC, 0.9 pJ an AC)\n", "energy ratio",
               stac_energy_ratio(&s->total, 4.6, 0.9));
}

static void print_parity(const struct stac_parity *p) {
    printf("%-12s %14s %8s %10s %8s %16s %8s\n", "turn", "conversations", "tokens", "KL", "top-1", "spikes per token",
           "AC/MAC");
    for (int t = 0; t < p->n_turns; t++) {
        const struct stac_parity_turn *one = &p->turn[t];
        printf("%-12d %14.0f %8.0f %10.5f %8.4f %16.0f %8.4f\n", t + 1, one->conversations, one->tokens, one->kl / one->tokens,
               one->agree / one->tokens, one->spikes / one->read, one->acs / one->macs);
    }
    if (p->left_out > 0)
        printf("%-28s %.0f of %zu: a turn is longer than the context\n", "left out", p->left_out, p->conversations);
    for (int k = 0; k < p->n_kinds; k++)
        printf("%-28s %.0f of %.0f right, original %.0f\n", p->kind_name[k], p->kind[k].right[STAC_SNN], p->kind[k].asked,
               p->kind[k].right[STAC_BASELINE]);
}

static int print_energy(const struct stac_result *r, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = stac_energy_text(&r->energy, &text, err);
    if (status == STAC_OK) fputs(stac_strbuf_text(&text), stdout);
    stac_strbuf_clean(&text);
    return status;
}

static int print_result(const struct stac_result *r, struct stac_error *err) {
    char took[32];
    if (r->scored) print_score(r);
    if (r->talked) print_parity(&r->parity);
    STAC_TRY(print_energy(r, err));
    for (int i = 0; i < r->n_checks; i++)
        printf("%s  %-20s %.6g  (%s)\n", r->check[i].passed ? "passed" : "FAILED", r->check[i].name, r->check[i].figure,
               r->check[i].text);
    printf("%-28s %s, %.0f MiB at most on rank 0\n", "time, memory", stac_clock_duration(r->seconds, took, sizeof took),
           (double)r->peak_memory / 1048576);
    if (r->subject->folder) printf("%-28s %s/report.html, %s/metrics.h5\n", "written", r->subject->folder, r->subject->folder);
    return STAC_OK;
}

/* Files of the result: metrics.h5 and report.html in the folder, and the JSON file that was asked for. */
static int write_result(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    if (p->start.ranks.rank != 0) return STAC_OK;
    if (p->subject.folder) {
        char *path = stac_file_join(p->subject.folder, "metrics.h5", err);
        if (!path) return err->status;
        int status = stac_result_h5(&p->result, path, err);
        free(path);
        STAC_TRY(status);
        STAC_TRY(stac_page_write(&p->result, p->subject.folder, err));
    }
    if (job->json[0]) STAC_TRY(stac_result_json(&p->result, job->json, err));
    if (job->lm_eval[0]) STAC_TRY(stac_harness_write(&p->result, job->lm_eval, err));
    if (job->neurobench[0]) STAC_TRY(stac_neurobench_write(&p->result.score.neurobench, job->neurobench, err));
    return job->csv[0] ? stac_csv_write(&p->result, job->csv, err) : STAC_OK;
}

/* --compare A B: B is where else the folder stands. */
static int compare(struct program *p, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = STAC_OK;
    if (p->start.ranks.rank == 0) status = stac_compare(p->start.job.compare, p->start.job.dir, &text, &p->worse, err);
    if (p->start.ranks.rank == 0 && status == STAC_OK) fputs(stac_strbuf_text(&text), stdout);
    stac_strbuf_clean(&text);
    return stac_agree(&p->start.ranks, p->start.ranks.comm, status, err);
}

static int run(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    double began = stac_clock_now();
    if (s->job.tokenize[0]) return stac_agree(&s->ranks, s->ranks.comm, print_tokens(s, err), err);
    if (s->job.compare[0]) return compare(p, err);
    p->result.prefix = -1;
    p->subject = (struct stac_subject){.job = &s->job, .ranks = &s->ranks, .log = &s->log};
    STAC_TRY(stac_subject_open(&p->subject, err));
    if (s->job.frontier[0]) return frontier(p, err);
    if (s->job.ids[0]) return logits_of_ids(p, err);
    p->result.subject = &p->subject;
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, check_request(p, err), err));
    STAC_TRY(run_checks(p, err));
    p->result.seconds = stac_clock_now() - began;
    p->result.peak_memory = stac_peak_memory();
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, write_result(p, err), err));
    return stac_agree(&s->ranks, s->ranks.comm, s->ranks.rank == 0 ? print_result(&p->result, err) : STAC_OK, err);
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    int code = 0, status = stac_start(&p.start, STAC_EVAL, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK && run(&p, &err) == STAC_OK)
        code = stac_result_passed(&p.result) && !p.worse ? 0 : 1;
    stac_result_clean(&p.result);
    stac_frontier_clean(&p.frontier);
    stac_subject_close(&p.subject);
    return stac_finish(&p.start, code, &err);
}
