#include "eval/request.h"

#include "eval/reading.h"

/* ---- what is asked ------------------------------------------------------------------------------------------------ */

/* By its name; `able`: the sides are there for it, so that test_all means it too. */
static bool asked(const struct stac_job *job, bool by_name, bool able) {
    return by_name || (job->test_all && able);
}

static bool has_both(const struct stac_subject *s) {
    return s->side[STAC_BASELINE] && s->side[STAC_SNN];
}

/* Some side can be compared with itself, read in pieces and at once. */
static bool has_pieces(const struct stac_subject *s) {
    return s->side[STAC_BASELINE] || stac_subject_holds_in_pieces(s, STAC_SNN);
}

/* Checks of a text; and those without one. */
static bool checks_text(const struct stac_request *r) {
    return r->perplexity || r->fidelity || r->energy || r->spike_rates;
}

static bool checks_itself(const struct stac_request *r) {
    return r->multi_turn || r->attention_mask || r->position_boundaries || r->temporal || r->tsp_state || r->parity_multi_turn;
}

static struct stac_request make_out(const struct stac_subject *s) {
    const struct stac_job *job = s->job;
    bool snn = s->side[STAC_SNN], both = has_both(s), pieces = has_pieces(s);
    struct stac_request r = {
        .perplexity = asked(job, job->test_perplexity, true),
        .fidelity = asked(job, job->test_fidelity, both),
        .energy = asked(job, job->test_energy, both),
        .spike_rates = asked(job, job->test_spike_rates, snn),
        .layers = asked(job, false, both && s->snn.neuron != STAC_NEURON_ST_BIF),
        .raster = asked(job, false, snn && s->snn.neuron != STAC_NEURON_ST_BIF && s->snn.code != STAC_CODE_INTEGER),
        .multi_turn = asked(job, job->test_multi_turn, pieces),
        .attention_mask = asked(job, job->test_attention_mask, true),
        .position_boundaries = asked(job, job->test_position_boundaries, pieces),
        .temporal = asked(job, job->test_temporal, snn),
        .tsp_state = asked(job, job->test_tsp_state, pieces),
        .parity_multi_turn = asked(job, job->test_parity_multi_turn, both),
    };
    r.score = checks_text(&r) || (job->text[0] && !checks_itself(&r));
    return r;
}

/* A file of results that is asked for by name, or NULL. */
static const char *result_file(const struct stac_job *job) {
    return job->json[0] ? "json" : job->lm_eval[0] ? "lm_eval" : job->neurobench[0] ? "neurobench" : job->csv[0] ? "csv" : NULL;
}

/* ---- whether it can be ------------------------------------------------------------------------------------------ */

static bool same_list(const struct stac_job_list *a, const struct stac_job_list *b) {
    bool same = a->n == b->n;
    for (int i = 0; i < a->n && same; i++) same = a->at[i] == b->at[i];
    return same;
}

/* What is to be swept says nothing without a sweep: a network has the codes that its file holds. */
static int check_sweep_keys(const struct stac_job *job, struct stac_error *err) {
    struct stac_job plain = {0};
    int status = stac_job_init(&plain, STAC_EVAL, err);
    bool swept = !same_list(&job->sweep_timesteps, &plain.sweep_timesteps) ||
                 !same_list(&job->sweep_budget, &plain.sweep_budget) || !same_list(&job->sweep_code, &plain.sweep_code) ||
                 job->target_ratio != plain.target_ratio;
    stac_job_clean(&plain);
    if (status != STAC_OK || !swept) return status;
    return stac_fail(
        err, STAC_ERR_USAGE,
        "timesteps, spike_budget, code and target_ratio belong to --frontier FILE; other codes for a stored network: "
        "stac-convert --from %s",
        job->dir);
}

