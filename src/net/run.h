/* One forward pass: a batch of rows through a network. The only one: the dense model, calibration, both spiking modes,
 * generation and evaluation all come through here; dense or spiking is a property of the site and the mode. */
#ifndef STAC_NET_RUN_H
#define STAC_NET_RUN_H

#include "kernels/kernels.h"
#include "net/cache.h"
#include "net/network.h"
#include "net/sparse.h"
#include "spike/train.h"

enum stac_mode {
    STAC_MODE_DENSE,    /* float products at every site */
    STAC_MODE_COUNT,    /* spiking sites: codes summed over time, one integer product */
    STAC_MODE_TEMPORAL, /* spiking sites: T steps, every spike adds a weight row; the same integers */
};

/* Tokens to be read. Rows of one slot are contiguous and in the order of the text; a token that the attention mask
 * excludes is simply not a row. Positions are those of the tokens in their sequence. */
struct stac_batch {
    int n;
    const int32_t *token, *position, *slot; /* [n], borrowed */
};

/* Sees, and with `changes` may change, what enters a site before it is coded: rows [first, first + n_rows) of the batch, `n`
 * values each, rows `ld` apart; `head` is the query head at q and p, else -1. At q and p it is called from several threads; at
 * p (dense runs only) a weight of zero is a key that the row does not see. */
struct stac_probe {
    void (*see)(void *ctx, const struct stac_site *site, int head, int first, int n_rows, int n, float *x, int ld);
    void *ctx;
    bool changes; /* false: the run's bits are those without a probe */
};

/* What a run needs on a device beside its activations (net/on_device.h). */
struct stac_on_device {
    int32_t *index, *index_here; /* [4][rows] of the last batch, room for max_rows; here: in the host's memory */
    float *cosine, *sine;
    struct stac_event_space events; /* of max_rows, in temporal mode */
    float *logits;                  /* [head_rows][n_vocab], on the last stage */
    int head_rows;
    double *u; /* [head_rows] what tokens are drawn by, and those: on the last stage */
    int32_t *drawn;
    struct stac_tally *tally, *tally_here; /* [n_sites], of the last batch, and behind them `sent` */
    float *rows_here, *out_here;           /* [max_rows][...] what attention and probes of the host work on; else NULL */
    struct stac_head_sent *sent;           /* [layers][rows][n_head], of the last batch of a spiking run, or NULL */
};

/* Rows of one slot in the current batch. */
struct stac_segment {
    int slot, first, n, cached; /* first row, rows, tokens already in the cache */
};

/* Workspace of one thread inside attention and the temporal mode. */
struct stac_lane {
    float *score, *weight; /* [STAC_ATTENTION_ROWS][capacity] */
    int16_t *code;         /* [STAC_ATTENTION_ROWS][capacity or widest input] */
    int32_t *acc;          /* the same or [head_dim], whichever is more */
    /* in temporal mode only */
    int16_t *scratch; /* [STAC_TRAIN_SCRATCH] */
    int8_t *tile;     /* [STAC_TRAIN_INPUTS][STAC_RUN_TILE] */
    struct stac_sent sent;
    struct stac_train train;
};

#define STAC_ATTENTION_ROWS 32
#define STAC_RUN_TRAINS 64
#define STAC_RUN_TILE 128

/* What the ST-BIF+ neurons of a site keep between steps (net/gradual.h). */
struct stac_gradual {
    int16_t *sum; /* [max_rows][neurons of a row] what each has sent so far; where the run is, as is acc */
    int32_t *acc; /* [max_rows][outputs] temporal mode, linear sites: weight rows added up, spike by spike; or NULL */
};

/* What is counted of a site input by input (net/channels.h). */
struct stac_channels {
    int64_t *spikes; /* [inputs] sent by each; of q and p NULL */
    int64_t updates; /* of membranes (stac_neuron_updates); temporal mode only */
};

