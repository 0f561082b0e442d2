/* stac-convert: a pretrained causal language model becomes a spiking network, over MPI ranks. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "convert/blas.h"
#include "convert/convert.h"
#include "convert/recode.h"
#include "dist/start.h"
#include "eval/verify.h"
#include "job/digest.h"
#include "model/hub.h"
#include "store/output.h"
#include "store/windows_file.h"

/* What the program holds while it works. */
struct program {
    struct stac_start start;
    char *model_path;
    struct stac_model *model;
    struct stac_tokenizer *tokenizer; /* rank 0 */
    struct stac_output output;        /* rank 0 */
    struct stac_origin origin;        /* rank 0 */
    struct stac_windows windows;      /* of --calibration_data */
    struct stac_conversion conversion;
    struct stac_snn source; /* of --from */
    struct stac_recoding recoding;
    struct stac_checkpoint checkpoint;
    int there; /* --once: 1, the result of this job was there before; 2, and its verification did not pass */
};

static const char verification[] = "verification.txt"; /* beside the result: what --verify found */

/* Of a result that is there: whether it passed, as far as anybody knows. What failed is said again. Rank 0. */
static bool passed_before(const struct stac_job *job) {
    struct stac_error ignored = {0};
    char *text = NULL, *path = stac_file_join(job->output_dir, verification, &ignored);
    size_t size = 0;
    bool passed =
        path && stac_file_read(path, 1 << 16, &text, &size, &ignored) == STAC_OK && size > 0 && !strstr(text, "FAILED");
    if (text && !passed) fputs(text, stdout);
    free(text);
    free(path);
    return passed;
}

/* What the result depends on; whether it is there already. The digest is that of the weights, beside which are the tokenizer
 * and the model (NULL: none). Rank 0. */
static int identify(struct program *p, const char *sha256, const char *tokenizer, const char *model, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_strbuf subject = {0};
    char digest[STAC_SHA256_HEX];
    int status = stac_strbuf_puts(&subject, sha256, err);
    if (status == STAC_OK) status = stac_digest_companions(tokenizer, model, &subject, err);
    if (status == STAC_OK) status = stac_job_digest(job, stac_build_info(), stac_strbuf_text(&subject), digest, err);
    stac_strbuf_clean(&subject);
    STAC_TRY(status);
    p->there = job->once && stac_output_is_there(job->output_dir, digest);
    if (p->there) stac_checkpoint_tidy(job->output_dir, digest);
    if (p->there && job->verify && !passed_before(job)) p->there = 2;
    return (p->origin.job_digest = stac_strdup(digest, err)) ? STAC_OK : err->status;
}

/* Where the network comes from, but for the model. Rank 0. */
static int describe_job(struct program *p, const char *model_sha256, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = stac_job_print(&p->start.job, &text, err);
    if (status == STAC_OK) {
        p->origin.job = stac_strdup(stac_strbuf_text(&text), err);
        p->origin.model_sha256 = stac_strdup(model_sha256, err);
        status = err->status;
    }
    stac_strbuf_clean(&text);
    return status;
}

/* Where the model is, as the result tells it: in JSON, which is UTF-8. Rank 0. */
static int locate(struct program *p, struct stac_error *err) {
    char *path = realpath(p->model_path, NULL);
    if (!path) path = stac_strdup(p->model_path, err);
    p->origin.model_path = path;
    if (!path || stac_is_utf8(path)) return err->status;
    return stac_fail(err, STAC_ERR_USAGE, "the path of the model, from the root, is not a text in UTF-8");
}

/* Find, open and identify the model; make the output folder. */
static int open_all(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    char hex[STAC_SHA256_HEX];
    if (!job->model_name[0]) return stac_fail(err, STAC_ERR_USAGE, "no model: name one with --model_name or in the job file");
    if (job->calibration_data[0] && job->calibration_text[0])
        return stac_fail(err, STAC_ERR_USAGE, "calibration_data and calibration_text: give one of them");
    STAC_TRY(stac_hub_resolve(job->model_name, &p->model_path, err));
    STAC_TRY(stac_model_open(p->model_path, &p->model, err));
    if (job->calibration_data[0]) STAC_TRY(stac_windows_read(job->calibration_data, &p->windows, err));
    if (p->start.ranks.rank != 0) return STAC_OK;
    if (!job->create_calibration_data[0]) STAC_TRY(locate(p, err));
    STAC_TRY(stac_tokenizer_open(p->model_path, &p->tokenizer, err));
    STAC_TRY(stac_model_digest(p->model, hex, err));
    STAC_TRY(identify(p, hex, p->model_path, p->model_path, err));
    if (p->there || job->create_calibration_data[0]) return STAC_OK;
    STAC_TRY(stac_output_begin(&p->output, job->output_dir, job->force, err));
    p->start.log.file = p->output.log;
    return describe_job(p, hex, err);
}

