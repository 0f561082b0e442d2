#include "convert/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "convert/blas.h"
#include "convert/calibrate.h"
#include "convert/fit_network.h"
#include "convert/fold.h"
#include "convert/quantise_network.h"
#include "convert/recode.h"
#include "convert/sample.h"
#include "convert/sensitivity.h"
#include "convert/shape.h"

enum { SIMPLIFIED_TEXTS = 4, SENSITIVITY_WINDOWS = 4, FISHER_WINDOWS = 4 };

static int agree(const struct stac_conversion *c, int status, struct stac_error *err) {
    return stac_agree(c->ranks, c->ranks->comm, status, err);
}

static int smaller(int64_t a, int64_t b) {
    return (int)(a < b ? a : b);
}

/* ---- calibration windows ------------------------------------------------------------------------------------------ */

/* The windows of a text file: read by rank 0, given to all. */
static int windows_of_text(struct stac_conversion *c, struct stac_error *err) {
    size_t n = (size_t)c->n_windows * (size_t)c->length;
    struct stac_corpus corpus = {0};
    int status = STAC_OK;
    if (c->ranks->rank == 0) {
        status = stac_corpus_read(c->tokenizer, c->job->calibration_text, n, &corpus, err);
        if (status == STAC_OK && corpus.tokens.n < n)
            status = stac_fail(err, STAC_ERR_INPUT,
                               "%s has %zu tokens; %d windows of %d need %zu: give a longer text or set num_samples",
                               c->job->calibration_text, corpus.tokens.n, c->n_windows, c->length, n);
        if (status == STAC_OK) memcpy(c->tokens, corpus.tokens.id, n * sizeof *c->tokens);
        snprintf(c->calibration, sizeof c->calibration, "text with SHA-256 %s", corpus.sha256);
        stac_corpus_clean(&corpus);
    }
    STAC_TRY(agree(c, status, err));
    STAC_TRY(stac_broadcast(c->ranks->comm, c->calibration, sizeof c->calibration, 0, err));
    return stac_broadcast(c->ranks->comm, c->tokens, n * sizeof *c->tokens, 0, err);
}

/* The first windows of a file of them. The same on every rank. */
static int windows_of_file(struct stac_conversion *c, struct stac_error *err) {
    const struct stac_windows *w = c->windows;
    int vocab = stac_model_hparams(c->model)->n_vocab;
    if (w->n_vocab != vocab)
        return stac_fail(err, STAC_ERR_INPUT, "%s was made with a vocabulary of %d tokens; this model has %d",
                         c->job->calibration_data, w->n_vocab, vocab);
    if (w->n < c->n_windows || w->length < c->length)
        return stac_fail(err, STAC_ERR_USAGE,
                         "%s has %d windows of %d tokens, and %d of %d are asked for: set num_samples and calibration_length",
                         c->job->calibration_data, w->n, w->length, c->n_windows, c->length);
    for (int i = 0; i < c->n_windows; i++)
        memcpy(c->tokens + (size_t)i * c->length, w->tokens + (size_t)i * w->length, (size_t)c->length * sizeof *w->tokens);
    snprintf(c->calibration, sizeof c->calibration, "%s", w->source);
    return STAC_OK;
}

/* Windows that the model writes. In simplified mode a window is put together from several short texts, without the token that
 * each begins after: side by side they take as many steps as one of them, and every step reads all weights. */