/* The state and workspace of forward passes over one network and cache. Not thread-safe; uses OpenMP inside. */
struct stac_run {
    const struct stac_network *net;   /* borrowed */
    struct stac_cache *cache;         /* borrowed */
    const struct stac_device *device; /* of the network; NULL: the processor. All activations are in its memory */
    const struct stac_kernels *kernels, *kernels_here; /* of that device; of the processor */
    struct stac_on_device there;
    enum stac_mode mode;
    struct stac_probe probe;    /* see == NULL: none */
    struct stac_counts *counts; /* [(last - first) * STAC_SITE_HEAD_IN + 1], the last one is head_in */
    float *cosine, *sine;       /* [n_positions][head_dim / 2], rotary models */
    size_t angles_cap;          /* of both */
    int n_positions;            /* positions that have angles so far */
    int max_rows, widest;
    float *normed, *wide, *hidden; /* [max_rows][...] */
    int16_t *code;                 /* [max_rows][widest input] */
    float *factor;                 /* [max_rows] */
    int32_t *acc;                  /* [rows of a chunk][outputs] */
    size_t acc_size;
    struct stac_lane *lane;
    int n_lanes;
    struct stac_train *train; /* [STAC_RUN_TRAINS] of rows at a product, in temporal mode on the processor, or NULL */
    struct stac_batch batch;
    const int32_t *token, *position, *slot, *at; /* of the batch, where the run is; `at`: index in its slot, on devices only */
    struct stac_segment *segment;                /* [n_slots] */
    int n_segments;
    int n_sites;                      /* in counts and gradual */
    int steps, step;                  /* passes of a batch: 1, with ST-BIF+ neurons T; those done so far */
    struct stac_gradual *gradual;     /* [n_sites], or NULL */
    int8_t *step_of;                  /* [n_lanes][widest] spikes of a row at a step */
    const struct stac_sparse *sparse; /* borrowed; or NULL: products of many rows are packed */
    struct stac_channels *channels;   /* [n_sites], or NULL: not counted */
};

/* Workspace for batches of at most max_rows. Zero-initialise; release with stac_run_clean. On a device x below is its memory
 * (stac_run_activations), logits are the host's, and channels and `sparse` are not to be had. Where the cache is, attention is
 * computed: a dense run on a device whose cache is the host's leaves it, and all that a probe sees, to the processors; probes
 * are to be had in such a run only. */
int stac_run_init(struct stac_run *run, const struct stac_network *net, struct stac_cache *cache, enum stac_mode mode,
                  int max_rows, struct stac_error *err);
void stac_run_clean(struct stac_run *run);

/* Take a batch: checks tokens, positions, order of slots and the room left in the cache (STAC_ERR_USAGE). */
int stac_run_begin(struct stac_run *run, const struct stac_batch *batch, struct stac_error *err);

/* First stage: x[n][n_embd] = embeddings. Every stage: x through its blocks, or through one of them (counted from the
 * first of this part), keys and values into the cache. With ST-BIF+ neurons embedding and blocks are one step of run->steps,
 * which all together read the batch; on the last stage stac_run_blocks takes the neurons of the head one step further too. */
void stac_run_embed(struct stac_run *run, float *x);
int stac_run_block(struct stac_run *run, int layer, float *x, struct stac_error *err);
int stac_run_blocks(struct stac_run *run, float *x, struct stac_error *err);

/* Bytes that a run takes of its device's memory; nearly so of the host's. */
double stac_run_bytes(const struct stac_network *net, enum stac_mode mode, int capacity, int max_rows);

/* The batch has been read: the cache keeps it. Waits for the device, whose failures it tells. */
int stac_run_end(struct stac_run *run, struct stac_error *err);

/* x[max_rows][n_embd] where the run is; released with stac_device_release(run->device, x). */
int stac_run_activations(const struct stac_run *run, float **x, struct stac_error *err);

/* Last stage: logits[n][n_vocab] of the n rows x[n][n_embd] of the residual stream, which are rows [first, first + n) of the
 * last batch; n <= max_rows. x is not changed. logits == NULL: the probe sees what enters the head, nothing is computed. Which
 * rows of the batch they are matters for ST-BIF+ neurons only. */
int stac_run_head(struct stac_run *run, int first, int n, const float *x, float *logits, struct stac_error *err);

/* Last stage: a token drawn after each of the first n rows x[n][n_embd] of the last batch, by u[i] in [0, 1) (kernels/draw.h).
 * logits[n][n_vocab] is room for them, on the processor only. */
int stac_run_draw(struct stac_run *run, int n, const float *x, double temperature, const double *u, float *logits,
                  int32_t *token, struct stac_error *err);

/* Counts of one site, and of all sites of this part together; set all to zero. */
int stac_run_site_index(const struct stac_run *run, const struct stac_site *site); /* of its counts */
struct stac_counts *stac_run_counts(struct stac_run *run, const struct stac_site *site);
void stac_run_clear_counts(struct stac_run *run);

#endif
