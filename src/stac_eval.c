/* stac-eval: measures a converted network against its original, over MPI ranks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "dist/start.h"
#include "eval/frontier.h"
#include "eval/id_logits.h"
#include "eval/request.h"
#include "report/frontier_picture.h"
#include "report/page.h"
#include "result/compare.h"
#include "result/csv.h"
#include "result/harness.h"
#include "result/summary.h"
#include "result/watch.h"

struct program {
    struct stac_start start;
    struct stac_subject subject;
    struct stac_request request;
    struct stac_result result;
    struct stac_checkpoint checkpoint;
    int there;  /* --once: 1, the result of this job was there before and passed; 2, it did not */
    bool worse; /* --compare: a check that passed fails; --watch: a process died; rank 0 */
};

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

/* The checkpoint is beside the folder, under a name of its own: other jobs may look at it too. The caller's; NULL on failure.
 */
static char *checkpoint_path(const struct program *p, struct stac_error *err) {
    char name[] = ".eval-123456789012";
    snprintf(name, sizeof name, ".eval-%.12s", p->result.job_digest);
    return stac_file_beside(p->start.job.dir, name, err);
}

/* What was found before by the same job goes on. */
static int begin_checkpoint(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    STAC_TRY(stac_broadcast(s->ranks.comm, p->result.job_digest, sizeof p->result.job_digest, 0, err));
    char *path = checkpoint_path(p, err);
    if (!path) return err->status;
    int status = stac_checkpoint_begin(&p->checkpoint, path, p->result.job_digest, s->job.checkpoint_interval, true, &s->ranks,
                                       &s->log, err);
    free(path);
    p->subject.checkpoint = &p->checkpoint;
    return status;
}

/* ---- the text ----------------------------------------------------------------------------------------------------- */

/* Both sides read it, metered where energy is asked for. */
static int read_text(struct program *p, struct stac_error *err) {
    struct stac_result *r = &p->result;
    const struct stac_reading *text = &r->text.reading;
    struct stac_meter meter = {0};
    struct stac_usage used = {0};
    int status = STAC_OK;
    if (p->request.energy) {
        STAC_TRY_DONE(stac_meter_open(&meter, &p->start.ranks, STAC_RAPL_ROOT, STAC_NVML_LIBRARY, err));
        stac_meter_begin(&meter);
    }
    STAC_TRY_DONE(stac_score_text(&p->subject, text, NULL, &r->score, err));
    r->scored = true;
    if (p->request.energy) {
        STAC_TRY_DONE(stac_meter_end(&meter, &used, err));
        STAC_TRY_DONE(stac_energy_measure(&p->subject, text, &r->score, &meter, &used, &r->energy, err));
    }
done:
    stac_meter_close(&meter);
    return status;
}

static int score(struct program *p, struct stac_error *err) {
    const struct stac_request *q = &p->request;
    struct stac_subject *s = &p->subject;
    struct stac_result *r = &p->result;
    STAC_TRY(stac_text_open(s, &r->text, err));
    STAC_TRY(read_text(p, err));
    if (q->spike_rates) STAC_TRY(stac_spike_rates_measure(s, &r->score, &r->rates, err));
    return q->layers ? stac_layers_measure(s, &r->text.reading, &r->layers, err) : STAC_OK;
}

/* ---- the frontier ------------------------------------------------------------------------------------------------- */

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
    struct stac_ranks *ranks = &p->start.ranks;
    struct stac_frontier f = {.subject = &p->subject};
    struct stac_text *text = &p->result.text;
    STAC_TRY(stac_agree(ranks, ranks->comm, stac_request_check_sweep(&p->subject, err), err));
    STAC_TRY(stac_agree(ranks, ranks->comm,
                        ranks->rank == 0 ? stac_subject_digest(&p->subject, p->result.job_digest, err) : STAC_OK, err));
    STAC_TRY(begin_checkpoint(p, err));
    STAC_TRY(stac_text_open(&p->subject, text, err));
    f.text = text->reading;
    f.text_name = text->name ? text->name : "";
    int status = stac_frontier_run(&f, err);
    if (status == STAC_OK && ranks->rank == 0) stac_checkpoint_remove(&p->checkpoint);
    if (status == STAC_OK) status = stac_agree(ranks, ranks->comm, ranks->rank == 0 ? show_frontier(&f, err) : STAC_OK, err);
    stac_frontier_clean(&f);
    return status;
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

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
    struct stac_result *r = &p->result;
    struct stac_check temporal;
    if (!p->request.temporal && !p->request.energy) return STAC_OK;
    STAC_TRY(stac_check_temporal(&p->subject, &temporal, err));
    if (p->request.temporal) r->check[r->n_checks++] = temporal;
    if (p->request.energy) stac_check_energy(&p->subject, &r->energy, &temporal, &r->check[r->n_checks++]);
    return STAC_OK;
}

