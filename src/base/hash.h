/* Digests: SHA-256 for the identity of files, XXH3 for fast checks of our own data, lookup3 for HDF5's. */
#ifndef STAC_BASE_HASH_H
#define STAC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define STAC_SHA256_HEX 65 /* 64 hexadecimal digits and the NUL */

int stac_sha256_bytes(const void *data, size_t size, char hex[STAC_SHA256_HEX], struct stac_error *err);

/* SHA-256 of the concatenation of n parts. */
struct stac_bytes {
    const void *data;
    size_t size;
};
int stac_sha256_parts(const struct stac_bytes *parts, size_t n, char hex[STAC_SHA256_HEX], struct stac_error *err);

/* The checksum of HDF5's structures: hashlittle of Bob Jenkins' lookup3.c (2006, public domain), which begins with 0. */
uint32_t stac_lookup3(const void *data, size_t size);

uint64_t stac_xxh3(const void *data, size_t size);

#endif
