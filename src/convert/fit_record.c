#include "convert/fit_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spike/recipe.h"

enum { MOST_PRODUCTS = 4, MOST_PARTS = 3 * MOST_PRODUCTS + 2 + 3 * STAC_SITE_HEAD_IN };

static void name_of(int layer, char name[STAC_RECORD_NAME]) {
    snprintf(name, STAC_RECORD_NAME, "fit-%04d", layer);
}

/* Rows of a layer in what training gave. */
static size_t loss_row(const struct stac_training *t, int layer, double **row) {
    *row = t->loss + (size_t)layer * (size_t)(t->steps + 1);
    return (size_t)(t->steps + 1) * sizeof **row;
}

static size_t note_row(const struct stac_training *t, int layer, double **row) {
    *row = t->note + (size_t)layer * STAC_TRAINING_NOTES;
    return STAC_TRAINING_NOTES * sizeof **row;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

/* A code without its tables, which follow as bytes of their own: words and thresholds of a table. */
static int add_code(const struct stac_code *code, struct stac_code *plain, struct stac_bytes *part) {
    size_t levels = code->word ? (size_t)code->n_levels : 0;
    *plain = *code;
    plain->word = NULL;
    plain->levels = (struct stac_levels){0};
    part[0] = (struct stac_bytes){plain, sizeof *plain};
    part[1] = (struct stac_bytes){code->word, levels * sizeof *code->word};
    part[2] = (struct stac_bytes){code->levels.threshold, levels ? (levels - 1) * sizeof *code->levels.threshold : 0};
    return 3;
}

void stac_fit_keep(struct stac_checkpoint *c, const struct stac_fitted *f) {
    struct stac_bytes part[MOST_PARTS];
    struct stac_code plain[STAC_SITE_HEAD_IN];
    char name[STAC_RECORD_NAME];
    int n = 0;
    for (int i = 0; i < f->n_linear; i++) {
        const struct stac_linear *l = f->linear[i];
        part[n++] = (struct stac_bytes){l->q, (size_t)l->n_in * (size_t)l->n_out};
        part[n++] = (struct stac_bytes){l->scale, (size_t)l->n_out * sizeof *l->scale};
        part[n++] = (struct stac_bytes){l->bias, l->bias ? (size_t)l->n_out * sizeof *l->bias : 0};
    }
    if (f->block) {
        double *row;
        part[n].size = loss_row(f->training, f->layer, &row), part[n++].data = row;
        part[n].size = note_row(f->training, f->layer, &row), part[n++].data = row;
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) n += add_code(&f->block->site[k].code, &plain[k], part + n);
    }
    name_of(f->layer, name);
    stac_checkpoint_put(c, name, part, (size_t)n, false);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

char *stac_fit_find(struct stac_checkpoint *c, int layer, size_t *size) {
    char name[STAC_RECORD_NAME];
    name_of(layer, name);
    return stac_checkpoint_get(c, name, 0, size);
}

struct rest {
    const char *at;
    size_t left;
};

static bool take(struct rest *r, void *to, size_t n) {
    if (n > r->left) return false;
    if (n) memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
    return true;
}

static int is_short(int layer, struct stac_error *err) {
    return stac_fail(err, STAC_ERR_INPUT, "the checkpoint of layer %d is not that of such a layer", layer);
}

static int take_linear(struct rest *r, const struct stac_linear *l, struct stac_linear *out, int layer,
                       struct stac_error *err) {
    size_t n = (size_t)l->n_in * (size_t)l->n_out, row = (size_t)l->n_out * sizeof(float);
    if (n + 2 * row > r->left) return is_short(layer, err);
    STAC_TRY(STAC_NEW(out->q, n, "integer weights", err));
    STAC_TRY(STAC_NEW(out->scale, l->n_out, "weight scales", err));
    STAC_TRY(STAC_NEW(out->bias, l->n_out, "a bias", err));
    take(r, out->q, n);
    take(r, out->scale, row);
    take(r, out->bias, row);
    return STAC_OK;
}

/* Whether the numbers of a trained code are within bounds; what they make together is checked when it is restored. */
static bool is_sane(const struct stac_code *c) {
    const struct stac_base *b = &c->base;
    return c->kind == STAC_CODE_TERNARY && (c->neuron.kind == STAC_NEURON_TABLE || c->neuron.kind == STAC_NEURON_CAUSAL) &&
           c->timesteps >= 1 && c->timesteps <= STAC_MAX_TIMESTEPS && c->n_levels >= 1 && c->n_levels <= STAC_MAX_LEVELS &&
           b->n_classes >= 0 && b->n_classes <= STAC_MAX_CLASSES && b->shift >= 0 && b->shift <= 15 && b->heavy >= 0 &&
           b->heavy <= STAC_MAX_HEAVY && b->curve >= 0 && b->curve <= 1000 && b->ratio >= 0 && b->ratio <= 1000;
}

/* A ternary code, the only kind that is trained. */
static int take_code(struct rest *r, struct stac_code *out, int layer, struct stac_error *err) {
    struct stac_code plain;
    struct stac_word *words = NULL;
    float *thresholds = NULL;
    int status = STAC_OK;
    if (!take(r, &plain, sizeof plain) || !is_sane(&plain)) return is_short(layer, err);
    plain.word = NULL; /* whatever the record says: these are made anew */
    plain.levels = (struct stac_levels){0};
    if (plain.neuron.kind != STAC_NEURON_TABLE) {
        *out = plain;
        return stac_recipe_restore(out, err);
    }
    size_t levels = (size_t)plain.n_levels;
    STAC_TRY_DONE(STAC_NEW(words, levels, "a code", err));
    STAC_TRY_DONE(STAC_NEW(thresholds, levels, "a code", err));
    if (!take(r, words, levels * sizeof *words) || !take(r, thresholds, (levels - 1) * sizeof *thresholds))
        status = is_short(layer, err);
    else
        status = stac_code_restore(out, plain.timesteps, plain.base, plain.mantissa, plain.unit, plain.n_levels, words,
                                   thresholds, err);
done:
    free(words);
    free(thresholds);
    return status;
}

/* What was read takes the place of what was there. */
static void put(const struct stac_fitted *f, struct stac_linear *linear, struct stac_code *code) {
    for (int i = 0; i < f->n_linear; i++) {
        struct stac_linear held = *f->linear[i];
        *f->linear[i] = linear[i];
        linear[i] = held;
    }
    for (int k = 0; f->block && k < STAC_SITE_HEAD_IN; k++) {
        struct stac_code held = f->block->site[k].code;
        f->block->site[k].code = code[k];
        code[k] = held;
    }
}

int stac_fit_restore(const char *bytes, size_t size, const struct stac_fitted *f, struct stac_error *err) {
    struct rest r = {bytes, size};
    struct stac_linear linear[MOST_PRODUCTS] = {{0}};
    struct stac_code code[STAC_SITE_HEAD_IN] = {{0}};
    int status = STAC_OK;
    for (int i = 0; i < f->n_linear; i++) {
        linear[i] = (struct stac_linear){.n_in = f->linear[i]->n_in, .n_out = f->linear[i]->n_out};
        STAC_TRY_DONE(take_linear(&r, f->linear[i], &linear[i], f->layer, err));
    }
    if (f->block) {
        double *loss, *note;
        size_t losses = loss_row(f->training, f->layer, &loss), notes = note_row(f->training, f->layer, &note);
        if (!take(&r, loss, losses) || !take(&r, note, notes)) status = is_short(f->layer, err);
        for (int k = 0; k < STAC_SITE_HEAD_IN && status == STAC_OK; k++) status = take_code(&r, &code[k], f->layer, err);
        if (status != STAC_OK) goto done;
    }
    if (r.left) {
        status = is_short(f->layer, err);
        goto done;
    }
    put(f, linear, code);
done:
    for (int i = 0; i < f->n_linear; i++) stac_linear_clean(&linear[i]);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) stac_code_clean(&code[k]);
    return status;
}
