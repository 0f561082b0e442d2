/* Text in HTML. */
#ifndef STAC_REPORT_HTML_H
#define STAC_REPORT_HTML_H

#include "base/strbuf.h"

/* Append a text with the characters of HTML escaped: whatever comes out of a file or from a user goes this way. */
int stac_html_text(struct stac_strbuf *s, const char *text, struct stac_error *err);

#endif
