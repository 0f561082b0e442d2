/* What a result depends on, in one digest: the program, the keys of the job that change results, what is converted or looked
 * at, and the contents of the files that the job names. Two runs with the same digest give the same result. */
#ifndef STAC_JOB_DIGEST_H
#define STAC_JOB_DIGEST_H

#include "base/hash.h"
#include "job/job.h"

/* `version` is of the program, `subject` a digest of the model or network. STAC_ERR_INPUT or STAC_ERR_IO when a file cannot be
 * read. */
int stac_job_digest(const struct stac_job *job, const char *version, const char *subject, char hex[STAC_SHA256_HEX],
                    struct stac_error *err);

/* Add to a subject the digests of files beside weights that decide what is read and written, of those that are there: the
 * tokenizer's in its folder, and generation_config.json in the model's (NULL: none). A GGUF file has nothing beside it. */
int stac_digest_companions(const char *tokenizer, const char *model, struct stac_strbuf *subject, struct stac_error *err);

/* SHA-256 of a file. */
int stac_digest_file(const char *path, char hex[STAC_SHA256_HEX], struct stac_error *err);

#endif
