/* A kept set of conversations: a JSON object {"conversations": [{"name", "kind", "turns": [{"user", "assistant", "expect"}]}]}.
 * A turn with `expect` is one that a model answers itself; the answer is right when it holds one of these texts. */
#ifndef STAC_EVAL_DIALOGUES_H
#define STAC_EVAL_DIALOGUES_H

#include "base/json.h"

enum { STAC_MOST_TURNS = 16, STAC_MOST_EXPECTED = 4, STAC_MOST_KINDS = 8 };

struct stac_turn {
    const char *user, *assistant; /* borrowed from the set */
    const char *expected[STAC_MOST_EXPECTED];
    int n_expected; /* 0: nothing is asked of the model */
};

struct stac_dialogue {
    const char *name;
    int kind; /* index in kinds */
    int n_turns;
    struct stac_turn turn[STAC_MOST_TURNS];
};

struct stac_dialogues {
    json_t *json; /* owned */
    size_t n;
    struct stac_dialogue *at; /* [n] owned */
    const char *kind[STAC_MOST_KINDS];
    int n_kinds;
    int longest; /* turns of the longest one */
};

/* The set that is built in: configs/conversations.json. */
extern const char stac_kept_conversations[];

/* Read a set; `name` goes before errors, which are STAC_ERR_INPUT and say which conversation is meant. Not collective. */
int stac_dialogues_parse(const char *name, const char *text, size_t size, struct stac_dialogues *out, struct stac_error *err);
void stac_dialogues_clean(struct stac_dialogues *d);

/* Keep `n` conversations only, evenly picked; 0: all of them. */
void stac_dialogues_thin(struct stac_dialogues *d, size_t n);

/* Whether an answer holds one of the texts that are expected, whatever the case of ASCII letters, as a word of its own. */
bool stac_turn_is_right(const struct stac_turn *turn, const char *answer);

#endif
