/* What goes on with a folder, from the live files of the ranks at work (base/live.h). */
#ifndef STAC_RESULT_WATCH_H
#define STAC_RESULT_WATCH_H

#include "base/status.h"
#include "base/strbuf.h"

struct stac_watched {
    int ranks; /* at work */
    int gone;  /* of these, whose process on this machine is not there any more */
};

/* Append a line a rank, in their order: share done, rate, time left, and what it tells of its work. No line: nothing is at
 * work. */
int stac_watch_read(const char *folder, struct stac_strbuf *out, struct stac_watched *seen, struct stac_error *err);

#endif
