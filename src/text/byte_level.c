#include "text/byte_level.h"

#include <stdbool.h>

/* Bytes that are printable in Latin-1 stand for themselves. The other 68 are U+0100, U+0101, ... in their order:
 * 0x00 to 0x20, 0x7F to 0xA0, 0xAD. */
#define OTHERS 0x100
#define OTHERS_MIDDLE (OTHERS + 0x21)
#define OTHERS_LAST (OTHERS_MIDDLE + 0x22)

static bool stands_for_itself(uint32_t code) {
    return (code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xFF && code != 0xAD);
}

size_t stac_byte_level_put(uint8_t byte, char out[2]) {
    uint32_t code = byte;
    if (!stands_for_itself(byte))
        code = byte <= 0x20 ? OTHERS + (uint32_t)byte : byte == 0xAD ? OTHERS_LAST : OTHERS_MIDDLE + (uint32_t)byte - 0x7F;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
}

int stac_byte_level_byte(uint32_t code) {
    if (stands_for_itself(code)) return (int)code;
    if (code >= OTHERS && code < OTHERS_MIDDLE) return (int)(code - OTHERS);
    if (code >= OTHERS_MIDDLE && code < OTHERS_LAST) return (int)(code - OTHERS_MIDDLE + 0x7F);
    return code == OTHERS_LAST ? 0xAD : -1;
}
