#include "text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Unicode's White_Space. PCRE2's own \s holds U+180E as well, which lost the property in Unicode 6.3. */
#define SPACE "\\x09-\\x0D\\x20\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define CONTRACTION "'s|'t|'re|'ve|'m|'ll|'d|"

/* The pattern of GPT-2 (openai/gpt-2, src/encoder.py). */
static const char gpt2[] =
    CONTRACTION " ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

/* The same after every numeral was cut out of the text: a numeral is a word without the space before it, and white
 * space before one ends as it does at the end of the text. */
static const char gpt2_digits[] =
    CONTRACTION " ?\\p{L}+|\\p{N}| ?[^" SPACE "\\p{L}\\p{N}]+|[" SPACE "]+(?![^" SPACE "\\p{N}])|[" SPACE "]+";

int stac_pretokenizer_compile(struct stac_pretokenizer *p, struct stac_error *err) {
    int number;
    PCRE2_SIZE where;
    const char *pattern = p->digits ? gpt2_digits : gpt2;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED,
                                     &number, &where, NULL);
    if (!code)
        return stac_fail(err, STAC_ERR_INTERNAL, "PCRE2 error %d at byte %zu of the pre-tokenizer's pattern", number, where);
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where it is not to be had, matching is the same and slower */
    p->code = code;
    return STAC_OK;
}

void stac_pretokenizer_clean(struct stac_pretokenizer *p) {
    pcre2_code_free(p->code);
    *p = (struct stac_pretokenizer){0};
}

int stac_word_reader_open(const struct stac_pretokenizer *p, struct stac_word_reader *out, struct stac_error *err) {
    *out = (struct stac_word_reader){p, pcre2_match_data_create(1, NULL)};
    return out->match ? STAC_OK : stac_fail(err, STAC_ERR_MEMORY, "cannot allocate the pre-tokenizer's match");
}

void stac_word_reader_close(struct stac_word_reader *r) {
    pcre2_match_data_free(r->match);
    r->match = NULL;
}

int stac_word_reader_end(struct stac_word_reader *r, const char *text, size_t size, size_t at, size_t *end,
                         struct stac_error *err) {
    int found = pcre2_match(r->pretokenizer->code, (PCRE2_SPTR)text, size, at, PCRE2_NO_UTF_CHECK, r->match, NULL);
    if (found < 0) return stac_fail(err, STAC_ERR_INTERNAL, "PCRE2 error %d at byte %zu of a text", found, at);
    *end = pcre2_get_ovector_pointer(r->match)[1];
    return STAC_OK;
}
