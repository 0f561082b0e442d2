#include "eval/verify.h"

/* The evaluation job that belongs to a conversion job. */
static int follow(const struct stac_job *convert, struct stac_job *job, struct stac_error *err) {
    STAC_TRY(stac_job_init(job, STAC_EVAL, err));
    STAC_TRY(stac_job_set(job, "model_name", convert->model_name, "--verify", err));
    STAC_TRY(stac_job_set_folder(job, convert->output_dir, err));
    job->stages = convert->stages;
    job->rank_memory = convert->rank_memory;
    job->mode = STAC_JOB_BOTH;
    job->use_sparse = convert->use_sparse;
    return STAC_OK;
}

int stac_verify(const struct stac_job *convert, const struct stac_ranks *ranks, const struct stac_log *log,
                const int32_t *tokens, size_t n, size_t context, struct stac_check check[STAC_VERIFY_CHECKS],
                struct stac_error *err) {
    struct stac_job job;
    struct stac_subject subject = {.job = &job, .ranks = ranks, .log = log};
    struct stac_score score = {0};
    int status = follow(convert, &job, err);
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_subject_open(&subject, err));
    const struct stac_reading text = {tokens, n, context, context};
    STAC_TRY_DONE(stac_score_text(&subject, &text, NULL, &score, err));
    stac_check_fidelity(&subject, &score, &check[0]);
    STAC_TRY_DONE(stac_check_temporal(&subject, &check[1], err));
done:
    stac_score_clean(&score);
    stac_subject_close(&subject);
    stac_job_clean(&job);
    return status;
}
