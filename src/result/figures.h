/* The figures and texts of a result: one list, which JSON, metrics.h5 and CSV tell whole, and the comparison out of
 * metrics.h5. */
#ifndef STAC_RESULT_FIGURES_H
#define STAC_RESULT_FIGURES_H

#include "result/result.h"

enum { STAC_MOST_FIGURES = 128, STAC_MOST_NOTES = 24, STAC_FIGURE_NAME = 48 };

/* One figure: a number with its unit ("": none). */
struct stac_figure {
    char name[STAC_FIGURE_NAME];
    const char *unit;
    double value;
    bool measured, whole;
};

/* One text about the result. */
struct stac_note {
    char name[STAC_FIGURE_NAME];
    const char *value; /* borrowed from the result; NULL: there is none */
};

/* All figures and notes, in the order in which files tell them; how many, which is the same for every result. Room for
 * STAC_MOST_FIGURES and STAC_MOST_NOTES. */
int stac_result_figures(const struct stac_result *r, struct stac_figure *f);
int stac_result_notes(const struct stac_result *r, struct stac_note *n);

/* Whether what is called so depends on the machine and not on the network. */
bool stac_figure_varies(const char *name);

#endif
