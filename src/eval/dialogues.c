#include "eval/dialogues.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* A member that must be a text. */
static int text_of(const json_t *object, const char *where, const char *key, const char **out, struct stac_error *err) {
    STAC_TRY(stac_json_string_or(object, where, key, NULL, out, err));
    return *out ? STAC_OK : stac_fail(err, STAC_ERR_INPUT, "%s: %s is missing", where, key);
}

static int read_turn(const json_t *json, const char *where, struct stac_turn *turn, struct stac_error *err) {
    const json_t *expected = json_object_get(json, "expect");
    STAC_TRY(text_of(json, where, "user", &turn->user, err));
    STAC_TRY(text_of(json, where, "assistant", &turn->assistant, err));
    if (!expected) return STAC_OK;
    size_t n = json_array_size(expected);
    if (n < 1 || n > STAC_MOST_EXPECTED)
        return stac_fail(err, STAC_ERR_INPUT, "%s: expect must be a list of 1 to %d texts", where, STAC_MOST_EXPECTED);
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(expected, i));
        if (!word || !*word) return stac_fail(err, STAC_ERR_INPUT, "%s: expect holds something that is no text", where);
        turn->expected[turn->n_expected++] = word;
    }
    return STAC_OK;
}

/* Index of a kind, which is new if it was not seen before. */
static int kind_of(struct stac_dialogues *d, const char *where, const char *kind, int *out, struct stac_error *err) {
    for (*out = 0; *out < d->n_kinds; (*out)++)
        if (strcmp(d->kind[*out], kind) == 0) return STAC_OK;
    if (d->n_kinds == STAC_MOST_KINDS)
        return stac_fail(err, STAC_ERR_INPUT, "%s: more than %d kinds of conversations", where, STAC_MOST_KINDS);
    d->kind[d->n_kinds++] = kind;
    return STAC_OK;
}

static int read_dialogue(struct stac_dialogues *d, const char *name, size_t i, const json_t *json, struct stac_error *err) {
    struct stac_dialogue *one = &d->at[i];
    char where[256];
    const char *kind;
    snprintf(where, sizeof where, "%s, conversation %zu", name, i);
    if (!json_is_object(json)) return stac_fail(err, STAC_ERR_INPUT, "%s: not an object", where);
    STAC_TRY(text_of(json, where, "name", &one->name, err));
    STAC_TRY(text_of(json, where, "kind", &kind, err));
    STAC_TRY(kind_of(d, where, kind, &one->kind, err));
    const json_t *turns = json_object_get(json, "turns");
    size_t n = json_array_size(turns);
    if (n < 1 || n > STAC_MOST_TURNS)
        return stac_fail(err, STAC_ERR_INPUT, "%s (%s): turns must be a list of 1 to %d", where, one->name, STAC_MOST_TURNS);
    for (one->n_turns = 0; one->n_turns < (int)n; one->n_turns++)
        STAC_TRY(read_turn(json_array_get(turns, (size_t)one->n_turns), where, &one->turn[one->n_turns], err));
    if (one->n_turns > d->longest) d->longest = one->n_turns;
    return STAC_OK;
}

int stac_dialogues_parse(const char *name, const char *text, size_t size, struct stac_dialogues *out, struct stac_error *err) {
    int status = STAC_OK;
    *out = (struct stac_dialogues){0};
    STAC_TRY(stac_json_parse(name, text, size, &out->json, err));
    const json_t *list = json_object_get(out->json, "conversations");
    out->n = json_array_size(list);
    if (out->n == 0) status = stac_fail(err, STAC_ERR_INPUT, "%s: no list of conversations", name);
    if (status == STAC_OK) status = STAC_NEW(out->at, out->n, "conversations", err);
    for (size_t i = 0; i < out->n && status == STAC_OK; i++) status = read_dialogue(out, name, i, json_array_get(list, i), err);
    if (status != STAC_OK) stac_dialogues_clean(out);
    return status;
}

void stac_dialogues_clean(struct stac_dialogues *d) {
    json_decref(d->json);
    free(d->at);
    *d = (struct stac_dialogues){0};
}

void stac_dialogues_thin(struct stac_dialogues *d, size_t n) {
    if (n == 0 || n >= d->n) return;
    d->longest = 0;
    for (size_t i = 0; i < n; i++) {
        d->at[i] = d->at[i * d->n / n];
        if (d->at[i].n_turns > d->longest) d->longest = d->at[i].n_turns;
    }
    d->n = n;
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

bool stac_turn_is_right(const struct stac_turn *turn, const char *answer) {
    for (int i = 0; i < turn->n_expected; i++) {
        size_t n = strlen(turn->expected[i]);
        for (const char *at = answer; *at; at++) {
            size_t same = 0;
            while (same < n && tolower((unsigned char)at[same]) == tolower((unsigned char)turn->expected[i][same])) same++;
            if (same == n && !is_word(at[n]) && (at == answer || !is_word(at[-1]))) return true;
        }
    }
    return false;
}
