/* The identity of a service at work on a spool, and what becomes of it.
 *
 * An owner is called HOST.MACHINE.PID.START: MACHINE is a digest of the boot and of the namespace in which the number PID
 * means something, START the time at which that process began. It has a folder of this name in running/, with a file
 * .heartbeat that it touches every few seconds. So no lock is needed, and nothing but renames must be atomic on a shared
 * file system. Every process that works for it carries STAC_SERVICE=OWNER in its environment. */
#ifndef STAC_SPOOL_OWNER_H
#define STAC_SPOOL_OWNER_H

#include <stdint.h>
#include <time.h>

#include "spool/spool.h"

#define STAC_OWNER_VARIABLE "STAC_SERVICE"

enum { STAC_OWNER_TOLD = 64 };

struct stac_owner {
    const struct stac_spool *spool; /* borrowed */
    char name[128];
    int folder;                     /* running/OWNER */
    uint64_t told[STAC_OWNER_TOLD]; /* digests of the last warnings, in turn */
    unsigned n_told;
};

/* A warning of something that stays and is met at every look, said once. */
void stac_owner_warn(struct stac_owner *o, const struct stac_error *trouble);

int stac_owner_begin(struct stac_owner *o, const struct stac_spool *spool, struct stac_error *err);
void stac_owner_end(struct stac_owner *o);

/* Show that it lives. When another service took the folder away, believing it dead, it is made anew and *lost is true: what
 * was claimed belongs to others now. */
int stac_owner_beat(struct stac_owner *o, bool *lost, struct stac_error *err);

enum stac_owner_state {
    STAC_OWNER_ALIVE,
    STAC_OWNER_DEAD,   /* its process on this machine is gone */
    STAC_OWNER_SILENT, /* on another machine, and its heartbeat is older than `patience` seconds */
};
enum stac_owner_state stac_owner_look(const struct stac_owner *o, const char *other, double patience);

/* Seconds since the last heartbeat, by the clock of the file system; negative: unknown. */
double stac_owner_age(const struct stac_spool *s, const struct stac_owner *o, const char *other);

/* Seconds that have gone since a time of the file system, by its own clock, which a new heartbeat shows. */
double stac_owner_since(const struct stac_owner *o, struct timespec then);

/* Kill what still works for an owner on this machine; false when something is left after a few seconds. */
bool stac_owner_kill_workers(const char *owner);

/* "HOST" of an owner's name. */
void stac_owner_host(const char *owner, char *out, size_t size);

#endif