static int windows_of_model(struct stac_conversion *c, struct stac_error *err) {
    const struct stac_hparams *hp = stac_model_hparams(c->model);
    int32_t first = stac_sample_start(hp), *texts;
    int in_window = c->job->mode == STAC_JOB_SIMPLIFIED ? SIMPLIFIED_TEXTS : 1;
    int piece = (c->length - 1 + in_window - 1) / in_window, n_texts = c->n_windows * in_window;
    snprintf(c->calibration, sizeof c->calibration, "texts of %d tokens written by the model after token %d, seed %lld", piece,
             first, (long long)c->job->seed);
    int status = STAC_NEW(texts, (size_t)n_texts * (piece + 1), "calibration texts", err);
    STAC_TRY_DONE(agree(c, status, err));
    struct stac_sample_request request = {.ranks = c->ranks,
                                          .grid = &c->grid,
                                          .log = c->log,
                                          .net = &c->net,
                                          .device = c->hardware.device,
                                          .checkpoint = c->checkpoint,
                                          .n_vocab = hp->n_vocab,
                                          .first = first,
                                          .seed = (uint64_t)c->job->seed,
                                          .n = n_texts,
                                          .length = piece + 1};
    STAC_TRY_DONE(stac_sample_windows(&request, texts, err));
    for (int i = 0; i < c->n_windows; i++) {
        int32_t *window = c->tokens + (size_t)i * c->length;
        window[0] = first;
        for (int at = 1, text = i * in_window; at < c->length; at += piece, text++)
            memcpy(window + at, texts + (size_t)text * (piece + 1) + 1, (size_t)smaller(piece, c->length - at) * sizeof *texts);
    }
done:
    free(texts);
    return status;
}

/* The part of the model that is here: to_run, as small as it can be while texts are written; or to be rewritten. */
static int load(struct stac_conversion *c, bool to_run, struct stac_error *err) {
    int status;
    stac_network_clean(&c->net);
    if (c->grid.stage >= 0)
        status = stac_network_load(c->model, c->part, to_run, &c->net, err);
    else
        status = stac_network_init(&c->net, stac_model_hparams(c->model), c->part, err);
    return agree(c, status, err);
}

static int calibration_windows(struct stac_conversion *c, struct stac_error *err) {
    if (c->windows) return agree(c, windows_of_file(c, err), err);
    if (c->job->calibration_text[0]) return windows_of_text(c, err);
    STAC_TRY(load(c, true, err));
    return windows_of_model(c, err);
}

/* ---- rewriting ---------------------------------------------------------------------------------------------------- */

/* The rotation of the residual stream, made by rank 0 and given to all: other machines may round otherwise. */
static int draw_rotation(struct stac_conversion *c, struct stac_error *err) {
    int d = stac_model_hparams(c->model)->n_embd;
    int status = STAC_NEW(c->rotation, (size_t)d * d, "a rotation", err);
    if (status == STAC_OK && c->ranks->rank == 0)
        status = stac_random_orthogonal(d, (uint64_t)c->job->seed, 0, c->rotation, err);
    STAC_TRY(agree(c, status, err));
    return stac_broadcast(c->ranks->comm, c->rotation, (size_t)d * d * sizeof *c->rotation, 0, err);
}

/* Norms folded, the residual stream rotated. Not collective. */
static int fold_and_rotate(const struct stac_conversion *c, struct stac_network *net, struct stac_error *err) {
    STAC_TRY(stac_fold_norms(net, err));
    return c->rotation ? stac_rotate_residual(net, c->rotation, err) : STAC_OK;
}

/* The heads of the layers of a stage, rotated as its first group draws it. `status` is what the rank brings. Collective over
 * the ranks of the stage. */
static int rotate_heads(struct stac_conversion *c, int status, struct stac_error *err) {
    size_t n = stac_head_rotations_size(&c->net);
    float *rotations = NULL;
    if (status == STAC_OK) status = STAC_NEW(rotations, n, "rotations", err);
    if (status == STAC_OK && c->grid.group == 0) status = stac_head_rotations(&c->net, (uint64_t)c->job->seed, rotations, err);
    STAC_TRY_DONE(stac_agree(c->ranks, c->grid.stage_comm, status, err));
    STAC_TRY_DONE(stac_broadcast(c->grid.stage_comm, rotations, n * sizeof *rotations, 0, err));
    status = stac_rotate_heads(&c->net, rotations, err);
done:
    free(rotations);
    return status;
}

