/* Points that others have published: transformer language models as spiking networks without retraining. */
#ifndef STAC_REPORT_PUBLISHED_H
#define STAC_REPORT_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>

struct stac_published {
    const char *name; /* method and model */
    int timesteps;
    double ppl_ratio;  /* after over before, WikiText */
    double ac_per_mac; /* additions per multiply-accumulate, or spikes per encoded activation; 0: not published */
    bool estimated;    /* ac_per_mac is an estimate of ours or of a reviewer, not a figure of the authors */
    const char *source;
};

/* All of them, *n. Static. */
const struct stac_published *stac_published_points(size_t *n);

#endif
