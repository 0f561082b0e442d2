/* Job files: one flat mapping of keys to scalars, or to lists of them where a key takes several values, read from libyaml's
 * events under tight limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "job/keys.h"

enum { MOST_BYTES = 256 * 1024, MOST_KEYS = 256 };

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct stac_job *job;
    const struct stac_key *seen[MOST_KEYS];
    int n_seen;
};

static int bad(const struct reader *r, yaml_mark_t at, struct stac_error *err, const char *what) {
    return stac_fail(err, STAC_ERR_USAGE, "%s:%zu:%zu: %s", r->name, at.line + 1, at.column + 1, what);
}

/* The next event, which must be released; errors of the scanner become ours. */
static int next(struct reader *r, yaml_event_t *event, struct stac_error *err) {
    if (yaml_parser_parse(&r->parser, event)) return STAC_OK;
    yaml_mark_t at = r->parser.problem_mark;
    char text[200];
    snprintf(text, sizeof text, "not valid YAML: %s", r->parser.problem ? r->parser.problem : "unreadable");
    return bad(r, at, err, text);
}

/* A plain scalar; anything else is refused with what it is. */
static int want_scalar(const struct reader *r, const yaml_event_t *event, const char *role, struct stac_error *err) {
    char text[200];
    const char *found = NULL;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.tag)
            found = "a tag";
        else if (event->data.scalar.anchor)
            found = "an anchor";
        else if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            found = "a NUL character";
        else
            return STAC_OK;
        break;
    case YAML_ALIAS_EVENT: found = "an alias"; break;
    case YAML_SEQUENCE_START_EVENT: found = "a list"; break;
    case YAML_MAPPING_START_EVENT: found = "a mapping"; break;
    default: found = "nothing";
    }
    snprintf(text, sizeof text, "%s must be a plain value, not %s", role, found);
    return bad(r, event->start_mark, err, text);
}

/* [a, b] as "a,b". The event that began it is the caller's. */
static int join_sequence(struct reader *r, const char *role, struct stac_strbuf *out, struct stac_error *err) {
    for (int i = 0;; i++) {
        yaml_event_t event;
        STAC_TRY(next(r, &event, err));
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        int status = end ? STAC_OK : want_scalar(r, &event, role, err);
        if (status == STAC_OK && !end && i > 0) status = stac_strbuf_puts(out, ",", err);
        if (status == STAC_OK && !end) status = stac_strbuf_puts(out, (const char *)event.data.scalar.value, err);
        yaml_event_delete(&event);
        if (status != STAC_OK || end) return status;
    }
}

/* The value of a key that takes several, written as a list. */
static int take_list(struct reader *r, const struct stac_key *key, const yaml_event_t *event, struct stac_error *err) {
    struct stac_strbuf joined = {0};
    char where[400], role[100];
    if (event->data.sequence_start.tag || event->data.sequence_start.anchor)
        return bad(r, event->start_mark, err, "the list has a tag or an anchor; write its values only");
    snprintf(where, sizeof where, "%.300s:%zu:%zu", r->name, event->start_mark.line + 1, event->start_mark.column + 1);
    snprintf(role, sizeof role, "a value of \"%s\"", key->name);
    int status = join_sequence(r, role, &joined, err);
    if (status == STAC_OK) status = stac_job_set(r->job, key->name, stac_strbuf_text(&joined), where, err);
    stac_strbuf_clean(&joined);
    return status;
}

