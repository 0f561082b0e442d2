/* How the threads of a product share its columns: each takes a range of whole panels, in strips as even as can be. */
#ifndef STAC_KERNELS_STRIPS_H
#define STAC_KERNELS_STRIPS_H

#include <omp.h>

/* The strip [from, to) that is next; over when none is left. */
struct stac_strips {
    int from, to, left;    /* columns; strips, this one too */
    int n, panel, at, end; /* columns in all; columns of a panel; panels of this thread from this strip on */
};

static inline void stac_strips_cut(struct stac_strips *s) {
    int panels = s->left > 0 ? (s->end - s->at + s->left - 1) / s->left : 0;
    s->from = s->at * s->panel;
    s->at += panels;
    s->to = s->at * s->panel < s->n ? s->at * s->panel : s->n;
}

/* Of n columns those of the calling thread, in strips of at most `widest`, a multiple of `panel`. */
static inline struct stac_strips stac_strips_of(int n, int panel, int widest) {
    long panels = (n + panel - 1) / panel, share = omp_get_thread_num(), shares = omp_get_num_threads();
    struct stac_strips s = {.n = n,
                            .panel = panel,
                            .at = (int)(panels * share / shares),
                            .end = (int)(panels * (share + 1) / shares)};
    s.left = (s.end - s.at + widest / panel - 1) / (widest / panel);
    stac_strips_cut(&s);
    return s;
}

static inline void stac_strips_next(struct stac_strips *s) {
    s->left--;
    stac_strips_cut(s);
}

#endif
