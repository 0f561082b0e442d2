#include "base/strbuf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_strbuf_add(struct stac_strbuf *b, const void *bytes, size_t n, struct stac_error *err) {
    if (n > SIZE_MAX - b->size - 1) return stac_fail(err, STAC_ERR_MEMORY, "a text of more bytes than memory can hold");
    STAC_TRY(stac_grow(&b->data, &b->cap, b->size + n + 1, 1, "a text", err));
    if (n) memcpy(b->data + b->size, bytes, n);
    b->size += n;
    b->data[b->size] = 0;
    return STAC_OK;
}

int stac_strbuf_puts(struct stac_strbuf *b, const char *s, struct stac_error *err) {
    return stac_strbuf_add(b, s, strlen(s), err);
}

int stac_strbuf_printf(struct stac_strbuf *b, struct stac_error *err, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    int status = n < 0 ? stac_fail(err, STAC_ERR_INTERNAL, "a text cannot be formatted")
                       : stac_grow(&b->data, &b->cap, b->size + (size_t)n + 1, 1, "a text", err);
    if (status == STAC_OK) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
    return status;
}

const char *stac_strbuf_text(const struct stac_strbuf *b) {
    return b->data ? b->data : "";
}

void stac_strbuf_clean(struct stac_strbuf *b) {
    free(b->data);
    *b = (struct stac_strbuf){0};
}

char *stac_one_line(char *text) {
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool second = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F */
        if (*c < 0x20 || *c == 0x7f || second) *c = ' ';
        if (second) *++c = ' ';
    }
    return text;
}
