#include "eval/verify.h"

#include "eval/spike_rates.h"

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

/* Neurons of ST-BIF+ take spikes back, integers send none: neither has the rates of a plan. Nor have shorter windows than those
 * of the calibration: how many keys a token sees counts. */
static bool has_rates(const struct stac_subject *s, const struct stac_job *convert, size_t context) {
    int64_t planned = convert->calibration_length < s->hp.n_ctx ? convert->calibration_length : s->hp.n_ctx;
    return s->snn.neuron != STAC_NEURON_ST_BIF && s->snn.code != STAC_CODE_INTEGER && (int64_t)context >= planned;
}

static int check_rates(struct stac_subject *s, const struct stac_score *score, struct stac_check *out, struct stac_error *err) {
    struct stac_spike_rates rates = {0};
    int status = stac_spike_rates_measure(s, score, &rates, err);
    if (status == STAC_OK) stac_check_spike_rates(s, &rates, out);
    stac_spike_rates_clean(&rates);
    return status;
}

/* Whether a text can be read: all tokens of the tokenizer are in the model's vocabulary. */
static bool can_talk(const struct stac_subject *s) {
    return stac_tokenizer_n_vocab(s->tokenizer) <= s->hp.n_vocab;
}

static int check_all(struct stac_subject *s, bool rates, const struct stac_score *score, struct stac_verification *v,
                     struct stac_error *err) {
    stac_check_fidelity(s, score, &v->check[v->n++]);
    if (rates) STAC_TRY(check_rates(s, score, &v->check[v->n++], err));
    if (can_talk(s)) STAC_TRY(stac_check_multi_turn(s, NULL, &v->check[v->n++], err));
    STAC_TRY(stac_check_positions(s, &v->check[v->n++], err));
    STAC_TRY(stac_check_mask(s, &v->check[v->n++], err));
    return stac_check_temporal(s, &v->check[v->n++], err);
}

int stac_verify(const struct stac_job *convert, const struct stac_ranks *ranks, const struct stac_log *log,
                const int32_t *tokens, size_t n, size_t context, struct stac_verification *out, struct stac_error *err) {
    struct stac_job job;
    struct stac_subject subject = {.job = &job, .ranks = ranks, .log = log};
    struct stac_score score = {0};
    *out = (struct stac_verification){0};
    int status = follow(convert, &job, err);
    STAC_TRY_DONE(stac_agree(ranks, ranks->comm, status, err));
    STAC_TRY_DONE(stac_subject_open(&subject, err));
    const struct stac_reading text = {tokens, n, context, context};
    STAC_TRY_DONE(stac_score_text(&subject, &text, NULL, &score, err));
    STAC_TRY_DONE(check_all(&subject, has_rates(&subject, convert, context), &score, out, err));
done:
    stac_score_clean(&score);
    stac_subject_close(&subject);
    stac_job_clean(&job);
    return status;
}
