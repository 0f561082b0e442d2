#include "energy/energy_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/strbuf.h"

enum { MOST_BYTES = 64 * 1024 };

static const struct {
    const char *name, *unit;
} known[STAC_COEFFICIENTS] = {
    [STAC_PJ_MAC] = {"mac", "pJ"},
    [STAC_PJ_AC] = {"ac", "pJ"},
    [STAC_PJ_INT_MULTIPLY] = {"int_multiply", "pJ"},
    [STAC_PJ_INT_ADD] = {"int_add", "pJ"},
    [STAC_PJ_ADD] = {"add", "pJ"},
    [STAC_PJ_MULTIPLY] = {"multiply", "pJ"},
    [STAC_PJ_SPECIAL] = {"special", "pJ"},
    [STAC_PJ_COMPARE] = {"compare", "pJ"},
    [STAC_PJ_SHIFT] = {"shift", "pJ"},
    [STAC_PJ_LOOKUP] = {"lookup", "pJ"},
    [STAC_PJ_SRAM] = {"sram", "pJ/byte"},
    [STAC_PJ_DRAM] = {"dram", "pJ/byte"},
    [STAC_PJ_ACCUMULATOR] = {"accumulator", "pJ"},
    [STAC_WEIGHT_BYTES] = {"weight_bytes", "byte"},
};

const char *stac_coefficient_name(enum stac_coefficient c) {
    return known[c].name;
}

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct stac_energy_model *out;
    bool given[STAC_COEFFICIENTS];
};

/* ---- events ------------------------------------------------------------------------------------------------------- */

/* An error at a place of the file. */
static int fail_at(const struct reader *r, yaml_mark_t at, struct stac_error *err, const char *what, const char *name) {
    return stac_fail(err, STAC_ERR_USAGE, "%s:%zu:%zu: %s%.60s", r->name, at.line + 1, at.column + 1, what, name);
}

/* The next event must be of that type; `what` says what was expected. It must be released when this succeeds. */
static int expect(struct reader *r, yaml_event_type_t type, yaml_event_t *event, const char *what, struct stac_error *err) {
    if (!yaml_parser_parse(&r->parser, event))
        return fail_at(r, r->parser.problem_mark, err,
                       "not valid YAML: ", r->parser.problem ? r->parser.problem : "unreadable");
    if (event->type == type) return STAC_OK;
    int status = fail_at(r, event->start_mark, err, what, "");
    yaml_event_delete(event);
    return status;
}

/* An event that says nothing itself. */
static int skip(struct reader *r, yaml_event_type_t type, const char *what, struct stac_error *err) {
    yaml_event_t event;
    STAC_TRY(expect(r, type, &event, what, err));
    yaml_event_delete(&event);
    return STAC_OK;
}

/* A key, or the end of its mapping: *end. The text is copied. */
static int take_key(struct reader *r, char key[64], yaml_mark_t *at, bool *end, struct stac_error *err) {
    yaml_event_t event;
    if (!yaml_parser_parse(&r->parser, &event))
        return fail_at(r, r->parser.problem_mark, err,
                       "not valid YAML: ", r->parser.problem ? r->parser.problem : "unreadable");
    *end = event.type == YAML_MAPPING_END_EVENT;
    *at = event.start_mark;
    int status = STAC_OK;
    if (event.type == YAML_SCALAR_EVENT)
        snprintf(key, 64, "%s", (const char *)event.data.scalar.value);
    else if (!*end)
        status = fail_at(r, event.start_mark, err, "a key must be a plain word", "");
    yaml_event_delete(&event);
    return status;
}

