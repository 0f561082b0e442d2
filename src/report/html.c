#include "report/html.h"

int stac_html_text(struct stac_strbuf *s, const char *text, struct stac_error *err) {
    for (const char *c = text; *c; c++) {
        const char *as = *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '&' ? "&amp;" : *c == '"' ? "&quot;" : NULL;
        STAC_TRY(as ? stac_strbuf_puts(s, as, err) : stac_strbuf_add(s, c, 1, err));
    }
    return STAC_OK;
}