/* key: value, both scalars, or a list where the key takes several values. */
static int take_pair(struct reader *r, const yaml_event_t *key_event, struct stac_error *err) {
    yaml_event_t value_event;
    char where[400], text[200];
    const char *name = (const char *)key_event->data.scalar.value, *nearest;
    snprintf(where, sizeof where, "%.300s:%zu:%zu", r->name, key_event->start_mark.line + 1, key_event->start_mark.column + 1);
    const struct stac_key *key = stac_key_find(r->job->program, name, &nearest);
    if (!key) return stac_fail(err, STAC_ERR_USAGE, "%s: unknown key \"%.60s\"; did you mean \"%s\"?", where, name, nearest);
    for (int i = 0; i < r->n_seen; i++)
        if (r->seen[i] == key) return stac_fail(err, STAC_ERR_USAGE, "%s: the key \"%s\" is given twice", where, name);
    if (r->n_seen < MOST_KEYS) r->seen[r->n_seen++] = key;
    STAC_TRY(next(r, &value_event, err));
    if (stac_key_is_list(key->type) && value_event.type == YAML_SEQUENCE_START_EVENT) {
        int listed = take_list(r, key, &value_event, err);
        yaml_event_delete(&value_event);
        return listed;
    }
    snprintf(text, sizeof text, "the value of \"%s\"", key->name);
    int status = want_scalar(r, &value_event, text, err);
    if (status == STAC_OK) {
        const char *value = (const char *)value_event.data.scalar.value;
        bool plain = value_event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        bool nothing = plain && (*value == 0 || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
        snprintf(where, sizeof where, "%.300s:%zu:%zu", r->name, value_event.start_mark.line + 1,
                 value_event.start_mark.column + 1);
        status = stac_job_set(r->job, key->name, nothing ? key->fallback : value, where, err);
    }
    yaml_event_delete(&value_event);
    return status;
}

/* The pairs of the top mapping up to its end. */
static int take_mapping(struct reader *r, struct stac_error *err) {
    for (;;) {
        yaml_event_t event;
        STAC_TRY(next(r, &event, err));
        bool end = event.type == YAML_MAPPING_END_EVENT;
        int status = end ? STAC_OK : want_scalar(r, &event, "a key", err);
        if (status == STAC_OK && !end) status = take_pair(r, &event, err);
        yaml_event_delete(&event);
        if (status != STAC_OK || end) return status;
    }
}

/* Events that must come in this order around the mapping. */
static int expect(struct reader *r, yaml_event_type_t type, const char *complaint, struct stac_error *err) {
    yaml_event_t event;
    STAC_TRY(next(r, &event, err));
    int status = event.type == type ? STAC_OK : bad(r, event.start_mark, err, complaint);
    yaml_event_delete(&event);
    return status;
}

/* The top mapping, which is as plain as its values. */
static int begin_mapping(struct reader *r, const char *complaint, struct stac_error *err) {
    yaml_event_t event;
    STAC_TRY(next(r, &event, err));
    int status = STAC_OK;
    if (event.type != YAML_MAPPING_START_EVENT)
        status = bad(r, event.start_mark, err, complaint);
    else if (event.data.mapping_start.tag || event.data.mapping_start.anchor)
        status = bad(r, event.start_mark, err,
                     event.data.mapping_start.tag ? "the mapping has a tag; write the keys only"
                                                  : "the mapping has an anchor; write the keys only");
    yaml_event_delete(&event);
    return status;
}

static int take_document(struct reader *r, struct stac_error *err) {
    static const char not_map[] = "a job file is one mapping of keys to values, and this is not";
    STAC_TRY(expect(r, YAML_STREAM_START_EVENT, not_map, err));
    STAC_TRY(expect(r, YAML_DOCUMENT_START_EVENT, "the file holds no keys", err));
    STAC_TRY(begin_mapping(r, not_map, err));
    STAC_TRY(take_mapping(r, err));
    STAC_TRY(expect(r, YAML_DOCUMENT_END_EVENT, not_map, err));
    return expect(r, YAML_STREAM_END_EVENT, "a second document begins here; a job file holds one", err);
}

int stac_job_yaml(struct stac_job *job, const char *name, const char *text, size_t size, struct stac_error *err) {
    struct reader r = {.name = name, .job = job};
    if (size > MOST_BYTES)
        return stac_fail(err, STAC_ERR_USAGE, "%s: a job file of %zu bytes; at most %d are read", name, size, (int)MOST_BYTES);
    if (memchr(text, 0, size)) return stac_fail(err, STAC_ERR_USAGE, "%s: the file contains NUL bytes: not a YAML text", name);
    if (!yaml_parser_initialize(&r.parser)) return stac_fail(err, STAC_ERR_MEMORY, "%s: no memory to read it", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    int status = take_document(&r, err);
    yaml_parser_delete(&r.parser);
    return status;
}
