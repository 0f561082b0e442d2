/* A bounded reader over bytes in memory whose first error sticks, so that parsing code stays linear and safe.
 * Integers and floats are read little-endian. After an error every read returns 0 and moves nothing. */
#ifndef STAC_BASE_CURSOR_H
#define STAC_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct stac_cursor {
    const uint8_t *data; /* borrowed */
    size_t size;
    size_t at;
    struct stac_error *err; /* borrowed; err->status != STAC_OK stops the cursor */
};

struct stac_cursor stac_cursor_over(const void *data, size_t size, struct stac_error *err);
size_t stac_cursor_left(const struct stac_cursor *c);
bool stac_cursor_ok(const struct stac_cursor *c);

/* Pointer to the next n bytes, which are passed over; NULL and STAC_ERR_INPUT naming `what` when fewer are left. */
const uint8_t *stac_cursor_take(struct stac_cursor *c, size_t n, const char *what);

uint8_t stac_cursor_u8(struct stac_cursor *c, const char *what);
uint16_t stac_cursor_u16(struct stac_cursor *c, const char *what);
uint32_t stac_cursor_u32(struct stac_cursor *c, const char *what);
uint64_t stac_cursor_u64(struct stac_cursor *c, const char *what);
float stac_cursor_f32(struct stac_cursor *c, const char *what);
double stac_cursor_f64(struct stac_cursor *c, const char *what);

/* Fail unless at least `count` items of `item_bytes` bytes can still follow: the check before an allocation. */
bool stac_cursor_can_hold(struct stac_cursor *c, uint64_t count, size_t item_bytes, const char *what);

#endif
