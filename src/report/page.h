/* report.html: one page, one file, no network; its pictures lie beside it as PNG too. */
#ifndef STAC_REPORT_PAGE_H
#define STAC_REPORT_PAGE_H

#include "result/result.h"

/* Write report.html and its pictures into a folder. Rank 0 only. Without gnuplot the page says that pictures are missing. */
int stac_page_write(const struct stac_result *r, const char *folder, struct stac_error *err);

#endif
