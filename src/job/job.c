#include "job/job.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "job/keys.h"

static void *field(struct stac_job *job, const struct stac_key *key) {
    return (char *)job + key->offset;
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static int set_text(char **to, const char *value, struct stac_error *err) {
    char *copy = stac_strdup(value, err);
    if (!copy) return err->status;
    free(*to);
    *to = copy;
    return STAC_OK;
}

static int set_number(const struct stac_key *key, const char *value, const char *where, double *out, struct stac_error *err) {
    char *end;
    errno = 0;
    double x = strtod(value, &end);
    bool whole = key->type == STAC_KEY_INT || key->type == STAC_KEY_INTS;
    if (*value == 0 || *end || errno || !isfinite(x) || (whole && x != floor(x)) || isspace((unsigned char)*value) ||
        strpbrk(value, "xXpP"))
        return stac_fail(err, STAC_ERR_USAGE, "%s: %s must be a %s, not \"%.60s\"", where, key->name,
                         whole ? "whole number" : "number", value);
    if (x < key->low || x > key->high)
        return stac_fail(err, STAC_ERR_USAGE, "%s: %s is %.12g; accepted are %.12g to %.12g%s%s", where, key->name, x, key->low,
                         key->high, *key->unit ? " " : "", key->unit);
    *out = x;
    return STAC_OK;
}

/* Index of a word in "a|b|c", or -1. */
static int64_t choice(const char *words, const char *value) {
    size_t n = strlen(value);
    int64_t index = 0;
    for (const char *at = words; at; index++) {
        const char *bar = strchr(at, '|');
        size_t length = bar ? (size_t)(bar - at) : strlen(at);
        if (length == n && strncmp(at, value, n) == 0) return index;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

/* A number, or the index of a word. */
static int set_item(const struct stac_key *key, const char *value, const char *where, double *out, struct stac_error *err) {
    if (!key->words) return set_number(key, value, where, out, err);
    int64_t index = choice(key->words, value);
    *out = (double)index;
    if (index >= 0) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "%s: %s must be one of %s, not \"%.60s\"", where, key->name, key->words, value);
}

/* "8, 16, 32" */
static int set_list(const struct stac_key *key, const char *value, const char *where, struct stac_job_list *out,
                    struct stac_error *err) {
    struct stac_job_list list = {0};
    for (const char *at = value;; at++) {
        char item[64];
        while (*at == ' ') at++;
        size_t n = strcspn(at, ","), length = n;
        while (length > 0 && at[length - 1] == ' ') length--;
        snprintf(item, sizeof item, "%.*s", (int)(length < sizeof item ? length : sizeof item - 1), at);
        if (list.n == STAC_LONGEST_LIST)
            return stac_fail(err, STAC_ERR_USAGE, "%s: %s takes at most %d values", where, key->name, STAC_LONGEST_LIST);
        STAC_TRY(set_item(key, item, where, &list.at[list.n], err));
        for (int i = 0; i < list.n; i++)
            if (list.at[i] == list.at[list.n])
                return stac_fail(err, STAC_ERR_USAGE, "%s: %s has %s twice", where, key->name, item);
        list.n++;
        at += n;
        if (!*at) break;
    }
    *out = list;
    return STAC_OK;
}

static int set_value(struct stac_job *job, const struct stac_key *key, const char *value, const char *where,
                     struct stac_error *err) {
    double x;
    if (stac_key_is_list(key->type)) return set_list(key, value, where, field(job, key), err);
    switch (key->type) {
    case STAC_KEY_TEXT:
        if (!stac_is_utf8(value)) /* jobs are recorded as YAML and JSON */
            return stac_fail(err, STAC_ERR_USAGE, "%s: %s is not a text in UTF-8", where, key->name);
        return set_text(field(job, key), value, err);
    case STAC_KEY_INT:
        STAC_TRY(set_number(key, value, where, &x, err));
        *(int64_t *)field(job, key) = (int64_t)x;
        return STAC_OK;
    case STAC_KEY_REAL:
        STAC_TRY(set_number(key, value, where, &x, err));
        *(double *)field(job, key) = x;
        return STAC_OK;
    case STAC_KEY_BOOL:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return stac_fail(err, STAC_ERR_USAGE, "%s: %s must be true or false, not \"%.60s\"", where, key->name, value);
        *(bool *)field(job, key) = *value == 't';
        return STAC_OK;
    default:
        STAC_TRY(set_item(key, value, where, &x, err));
        *(int64_t *)field(job, key) = (int64_t)x;
        return STAC_OK;
    }
}

int stac_job_set(struct stac_job *job, const char *name, const char *value, const char *where, struct stac_error *err) {
    const char *nearest;
    const struct stac_key *key = stac_key_find(job->program, name, &nearest);
    if (!key) return stac_fail(err, STAC_ERR_USAGE, "%s: unknown key \"%.60s\"; did you mean \"%s\"?", where, name, nearest);
    if (key->planned)
        return stac_fail(err, STAC_ERR_USAGE, "%s: %s is refused: %s is not part of this version", where, key->name,
                         key->planned);
    STAC_TRY(set_value(job, key, value, where, err));
    size_t n;
    job->given[key - stac_keys(&n)] = true;
    return STAC_OK;
}

int stac_job_set_folder(struct stac_job *job, const char *folder, struct stac_error *err) {
    if (!stac_is_utf8(folder)) return stac_fail(err, STAC_ERR_USAGE, "the name of the folder is not a text in UTF-8");
    return set_text(&job->dir, folder, err);
}

int stac_job_init(struct stac_job *job, enum stac_program program, struct stac_error *err) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    *job = (struct stac_job){.program = program};
    for (size_t i = 0; i < n; i++) { /* texts of every program are set, so that none is NULL */
        if (key[i].planned || (!(key[i].programs & program) && key[i].type != STAC_KEY_TEXT)) continue;
        STAC_TRY(set_value(job, &key[i], key[i].fallback, "default", err));
    }
    return program == STAC_CONVERT ? stac_job_set_folder(job, "", err) : STAC_OK;
}

void stac_job_clean(struct stac_job *job) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (key[i].type == STAC_KEY_TEXT) free(*(char **)field(job, &key[i]));
    *job = (struct stac_job){0};
}

