/* The table of keys. */
#ifndef STAC_JOB_KEYS_H
#define STAC_JOB_KEYS_H

#include "job/job.h"

enum stac_key_type {
    STAC_KEY_TEXT,
    STAC_KEY_INT,
    STAC_KEY_REAL,
    STAC_KEY_BOOL,
    STAC_KEY_CHOICE,
    STAC_KEY_INTS, /* several values, separated by commas: a struct stac_job_list */
    STAC_KEY_REALS,
    STAC_KEY_CHOICES
};

static inline bool stac_key_is_list(enum stac_key_type type) {
    return type >= STAC_KEY_INTS;
}

struct stac_key {
    const char *name;  /* in YAML; --name on the command line */
    unsigned programs; /* enum stac_program, or-ed */
    enum stac_key_type type;
    size_t offset;        /* in struct stac_job */
    const char *fallback; /* default, as text */
    double low, high;     /* accepted numbers, both included */
    const char *words;    /* choices, separated by '|' */
    const char *unit;     /* "" for none */
    const char *planned;  /* not NULL: refused, and this says what it will do */
    const char *group;    /* heading */
    const char *help;     /* one sentence */
};

/* The keys, n of them, in the order of help and reference. */
const struct stac_key *stac_keys(size_t *n);

/* Whether a key changes no result: where things lie, how ranks share the work, what is shown. */
bool stac_key_is_neutral(const struct stac_key *key);

/* The word with that index in "a|b|c". */
void stac_key_word(const char *words, int64_t index, char *out, size_t size);

/* The key of a program by name, or NULL; *nearest receives the most similar name. */
const struct stac_key *stac_key_find(enum stac_program program, const char *name, const char **nearest);

/* A flag that is another spelling of a key with a value ("--simplified" is mode simplified). */
struct stac_key_alias {
    const char *flag, *key, *value;
    unsigned programs;
};
const struct stac_key_alias *stac_key_alias(enum stac_program program, const char *flag);

#endif
