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