static int rewrite(struct stac_conversion *c, struct stac_error *err) {
    int status = STAC_OK;
    bool turned = !stac_job_without(c->job, STAC_STEP_ROTATION);
    if (c->job->activation == STAC_JOB_RELU) c->net.hp.activation = STAC_ACT_RELU;
    if (turned) STAC_TRY(draw_rotation(c, err));
    if (c->grid.stage >= 0) status = fold_and_rotate(c, &c->net, err);
    if (c->grid.stage >= 0 && turned) status = rotate_heads(c, status, err);
    return agree(c, status, err);
}

/* The embedding once more, as it was before it was dropped. */
static int load_embedding(struct stac_conversion *c, struct stac_error *err) {
    struct stac_part part = {0, 0, c->part.embedding, false};
    struct stac_network table = {0};
    int status = stac_network_load(c->model, part, false, &table, err);
    if (status == STAC_OK) status = fold_and_rotate(c, &table, err);
    c->net.token_embd = table.token_embd;
    c->net.position_embd = table.position_embd;
    table.token_embd = table.position_embd = NULL;
    stac_network_clean(&table);
    return status;
}

/* ---- learning ----------------------------------------------------------------------------------------------------- */

/* Trial codes: coarse enough that their damage stands out, fine enough that it is of the kind that the final codes do. */
static const double trial_price[STAC_SITE_KINDS] = {
    [STAC_SITE_ATTN_IN] = 0.01, [STAC_SITE_Q] = 0.02,       [STAC_SITE_P] = 1e-4,       [STAC_SITE_O_IN] = 0.02,
    [STAC_SITE_MLP_IN] = 0.01,  [STAC_SITE_DOWN_IN] = 0.01, [STAC_SITE_HEAD_IN] = 0.01,
};

static int build_codes(const struct stac_conversion *c, const struct stac_statistics *stats, struct stac_code *codes,
                       struct stac_error *err) {
    for (int i = 0; i < stats->n_sites; i++) STAC_TRY(stac_plan_build(&c->plan[i], (int)c->job->timesteps, &codes[i], err));
    return STAC_OK;
}

/* Plans are made by rank 0 and given to all: other machines may round their logarithms otherwise. */
static int share_plan(struct stac_conversion *c, int n_sites, int status, struct stac_error *err) {
    STAC_TRY(agree(c, status, err));
    STAC_TRY(stac_broadcast(c->ranks->comm, &c->expected_ac_per_mac, sizeof c->expected_ac_per_mac, 0, err));
    return stac_broadcast(c->ranks->comm, c->plan, (size_t)n_sites * sizeof *c->plan, 0, err);
}

/* Built-in sensitivities, the same in every layer. */
static void assume_sensitivity(struct stac_conversion *c, const struct stac_statistics *stats) {
    for (int i = 0; i < stats->n_sites; i++) {
        enum stac_site_kind kind = stac_site_kind_at(&stats->hp, i);
        c->sensitivity[i] = stac_default_sensitivity[kind] / (kind == STAC_SITE_HEAD_IN ? 1 : stats->hp.n_layer);
    }
}

/* Fisher information says how the layers of a kind compare; the damage of trial codes, what the kind costs in all. (A code's
 * errors depend on its values, so that information alone, which is about white noise, can be far off: at p by a factor
 * of ten.) */
static void scale_sensitivity(struct stac_conversion *c, const struct stac_statistics *stats, const double *fisher,
                              const double damage[STAC_SITE_KINDS]) {
    double predicted[STAC_SITE_KINDS] = {0}, total[STAC_SITE_KINDS] = {0};
    for (int i = 0; i < stats->n_sites; i++) {
        enum stac_site_kind kind = stac_site_kind_at(&stats->hp, i);
        predicted[kind] += fisher[i] * c->plan[i].expected.distortion / c->plan[i].power;
    }
    for (int i = 0; i < stats->n_sites; i++) {
        enum stac_site_kind kind = stac_site_kind_at(&stats->hp, i);
        double layers = kind == STAC_SITE_HEAD_IN ? 1 : stats->hp.n_layer;
        /* a site that shows no damage at all still gets a share of the budget */
        double least = 0.01 * stac_default_sensitivity[kind] / layers;
        double measured = predicted[kind] > 0 ? fisher[i] * damage[kind] / predicted[kind] : 0;
        c->sensitivity[i] = measured > least ? measured : least;
        total[kind] += c->sensitivity[i];
    }
    for (int k = 0; k < STAC_SITE_KINDS; k++)
        stac_log_info(c->log, "    sensitivity %-8s %8.3f  (damage of a trial %.5f nats, %.2f of what white noise would do)",
                      stac_site_name((enum stac_site_kind)k), total[k], damage[k], damage[k] / predicted[k]);
}