bool stac_job_gives(const struct stac_job *job, const char *name) {
    size_t n, i = 0;
    const struct stac_key *key = stac_keys(&n);
    while (i < n && strcmp(key[i].name, name) != 0) i++;
    return i < n && job->given[i];
}

/* ---- inheritance -------------------------------------------------------------------------------------------------- */

static bool same_value(struct stac_job *a, struct stac_job *b, const struct stac_key *key) {
    switch (key->type) {
    case STAC_KEY_TEXT: return strcmp(*(char **)field(a, key), *(char **)field(b, key)) == 0;
    case STAC_KEY_REAL: return *(double *)field(a, key) == *(double *)field(b, key);
    case STAC_KEY_BOOL: return *(bool *)field(a, key) == *(bool *)field(b, key);
    default: return *(int64_t *)field(a, key) == *(int64_t *)field(b, key);
    }
}

static int take_value(struct stac_job *to, struct stac_job *from, const struct stac_key *key, struct stac_error *err) {
    switch (key->type) {
    case STAC_KEY_TEXT: return set_text(field(to, key), *(char **)field(from, key), err);
    case STAC_KEY_REAL: *(double *)field(to, key) = *(double *)field(from, key); break;
    case STAC_KEY_BOOL: *(bool *)field(to, key) = *(bool *)field(from, key); break;
    default: *(int64_t *)field(to, key) = *(int64_t *)field(from, key);
    }
    return STAC_OK;
}

static bool is_one_of(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

int stac_job_inherit(struct stac_job *job, const char *name, const char *stored, struct stac_error *err) {
    static const char *const open[] = {"timesteps", "spike_budget",    "code",      "neuron", "levels",
                                       "leak",      "activation_bits", "code_bits", NULL};
    static const char *const own[] = {"from", "verify", "threshold_steps", NULL}; /* of this run */
    struct stac_job old = {0};
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    int status = STAC_OK;
    STAC_TRY_DONE(stac_job_init(&old, job->program, err));
    STAC_TRY_DONE(stac_job_yaml(&old, name, stored, strlen(stored), err));
    for (size_t i = 0; i < n; i++) {
        if (!(key[i].programs & job->program) || key[i].planned || stac_key_is_neutral(&key[i])) continue;
        if (is_one_of(key[i].name, own) || (job->given[i] && is_one_of(key[i].name, open))) continue;
        if (job->given[i] && !same_value(job, &old, &key[i]))
            status = stac_fail(err, STAC_ERR_USAGE, "%s was converted with another %s, which stays: leave it out", name,
                               key[i].name);
        if (status == STAC_OK) status = take_value(job, &old, &key[i], err);
        if (status != STAC_OK) break;
    }
done:
    stac_job_clean(&old);
    return status;
}

bool stac_job_without(const struct stac_job *job, enum stac_job_step step) {
    for (int i = 0; i < job->without.n; i++)
        if ((enum stac_job_step)job->without.at[i] == step) return true;
    return false;
}

/* ---- command line ------------------------------------------------------------------------------------------------- */

static bool is_yaml(const char *name) {
    size_t n = strlen(name);
    return (n > 5 && strcmp(name + n - 5, ".yaml") == 0) || (n > 4 && strcmp(name + n - 4, ".yml") == 0);
}

/* --set key=value */
static int take_set(struct stac_job *job, const char *pair, struct stac_error *err) {
    const char *equals = strchr(pair, '=');
    char name[64];
    if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof name)
        return stac_fail(err, STAC_ERR_USAGE, "--set %.60s: write --set key=value", pair);
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = 0;
    return stac_job_set(job, name, equals + 1, "--set", err);
}

