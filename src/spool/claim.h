/* Jobs in the hands of a service: claimed out of the queue, and put where they belong.
 *
 * A claim is one rename from queue/ to running/OWNER/, so of many services one gets it; the end of a job is one rename from
 * there, which fails when the job was taken back meanwhile. A job may run again when its service died between the last byte
 * of its result and that rename: its program, which is called with --once, then finds the result and ends. */
#ifndef STAC_SPOOL_CLAIM_H
#define STAC_SPOOL_CLAIM_H

#include "spool/owner.h"

/* How often a job came back to the queue, kept in log/NAME.tries. */
struct stac_tries {
    int failures; /* its program ended with an error */
    int returns;  /* it was checkpointed, or its service died */
};

struct stac_claim {
    char name[STAC_SPOOL_NAME + 1];
    struct stac_tries tries;
};

/* Claim the next job of the queue; entries that are no jobs are moved to failed/ on the way. `names` is what the caller has
 * of an earlier look into the queue. */
int stac_claim_next(struct stac_owner *o, struct stac_spool_names *names, struct stac_claim *c, bool *found,
                    struct stac_error *err);

/* Whether it is still ours, as far as anybody knows: only what is certainly gone is lost. */
bool stac_claim_holds(const struct stac_owner *o, const struct stac_claim *c);

enum stac_claim_end {
    STAC_CLAIM_LOST,     /* it had been taken back, and nothing was moved */
    STAC_CLAIM_MOVED,    /* as it was to be */
    STAC_CLAIM_GIVEN_UP, /* a newer job of its name is in the queue: it is in failed/ */
};

/* The ends of a claim. The record of done/ is `record`. */
int stac_claim_done(struct stac_owner *o, const struct stac_claim *c, const char *record, enum stac_claim_end *end,
                    struct stac_error *err);
int stac_claim_back(struct stac_owner *o, const struct stac_claim *c, enum stac_claim_end *end, struct stac_error *err);
int stac_claim_give_up(struct stac_owner *o, const struct stac_claim *c, const char *reason, struct stac_error *err);

/* Take back what services that are gone had claimed; a job that came back more often than `returns` is given up. */
int stac_claim_take_back(struct stac_owner *o, double patience, int returns, struct stac_error *err);

#endif
