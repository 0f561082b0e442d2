/* The checkpoint of a job: what it has found so far, as records in the folder PATH.checkpoint beside its result. The same job,
 * begun again on any number of ranks, goes on from there and ends with the same bytes. Records are written about every
 * `interval` seconds and when a signal asks to stop (base/stop.h); a job that ends before the first is due leaves no trace.
 * They are bound to the job: its text, the digests of the files it reads, the version of the program. A checkpoint that cannot
 * be written is told once and the job goes on; one that is damaged counts for nothing. The folder is read and written by
 * several ranks: with many machines it must lie on a file system that they share; where it does not, what others wrote is
 * computed again. */
#ifndef STAC_DIST_CHECKPOINT_H
#define STAC_DIST_CHECKPOINT_H

#include "base/log.h"
#include "dist/merge.h"
#include "dist/record.h"

/* A record that is whole and waits for the next time that is due. */
struct stac_waiting {
    char name[STAC_RECORD_NAME];
    char *body; /* owned */
    size_t size;
};

struct stac_checkpoint {
    const struct stac_ranks *ranks; /* borrowed */
    const struct stac_log *log;     /* borrowed */
    char *folder;                   /* owned; NULL: nothing is kept, and nobody stops */
    char job[STAC_SHA256_HEX];
    double interval, written; /* seconds; by the clock of stac_clock_now */
    bool resumed;             /* something of this job was there */
    bool told;                /* that it cannot be written */
    bool failed;              /* at the time that was due last, on this rank */
    int stop;                 /* the signal that all ranks have agreed to stop for, 0: none */
    struct stac_waiting *waiting;
    size_t n_waiting, waiting_cap;
};

/* Begin for the result at `path`; `job` is what rank 0 gives to all: the digest of whatever the result depends on.
 * STAC_ERR_USAGE when an unfinished checkpoint of another job is there and is not to be replaced. Collective. */
int stac_checkpoint_begin(struct stac_checkpoint *c, const char *path, const char *job, double interval, bool replace,
                          const struct stac_ranks *ranks, const struct stac_log *log, struct stac_error *err);

/* The job is done: the folder goes away. Rank 0; not collective. */
void stac_checkpoint_remove(struct stac_checkpoint *c);

/* The result at `path` was there before: what a job that was killed behind its last step left goes away, unless it is another
 * job's. Rank 0; not collective. */
void stac_checkpoint_tidy(const char *path, const char *job);

/* Release memory; what is on the disk stays. */
void stac_checkpoint_clean(struct stac_checkpoint *c);

/* Between two pieces of work: whether it is time to write. Collective. */
int stac_checkpoint_ask(struct stac_checkpoint *c, bool *due, struct stac_error *err);

/* Write a record, or (later) keep it until something else is due. By one rank alone; failures are told, not returned. */
void stac_checkpoint_put(struct stac_checkpoint *c, const char *name, const struct stac_bytes *part, size_t n, bool later);

/* What was kept under a name, by one rank alone: a new block, NULL if there is none of `size` bytes (size 0: of any size, which
 * *found receives). */
char *stac_checkpoint_get(struct stac_checkpoint *c, const char *name, size_t size, size_t *found);

/* After writing: STAC_STOPPED, on every rank, if a signal asked for it; STAC_ERR_IO, and another text, if it did and a rank
 * could not write. Collective. */
int stac_checkpoint_leave(struct stac_checkpoint *c, struct stac_error *err);

/* Work in pieces, of which a record is kept: what the ranks found in items [0, done), put together. */
struct stac_pieces {
    const struct stac_ranks *ranks;     /* borrowed, as all pointers */
    struct stac_checkpoint *checkpoint; /* NULL: nothing is kept */
    const char *record;
    const struct stac_partial *part; /* what is found; zero at the beginning */
    int n_parts;
    int n, piece; /* items; of one piece */
    /* Items [from, to), collective, ends with an agreement. */
    int (*run)(void *ctx, int from, int to, struct stac_error *err);
    void (*skipped)(void *ctx, int n); /* n items were found in the checkpoint; may be NULL */
    void *ctx;
};

/* All pieces, from where the checkpoint ends; every rank is left with the whole of all parts. Collective. */
int stac_work_in_pieces(const struct stac_pieces *w, struct stac_error *err);

#endif
