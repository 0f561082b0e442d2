/* A record of a checkpoint: bytes under a name, bound to one job. The file is
 *
 *     "STACKEPT"  uint64 version, body bytes, XXH3 of the body;  char job[72], name[64];  uint64 XXH3 of all before;  the body
 *
 * little-endian, written under another name and renamed; the one before it stays as NAME.old. Not collective. */
#ifndef STAC_DIST_RECORD_H
#define STAC_DIST_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"

#define STAC_RECORD_NAME 64

/* Write parts one after the other. The generation before stays beside it. */
int stac_record_write(const char *folder, const char *name, const char job[STAC_SHA256_HEX], const struct stac_bytes *part,
                      size_t n, struct stac_error *err);

/* Read the record back, owned by the caller: the newest generation that is whole and of this job (NULL: of any). *body NULL:
 * there is none. *damaged: a newer one was there and is not whole. Never fails over what a file holds. */
int stac_record_read(const char *folder, const char *name, const char *job, char **body, size_t *size, bool *damaged,
                     struct stac_error *err);

/* Whether a file of the folder begins as records do, whole or not. */
bool stac_record_is_one(const char *folder, const char *name);

/* Where the body of a record begins in the bytes of its file, or NULL: it is not whole, or not a record of this name and job
 * (NULL: of any). */
const char *stac_record_body(const char *bytes, size_t n, const char *name, const char *job, size_t *size);

#endif
