#include "base/json.h"

#include <stdlib.h>

#include "base/file.h"

int stac_json_parse(const char *name, const char *text, size_t size, json_t **out, struct stac_error *err) {
    json_error_t where;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!*out)
        return stac_fail(err, STAC_ERR_INPUT, "%s is not valid JSON at line %d, column %d: %s", name, where.line, where.column,
                         where.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return stac_fail(err, STAC_ERR_INPUT, "%s does not hold a JSON object", name);
    }
    return STAC_OK;
}

int stac_json_load(const char *path, size_t limit, json_t **out, struct stac_error *err) {
    char *text;
    size_t size;
    *out = NULL;
    STAC_TRY(stac_file_read(path, limit, &text, &size, err));
    int status = stac_json_parse(path, text, size, out, err);
    free(text);
    return status;
}

/* The member, or NULL with *missing set when it is absent or null. */
static const json_t *member(const json_t *obj, const char *key, bool *missing) {
    const json_t *v = json_object_get(obj, key);
    *missing = !v || json_is_null(v);
    return v;
}

static int check_int(const json_t *v, const char *name, const char *key, int64_t low, int64_t high, int64_t *out,
                     struct stac_error *err) {
    if (!json_is_integer(v)) return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is not a whole number", name, key);
    int64_t n = json_integer_value(v);
    if (n < low || n > high)
        return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is %lld; accepted are %lld to %lld", name, key, (long long)n,
                         (long long)low, (long long)high);
    *out = n;
    return STAC_OK;
}

int stac_json_int(const json_t *obj, const char *name, const char *key, int64_t low, int64_t high, int64_t *out,
                  struct stac_error *err) {
    bool missing;
    const json_t *v = member(obj, key, &missing);
    if (missing) return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is missing", name, key);
    return check_int(v, name, key, low, high, out, err);
}

int stac_json_int_or(const json_t *obj, const char *name, const char *key, int64_t low, int64_t high, int64_t otherwise,
                     int64_t *out, struct stac_error *err) {
    bool missing;
    const json_t *v = member(obj, key, &missing);
    *out = otherwise;
    return missing ? STAC_OK : check_int(v, name, key, low, high, out, err);
}

int stac_json_real_or(const json_t *obj, const char *name, const char *key, double low, double high, double otherwise,
                      double *out, struct stac_error *err) {
    bool missing;
    const json_t *v = member(obj, key, &missing);
    *out = otherwise;
    if (missing) return STAC_OK;
    if (!json_is_number(v)) return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is not a number", name, key);
    double x = json_number_value(v);
    if (!(x >= low && x <= high))
        return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is %g; accepted are %g to %g", name, key, x, low, high);
    *out = x;
    return STAC_OK;
}

int stac_json_bool_or(const json_t *obj, const char *name, const char *key, bool otherwise, bool *out, struct stac_error *err) {
    bool missing;
    const json_t *v = member(obj, key, &missing);
    *out = otherwise;
    if (missing) return STAC_OK;
    if (!json_is_boolean(v)) return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is not true or false", name, key);
    *out = json_is_true(v);
    return STAC_OK;
}

int stac_json_string_or(const json_t *obj, const char *name, const char *key, const char *otherwise, const char **out,
                        struct stac_error *err) {
    bool missing;
    const json_t *v = member(obj, key, &missing);
    *out = otherwise;
    if (missing) return STAC_OK;
    if (!json_is_string(v)) return stac_fail(err, STAC_ERR_INPUT, "%s: \"%s\" is not a text", name, key);
    *out = json_string_value(v);
    return STAC_OK;
}
