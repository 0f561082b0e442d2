/* The spool of a batch service: jobs wait in queue/, are worked on in running/OWNER/, and end in done/ or failed/.
 *
 *     SPOOL/queue/NAME.convert.yaml           a job; the last part of its name says the program
 *     SPOOL/running/OWNER/NAME.convert.yaml   claimed by the service OWNER, which keeps .heartbeat beside it fresh
 *     SPOOL/done/NAME.convert.yaml            done, with a record in NAME.convert.yaml.json
 *     SPOOL/failed/NAME.convert.yaml          given up, with the reason in NAME.convert.yaml.txt
 *     SPOOL/log/NAME.convert.yaml.log         what its program said, attempt after attempt
 *
 * A job is always in exactly one of the four places, because it moves by rename only. Names that begin with a dot are being
 * written and no one's business yet. Whoever can write here can have programs run: so spool, folders and jobs belong to the
 * user or to root, nobody else may write to them, and links are never followed. */
#ifndef STAC_SPOOL_SPOOL_H
#define STAC_SPOOL_SPOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

enum { STAC_SPOOL_NAME = 200, STAC_SPOOL_REASON = 256, STAC_SPOOL_LARGEST = 1 << 20 };

struct stac_spool {
    const struct stac_log *log;                     /* borrowed */
    char *path;                                     /* absolute; owned */
    bool group;                                     /* the user's own groups may write, too */
    bool make;                                      /* folders that are missing */
    int folder, queue, running, done, failed, logs; /* descriptors */
};

/* Open a spool whose log, group and make are set. STAC_ERR_INPUT says what is not safe about it. */
int stac_spool_open(struct stac_spool *s, const char *path, struct stac_error *err);
void stac_spool_close(struct stac_spool *s);

/* "stac-convert" or "stac-eval", by the end of a job's name; NULL: neither. */
const char *stac_spool_program(const char *name);

/* Whether an entry of one of the folders may be run, by its name and file. `reason` says why it is refused. */
enum stac_spool_verdict {
    STAC_SPOOL_ACCEPTED,
    STAC_SPOOL_REFUSED,
    STAC_SPOOL_UNKNOWN, /* it is gone, or cannot be examined now */
};
enum stac_spool_verdict stac_spool_judge(const struct stac_spool *s, int folder, const char *name,
                                         char reason[STAC_SPOOL_REASON]);

/* Write a small file under another name and rename it; readers see all or nothing. */
int stac_spool_write(int folder, const char *name, const char *text, size_t size, struct stac_error *err);

/* Remove what killed processes of this machine were writing in one of the folders. */
void stac_spool_sweep(int folder);

/* Move an entry under a name that nobody else has there: 0, or -1 with errno, which is EEXIST when it is taken. Where neither
 * such a rename nor links are to be had, what takes the name in that very moment is lost. */
int stac_spool_move(int from, const char *name, int to, const char *as);

/* Move an entry of one of the folders to failed/, with the reason and the end of its log beside it. A name that is no safe
 * name becomes refused-DIGEST there, one that a folder has there gets a number before it. Not finding it is no failure: another
 * was faster. */
int stac_spool_give_up(const struct stac_spool *s, int folder, const char *name, const char *reason, struct stac_error *err);

/* Copy a job file into the queue, under its own name or none. */
int stac_spool_submit(const struct stac_spool *s, const char *path, struct stac_error *err);

/* The names in a folder in alphabetical order, without those that begin with a dot; to be freed with stac_spool_free_names. */
struct stac_spool_names {
    char **name;
    size_t n, cap, at; /* at: the next one, for whoever goes through them */
};
int stac_spool_list(int folder, struct stac_spool_names *out, struct stac_error *err);
void stac_spool_free_names(struct stac_spool_names *names);

#endif
