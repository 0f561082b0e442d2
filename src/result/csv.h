/* Results as CSV (RFC 4180, UTF-8, one header line), as pandas.read_csv takes it. */
#ifndef STAC_RESULT_CSV_H
#define STAC_RESULT_CSV_H

#include "result/result.h"

/* Write the sites of the SNN, a row each with the columns of /sites in metrics.h5, to `path` (only the header where nothing was
 * scored on an SNN), and all figures, notes and checks as name,value,unit beside it: "x.csv" -> "x_summary.csv". A figure that
 * was not measured has an empty value, as has a note that is not there. */
int stac_csv_write(const struct stac_result *r, const char *path, struct stac_error *err);

#endif
