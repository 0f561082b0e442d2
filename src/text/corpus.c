#include "text/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "text/tokenizer_internal.h"

#define FILE_MAX ((size_t)1 << 30)
#define BLOCK ((size_t)1 << 20) /* bytes of text made tokens at a time */

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* A block that is likely to hold the tokens still wanted. */
static size_t block_size(size_t n, size_t limit) {
    if (limit == 0 || limit - n > BLOCK / 8) return BLOCK;
    return (limit - n) * 8;
}

static int encode(const struct stac_tokenizer *t, const char *text, size_t size, size_t limit, struct stac_tokens *out,
                  struct stac_error *err) {
    for (size_t at = 0; at < size && (limit == 0 || out->n < limit);) {
        size_t n = stac_tokenizer_cut(t, text + at, size - at, block_size(out->n, limit));
        STAC_TRY(stac_tokenizer_encode(t, text + at, n, true, out, err));
        at += n;
    }
    if (limit && out->n > limit) out->n = limit;
    return STAC_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

int stac_corpus_read(const struct stac_tokenizer *t, const char *path, size_t limit, struct stac_corpus *out,
                     struct stac_error *err) {
    struct stac_mapping map = {0};
    *out = (struct stac_corpus){0};
    STAC_TRY(stac_file_map(path, &map, err));
    int status = STAC_OK;
    if (map.size > FILE_MAX)
        status = stac_fail(err, STAC_ERR_INPUT, "%s has %zu bytes, more than the %zu accepted", path, map.size, FILE_MAX);
    if (status == STAC_OK) status = stac_sha256_bytes(map.data, map.size, out->sha256, err);
    if (status == STAC_OK) status = encode(t, (const char *)map.data, map.size, limit, &out->tokens, err);
    if (status == STAC_OK) status = stac_spelling_count(t, out->tokens.id, out->tokens.n, NULL, &out->spelling, err);
    stac_file_unmap(&map);
    if (status != STAC_OK) stac_corpus_clean(out);
    return status;
}

void stac_corpus_clean(struct stac_corpus *c) {
    stac_tokens_clean(&c->tokens);
    *c = (struct stac_corpus){0};
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

int stac_windows_cut(size_t n_tokens, size_t context, size_t stride, struct stac_window **out, size_t *n,
                     struct stac_error *err) {
    *out = NULL;
    *n = 0;
    if (context < 2) return stac_fail(err, STAC_ERR_USAGE, "a window of %zu tokens predicts none; 2 is the least", context);
    if (stride < 1 || stride > context)
        return stac_fail(err, STAC_ERR_USAGE, "a stride of %zu tokens; accepted are 1 to the window's %zu", stride, context);
    if (n_tokens < 2) return stac_fail(err, STAC_ERR_INPUT, "the text has %zu tokens; a prediction needs at least 2", n_tokens);
    size_t count = n_tokens <= context ? 1 : 1 + (n_tokens - context - 1) / stride + 1;
    size_t overlap = context > stride ? context - stride : 1;
    STAC_TRY(STAC_NEW(*out, count, "the windows", err));
    for (size_t i = 0; i < count; i++) {
        size_t begin = i * stride, left = n_tokens - begin, size = left < context ? left : context, skip = i ? overlap : 1;
        if (size > skip) (*out)[(*n)++] = (struct stac_window){begin, size, skip}; /* a last token alone predicts nothing */
    }
    return STAC_OK;
}