static int weigh(struct stac_conversion *c, struct stac_calibration *cal, struct stac_error *err) {
    int n_sites = cal->stats.n_sites, status = STAC_OK;
    int trials = smaller(c->n_windows, SENSITIVITY_WINDOWS), gradients = smaller(c->n_windows, FISHER_WINDOWS);
    double damage[STAC_SITE_KINDS], *fisher = NULL;
    struct stac_scheme scheme = stac_scheme_of(c->job);
    struct stac_code *codes = NULL;
    assume_sensitivity(c, &cal->stats);
    if (c->job->mode == STAC_JOB_SIMPLIFIED || !stac_scheme_is_priced(&scheme)) return STAC_OK;
    if (c->ranks->rank == 0) status = stac_plan_trial(&cal->stats, &scheme, trial_price, c->plan, err);
    STAC_TRY(share_plan(c, n_sites, status, err));
    STAC_TRY_DONE(STAC_NEW(fisher, n_sites, "sensitivities", err));
    STAC_TRY_DONE(STAC_NEW(codes, n_sites, "trial codes", err));
    STAC_TRY_DONE(build_codes(c, &cal->stats, codes, err));
    STAC_TRY_DONE(stac_calibrate_damage(cal, codes, trials, damage, err));
    for (int i = 0; i < n_sites; i++) fisher[i] = 1;
    if (!stac_job_without(c->job, STAC_STEP_FISHER))
        STAC_TRY_DONE(stac_calibrate_fisher(cal, (uint64_t)c->job->seed, gradients, fisher, err));
    scale_sensitivity(c, &cal->stats, fisher, damage);
done:
    for (int i = 0; i < n_sites && codes; i++) stac_code_clean(&codes[i]);
    free(codes);
    free(fisher);
    return status;
}

static double decibels(double error) {
    return 10 * log10(error);
}

/* What training gained, block by block: of the last quarter of the windows. */
static int log_training(const struct stac_conversion *c, struct stac_error *err) {
    const struct stac_training *t = &c->training;
    for (int l = 0; t->steps && l < t->n_layer; l++) {
        const double *note = t->note + (size_t)l * STAC_TRAINING_NOTES, *loss = t->loss + (size_t)l * (size_t)(t->steps + 1);
        struct stac_strbuf losses = {0};
        int status = STAC_OK;
        for (int i = 0; i <= t->steps && status == STAC_OK; i++) status = stac_strbuf_printf(&losses, err, " %.6g", loss[i]);
        stac_log_info(c->log, "    block %3d: loss%s", l, stac_strbuf_text(&losses));
        stac_log_info(
            c->log,
            "               step %d kept, %d step weights moved: loss %.6g, error %.3f -> %.3f dB, spikes %.4f of before",
            (int)note[STAC_TRAINING_BEST], (int)note[STAC_TRAINING_REWEIGHED], note[STAC_TRAINING_LOSS_KEPT],
            decibels(note[STAC_TRAINING_ERROR]), decibels(note[STAC_TRAINING_ERROR_KEPT]),
            note[STAC_TRAINING_SPIKES_KEPT] / note[STAC_TRAINING_SPIKES]);
        stac_strbuf_clean(&losses);
        STAC_TRY(status);
    }
    return STAC_OK;
}

