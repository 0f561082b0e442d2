#include "eval/layers.h"

#include <stdlib.h>

#include "base/memory.h"
#include "convert/recode.h"

enum { TOKENS = 256, BITS = 10 };

/* Codes of the sites of this part, in the order of the network: those that spike and those that do not. */
struct codes {
    struct stac_site **site; /* [n] */
    struct stac_code *spikes, *integers;
    int n;
};

static void codes_clean(struct codes *c) {
    for (int i = 0; i < c->n; i++) {
        c->site[i]->code = c->spikes[i];
        stac_code_clean(&c->integers[i]);
    }
    free(c->site);
    free(c->spikes);
    free(c->integers);
    *c = (struct codes){0};
}

static int codes_init(struct codes *c, struct stac_network *net, struct stac_error *err) {
    int blocks = net->last - net->first, most = blocks * STAC_SITE_HEAD_IN + 1, n = 0;
    STAC_TRY(STAC_NEW(c->site, most, "sites", err));
    STAC_TRY(STAC_NEW(c->spikes, most, "codes", err));
    STAC_TRY(STAC_NEW(c->integers, most, "codes", err));
    for (int l = 0; l < blocks; l++)
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) c->site[n++] = &net->block[l].site[k];
    if (net->has_head) c->site[n++] = &net->head_in;
    for (int i = 0; i < n; i++) c->spikes[i] = c->site[i]->code;
    c->n = n;
    return STAC_OK;
}

/* The integers that a plan gives the sites. */
static int codes_build(struct codes *c, const struct stac_recoding *r, struct stac_error *err) {
    for (int i = 0; i < c->n; i++)
        STAC_TRY(stac_plan_build(&r->plan[stac_site_index(&r->stats.hp, c->site[i])], 1, &c->integers[i], err));
    return STAC_OK;
}

/* Layers before `spiking` spike; at n_layer + 1 the head too. */
static int codes_choose(struct codes *c, struct stac_subject *s, int spiking, struct stac_error *err) {
    for (int i = 0; i < c->n; i++) {
        int layer = c->site[i]->kind == STAC_SITE_HEAD_IN ? s->hp.n_layer : c->site[i]->layer;
        c->site[i]->code = layer < spiking ? c->spikes[i] : c->integers[i];
    }
    return stac_agree(s->ranks, s->ranks->comm, stac_subject_place(s, STAC_SNN, err), err);
}

static int plan_integers(struct stac_subject *s, struct stac_recoding *r, struct stac_error *err) {
    const struct stac_scheme scheme = {.code = STAC_CODE_INTEGER, .timesteps = 1, .activation_bits = BITS};
    r->ranks = s->ranks;
    int status = STAC_NEW(r->plan, stac_site_count(&s->snn.hp), "plans", err);
    if (status == STAC_OK) status = stac_snn_read_design(&s->snn, &r->stats, r->plan, err);
    STAC_TRY(stac_agree(s->ranks, s->ranks->comm, status, err));
    return stac_recode_plan(r, &scheme, 1, err);
}

struct walk {
    struct stac_subject *s; /* silent */
    const struct stac_reading *text;
    struct codes *codes;
    struct stac_layers *out;
    struct stac_kept kept;
    int64_t tokens;
    struct stac_progress progress;
};

/* Steps [from, to). Every rank learns their figures; that of rank 0 are kept. */
static int walk_steps(void *ctx, int from, int to, struct stac_error *err) {
    struct walk *w = ctx;
    if (!w->kept.x) STAC_TRY(stac_score_keep(w->s, w->text, &w->kept, err));
    for (int i = from; i < to; i++) {
        struct stac_score score = {0};
        stac_progress_fact(&w->progress, "spiking layers", i);
        STAC_TRY(codes_choose(w->codes, w->s, i, err));
        STAC_TRY(stac_score_text(w->s, w->text, &w->kept, &score, err));
        if (w->s->ranks->rank == 0) {
            w->tokens = (int64_t)score.tokens;
            w->out->step[i] = (struct stac_layer_step){score.ratio, score.kl, score.top1, stac_ac_per_mac(&score.total)};
        }
        stac_score_clean(&score);
        stac_progress_step(&w->progress, 1);
    }
    return STAC_OK;
}

static void skip_steps(void *ctx, int n) {
    stac_progress_skip(&((struct walk *)ctx)->progress, n);
}

static int walk(struct walk *w, const struct stac_log *log, struct stac_error *err) {
    struct stac_partial part[2] = {{STAC_ADD_F64, w->out->step, (size_t)w->out->n * (sizeof *w->out->step / sizeof(double))},
                                   {STAC_MAX_I64, &w->tokens, 1}};
    struct stac_pieces work = {w->s->ranks, w->s->checkpoint, "layers", part, 2, w->out->n, 1, walk_steps, skip_steps, w};
    stac_progress_begin(&w->progress, log, "layer by layer", w->out->n, "passes");
    int status = stac_work_in_pieces(&work, err);
    if (status == STAC_OK) stac_progress_end(&w->progress);
    w->out->tokens = (size_t)w->tokens;
    stac_kept_clean(&w->kept);
    return status;
}

/* Of a subject that is silent. */
static int measure(struct stac_subject *s, const struct stac_reading *text, const struct stac_log *log, struct stac_layers *out,
                   struct stac_error *err) {
    struct stac_recoding recoding = {0};
    struct codes codes = {0};
    int status = STAC_OK;
    STAC_TRY_DONE(plan_integers(s, &recoding, err));
    status = STAC_NEW(out->step, out->n, "layers", err);
    if (status == STAC_OK && s->grid.stage >= 0) status = codes_init(&codes, &s->net[STAC_SNN], err);
    if (status == STAC_OK) status = codes_build(&codes, &recoding, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    struct walk w = {.s = s, .text = text, .codes = &codes, .out = out};
    STAC_TRY_DONE(walk(&w, log, err));
    STAC_TRY_DONE(codes_choose(&codes, s, s->hp.n_layer + 1, err)); /* as it was */
done:
    codes_clean(&codes);
    stac_recoding_clean(&recoding);
    return status;
}

int stac_layers_measure(struct stac_subject *s, const struct stac_reading *text, struct stac_layers *out,
                        struct stac_error *err) {
    static const struct stac_log silent = {0};
    const struct stac_job *asked = s->job;
    const struct stac_log *log = s->log;
    struct stac_job job = *asked;
    struct stac_reading start = *text;
    *out = (struct stac_layers){.n = s->hp.n_layer + 2};
    job.neurobench = ""; /* of the whole network only */
    if (start.n > TOKENS) start.n = TOKENS;
    if (start.context > TOKENS) start.context = start.stride = TOKENS;
    s->job = &job;
    s->log = &silent;
    int status = measure(s, &start, log, out, err);
    s->job = asked;
    s->log = log;
    if (status != STAC_OK) stac_layers_clean(out);
    return status;
}

void stac_layers_clean(struct stac_layers *l) {
    free(l->step);
    *l = (struct stac_layers){0};
}
