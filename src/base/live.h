/* The live file of a rank: what it is at now, for whoever looks on (stac-eval --watch).
 *
 *     FOLDER.progress/rank-3.json    {"program", "rank", "ranks", "host", "pid", "written", "phase", "done", "total", "unit",
 *                                     "rate", "seconds", "seconds_left", "facts": {"layer": 7, "loss": 2.98}}
 *
 * beside the folder that is made or read; `written` is in seconds since 1970, `rate` in units a second. It is written anew
 * about once a second, each time under another name first, so a reader sees all of it or the one before. It goes away when the
 * program ends. Whether it can be written changes nothing else. */
#ifndef STAC_BASE_LIVE_H
#define STAC_BASE_LIVE_H

#include <stdbool.h>

#include "base/status.h"

struct stac_progress;

struct stac_live {
    char *folder, *path; /* owned; NULL: nobody is told */
    const char *program; /* borrowed */
    int rank, ranks;
    double written; /* by the clock of stac_clock_now */
};

/* Where the live files of what goes on with a folder are: a new string owned by the caller; NULL on failure. */
char *stac_live_folder(const char *folder, struct stac_error *err);

/* Nothing is written yet. Rank 0 takes away what an earlier program left. */
int stac_live_init(struct stac_live *l, const char *folder, const char *program, int rank, int ranks, struct stac_error *err);

/* Whether the last time was long enough ago that the file is to be written anew. */
bool stac_live_is_due(const struct stac_live *l);

/* Write how far a phase is, if that is due. */
void stac_live_tell(struct stac_live *l, const struct stac_progress *p);

/* Take the file away, and the folder with the last one. */
void stac_live_clean(struct stac_live *l);

#endif