static int quantise(struct stac_conversion *c, struct stac_calibration *cal, struct stac_error *err) {
    int timesteps = (int)c->job->timesteps, bits = (int)c->job->quantize_bits, status = STAC_OK;
    if (c->job->mode == STAC_JOB_FULL && !stac_job_without(c->job, STAC_STEP_FIT)) {
        STAC_TRY(stac_fit_network(cal, &c->net, c->plan, timesteps, bits, &c->training, err));
        STAC_TRY(agree(c, load_embedding(c, err), err));
        return log_training(c, err);
    }
    if (c->grid.stage >= 0) status = stac_quantise_network(&c->net, &cal->stats, c->plan, timesteps, bits, err);
    return agree(c, status, err);
}

/* The last rewritings: what is learned from gradients, and the Hadamard transform. */
static int shape(struct stac_conversion *c, struct stac_calibration *cal, struct stac_error *err) {
    struct stac_shaping what = {!stac_job_without(c->job, STAC_STEP_VALUES), !stac_job_without(c->job, STAC_STEP_HIDDEN)};
    bool mixed = c->grid.stage >= 0 && !stac_job_without(c->job, STAC_STEP_HADAMARD);
    if (c->job->mode == STAC_JOB_FULL && (what.values || what.hidden))
        STAC_TRY(stac_shape_network(cal, what, (uint64_t)c->job->seed, smaller(c->n_windows, FISHER_WINDOWS), &c->net, err));
    return agree(c, mixed ? stac_add_hadamard(&c->net, err) : STAC_OK, err);
}

/* Tokens that the codes are planned for. Training runs them over the calibration windows, however long these are. */
static int longest_of(const struct stac_conversion *c) {
    int longest = smaller(c->job->max_context_length, stac_model_hparams(c->model)->n_ctx);
    return c->job->threshold_steps && c->length > longest ? c->length : longest;
}

