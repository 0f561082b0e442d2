/* UTF-8, read as Python reads it with errors="replace": every maximal part of a malformed sequence is one U+FFFD
 * (The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal Subparts"). */
#ifndef STAC_BASE_UTF8_H
#define STAC_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define STAC_UTF8_REPLACEMENT 0xFFFDu

struct stac_utf8_char {
    uint32_t code; /* U+FFFD when malformed */
    uint8_t size;  /* bytes that were read, at least 1 */
    bool valid;
};

/* The character at text[at], at < size; and the last character of text[0, at), at > 0, of valid UTF-8. */
struct stac_utf8_char stac_utf8_at(const char *text, size_t size, size_t at);
struct stac_utf8_char stac_utf8_before(const char *text, size_t at);

/* Bytes at the start of the text that are valid UTF-8. */
size_t stac_utf8_valid(const char *text, size_t size);
bool stac_is_utf8(const char *text); /* all of it */

/* Append the text with its malformed parts replaced. */
int stac_utf8_repair(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err);

/* Unicode's White_Space, and the \w of Rust's regex crate (Alphabetic, Mark, Decimal_Number, Connector_Punctuation,
 * Join_Control), which decides where a word ends beside an added token. */
bool stac_utf8_is_space(uint32_t code);
bool stac_utf8_is_word(uint32_t code);

#endif
