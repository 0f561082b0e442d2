/* Unicode normal form C, the one normalizer that is supported. */
#ifndef STAC_TEXT_NORMALIZER_H
#define STAC_TEXT_NORMALIZER_H

#include <stddef.h>

#include "base/strbuf.h"

/* Append the NFC form of valid UTF-8. */
int stac_normalizer_nfc(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err);

#endif
