/* The kept set of conversations on the page: a table of turns and of right answers, and the course over the turns. */
#ifndef STAC_REPORT_TURNS_SECTION_H
#define STAC_REPORT_TURNS_SECTION_H

#include "base/strbuf.h"
#include "result/result.h"

/* Append heading and tables as HTML. Nothing when no conversations were held. */
int stac_page_turns(const struct stac_result *r, struct stac_strbuf *out, struct stac_error *err);

/* The picture: divergence, perplexities, top-1 agreement and spikes per token, turn by turn. Its script (report/picture.h). */
int stac_picture_turns(const struct stac_result *r, const char *path, struct stac_strbuf *s, struct stac_error *err);

#endif
