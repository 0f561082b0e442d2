#include "text/normalizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <utf8proc.h>

#define BLOCK (64u << 10) /* bytes of text normalized at once */

static int normalize_block(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err) {
    utf8proc_uint8_t *normal = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &normal, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0) return stac_fail(err, STAC_ERR_MEMORY, "cannot normalize a text: %s", utf8proc_errmsg(n));
    int status = stac_strbuf_add(out, normal, (size_t)n, err);
    free(normal);
    return status;
}

/* In blocks that end before an ASCII character: it composes with nothing before it. */
int stac_normalizer_nfc(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err) {
    for (size_t at = 0, end; at < size; at = end) {
        end = size - at <= BLOCK ? size : at + BLOCK;
        while (end < size && (uint8_t)text[end] >= 0x80) end++;
        STAC_TRY(normalize_block(out, text + at, end - at, err));
    }
    return STAC_OK;
}