/* Files and keys that need a text that is read, or spikes. */
static int check_files(const struct stac_subject *s, const struct stac_request *r, struct stac_error *err) {
    const struct stac_job *job = s->job;
    bool file = r->score && job->text[0];
    if (job->lm_eval[0] && !file) return stac_fail(err, STAC_ERR_USAGE, "--lm_eval is about a text: give --text FILE");
    if (job->bos != STAC_JOB_BOS_MODEL && !file)
        return stac_fail(err, STAC_ERR_USAGE, "--bos is about a text: give --text FILE");
    if (!job->neurobench[0]) return STAC_OK;
    if (!r->score)
        return stac_fail(err, STAC_ERR_USAGE,
                         "--neurobench counts while a text is read: give --text FILE or --test_perplexity");
    if (!s->side[STAC_SNN])
        return stac_fail(err, STAC_ERR_USAGE, "--neurobench counts the spikes of the SNN: use --mode snn or both");
    if (s->snn.code == STAC_CODE_INTEGER)
        return stac_fail(err, STAC_ERR_USAGE, "--neurobench counts spikes, and the code integer has none");
    return STAC_OK;
}

/* Every check has the sides that it needs. */
static int check_sides(const struct stac_subject *s, const struct stac_request *r, struct stac_error *err) {
    bool snn = s->side[STAC_SNN], both = has_both(s), pieces = has_pieces(s);
    const char *compares = r->fidelity            ? "test_fidelity"
                           : r->energy            ? "test_energy"
                           : r->parity_multi_turn ? "test_parity_multi_turn"
                                                  : NULL;
    if (compares && !both) return stac_fail(err, STAC_ERR_USAGE, "--%s compares both sides: use --mode both", compares);
    if ((r->temporal || r->spike_rates) && !snn)
        return stac_fail(err, STAC_ERR_USAGE, "--%s needs the SNN: use --mode snn or both",
                         r->temporal ? "test_temporal" : "test_spike_rates");
    if ((r->multi_turn || r->position_boundaries || r->attention_mask) && s->side[STAC_BASELINE] &&
        s->job->dense_products != STAC_JOB_EXACT)
        return stac_fail(err, STAC_ERR_USAGE,
                         "--test_multi_turn, --test_position_boundaries and --test_attention_mask compare bits: use "
                         "--dense_products exact");
    if ((r->multi_turn || r->position_boundaries || r->tsp_state) && !pieces)
        return stac_fail(err, STAC_ERR_USAGE,
                         "--test_multi_turn, --test_position_boundaries and --test_tsp_state compare a text read in pieces and "
                         "at once, which ST-BIF+ neurons tell apart: use --mode both");
    return STAC_OK;
}

static int check_context(const struct stac_subject *s, struct stac_error *err) {
    size_t context = stac_text_context(s), most = (size_t)s->hp.n_ctx;
    if (context <= most) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "--context is %zu, but the model reads at most %zu tokens", context, most);
}

int stac_request_of(const struct stac_subject *s, struct stac_request *out, struct stac_error *err) {
    const struct stac_job *job = s->job;
    *out = make_out(s);
    STAC_TRY(check_sweep_keys(job, err));
    STAC_TRY(check_files(s, out, err));
    if (!out->score && !checks_itself(out))
        return stac_fail(err, STAC_ERR_USAGE, "nothing to do: give --text FILE, --test_all or another check; see --help");
    STAC_TRY(check_sides(s, out, err));
    if (out->score && !job->text[0] && !s->side[STAC_BASELINE])
        return stac_fail(err, STAC_ERR_USAGE, "perplexity without the original needs a text: --text FILE");
    return out->score ? check_context(s, err) : STAC_OK;
}

int stac_request_check_sweep(const struct stac_subject *s, struct stac_error *err) {
    const struct stac_job *job = s->job;
    const struct stac_request r = make_out(s);
    const char *other = checks_text(&r) || checks_itself(&r) ? "checks" : job->ids[0] ? "ids" : result_file(job);
    if (other) return stac_fail(err, STAC_ERR_USAGE, "--frontier writes its own table: leave %s out", other);
    if (!has_both(s))
        return stac_fail(err, STAC_ERR_USAGE, "--frontier holds a converted network against its original: use --mode both");
    return check_context(s, err);
}