/* --once: every rank knows that the result is there. */
static int share_there(struct program *p, struct stac_error *err) {
    STAC_TRY(stac_broadcast(p->start.ranks.comm, &p->there, sizeof p->there, 0, err));
    if (p->there == 1) stac_log_info(&p->start.log, "%s is there already, from this very job", p->start.job.output_dir);
    if (p->there == 2)
        stac_log_warn(&p->start.log, "%s is there already, from this very job, and its verification did not pass",
                      p->start.job.output_dir);
    return STAC_OK;
}

/* tokenizer/ and config.json; the log is there already. */
static int write_companions(struct program *p, struct stac_error *err) {
    if (p->start.ranks.rank != 0) return STAC_OK;
    char *folder = stac_output_file(&p->output, "tokenizer", err);
    if (!folder) return err->status;
    int status = stac_file_make_folder(folder, err);
    if (status == STAC_OK) status = stac_tokenizer_save(p->tokenizer, folder, err);
    free(folder);
    STAC_TRY(status);
    int timesteps = (int)p->start.job.timesteps;
    if (p->model)
        return stac_output_config(&p->output, stac_model_hparams(p->model), &p->origin, timesteps,
                                  p->conversion.expected_ac_per_mac, err);
    char *config = stac_file_join(p->start.job.from, "config.json", err);
    if (!config) return err->status;
    status = stac_output_config_again(&p->output, config, &p->origin, timesteps, p->recoding.expected_ac_per_mac, err);
    free(config);
    return status;
}

static int write_all(struct program *p, const struct stac_statistics *stats, const struct stac_plan *plan,
                     struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_ranks *ranks = &p->start.ranks;
    char *path = NULL;
    int status = STAC_OK;
    if (ranks->rank == 0) {
        if (!p->origin.calibration) p->origin.calibration = stac_strdup(c->calibration, err);
        path = stac_output_file(&p->output, "snn_model.h5", err);
        status = err->status;
    }
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_snn_write(path, ranks, &c->grid, c->stage_begin, &c->net, stats, plan, (int)p->start.job.timesteps,
                                 &c->training, &p->origin, err));
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, write_companions(p, err), err));
done:
    free(path);
    return status;
}

static int commit(struct program *p, struct stac_error *err) {
    int status = p->start.ranks.rank == 0 ? stac_output_commit(&p->output, err) : STAC_OK;
    p->start.log.file = NULL;
    return stac_agree(&p->start.ranks, p->start.ranks.comm, status, err);
}

/* Print what verification found, and leave it beside the result. Rank 0. */
static int tell_verification(struct program *p, const struct stac_verification *found, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = STAC_OK;
    char *path = stac_output_file(&p->output, verification, err);
    if (!path) return err->status;
    for (int i = 0; i < found->n && status == STAC_OK; i++) status = stac_check_line(&found->check[i], &text, err);
    if (status == STAC_OK) status = stac_file_write(path, stac_strbuf_text(&text), text.size, err);
    fputs(stac_strbuf_text(&text), stdout);
    stac_strbuf_clean(&text);
    free(path);
    return status;
}

/* --verify, of the draft: a result is in its place with what was found or not at all. *code is 1 when a check failed. Windows
 * are as long as the network was converted for, at most. */
static int verify(struct program *p, int *code, struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_ranks *ranks = &p->start.ranks;
    struct stac_verification found;
    struct stac_job job = p->start.job; /* everything in it is borrowed */
    size_t windows = c->n_windows < 2 ? 1 : 2, context = (size_t)(c->length < c->stats.longest ? c->length : c->stats.longest);
    char draft[PATH_MAX] = "";
    if (p->output.draft) snprintf(draft, sizeof draft, "%s", p->output.draft);
    STAC_TRY(stac_broadcast(ranks->comm, draft, sizeof draft, 0, err));
    job.output_dir = draft;
    STAC_TRY(stac_verify(&job, ranks, &p->start.log, c->tokens, windows * context, context, &found, err));
    for (int i = 0; i < found.n; i++)
        if (!found.check[i].passed) *code = 1;
    return stac_agree(ranks, ranks->comm, ranks->rank == 0 ? tell_verification(p, &found, err) : STAC_OK, err);
}

