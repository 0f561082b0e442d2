/* A conversation put away (HDF5, "stac-session"): /tokens int32 [n], /turns int64 [turns] where they begin; attributes of the
 * root say how many tokens are kept and were forgotten, the state of its random numbers, and for which vocabulary and model it
 * is. Keys and values are not in it: they follow from the tokens, bit for bit. */
#ifndef STAC_STORE_SESSION_FILE_H
#define STAC_STORE_SESSION_FILE_H

#include "net/sessions.h"

/* Write a session; `model` is the SHA-256 of the weights, or "". Not collective. */
int stac_session_write(const char *path, const struct stac_session *q, int n_vocab, const char *model, struct stac_error *err);

/* Read one of at most `room` tokens into *q, which is empty: nothing of it is in a cache. STAC_ERR_INPUT for one of another
 * vocabulary or model. On failure *q may hold a part. Not collective. */
int stac_session_read(const char *path, struct stac_session *q, size_t room, int n_vocab, const char *model,
                      struct stac_error *err);

#endif
