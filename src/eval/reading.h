/* The text that a network is scored on: a file, or what the original writes when there is none. */
#ifndef STAC_EVAL_READING_H
#define STAC_EVAL_READING_H

#include "eval/subject.h"
#include "text/spelling.h"

/* A text, in windows of `context` tokens every `stride` tokens. */
struct stac_reading {
    const int32_t *tokens; /* [n], borrowed */
    size_t n, context, stride;
};

/* The text of a job. Zero: none was read. What it spells is known on rank 0, and of files only. */
struct stac_text {
    struct stac_reading reading;
    int32_t *tokens;                   /* of the reading; owned, as are name and sum */
    char *name, *sha256;               /* rank 0: path of the file and its sum; without a sum the text is described */
    bool prefixed;                     /* its first token is no text: the policy `bos` puts it there */
    struct stac_spelling all, counted; /* what all of its tokens spell, and those that are predicted */
};

/* Tokens of a window: `context` of the job, else 512 or as many as the model reads. */
size_t stac_text_context(const struct stac_subject *s);

/* The text of the job on every rank. Without one the original, which must be there, writes it, with another seed than that of
 * calibration. Collective; ends with an agreement. */
int stac_text_open(struct stac_subject *s, struct stac_text *out, struct stac_error *err);
void stac_text_clean(struct stac_text *text);

#endif
