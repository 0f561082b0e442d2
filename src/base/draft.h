/* Drafts: what is written under another name beside its final place, "PATH.KIND-MACHINE-PID", until it is whole. Names say
 * whose they are, so that a later writer of the same path takes away what a killed one on this machine left behind. */
#ifndef STAC_BASE_DRAFT_H
#define STAC_BASE_DRAFT_H

#include <stdbool.h>

#include "base/status.h"

/* The name of a draft of `path` that is this process's own: a new string, NULL on failure. What dead processes of this machine
 * left of the same path and kind is removed first, files and whole folders; whatever cannot be removed stays. */
char *stac_draft_name(const char *path, const char *kind, struct stac_error *err);

/* "MACHINE-PID", with which such names end; and whether a mark is of a process of this machine that is gone: for names that are
 * made up elsewhere. */
enum { STAC_DRAFT_MARK = 24 };
void stac_draft_mark(char out[STAC_DRAFT_MARK]);
bool stac_draft_mark_is_dead(const char *mark);

/* Remove a file, or a folder and all that is in it. Links are removed, what they point to stays. */
int stac_draft_remove(const char *path, struct stac_error *err);

#endif