static int learn(struct stac_conversion *c, struct stac_error *err) {
    const struct stac_hparams *hp = stac_model_hparams(c->model);
    struct stac_calibration cal = {.ranks = c->ranks,
                                   .grid = &c->grid,
                                   .log = c->log,
                                   .hp = hp,
                                   .net = &c->net,
                                   .device = c->hardware.device,
                                   .tokens = c->tokens,
                                   .n_windows = c->n_windows,
                                   .length = c->length,
                                   .checkpoint = c->checkpoint};
    struct stac_scheme scheme = stac_scheme_of(c->job);
    int status = STAC_OK;
    c->training =
        (struct stac_training){.steps = (int)c->job->threshold_steps,
                               .surrogate = {(enum stac_surrogate_kind)c->job->surrogate_function, c->job->surrogate_alpha}};
    STAC_TRY_DONE(stac_calibrate_begin(&cal, err));
    cal.stats.longest = longest_of(c);
    if (c->training.steps) STAC_TRY_DONE(agree(c, stac_training_init(&c->training, hp->n_layer, err), err));
    STAC_TRY_DONE(shape(c, &cal, err));
    STAC_TRY_DONE(STAC_NEW(c->plan, cal.stats.n_sites, "plans", err));
    STAC_TRY_DONE(STAC_NEW(c->sensitivity, cal.stats.n_sites, "sensitivities", err));
    STAC_TRY_DONE(stac_calibrate_means(&cal, err));
    if (stac_job_without(c->job, STAC_STEP_MEANS)) stac_statistics_clear_means(&cal.stats);
    STAC_TRY_DONE(stac_calibrate_histograms(&cal, err));
    STAC_TRY_DONE(weigh(c, &cal, err));
    if (c->ranks->rank == 0)
        status = stac_plan_budget(&cal.stats, &scheme, c->sensitivity, c->job->spike_budget, c->length, c->plan,
                                  &c->expected_ac_per_mac, err);
    STAC_TRY_DONE(share_plan(c, cal.stats.n_sites, status, err));
    stac_log_info(c->log, "  planned: %.3f additions per multiply-accumulate", c->expected_ac_per_mac);
    STAC_TRY_DONE(quantise(c, &cal, err));
    c->stats = cal.stats;
    cal.stats = (struct stac_statistics){0};
done:
    stac_calibrate_end(&cal);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* Without training there is no surrogate to choose. */
static int surrogate_check(const struct stac_job *job, struct stac_error *err) {
    struct stac_job usual;
    int status = stac_job_init(&usual, STAC_CONVERT, err);
    if (status == STAC_OK &&
        (job->surrogate_function != usual.surrogate_function || job->surrogate_alpha != usual.surrogate_alpha))
        status = stac_fail(err, STAC_ERR_USAGE,
                           "surrogate_function and surrogate_alpha are for threshold_steps above 0: leave them out, or set it");
    stac_job_clean(&usual);
    return status;
}

static int training_check(const struct stac_job *job, const struct stac_scheme *scheme, struct stac_error *err) {
    if (!job->threshold_steps) return surrogate_check(job, err);
    if (job->mode != STAC_JOB_FULL || stac_job_without(job, STAC_STEP_FIT) || !stac_scheme_is_priced(scheme))
        return stac_fail(err, STAC_ERR_USAGE, "threshold_steps is for the mode full with its fit and the code ternary");
    if (job->num_samples < 2)
        return stac_fail(err, STAC_ERR_USAGE,
                         "threshold_steps needs num_samples of 2 or more: some to learn from, some to judge by");
    return STAC_OK;
}

/* Up to the calibration windows. */
static int begin(struct stac_conversion *c, struct stac_error *err) {
    const struct stac_hparams *hp = stac_model_hparams(c->model);
    struct stac_scheme scheme = stac_scheme_of(c->job);
    int status;
    STAC_TRY(stac_scheme_check(&scheme, err));
    STAC_TRY(training_check(c->job, &scheme, err));
    STAC_TRY(agree(c, stac_blas_begin(err), err));
    c->n_windows = (int)c->job->num_samples;
    c->length = smaller(c->job->calibration_length, hp->n_ctx);
    STAC_TRY(stac_spread(c->job, c->ranks, hp, &c->grid, &c->stage_begin, &c->part, err));
    stac_log_info(c->log, "%s: %d layers over %d stage%s, %d group%s of ranks", hp->arch, hp->n_layer, c->grid.n_stages,
                  c->grid.n_stages > 1 ? "s" : "", c->grid.n_groups, c->grid.n_groups > 1 ? "s" : "");
    STAC_TRY(stac_hardware_open(&c->hardware, c->job, c->ranks, &c->grid, c->log, err));
    STAC_TRY(stac_hardware_connect(&c->hardware, c->ranks, c->log, err));
    status = STAC_NEW(c->tokens, (size_t)c->n_windows * c->length, "calibration windows", err);
    STAC_TRY(agree(c, status, err));
    return calibration_windows(c, err);
}

/* Whatever came of it. */
static int end(struct stac_conversion *c, int status) {
    stac_hardware_close(&c->hardware, &c->grid);
    if (status != STAC_OK) stac_conversion_clean(c);
    return status;
}

int stac_convert_texts(struct stac_conversion *c, struct stac_error *err) {
    return end(c, begin(c, err));
}

int stac_convert(struct stac_conversion *c, struct stac_error *err) {
    int status = begin(c, err);
    if (status == STAC_OK) status = load(c, false, err);
    if (status == STAC_OK) status = rewrite(c, err);
    if (status == STAC_OK) status = learn(c, err);
    return end(c, status);
}

void stac_conversion_clean(struct stac_conversion *c) {
    stac_network_clean(&c->net);
    stac_statistics_clean(&c->stats);
    stac_grid_clean(&c->grid);
    stac_training_clean(&c->training);
    free(c->plan);
    free(c->sensitivity);
    free(c->stage_begin);
    free(c->tokens);
    free(c->rotation);
    c->rotation = NULL;
    c->plan = NULL;
    c->sensitivity = NULL;
    c->stage_begin = NULL;
    c->tokens = NULL;
}
