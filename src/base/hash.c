#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <xxhash.h>

int stac_sha256_parts(const struct stac_bytes *parts, size_t n, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (size_t i = 0; ok && i < n; i++) ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].size);
    ok = ok && EVP_DigestFinal_ex(ctx, digest, &length);
    EVP_MD_CTX_free(ctx);
    if (!ok || length != 32) return stac_fail(err, STAC_ERR_INTERNAL, "the SHA-256 of %zu parts cannot be computed", n);
    for (unsigned i = 0; i < length; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return STAC_OK;
}

int stac_sha256_bytes(const void *data, size_t size, char hex[STAC_SHA256_HEX], struct stac_error *err) {
    return stac_sha256_parts(&(struct stac_bytes){data, size}, 1, hex, err);
}

uint64_t stac_xxh3(const void *data, size_t size) {
    return XXH3_64bits(data, size);
}

static uint32_t rotate(uint32_t x, int by) {
    return x << by | x >> (32 - by);
}

static void mix(uint32_t s[3]) {
    static const int by[] = {4, 6, 8, 16, 19, 4};
    for (int i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
        *a = (*a - *c) ^ rotate(*c, by[i]);
        *c += *b;
    }
}

static void mix_last(uint32_t s[3]) {
    static const int by[] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 7; i++) {
        uint32_t *c = &s[(i + 2) % 3], *b = &s[(i + 1) % 3];
        *c = (*c ^ *b) - rotate(*b, by[i]);
    }
}

uint32_t stac_lookup3(const void *data, size_t size) {
    const uint8_t *at = data;
    uint32_t s[3], begin = 0xdeadbeef + (uint32_t)size;
    s[0] = s[1] = s[2] = begin;
    if (size == 0) return s[2];
    for (; size > 12; size -= 12, at += 12) {
        for (int i = 0; i < 12; i++) s[i / 4] += (uint32_t)at[i] << 8 * (i % 4);
        mix(s);
    }
    for (size_t i = 0; i < size; i++) s[i / 4] += (uint32_t)at[i] << 8 * (i % 4);
    mix_last(s);
    return s[2];
}
