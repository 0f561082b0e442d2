/* Calibration windows as a file (HDF5, "stac-calibration"): /tokens int32 [windows][length]; attributes of the root say what
 * they are and for which vocabulary. A conversion that reads them is the one that made them, byte for byte. */
#ifndef STAC_STORE_WINDOWS_FILE_H
#define STAC_STORE_WINDOWS_FILE_H

#include "convert/convert.h"

/* Write windows. Not collective. */
int stac_windows_write(const char *path, const struct stac_windows *w, struct stac_error *err);

/* Read a file of them; every token is checked against the vocabulary. Not collective. */
int stac_windows_read(const char *path, struct stac_windows *out, struct stac_error *err);
void stac_windows_clean(struct stac_windows *w);

#endif
