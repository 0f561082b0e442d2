#include "eval/raster.h"

#include <stdio.h>
#include <string.h>

#include "dist/merge.h"
#include "net/product.h"

static const char sentence[] = "Spikes are sent only when there is something to say.";

struct watch {
    const struct stac_run *run;
    struct stac_raster *raster;
};

/* The words of the rows that enter one of the sites. */
static void see(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld) {
    struct watch *w = ctx;
    struct stac_raster *r = w->raster;
    (void)head, (void)n;
    for (int k = 0; k < STAC_RASTER_SITES; k++) {
        if (site->kind != r->kind[k] || site->layer != r->layer) continue;
        for (int i = 0; i < n_rows && first + i < r->n_tokens; i++) {
            const float *row = x + (size_t)i * (size_t)ld;
            float scale = stac_row_scale(w->run, site, site->width, row);
            stac_neuron_run(&site->code, w->run->kernels_here, r->n_channels[k], row, site->mean, 1.0f / scale,
                            r->word[k][first + i]);
        }
    }
}

/* The sentence in tokens, and what each of them spells. */
static int spell(const struct stac_subject *s, struct stac_tokens *tokens, struct stac_raster *r, struct stac_error *err) {
    STAC_TRY(stac_tokenizer_encode(s->tokenizer, sentence, strlen(sentence), false, tokens, err));
    r->n_tokens = tokens->n < STAC_RASTER_TOKENS ? (int)tokens->n : STAC_RASTER_TOKENS;
    for (int i = 0; i < r->n_tokens; i++) {
        struct stac_strbuf text = {0};
        int status = stac_tokenizer_decode(s->tokenizer, &tokens->id[i], 1, false, &text, err);
        snprintf(r->token[i], sizeof r->token[i], "%s", stac_strbuf_text(&text));
        stac_strbuf_clean(&text);
        STAC_TRY(status);
    }
    return STAC_OK;
}

/* Collective over the stages of a group. */
static int read_sentence(struct stac_stand *stand, const struct stac_tokens *tokens, struct stac_raster *r,
                         struct stac_error *err) {
    struct stac_sessions sessions = {0};
    struct watch watch = {&stand->run[0], r};
    stand->run[0].probe = (struct stac_probe){see, &watch, false};
    int status = stac_sessions_init(&sessions, &stand->pipeline, 0, err);
    if (status == STAC_OK) status = stac_sessions_add(&sessions, 0, tokens->id, (size_t)r->n_tokens, err);
    if (status == STAC_OK) status = stac_sessions_read(&sessions, NULL, NULL, err);
    if (status == STAC_OK) status = stac_pipeline_settle(&stand->pipeline, err);
    stac_sessions_clean(&sessions);
    return status;
}

int stac_raster_measure(struct stac_subject *s, struct stac_raster *out, struct stac_error *err) {
    const int width[STAC_RASTER_SITES] = {s->snn.hp.n_embd, s->snn.hp.n_ff};
    struct stac_tokens tokens = {0};
    struct stac_stand stand = {0};
    int status = STAC_OK;
    *out = (struct stac_raster){.layer = s->snn.hp.n_layer / 2,
                                .timesteps = s->snn.timesteps,
                                .kind = {STAC_SITE_ATTN_IN, STAC_SITE_DOWN_IN}};
    for (int k = 0; k < STAC_RASTER_SITES; k++)
        out->n_channels[k] = width[k] < STAC_RASTER_CHANNELS ? width[k] : STAC_RASTER_CHANNELS;
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, spell(s, &tokens, out, err), err));
    STAC_TRY_DONE(stac_stand_init_on_processors(&stand, s, STAC_SNN, 1, out->n_tokens, out->n_tokens, err));
    if (s->grid.stage >= 0 && s->grid.group == 0) status = read_sentence(&stand, &tokens, out, err);
    STAC_TRY_DONE(stac_agree(s->ranks, s->ranks->comm, status, err));
    /* one rank has the layer; the others have zeros */
    status = stac_merge_to_all(s->ranks,
                               &(struct stac_partial){STAC_ADD_I64, (int64_t *)out->word, sizeof out->word / sizeof(int64_t)},
                               1, err);
    out->measured = status == STAC_OK;
done:
    stac_stand_clean(&stand);
    stac_tokens_clean(&tokens);
    return status;
}
