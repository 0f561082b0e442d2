/* STAC's public interface.
 *
 * A program begins with stac_start, which takes ranks, job file and flags, opens what the job names with stac_subject_open, and
 * talks with it through a processor:
 *
 *     struct stac_start start;
 *     struct stac_subject subject = {.job = &start.job, .ranks = &start.ranks, .log = &start.log};
 *     struct stac_processor processor;
 *     struct stac_error err = {0};
 *     int status = stac_start(&start, STAC_CHAT, argc, argv, stac_build_info(), &err);
 *     if (status == STAC_OK) status = stac_subject_open(&subject, &err);
 *     if (status == STAC_OK) status = stac_processor_init(&processor, &subject, STAC_SNN, 2, 0, &err);
 *     if (status == STAC_OK) status = stac_processor_forward(&processor, &input, logits, &err);
 *
 * Functions return a status and leave one line of text in err; none of them exits or prints. */
#ifndef STAC_H
#define STAC_H

#include "dist/start.h"        /* ranks, job, log */
#include "eval/conversation.h" /* conversations by text */
#include "eval/processor.h"    /* conversations by token, many at once; save and restore */
#include "eval/score.h"        /* perplexity, divergence, spikes */

#endif
