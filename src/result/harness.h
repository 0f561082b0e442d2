/* Perplexity as JSON in the form of the lm-evaluation-harness 0.4 (lm_eval/result_schema.py, EvaluationTracker), for tools that
 * read its results: a task of the kind loglikelihood_rolling over one document. */
#ifndef STAC_RESULT_HARNESS_H
#define STAC_RESULT_HARNESS_H

#include "result/result.h"

/* Write the result of one side, the SNN's where it ran: model_source "stac", the task called as the text file without its
 * ending, word_perplexity, byte_perplexity, bits_per_byte and token_perplexity under the filter "none". What else decides the
 * figures (window, stride, BOS, words, counts) is in configs.TASK.metadata. The text is a file and was scored. */
int stac_harness_write(const struct stac_result *r, const char *path, struct stac_error *err);

#endif
