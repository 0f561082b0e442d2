/* Text through the tokenizers of the tests and back: decode(encode(x)) is x with malformed UTF-8 replaced, whole or cut into
 * pieces. */
#include <string.h>

#include "base/utf8.h"
#include "harness.h"
#include "text/tokenizer_internal.h"

static struct stac_tokenizer *open_once(struct stac_tokenizer **t, const char *path) {
    struct stac_error err = {0};
    if (!*t) MUST(stac_tokenizer_open(path, t, &err));
    return *t;
}

/* Every byte has a token, so nothing is lost. */
static void comes_back(const struct stac_tokenizer *t, const char *text, size_t size) {
    struct stac_error err = {0};
    for (int specials = 0; specials < 2; specials++) {
        struct stac_tokens tokens = {0};
        struct stac_strbuf decoded = {0}, repaired = {0};
        MUST(stac_utf8_repair(&repaired, text, size, &err));
        PROMISE(stac_utf8_valid(stac_strbuf_text(&repaired), repaired.size) == repaired.size);
        PROMISE(stac_utf8_valid(text, size) < size || (repaired.size == size && (!size || !memcmp(repaired.data, text, size))));
        PROMISE(fuzz_accepted(stac_tokenizer_encode(t, text, size, specials, &tokens, &err), &err));
        MUST(stac_tokenizer_decode(t, tokens.id, tokens.n, false, &decoded, &err));
        PROMISE(decoded.size == repaired.size && (!size || memcmp(decoded.data, repaired.data, repaired.size) == 0));
        stac_strbuf_clean(&repaired);
        stac_strbuf_clean(&decoded);
        stac_tokens_clean(&tokens);
    }
}

/* Pieces as long texts are cut give the tokens of the whole. */
static void cuts_change_nothing(const struct stac_tokenizer *t, const char *text, size_t size) {
    struct stac_error err = {0};
    struct stac_tokens whole = {0}, pieces = {0};
    if (stac_utf8_valid(text, size) < size) return; /* what is cut is repaired first */
    MUST(stac_tokenizer_encode(t, text, size, true, &whole, &err));
    for (size_t at = 0, n; at < size; at += n) {
        n = stac_tokenizer_cut(t, text + at, size - at, 5);
        PROMISE(n > 0 && n <= size - at);
        MUST(stac_tokenizer_encode(t, text + at, n, true, &pieces, &err));
    }
    PROMISE(pieces.n == whole.n && (!whole.n || memcmp(pieces.id, whole.id, whole.n * sizeof *whole.id) == 0));
    stac_tokens_clean(&whole);
    stac_tokens_clean(&pieces);
}

/* Text of a user gives no control token, whatever trusted text stands beside it. */
static void stays_ordinary(const struct stac_tokenizer *t, const char *text, size_t size) {
    struct stac_error err = {0};
    struct stac_tokens tokens = {0};
    size_t controls = 0, half = size / 2;
    const struct stac_text_part parts[] = {{"<|im_start|>", 12, true},
                                           {text, half, false},
                                           {"<|im_end|>", 10, true},
                                           {text + half, size - half, false}};
    MUST(stac_tokenizer_encode_parts(t, parts, 4, &tokens, &err));
    for (size_t i = 0; i < tokens.n; i++) controls += stac_tokenizer_is_special(t, tokens.id[i]);
    PROMISE(controls == 2);
    stac_tokens_clean(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stac_tokenizer *bytes, *smol;
    const char *text = (const char *)data;
    comes_back(open_once(&bytes, STAC_TEST_DATA "/models/gpt2-tiny-shakespeare"), text, size);
    cuts_change_nothing(bytes, text, size);
    open_once(&smol, STAC_TEST_DATA "/golden/tokenizer/smol");
    cuts_change_nothing(smol, text, size);
    stays_ordinary(smol, text, size);
    return 0;
}
