#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

struct stac_utf8_char stac_utf8_at(const char *text, size_t size, size_t at) {
    const uint8_t *p = (const uint8_t *)text + at;
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    if (lead < 0x80) return (struct stac_utf8_char){lead, 1, true};
    size_t more = lead < 0xC2 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 0;
    if (lead == 0xE0) low = 0xA0;  /* shorter forms */
    if (lead == 0xED) high = 0x9F; /* surrogates */
    if (lead == 0xF0) low = 0x90;  /* shorter forms */
    if (lead == 0xF4) high = 0x8F; /* beyond U+10FFFF */
    uint32_t code = lead & (0x3Fu >> more);
    size_t n = 1;
    for (; n <= more && n < size - at; n++) {
        if (p[n] < low || p[n] > high) break;
        code = code << 6 | (p[n] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    if (more == 0 || n <= more) return (struct stac_utf8_char){STAC_UTF8_REPLACEMENT, (uint8_t)n, false};
    return (struct stac_utf8_char){code, (uint8_t)n, true};
}

struct stac_utf8_char stac_utf8_before(const char *text, size_t at) {
    size_t begin = at - 1;
    while (begin > 0 && ((uint8_t)text[begin] & 0xC0) == 0x80) begin--;
    return stac_utf8_at(text, at, begin);
}

size_t stac_utf8_valid(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += sizeof eight;
                continue;
            }
        }
        struct stac_utf8_char c = stac_utf8_at(text, size, at);
        if (!c.valid) break;
        at += c.size;
    }
    return at;
}

bool stac_is_utf8(const char *text) {
    size_t size = strlen(text);
    return stac_utf8_valid(text, size) == size;
}

int stac_utf8_repair(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err) {
    for (size_t at = 0; at < size;) {
        size_t good = stac_utf8_valid(text + at, size - at);
        STAC_TRY(stac_strbuf_add(out, text + at, good, err));
        at += good;
        if (at == size) break;
        STAC_TRY(stac_strbuf_puts(out, "\xEF\xBF\xBD", err));
        at += stac_utf8_at(text, size, at).size;
    }
    return STAC_OK;
}

bool stac_utf8_is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}

/* Symbols with the property Other_Alphabetic: circled, squared and negative letters. */
static bool is_letter_symbol(uint32_t code) {
    return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) ||
           (code >= 0x1F170 && code <= 0x1F189);
}

bool stac_utf8_is_word(uint32_t code) {
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return code == 0x200C || code == 0x200D || is_letter_symbol(code);
    }
}
