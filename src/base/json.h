/* JSON files through jansson: bounded, duplicate keys refused, typed access with an error that names file and key. */
#ifndef STAC_BASE_JSON_H
#define STAC_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Parse a file of at most `limit` bytes, or `size` bytes of text named `name`. Owned by the caller (json_decref).
 * The value is an object; anything else is refused. */
int stac_json_load(const char *path, size_t limit, json_t **out, struct stac_error *err);
int stac_json_parse(const char *name, const char *text, size_t size, json_t **out, struct stac_error *err);

/* Typed members of an object read from `name`. The plain form refuses a missing key; the _or form gives `otherwise`
 * for a missing key or null. A wrong type or a value outside [low, high] is refused. Strings are borrowed. */
int stac_json_int(const json_t *obj, const char *name, const char *key, int64_t low, int64_t high, int64_t *out,
                  struct stac_error *err);
int stac_json_int_or(const json_t *obj, const char *name, const char *key, int64_t low, int64_t high, int64_t otherwise,
                     int64_t *out, struct stac_error *err);
int stac_json_real_or(const json_t *obj, const char *name, const char *key, double low, double high, double otherwise,
                      double *out, struct stac_error *err);
int stac_json_bool_or(const json_t *obj, const char *name, const char *key, bool otherwise, bool *out, struct stac_error *err);
int stac_json_string_or(const json_t *obj, const char *name, const char *key, const char *otherwise, const char **out,
                        struct stac_error *err);

#endif