/* --create_calibration_data: the texts alone. */
static int create_calibration_data(struct program *p, struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_ranks *ranks = &p->start.ranks;
    STAC_TRY(stac_convert_texts(c, err));
    struct stac_windows w = {c->n_windows, c->length, stac_model_hparams(p->model)->n_vocab, c->tokens, ""};
    snprintf(w.source, sizeof w.source, "%s", c->calibration);
    int status = ranks->rank == 0 ? stac_windows_write(p->start.job.create_calibration_data, &w, err) : STAC_OK;
    if (ranks->rank == 0 && status == STAC_OK) stac_checkpoint_remove(&p->checkpoint);
    stac_log_info(&p->start.log, "%d windows of %d tokens written to %s", w.n, w.length, p->start.job.create_calibration_data);
    return stac_agree(ranks, ranks->comm, status, err);
}

/* ---- other codes for a stored network ----------------------------------------------------------------------------- */

/* Where the result comes from: the source's origin, the job that results, the digest of its file; then the output folder. Rank
 * 0. */
static int begin_recoding(struct program *p, const char *path, const char *tokenizer, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    const struct stac_origin *o = &p->source.origin;
    char hex[STAC_SHA256_HEX];
    STAC_TRY(stac_digest_file(path, hex, err));
    STAC_TRY(identify(p, hex, tokenizer, NULL, err));
    if (p->there) return STAC_OK;
    STAC_TRY(stac_output_begin(&p->output, job->output_dir, job->force, err));
    p->start.log.file = p->output.log;
    STAC_TRY(describe_job(p, o->model_sha256, err));
    p->origin.recoded_from = stac_strdup(hex, err);
    p->origin.model_path = stac_strdup(o->model_path, err);
    p->origin.calibration = stac_strdup(o->calibration, err);
    return err->status;
}

/* Open the folder of --from, take over its job, make the output folder. */
static int open_source(struct program *p, struct stac_error *err) {
    struct stac_job *job = &p->start.job;
    char *path = stac_file_join(job->from, "snn_model.h5", err), *tokenizer = NULL;
    int status = path ? STAC_OK : err->status;
    if (status == STAC_OK && (job->verify || job->create_calibration_data[0]))
        status = stac_fail(err, STAC_ERR_USAGE, "--from reads no text: leave %s out, and use stac-eval on the result",
                           job->verify ? "verify" : "create_calibration_data");
    if (status == STAC_OK && job->threshold_steps)
        status = stac_fail(err, STAC_ERR_USAGE, "--from designs its codes in closed form: leave threshold_steps out");
    if (status == STAC_OK) status = stac_snn_open(path, &p->source, err);
    if (status == STAC_OK) status = stac_job_inherit(job, job->from, p->source.origin.job, err);
    if (status == STAC_OK) status = STAC_NEW(p->recoding.plan, stac_site_count(&p->source.hp), "plans", err);
    if (status == STAC_OK) status = stac_snn_read_design(&p->source, &p->recoding.stats, p->recoding.plan, err);
    if (status == STAC_OK && p->start.ranks.rank == 0) {
        if (!(tokenizer = stac_file_join(job->from, "tokenizer", err))) status = err->status;
        if (status == STAC_OK) status = begin_recoding(p, path, tokenizer, err);
        if (status == STAC_OK) status = stac_tokenizer_open(tokenizer, &p->tokenizer, err);
    }
    free(tokenizer);
    free(path);
    return status;
}

