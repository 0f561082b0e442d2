#include "base/cursor.h"

#include <string.h>

struct stac_cursor stac_cursor_over(const void *data, size_t size, struct stac_error *err) {
    return (struct stac_cursor){.data = data, .size = size, .at = 0, .err = err};
}

size_t stac_cursor_left(const struct stac_cursor *c) {
    return c->size - c->at;
}

bool stac_cursor_ok(const struct stac_cursor *c) {
    return c->err->status == STAC_OK;
}

const uint8_t *stac_cursor_take(struct stac_cursor *c, size_t n, const char *what) {
    if (!stac_cursor_ok(c)) return NULL;
    if (n > stac_cursor_left(c)) {
        stac_fail(c->err, STAC_ERR_INPUT, "the file ends at byte %zu inside %s (%zu bytes needed, %zu left)", c->size, what, n,
                  stac_cursor_left(c));
        return NULL;
    }
    const uint8_t *p = c->data + c->at;
    c->at += n;
    return p;
}

static uint64_t little_endian(struct stac_cursor *c, size_t n, const char *what) {
    const uint8_t *p = stac_cursor_take(c, n, what);
    uint64_t value = 0;
    for (size_t i = 0; p && i < n; i++) value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint8_t stac_cursor_u8(struct stac_cursor *c, const char *what) {
    return (uint8_t)little_endian(c, 1, what);
}

uint16_t stac_cursor_u16(struct stac_cursor *c, const char *what) {
    return (uint16_t)little_endian(c, 2, what);
}

uint32_t stac_cursor_u32(struct stac_cursor *c, const char *what) {
    return (uint32_t)little_endian(c, 4, what);
}

uint64_t stac_cursor_u64(struct stac_cursor *c, const char *what) {
    return little_endian(c, 8, what);
}

float stac_cursor_f32(struct stac_cursor *c, const char *what) {
    uint32_t bits = stac_cursor_u32(c, what);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double stac_cursor_f64(struct stac_cursor *c, const char *what) {
    uint64_t bits = stac_cursor_u64(c, what);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool stac_cursor_can_hold(struct stac_cursor *c, uint64_t count, size_t item_bytes, const char *what) {
    if (!stac_cursor_ok(c)) return false;
    if (item_bytes && count > stac_cursor_left(c) / item_bytes) {
        stac_fail(c->err, STAC_ERR_INPUT, "%s claims %llu items, which the %zu bytes left in the file cannot hold", what,
                  (unsigned long long)count, stac_cursor_left(c));
        return false;
    }
    return true;
}
