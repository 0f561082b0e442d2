/* What this process is at, in a few words: for lines that tell where it failed. One of the few things that a process has once.
 */
#ifndef STAC_BASE_ACTIVITY_H
#define STAC_BASE_ACTIVITY_H

/* `name` is static text, or lives until the next call; "": nothing in particular. */
void stac_activity_set(const char *name);

/* Never NULL. Safe from other threads and from handlers of signals. */
const char *stac_activity(void);

#endif