/* Whether the argument is a flag whose value is the next one. */
static bool takes_next(enum stac_program program, const char *argument) {
    const char *nearest;
    if (strncmp(argument, "--", 2) != 0) return false;
    if (strcmp(argument, "--set") == 0) return true;
    const struct stac_key *key = stac_key_find(program, argument + 2, &nearest);
    return key && key->type != STAC_KEY_BOOL;
}

/* One flag at argv[*i]; *i moves past its value. */
static int take_flag(struct stac_job *job, int argc, char *const *argv, int *i, struct stac_error *err) {
    const char *flag = argv[*i] + 2, *equals = strchr(flag, '='), *nearest, *value = equals ? equals + 1 : NULL;
    char name[64], where[80];
    size_t n = equals ? (size_t)(equals - flag) : strlen(flag);
    if (n >= sizeof name) return stac_fail(err, STAC_ERR_USAGE, "unknown flag %.70s...; see --help", argv[*i]);
    memcpy(name, flag, n);
    name[n] = 0;
    snprintf(where, sizeof where, "--%s", name);
    const struct stac_key_alias *alias = stac_key_alias(job->program, name);
    if (alias && !value) return stac_job_set(job, alias->key, alias->value, where, err);
    bool is_set = strcmp(name, "set") == 0;
    const struct stac_key *key = is_set ? NULL : stac_key_find(job->program, name, &nearest);
    if (!is_set && !key)
        return stac_fail(err, STAC_ERR_USAGE, "unknown flag %s; did you mean --%s? (see --help)", where, nearest);
    if (!value && key && key->type == STAC_KEY_BOOL) value = "true";
    if (!value && *i + 1 < argc) value = argv[++*i];
    if (!value) return stac_fail(err, STAC_ERR_USAGE, "%s needs a value; see --help", where);
    return is_set ? take_set(job, value, err) : stac_job_set(job, name, value, where, err);
}

/* A simplified conversion reads few windows unless it is told how many. */
static int choose_windows(struct stac_job *job, struct stac_error *err) {
    const char *nearest;
    const struct stac_key *key = stac_key_find(STAC_CONVERT, "num_samples", &nearest);
    if (job->program != STAC_CONVERT || stac_job_gives(job, key->name)) return STAC_OK;
    return set_value(job, key, job->mode == STAC_JOB_SIMPLIFIED ? "4" : key->fallback, "default", err);
}

int stac_job_command_line(struct stac_job *job, int argc, char *const *argv, const char *yaml, size_t yaml_size,
                          const char **yaml_path, enum stac_job_request *request, struct stac_error *err) {
    static const struct {
        const char *flag;
        enum stac_job_request request;
    } asks[] = {{"--help", STAC_JOB_SHOW_HELP},
                {"-h", STAC_JOB_SHOW_HELP},
                {"--reference", STAC_JOB_SHOW_REFERENCE},
                {"--version", STAC_JOB_SHOW_VERSION}};
    *yaml_path = NULL;
    *request = STAC_JOB_RUN;
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < sizeof asks / sizeof *asks; k++)
            if (strcmp(argv[i], asks[k].flag) == 0) *request = asks[k].request;
    if (*request != STAC_JOB_RUN) return STAC_OK;
    for (int i = 1; i < argc; i++) { /* the file comes first, wherever it stands on the line */
        if (strncmp(argv[i], "--", 2) != 0 && is_yaml(argv[i]) && !*yaml_path) *yaml_path = argv[i];
        if (takes_next(job->program, argv[i])) i++;
    }
    if (!yaml && *yaml_path) return STAC_OK;
    if (yaml) STAC_TRY(stac_job_yaml(job, *yaml_path, yaml, yaml_size, err));
    bool has_dir = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i] == *yaml_path) continue;
        if (strncmp(argv[i], "--", 2) == 0) {
            STAC_TRY(take_flag(job, argc, argv, &i, err));
            continue;
        }
        if (job->program == STAC_CONVERT || has_dir)
            return stac_fail(err, STAC_ERR_USAGE, "unexpected argument \"%.60s\"; flags begin with --, job files end in .yaml",
                             argv[i]);
        STAC_TRY(stac_job_set_folder(job, argv[i], err));
        has_dir = true;
    }
    return choose_windows(job, err);
}
