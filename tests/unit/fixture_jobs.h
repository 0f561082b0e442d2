/* Jobs for the tests of job/: made, set from texts, compared. */
#ifndef STAC_TESTS_FIXTURE_JOBS_H
#define STAC_TESTS_FIXTURE_JOBS_H

#include "fixture_files.h"
#include "job/keys.h"

FX struct stac_job fresh(enum stac_program program) {
    struct stac_error err = {0};
    struct stac_job job;
    OK(stac_job_init(&job, program, &err));
    return job;
}

/* A key's value as text, so that values of every type are compared and shown alike. */
FX const char *value_of(const struct stac_job *job, const struct stac_key *key) {
    static char texts[4][600];
    static int turn;
    char *text = texts[turn++ % 4];
    const void *at = (const char *)job + key->offset;
    const struct stac_job_list *list = at;
    if (stac_key_is_list(key->type)) {
        size_t put = (size_t)snprintf(text, sizeof texts[0], "%d values:", list->n);
        for (int i = 0; i < list->n; i++) put += (size_t)snprintf(text + put, sizeof texts[0] - put, " %.9g", list->at[i]);
        return text;
    }
    switch (key->type) {
    case STAC_KEY_TEXT: snprintf(text, sizeof texts[0], "\"%s\"", *(char *const *)at); break;
    case STAC_KEY_INT: snprintf(text, sizeof texts[0], "%lld", (long long)*(const int64_t *)at); break;
    case STAC_KEY_REAL: snprintf(text, sizeof texts[0], "%a", *(const double *)at); break;
    case STAC_KEY_BOOL: snprintf(text, sizeof texts[0], "%s", *(const bool *)at ? "true" : "false"); break;
    default: snprintf(text, sizeof texts[0], "choice %lld", (long long)*(const int64_t *)at);
    }
    return text;
}

/* All keys but `except` have the same values in both jobs. */
FX void assert_equal_jobs(const struct stac_job *a, const struct stac_job *b, const struct stac_key *except) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (!(key[i].programs & a->program) || key[i].planned || &key[i] == except) continue;
        if (strcmp(value_of(a, &key[i]), value_of(b, &key[i])) != 0)
            fail_msg("%s is %s, not %s", key[i].name, value_of(a, &key[i]), value_of(b, &key[i]));
    }
}

/* Take a command line of at most 15 words, given as one text with single blanks. The job file is `yaml`, or NULL. */
FX int command_line(struct stac_job *job, const char *line, const char *yaml, const char **path, struct stac_error *err) {
    static char copy[4096];
    char *argv[17] = {"stac"};
    int argc = 1;
    enum stac_job_request request;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && argc < 16; word = strtok(NULL, " ")) argv[argc++] = word;
    return stac_job_command_line(job, argc, argv, yaml, yaml ? strlen(yaml) : 0, path, &request, err);
}

/* Read YAML from a buffer of its exact size, so that reading past its end is seen. */
FX int yaml_of(struct stac_job *job, const char *text, size_t size, struct stac_error *err) {
    char *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    int status = stac_job_yaml(job, "job.yaml", exact, size, err);
    free(exact);
    return status;
}

#endif
