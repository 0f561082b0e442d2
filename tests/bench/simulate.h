/* A cluster on paper: groups of stages take items from a list, as src/net/pipeline.h does, with times that were measured. */
#ifndef STAC_TESTS_BENCH_SIMULATE_H
#define STAC_TESTS_BENCH_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

struct cluster {
    int groups, stages;                           /* groups * stages ranks */
    double seconds_a_token;                       /* of the whole model on one rank; stages share it evenly */
    double seconds_an_item;                       /* that every stage needs for an item besides */
    double latency;                               /* seconds of a message from stage to stage */
    double bandwidth;                             /* bytes a second of a link */
    double bytes_a_token;                         /* of the residual stream */
    enum { IN_TURN, LONGEST_FIRST, QUEUE } share; /* item i is group i mod groups's; dist/share.h; who is free takes the next */
};

struct forecast {
    double seconds;    /* until the last item is done */
    double busy;       /* share of the ranks' time that is work */
    double throughput; /* tokens a second */
};

/* Items of tokens[n] tokens, which are sorted where that is the way to share. An item enters a stage when it has arrived and
 * the one before it has left; sending overlaps with work. False: no memory. */
bool simulate(const struct cluster *c, int *tokens, size_t n, struct forecast *out);

#endif
