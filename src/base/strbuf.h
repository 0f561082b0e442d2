/* A growing byte string: always NUL-terminated, may hold NUL bytes. */
#ifndef STAC_BASE_STRBUF_H
#define STAC_BASE_STRBUF_H

#include <stddef.h>

#include "base/status.h"

/* Zero-initialise to start empty. `data` is NULL until something was added; owned by the buffer. */
struct stac_strbuf {
    char *data;
    size_t size; /* bytes, without the final NUL */
    size_t cap;
};

int stac_strbuf_add(struct stac_strbuf *b, const void *bytes, size_t n, struct stac_error *err);
int stac_strbuf_puts(struct stac_strbuf *b, const char *s, struct stac_error *err);
int stac_strbuf_printf(struct stac_strbuf *b, struct stac_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text so far, "" when empty. Borrowed: valid until the next call on the buffer. */
const char *stac_strbuf_text(const struct stac_strbuf *b);
void stac_strbuf_clean(struct stac_strbuf *b);

/* Control characters of a text become spaces: then it is one line, and does nothing to a terminal. Returns the text. */
char *stac_one_line(char *text);

#endif
