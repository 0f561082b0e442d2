/* A bound on what parsing a JSON text can cost. */
#ifndef STAC_MODEL_JSON_BOUND_H
#define STAC_MODEL_JSON_BOUND_H

#include <stddef.h>

#include "base/json.h"

/* stac_json_parse for large untrusted texts: a parsed value takes some 100 bytes whatever its text takes, so a text
 * that would give more than `max_values` values is refused before it is parsed. */
int stac_json_parse_bounded(const char *name, const char *text, size_t size, size_t max_values, json_t **out,
                            struct stac_error *err);

#endif
