/* stac-convert: a pretrained causal language model becomes a spiking network, over MPI ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "convert/convert.h"
#include "dist/start.h"
#include "eval/verify.h"
#include "model/hub.h"
#include "store/output.h"

/* What the program holds while it works. */
struct program {
    struct stac_start start;
    char *model_path;
    struct stac_model *model;
    struct stac_tokenizer *tokenizer; /* rank 0 */
    struct stac_output output;        /* rank 0 */
    struct stac_origin origin;        /* rank 0 */
    struct stac_conversion conversion;
};

/* Find, open and identify the model; make the output folder. */
static int open_all(struct program *p, struct stac_error *err) {
    const struct stac_job *job = &p->start.job;
    struct stac_strbuf text = {0};
    char hex[STAC_SHA256_HEX];
    if (!job->model_name[0]) return stac_fail(err, STAC_ERR_USAGE, "no model: name one with --model_name or in the job file");
    STAC_TRY(stac_hub_resolve(job->model_name, &p->model_path, err));
    STAC_TRY(stac_model_open(p->model_path, &p->model, err));
    if (p->start.ranks.rank != 0) return STAC_OK;
    STAC_TRY(stac_tokenizer_open(p->model_path, &p->tokenizer, err));
    STAC_TRY(stac_output_begin(&p->output, job->output_dir, job->force, err));
    p->start.log.file = p->output.log;
    STAC_TRY(stac_model_digest(p->model, hex, err));
    int status = stac_job_print(job, &text, err);
    if (status == STAC_OK) {
        p->origin.job = stac_strdup(stac_strbuf_text(&text), err);
        p->origin.model_sha256 = stac_strdup(hex, err);
        p->origin.model_path = realpath(p->model_path, NULL);
        if (!p->origin.model_path) p->origin.model_path = stac_strdup(p->model_path, err);
        status = err->status;
    }
    stac_strbuf_clean(&text);
    return status;
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
    return stac_output_config(&p->output, stac_model_hparams(p->model), &p->origin, (int)p->start.job.timesteps,
                              p->conversion.expected_ac_per_mac, err);
}

static int write_all(struct program *p, struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_ranks *ranks = &p->start.ranks;
    char *path = NULL;
    int status = STAC_OK;
    if (ranks->rank == 0) {
        p->origin.calibration = stac_strdup(c->calibration, err);
        path = stac_output_file(&p->output, "snn_model.h5", err);
        status = err->status;
    }
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_snn_write(path, ranks, &c->grid, c->stage_begin, &c->net, &c->stats, c->plan,
                                 (int)p->start.job.timesteps, &p->origin, err));
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

/* --verify: 0, or 1 when a check failed. */
static int verify(struct program *p, int *code, struct stac_error *err) {
    struct stac_conversion *c = &p->conversion;
    struct stac_check check[STAC_VERIFY_CHECKS];
    size_t windows = c->n_windows < 2 ? 1 : 2, context = (size_t)c->length;
    STAC_TRY(stac_verify(&p->start.job, &p->start.ranks, &p->start.log, c->tokens, windows * context, context, check, err));
    for (int i = 0; i < STAC_VERIFY_CHECKS; i++) {
        if (p->start.ranks.rank == 0)
            printf("%s  %-20s %.6g  (%s)\n", check[i].passed ? "passed" : "FAILED", check[i].name, check[i].figure,
                   check[i].text);
        if (!check[i].passed) *code = 1;
    }
    return STAC_OK;
}

static int run(struct program *p, int *code, struct stac_error *err) {
    struct stac_start *s = &p->start;
    char took[32];
    double began = stac_clock_now();
    STAC_TRY(stac_agree(&s->ranks, s->ranks.comm, open_all(p, err), err));
    stac_log_info(&s->log, "%s\nconverting %s on %d rank%s, T = %lld", stac_build_info(), p->model_path, s->ranks.size,
                  s->ranks.size > 1 ? "s" : "", (long long)s->job.timesteps);
    p->conversion = (struct stac_conversion){
        .job = &s->job, .ranks = &s->ranks, .log = &s->log, .model = p->model, .tokenizer = p->tokenizer};
    STAC_TRY(stac_convert(&p->conversion, err));
    STAC_TRY(write_all(p, err));
    stac_log_info(&s->log, "written to %s in %s, %.0f MiB at most on rank 0", s->job.output_dir,
                  stac_clock_duration(stac_clock_now() - began, took, sizeof took), (double)stac_peak_memory() / 1048576);
    STAC_TRY(commit(p, err));
    return s->job.verify ? verify(p, code, err) : STAC_OK;
}

int main(int argc, char **argv) {
    static struct program p;
    struct stac_error err = {0};
    int code = 0, status = stac_start(&p.start, STAC_CONVERT, argc, argv, stac_build_info(), &err);
    if (status == STAC_OK && p.start.answered)
        fputs(stac_strbuf_text(&p.start.answer), stdout);
    else if (status == STAC_OK)
        run(&p, &code, &err);
    stac_conversion_clean(&p.conversion);
    stac_output_discard(&p.output);
    stac_origin_clean(&p.origin);
    stac_tokenizer_close(p.tokenizer);
    stac_model_close(p.model);
    free(p.model_path);
    return stac_finish(&p.start, code, &err);
}
