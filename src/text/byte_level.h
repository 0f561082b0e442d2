/* The byte-level alphabet of GPT-2: a printable character for every byte, in which vocabularies and merges are written. */
#ifndef STAC_TEXT_BYTE_LEVEL_H
#define STAC_TEXT_BYTE_LEVEL_H

#include <stddef.h>
#include <stdint.h>

/* The character of a byte in UTF-8, into out; returns its size, 1 or 2. */
size_t stac_byte_level_put(uint8_t byte, char out[2]);

/* The byte that a character stands for, or -1. */
int stac_byte_level_byte(uint32_t code);

#endif