static int run_checks(struct program *p, struct stac_error *err) {
    const struct stac_request *q = &p->request;
    struct stac_subject *s = &p->subject;
    struct stac_result *r = &p->result;
    if (q->score) STAC_TRY(score(p, err));
    if (q->raster) STAC_TRY(stac_raster_measure(s, &r->raster, err));
    if (q->perplexity) stac_check_perplexity(s, &r->score, &r->check[r->n_checks++]);
    if (q->fidelity) stac_check_fidelity(s, &r->score, &r->check[r->n_checks++]);
    if (q->multi_turn) STAC_TRY(stac_check_multi_turn(s, r->transcript, &r->check[r->n_checks++], err));
    if (q->position_boundaries) STAC_TRY(stac_check_positions(s, &r->check[r->n_checks++], err));
    if (q->attention_mask) STAC_TRY(stac_check_mask(s, &r->check[r->n_checks++], err));
    if (q->spike_rates) stac_check_spike_rates(s, &r->rates, &r->check[r->n_checks++]);
    STAC_TRY(check_time(p, err));
    if (q->tsp_state) STAC_TRY(stac_check_tsp_state(s, &r->check[r->n_checks++], err));
    return q->parity_multi_turn ? talk(p, err) : STAC_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

static int print_result(const struct stac_result *r, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = stac_summary_write(r, &text, err);
    if (status == STAC_OK) fputs(stac_strbuf_text(&text), stdout);
    stac_strbuf_clean(&text);
    return status;
}

static int write_metrics(struct program *p, struct stac_error *err) {
    char *path = stac_file_join(p->subject.folder, "metrics.h5", err);
    if (!path) return err->status;
    int status = stac_result_h5(&p->result, path, err);
    free(path);
    return status;
}

/* Files of the result: those that were asked for, and report.html and metrics.h5 in the folder. The last one tells --once that
 * all are there. */
static int write_result(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    if (p->start.ranks.rank != 0) return STAC_OK;
    if (p->subject.folder) STAC_TRY(stac_page_write(&p->result, p->subject.folder, err));
    if (job->json[0]) STAC_TRY(stac_result_json(&p->result, job->json, err));
    if (job->lm_eval[0]) STAC_TRY(stac_harness_write(&p->result, job->lm_eval, err));
    if (job->neurobench[0]) STAC_TRY(stac_neurobench_write(&p->result.score.neurobench, job->neurobench, err));
    if (job->csv[0]) STAC_TRY(stac_csv_write(&p->result, job->csv, err));
    return p->subject.folder ? write_metrics(p, err) : STAC_OK;
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

enum { PATIENCE = 3 }; /* looks before it is told that nothing is at work */

/* --watch DIR, until nothing is at work there: redrawn at a terminal once a second, else lines every five. */
static int watch(struct program *p, struct stac_error *err) {
    bool terminal = isatty(STDOUT_FILENO);
    int lines = 0, looks = 0, status = STAC_OK;
    while (p->start.ranks.rank == 0 && !p->worse) {
        struct stac_strbuf text = {0};
        struct stac_watched seen;
        status = stac_watch_read(p->start.job.watch, &text, &seen, err);
        if (terminal && lines > 0) printf("\033[%dA\033[J", lines);
        fputs(stac_strbuf_text(&text), stdout);
        fflush(stdout);
        stac_strbuf_clean(&text);
        lines = seen.ranks;
        looks = seen.ranks > 0 ? PATIENCE : looks + 1; /* what was there and is gone has ended */
        p->worse = seen.gone > 0;
        if (status != STAC_OK || (seen.ranks == 0 && looks >= PATIENCE)) break;
        stac_clock_pause(seen.ranks == 0 || terminal ? 1 : 5);
    }
    if (p->start.ranks.rank == 0 && status == STAC_OK)
        printf(p->worse ? "%s: what was at work there died\n" : "%s: nothing is at work there\n", p->start.job.watch);
    return stac_agree(&p->start.ranks, p->start.ranks.comm, status, err);
}

/* Whether files that the job asks for are there, as they are after it was run. */
static bool files_are_there(const struct stac_job *job) {
    const char *file[] = {job->json, job->lm_eval, job->neurobench, job->csv};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        if (file[i][0] && !stac_file_exists(file[i])) return false;
    return true;
}

/* What the result depends on; whether it is there already. Rank 0. */
static int identify(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    bool passed = false;
    STAC_TRY(stac_subject_digest(&p->subject, p->result.job_digest, err));
    if (!job->once || !p->subject.folder || !files_are_there(job)) return STAC_OK;
    char *path = stac_file_join(p->subject.folder, "metrics.h5", err);
    if (!path) return err->status;
    if (stac_result_is_there(path, p->result.job_digest, &passed)) p->there = passed ? 1 : 2;
    free(path);
    if (p->there && (path = checkpoint_path(p, err))) {
        stac_checkpoint_tidy(path, p->result.job_digest);
        free(path);
    }
    return err->status;
}

static int measure(struct program *p, struct stac_error *err) {
    struct stac_ranks *ranks = &p->start.ranks;
    double began = stac_clock_now();
    p->result.subject = &p->subject;
    STAC_TRY(stac_agree(ranks, ranks->comm, stac_request_of(&p->subject, &p->request, err), err));
    STAC_TRY(stac_agree(ranks, ranks->comm, ranks->rank == 0 ? identify(p, err) : STAC_OK, err));
    STAC_TRY(stac_broadcast(ranks->comm, &p->there, sizeof p->there, 0, err));
    if (p->there) {
        stac_log_info(&p->start.log, "%s holds the result of this very job already", p->subject.folder);
        if (p->there == 2 && ranks->rank == 0) printf("FAILED  a check, when %s was evaluated before\n", p->subject.folder);
        return STAC_OK;
    }
    STAC_TRY(begin_checkpoint(p, err));
    STAC_TRY(run_checks(p, err));
    p->result.seconds = stac_clock_now() - began;
    p->result.peak_memory = stac_peak_memory();
    STAC_TRY(stac_agree(ranks, ranks->comm, write_result(p, err), err));
    if (ranks->rank == 0) stac_checkpoint_remove(&p->checkpoint);
    return stac_agree(ranks, ranks->comm, ranks->rank == 0 ? print_result(&p->result, err) : STAC_OK, err);
}

static int run(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    if (s->job.tokenize[0]) return stac_agree(&s->ranks, s->ranks.comm, print_tokens(s, err), err);
    if (s->job.compare[0]) return compare(p, err);
    if (s->job.watch[0]) return watch(p, err);
    p->subject = (struct stac_subject){.job = &s->job, .ranks = &s->ranks, .log = &s->log};
    STAC_TRY(stac_subject_open(&p->subject, err));
    if (s->job.frontier[0]) return frontier(p, err);
    return s->job.ids[0] ? stac_id_logits_write(&p->subject, err) : measure(p, err);
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    int code = 0, status = stac_start(&p.start, STAC_EVAL, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK && run(&p, &err) == STAC_OK)
        code = stac_result_passed(&p.result) && !p.worse && p.there < 2 ? 0 : 1;
    stac_result_clean(&p.result);
    stac_subject_close(&p.subject);
    stac_checkpoint_clean(&p.checkpoint);
    return stac_finish(&p.start, code, &err);
}