/* Every rank gives its part of the network the new codes. */
static int recode(struct program *p, struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_start *s = &p->start;
    struct stac_scheme scheme = stac_scheme_of(&s->job);
    int status;
    STAC_TRY(stac_scheme_check(&scheme, err));
    p->recoding.ranks = &s->ranks;
    *c = (struct stac_conversion){.job = &s->job, .ranks = &s->ranks, .log = &s->log};
    STAC_TRY(stac_spread(&s->job, &s->ranks, &p->source.hp, &c->grid, &c->stage_begin, &c->part, err));
    status = c->grid.stage >= 0 ? stac_snn_load(&p->source, c->part, &c->net, err)
                                : stac_network_init(&c->net, &p->source.hp, c->part, err);
    if (c->grid.stage < 0) c->net.hadamard = p->source.hadamard;
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, status, err));
    STAC_TRY(stac_recode_plan(&p->recoding, &scheme, s->job.spike_budget, err));
    stac_log_info(&s->log, "  planned: %.3f additions per multiply-accumulate", p->recoding.expected_ac_per_mac);
    status = c->grid.stage >= 0 ? stac_recode_network(&p->recoding, scheme.timesteps, &c->net, err) : STAC_OK;
    return stac_agree(&s->ranks, s->ranks.comm, status, err);
}

static int run_recoding(struct program *p, struct stac_error *err) {
    struct stac_start *s = &p->start;
    char took[32];
    double began = stac_clock_now();
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, open_source(p, err), err));
    STAC_TRY(share_there(p, err));
    if (p->there) return STAC_OK;
    stac_log_info(&s->log, "%s\nnew codes for %s on %d rank%s, T = %lld instead of %d", stac_build_info(), s->job.from,
                  s->ranks.size, s->ranks.size > 1 ? "s" : "", (long long)s->job.timesteps, p->source.timesteps);
    STAC_TRY(recode(p, err));
    STAC_TRY(write_all(p, &p->recoding.stats, p->recoding.plan, err));
    stac_log_info(&s->log, "written to %s in %s", s->job.output_dir,
                  stac_clock_duration(stac_clock_now() - began, took, sizeof took));
    return commit(p, err);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static int run(struct program *p, int *code, struct stac_error *err) {
    struct stac_start *s = &p->start;
    char took[32];
    double began = stac_clock_now();
    if (s->job.from[0]) return run_recoding(p, err);
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, open_all(p, err), err));
    STAC_TRY(share_there(p, err));
    *code = p->there == 2;
    if (p->there) return STAC_OK;
    stac_log_info(&s->log, "%s\nconverting %s on %d rank%s, T = %lld", stac_build_info(), p->model_path, s->ranks.size,
                  s->ranks.size > 1 ? "s" : "", (long long)s->job.timesteps);
    p->conversion = (struct stac_conversion){.job = &s->job,
                                             .ranks = &s->ranks,
                                             .log = &s->log,
                                             .model = p->model,
                                             .tokenizer = p->tokenizer,
                                             .checkpoint = &p->checkpoint};
    STAC_TRY(stac_checkpoint_begin(&p->checkpoint,
                                   s->job.create_calibration_data[0] ? s->job.create_calibration_data : s->job.output_dir,
                                   p->origin.job_digest, s->job.checkpoint_interval, s->job.force, &s->ranks, &s->log, err));
    if (s->job.calibration_data[0]) p->conversion.windows = &p->windows;
    if (s->job.create_calibration_data[0]) return create_calibration_data(p, err);
    STAC_TRY(stac_convert(&p->conversion, err));
    STAC_TRY(write_all(p, &p->conversion.stats, p->conversion.plan, err));
    if (s->job.verify) STAC_TRY(verify(p, code, err));
    stac_log_info(&s->log, "written to %s in %s, %.0f MiB at most on rank 0", s->job.output_dir,
                  stac_clock_duration(stac_clock_now() - began, took, sizeof took), (double)stac_peak_memory() / 1048576);
    STAC_TRY(commit(p, err));
    if (s->ranks.rank == 0) stac_checkpoint_remove(&p->checkpoint);
    return STAC_OK;
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    stac_blas_wake(STAC_BLAS_ALIKE, argv);
    int code = 0, status = stac_start(&p.start, STAC_CONVERT, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK)
        run(&p, &code, &err);
    stac_conversion_clean(&p.conversion);
    stac_checkpoint_clean(&p.checkpoint);
    stac_recoding_clean(&p.recoding);
    stac_windows_clean(&p.windows);
    if (p.source.h5.path) stac_snn_close(&p.source);
    stac_output_discard(&p.output);
    stac_origin_clean(&p.origin);
    stac_tokenizer_close(p.tokenizer);
    stac_model_close(p.model);
    free(p.model_path);
    return stac_finish(&p.start, code, &err);
}
