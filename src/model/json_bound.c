#include "model/json_bound.h"

/* Commas and opening brackets outside strings: no fewer than the values, less one. */
static size_t count_values(const char *text, size_t size) {
    size_t n = 1;
    for (size_t i = 0, quoted = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            n += text[i] == ',' || text[i] == '[' || text[i] == '{';
    }
    return n;
}

int stac_json_parse_bounded(const char *name, const char *text, size_t size, size_t max_values, json_t **out,
                            struct stac_error *err) {
    *out = NULL;
    if (count_values(text, size) > max_values)
        return stac_fail(err, STAC_ERR_INPUT, "%s: the JSON text holds more than the %zu values accepted", name, max_values);
    return stac_json_parse(name, text, size, out, err);
}
