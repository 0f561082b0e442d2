#include "simulate.h"

#include <stdlib.h>

/* The group that takes item i: the one in turn, or the one whose first stage is free first. */
static int taker_of(const struct cluster *c, const double *free_at, size_t i) {
    int best = 0;
    if (c->share == IN_TURN) return (int)(i % (size_t)c->groups);
    for (int g = 1; g < c->groups; g++)
        if (free_at[(size_t)g * c->stages] < free_at[(size_t)best * c->stages]) best = g;
    return best;
}

/* One item through the stages of a group; free_at[stage] moves on. Returns the time at which it is done, adds to *work. */
static double pass(const struct cluster *c, double *free_at, int tokens, double *work) {
    double arrives = 0, seconds = c->seconds_an_item + c->seconds_a_token * tokens / c->stages;
    for (int s = 0; s < c->stages; s++) {
        double begins = arrives > free_at[s] ? arrives : free_at[s];
        free_at[s] = begins + seconds;
        *work += seconds;
        arrives = free_at[s] + c->latency + c->bytes_a_token * tokens / c->bandwidth;
    }
    return free_at[c->stages - 1];
}

/* Sharing the longest first is a queue of items that are sorted by length. */
static int longer(const void *a, const void *b) {
    int p = *(const int *)a, q = *(const int *)b;
    return (p < q) - (p > q);
}

bool simulate(const struct cluster *c, int *tokens, size_t n, struct forecast *out) {
    double *free_at = calloc((size_t)c->groups * (size_t)c->stages, sizeof *free_at), work = 0, all = 0;
    if (!free_at) return false;
    *out = (struct forecast){0};
    if (c->share == LONGEST_FIRST) qsort(tokens, n, sizeof *tokens, longer);
    for (size_t i = 0; i < n; i++) {
        double done = pass(c, free_at + (size_t)taker_of(c, free_at, i) * (size_t)c->stages, tokens[i], &work);
        out->seconds = done > out->seconds ? done : out->seconds;
        all += tokens[i];
    }
    out->busy = work / (out->seconds * c->groups * c->stages);
    out->throughput = all / out->seconds;
    free(free_at);
    return true;
}
