/* The table of the frontier (HDF5, "stac-frontier"): one row a point, all on the same network and text. The file is small and
 * written whole after every point, under a temporary name that is renamed: an interruption at any time leaves it as it was
 * after the point before. */
#ifndef STAC_EVAL_FRONTIER_TABLE_H
#define STAC_EVAL_FRONTIER_TABLE_H

#include "base/hash.h"
#include "eval/score.h"

/* A row. What was asked: code, timesteps, spike_budget. */
struct stac_point {
    char code[32];     /* as the key `code` names it; "dense": the original itself, T = 0 */
    int32_t timesteps; /* T */
    int32_t cheapest;  /* 1: of those with its code and T that meet the target ratio, the one of the smallest budget */
    double spike_budget, planned_ac_per_mac;            /* additions per multiply-accumulate */
    double ac_per_mac, spikes_per_activation, coverage; /* counted on the text */
    double perplexity, ppl_ratio, kl, top1_agreement;   /* kl in nats per token */
    double energy_ratio_fp32;                           /* operations only: 4.6 pJ a MAC over 0.9 pJ an AC */
    double seconds;                                     /* design and scoring */
};

/* What all rows have in common; a file with other ones is refused. */
struct stac_common {
    char network[STAC_SHA256_HEX]; /* SHA-256 of the snn_model.h5 that is recoded */
    char text[STAC_SHA256_HEX];    /* SHA-256 of the tokens that are predicted */
    const char *text_name;         /* borrowed; for the reader only */
    int64_t tokens, context, stride;
};

/* Rank 0 holds the file; all ranks hold the rows. */
struct stac_frontier_table {
    const struct stac_ranks *ranks; /* borrowed, as is the path */
    const char *path;
    struct stac_common common;
    double target_ratio;      /* that `cheapest` refers to; 0: none */
    struct stac_point *point; /* owned */
    size_t n, cap;
};

/* Take the rows of the file at t->path, if there is one: STAC_ERR_INPUT when it is of another network or text. Set the other
 * fields before. Collective; ends with an agreement, as does the next. */
int stac_table_open(struct stac_frontier_table *t, struct stac_error *err);

/* Add a row, the same on every rank, and write the file. */
int stac_table_add(struct stac_frontier_table *t, const struct stac_point *point, struct stac_error *err);

/* Mark the cheapest points that meet t->target_ratio, and write the file. */
int stac_table_mark(struct stac_frontier_table *t, struct stac_error *err);

/* The row of a code, T and budget, or NULL. */
const struct stac_point *stac_table_find(const struct stac_frontier_table *t, const char *code, int timesteps, double budget);

void stac_table_clean(struct stac_frontier_table *t);

#endif
