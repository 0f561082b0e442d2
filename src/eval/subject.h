/* What is evaluated: a converted folder with its original, or an original alone, spread over the ranks and ready to run. */
#ifndef STAC_EVAL_SUBJECT_H
#define STAC_EVAL_SUBJECT_H

#include "base/log.h"
#include "dist/checkpoint.h"
#include "dist/hardware.h"
#include "job/job.h"
#include "net/sessions.h"
#include "store/snn_file.h"
#include "text/chat.h"

/* Sides of a comparison, as indices of runs and results. */
enum stac_side { STAC_BASELINE, STAC_SNN, STAC_SIDES };

struct stac_subject {
    const struct stac_job *job; /* borrowed, as are ranks and log */
    const struct stac_ranks *ranks;
    const struct stac_log *log;
    struct stac_checkpoint *checkpoint; /* borrowed, or NULL */
    char *folder;                       /* of the converted network, or NULL; owned */
    struct stac_snn snn;
    const char *origin_path;  /* where the original was when it was converted; borrowed from snn */
    struct stac_model *model; /* NULL when the baseline is not run */
    struct stac_tokenizer *tokenizer;
    struct stac_hparams hp; /* of the original where there is one, else of the folded network */
    struct stac_grid grid;
    int *stage_begin;
    struct stac_part part;
    bool side[STAC_SIDES]; /* which ones run */
    struct stac_network net[STAC_SIDES];
    struct stac_hardware hardware;
    struct stac_network placed[STAC_SIDES]; /* the networks on its device, if any */
    struct stac_sparse sparse;              /* with use_sparse: what this machine needs */
};

/* Open what the job names. Collective over all ranks; ends with an agreement. STAC_ERR_USAGE when the SNN side is asked
 * for and there is none; STAC_ERR_INPUT when the original is not the one that was converted. */
int stac_subject_open(struct stac_subject *s, struct stac_error *err);

/* Put a network, as it now is in net, on the device, if there is one: after its codes were changed. Not collective. */
int stac_subject_place(struct stac_subject *s, enum stac_side side, struct stac_error *err);

/* What the results of a job about this subject depend on (job/digest.h). Rank 0 alone has all that it takes. */
int stac_subject_digest(const struct stac_subject *s, char hex[STAC_SHA256_HEX], struct stac_error *err);

/* The tokenizer of the job's converted folder, model folder or GGUF file alone. Not collective. */
int stac_subject_tokenizer(const struct stac_job *job, struct stac_tokenizer **out, struct stac_error *err);
void stac_subject_close(struct stac_subject *s);

/* Tokens that a conversation may have: max_context_length, and where the job does not set it at most the positions of the
 * model. */
int stac_subject_context(const struct stac_subject *s);

/* Whether a side gives the same bits for a text read in pieces and at once. ST-BIF+ neurons do not (net/gradual.h): what
 * compares the two leaves this side out and says so. */
bool stac_subject_holds_in_pieces(const struct stac_subject *s, enum stac_side side);

/* Caches, runs and a pipeline over some sides of a subject. */
struct stac_stand {
    struct stac_subject *subject; /* borrowed */
    int n_sides;
    enum stac_side side[STAC_SIDES];
    struct stac_cache cache[STAC_SIDES]; /* by position, like run */
    struct stac_run run[STAC_SIDES];
    struct stac_pipeline pipeline;
};

/* All sides that run, or just `only` (STAC_SIDES: all); on the subject's device, or on processors whatever the job says, where
 * more can be seen. Collective; ends with an agreement. */
int stac_stand_init(struct stac_stand *t, struct stac_subject *s, enum stac_side only, int n_slots, int capacity, int max_rows,
                    struct stac_error *err);
int stac_stand_init_on_processors(struct stac_stand *t, struct stac_subject *s, enum stac_side only, int n_slots, int capacity,
                                  int max_rows, struct stac_error *err);
/* The SNN in one mode, whatever the job says, for one text of `capacity` tokens: count on the subject's device, time on
 * processors. */
int stac_stand_init_in_mode(struct stac_stand *t, struct stac_subject *s, enum stac_mode mode, int capacity,
                            struct stac_error *err);
void stac_stand_clean(struct stac_stand *t);

/* Move what the run at a position has counted, at the sites of this rank, to counts[stac_site_count(hp)], which it adds to. */
void stac_stand_take_counts(struct stac_stand *t, int position, struct stac_counts *counts);

/* Counts of all sites of a side, merged over all ranks: counts[stac_site_count(hp)]. Collective. */
int stac_stand_counts(struct stac_stand *t, int position, struct stac_counts *counts, struct stac_error *err);

#endif