/* A scalar of at most size - 1 bytes, which is not empty. */
static int take_text(struct reader *r, const char *key, char *out, size_t size, struct stac_error *err) {
    yaml_event_t event;
    STAC_TRY(expect(r, YAML_SCALAR_EVENT, &event, "a plain value is expected here", err));
    int status = STAC_OK;
    if (event.data.scalar.length == 0 || event.data.scalar.length >= size)
        status = fail_at(r, event.start_mark, err, "too long or nothing for ", key);
    else
        snprintf(out, size, "%s", (const char *)event.data.scalar.value);
    yaml_event_delete(&event);
    return status;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

/* {value, unit, source} of a coefficient. */
static int take_number(struct reader *r, enum stac_coefficient c, yaml_mark_t at, struct stac_error *err) {
    static const char *const fields[] = {"value", "unit", "source"};
    char text[3][400] = {"", "", ""}, key[64], *rest;
    bool end;
    if (r->given[c]) return fail_at(r, at, err, "twice there: ", known[c].name);
    STAC_TRY(skip(r, YAML_MAPPING_START_EVENT, "a number is written as {value: ..., unit: ..., source: ...}", err));
    for (;;) {
        yaml_mark_t place;
        int f = 0;
        STAC_TRY(take_key(r, key, &place, &end, err));
        if (end) break;
        while (f < 3 && strcmp(key, fields[f]) != 0) f++;
        if (f == 3) return fail_at(r, place, err, "value, unit and source belong here, not ", key);
        if (*text[f]) return fail_at(r, place, err, "twice there: ", key);
        STAC_TRY(take_text(r, key, text[f], sizeof text[f], err));
    }
    for (int f = 0; f < 3; f++)
        if (!*text[f])
            return stac_fail(err, STAC_ERR_USAGE, "%s:%zu:%zu: %s has no %s", r->name, at.line + 1, at.column + 1,
                             known[c].name, fields[f]);
    if (strcmp(text[1], known[c].unit) != 0)
        return stac_fail(err, STAC_ERR_USAGE, "%s:%zu:%zu: the unit of %s is %s, not %.20s", r->name, at.line + 1,
                         at.column + 1, known[c].name, known[c].unit, text[1]);
    r->out->c[c] = strtod(text[0], &rest);
    if (*rest || !(r->out->c[c] >= 0 && r->out->c[c] < 1e9))
        return fail_at(r, at, err, "not a number from 0 to 1e9: ", text[0]);
    r->given[c] = true;
    return STAC_OK;
}

static int take_pair(struct reader *r, const char *key, yaml_mark_t at, struct stac_error *err) {
    bool name = strcmp(key, "name") == 0;
    if (name || strcmp(key, "format") == 0) {
        char *to = name ? r->out->name : r->out->format;
        if (*to) return fail_at(r, at, err, "twice there: ", key);
        STAC_TRY(take_text(r, key, to, name ? sizeof r->out->name : sizeof r->out->format, err));
        stac_one_line(to); /* it is shown */
        return STAC_OK;
    }
    for (int c = 0; c < STAC_COEFFICIENTS; c++)
        if (strcmp(key, known[c].name) == 0) return take_number(r, (enum stac_coefficient)c, at, err);
    return fail_at(r, at, err, "unknown coefficient ", key);
}

/* ---- the set ------------------------------------------------------------------------------------------------------ */

/* All of [from, to), or none of them where they are `optional`; *has. */
static int check_group(const struct reader *r, int from, int to, bool optional, bool *has, struct stac_error *err) {
    int given = 0, missing = from;
    for (int c = from; c < to; c++) given += r->given[c];
    for (int c = to - 1; c >= from; c--)
        if (!r->given[c]) missing = c;
    *has = given == to - from;
    if (*has || (optional && given == 0)) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "%s:1:1: the coefficient %s is missing", r->name, known[missing].name);
}

static int take_document(struct reader *r, struct stac_error *err) {
    static const char not_map[] = "a set of coefficients is one mapping of keys, and this is not";
    char key[64];
    yaml_mark_t at;
    bool end, has_operations;
    STAC_TRY(skip(r, YAML_STREAM_START_EVENT, not_map, err));
    STAC_TRY(skip(r, YAML_DOCUMENT_START_EVENT, "the file holds no keys", err));
    STAC_TRY(skip(r, YAML_MAPPING_START_EVENT, not_map, err));
    for (;;) {
        STAC_TRY(take_key(r, key, &at, &end, err));
        if (end) break;
        STAC_TRY(take_pair(r, key, at, err));
    }
    STAC_TRY(skip(r, YAML_DOCUMENT_END_EVENT, not_map, err));
    STAC_TRY(skip(r, YAML_STREAM_END_EVENT, "a second document begins here", err));
    if (!*r->out->name || !*r->out->format) return stac_fail(err, STAC_ERR_USAGE, "%s:1:1: name or format is missing", r->name);
    STAC_TRY(check_group(r, STAC_PJ_MAC, STAC_PJ_ADD, false, &has_operations, err));
    STAC_TRY(check_group(r, STAC_PJ_ADD, STAC_PJ_SRAM, true, &r->out->has_rest, err));
    STAC_TRY(check_group(r, STAC_PJ_SRAM, STAC_COEFFICIENTS, true, &r->out->has_memory, err));
    if (!r->out->has_memory || r->out->has_rest) return STAC_OK;
    return stac_fail(err, STAC_ERR_USAGE, "%s:1:1: memory without what is no product: add is missing", r->name);
}

int stac_energy_model_parse(const char *name, const char *text, size_t size, struct stac_energy_model *out,
                            struct stac_error *err) {
    struct reader r = {.name = name, .out = out};
    *out = (struct stac_energy_model){0};
    if (size > MOST_BYTES || memchr(text, 0, size))
        return stac_fail(err, STAC_ERR_USAGE, "%s: not a YAML text of at most %d bytes", name, (int)MOST_BYTES);
    if (!yaml_parser_initialize(&r.parser)) return stac_fail(err, STAC_ERR_MEMORY, "%s: no memory to read it", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    int status = take_document(&r, err);
    yaml_parser_delete(&r.parser);
    return status;
}

int stac_energy_model_read(const char *path, struct stac_energy_model *out, struct stac_error *err) {
    char *text;
    size_t size;
    if (!*path)
        return stac_energy_model_parse("the built-in coefficients", stac_energy_builtin, strlen(stac_energy_builtin), out, err);
    STAC_TRY(stac_file_read(path, MOST_BYTES + 1, &text, &size, err));
    int status = stac_energy_model_parse(path, text, size, out, err);
    free(text);
    return status;
}
