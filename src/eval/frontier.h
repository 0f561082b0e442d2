/* The frontier: what every code, T and spike budget costs a network in perplexity, and the cheapest settings that meet a
 * ratio. The network is recoded in memory (convert/recode.h) and scored on one text, point after point.
 *
 * The original reads the text once; each point is held against all of its predictions (struct stac_kept). So a point is whole
 * by itself, can be written as soon as it is done, and says what an ordinary evaluation of the recoded folder would say. */
#ifndef STAC_EVAL_FRONTIER_H
#define STAC_EVAL_FRONTIER_H

#include "convert/recode.h"
#include "eval/frontier_table.h"

struct stac_frontier {
    struct stac_subject *subject; /* borrowed; both sides open. Its SNN is left with the codes of the last point. */
    struct stac_reading text;
    const char *text_name; /* borrowed */
    struct stac_recoding recoding;
    struct stac_kept kept;
    struct stac_frontier_table table;
    int found, computed; /* points that were in the table, and new ones */
};

/* All points of the job, and its search. Set subject, text and text_name before. A point that is in the table already is not
 * computed again. Collective over all ranks; ends with an agreement. */
int stac_frontier_run(struct stac_frontier *f, struct stac_error *err);
void stac_frontier_clean(struct stac_frontier *f);

#endif
