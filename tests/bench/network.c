#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "eval/subject.h"

enum { PREFILL = 512, PROMPT = 128, DECODED = 64, TRIES = 3, LONGEST = 2048, FEW = 16 };

/* What is read: so many conversations of `prompt` tokens each, then `decoded` more of each, one by one. */
struct load {
    int conversations, prompt, decoded;
};

/* Bytes of the weights of a product, as they lie in memory; and its multiply-accumulates for a token. */
static void add_linear(const struct stac_linear *l, double *bytes, double *macs) {
    double n = (double)l->n_in * l->n_out;
    *macs += n;
    *bytes += n * (l->w ? 4 : l->half ? 2 : 1);
}

static void weigh(const struct stac_network *net, double *bytes, double *macs) {
    *bytes = *macs = 0;
    for (int l = 0; l < net->last - net->first; l++) {
        const struct stac_block *b = &net->block[l];
        const struct stac_linear *all[] = {&b->qkv, &b->o, &b->up, &b->down};
        for (int i = 0; i < 4; i++) add_linear(all[i], bytes, macs);
    }
    add_linear(&net->head, bytes, macs);
}

/* n tokens more of all conversations, in steps of `step`. */
static int read_tokens(struct stac_sessions *s, const int32_t *token, int n, int step, struct stac_error *err) {
    for (int i = 0; i < n; i += step) {
        for (int c = 0; c < s->n; c++) STAC_TRY(stac_sessions_add(s, c, token + i, (size_t)step, err));
        STAC_TRY(stac_sessions_read(s, NULL, NULL, err));
    }
    return STAC_OK;
}

static int time_once(struct stac_sessions *s, const struct load *load, const int32_t *token, double *prefill, double *decode,
                     struct stac_error *err) {
    stac_sessions_reset(s, -1);
    double began = stac_clock_now();
    STAC_TRY(read_tokens(s, token, load->prompt, load->prompt, err));
    double half = stac_clock_now();
    STAC_TRY(read_tokens(s, token + load->prompt, load->decoded, 1, err));
    double end = stac_clock_now();
    *prefill = half - began < *prefill ? half - began : *prefill;
    *decode = end - half < *decode ? end - half : *decode;
    return STAC_OK;
}

/* Bytes of the weight rows, keys and values that spikes touched in all that a stand has read, a row once for each token. */
static int touched(struct stac_stand *stand, double *bytes, struct stac_error *err) {
    int n = stac_site_count(&stand->subject->hp);
    struct stac_counts *counts;
    STAC_TRY(STAC_NEW(counts, n, "counts", err));
    int status = stac_stand_counts(stand, 0, counts, err);
    *bytes = 0;
    for (int i = 0; i < n; i++) *bytes += (double)counts[i].touched;
    free(counts);
    return status;
}

/* Seconds of both parts of a load; the best of some tries. What the spikes of a token touched goes to *bytes, if not NULL. */
static int time_load(struct stac_subject *s, enum stac_side side, const struct load *load, double *prefill, double *decode,
                     double *bytes, struct stac_error *err) {
    struct stac_stand stand = {0};
    struct stac_sessions sessions = {0};
    int32_t token[LONGEST + FEW];
    int length = load->prompt + load->decoded, status;
    for (int i = 0; i < length; i++) token[i] = (int32_t)((i * 7919LL + 1) % s->hp.n_vocab);
    *prefill = *decode = 1e30;
    STAC_TRY(stac_stand_init(&stand, s, side, load->conversations, length, PREFILL, err));
    STAC_TRY_DONE(stac_sessions_init(&sessions, &stand.pipeline, 0, err));
    for (int t = 0; t < TRIES; t++) STAC_TRY_DONE(time_once(&sessions, load, token, prefill, decode, err));
    if (bytes) STAC_TRY_DONE(touched(&stand, bytes, err));
    if (bytes) *bytes /= TRIES * load->conversations * (double)length;
done:
    stac_sessions_clean(&sessions);
    stac_stand_clean(&stand);
    return status;
}

static int bench_side(struct stac_subject *s, enum stac_side side, const char *name, struct stac_error *err) {
    double prefill, decode, unused, bytes, macs, rows;
    STAC_TRY(time_load(s, side, &(struct load){1, PREFILL, 0}, &prefill, &unused, NULL, err));
    STAC_TRY(time_load(s, side, &(struct load){1, PROMPT, DECODED}, &unused, &decode, &rows, err));
    weigh(&s->net[side], &bytes, &macs);
    printf("%s_weight_bytes,%.0f,bytes\n%s_macs,%.0f,multiply-accumulates/token\n", name, bytes, name, macs);
    printf("%s_prefill,%.5g,tokens/s\n%s_decode,%.5g,tokens/s\n", name, PREFILL / prefill, name, DECODED / decode);
    if (rows > 0) printf("%s_touched,%.5g,bytes/token\n", name, rows);
    printf("%s_memory,%.4g,bytes\n", name, (double)stac_peak_memory());
    return STAC_OK;
}

/* Smaller ones first, so that the most memory so far is that of the last. */
static int grow_side(struct stac_subject *s, enum stac_side side, const char *name, struct stac_error *err) {
    double prefill, decode;
    for (int length = PROMPT; length <= LONGEST && length + FEW <= s->hp.n_ctx; length *= 2) {
        STAC_TRY(time_load(s, side, &(struct load){1, length, FEW}, &prefill, &decode, NULL, err));
        printf("%s_prefill_of_%d,%.5g,s\n%s_token_after_%d,%.5g,s\n", name, length, prefill, name, length, decode / FEW);
        printf("%s_memory_of_%d,%.4g,bytes\n", name, length, (double)stac_peak_memory());
    }
    int most = s->hardware.device ? 64 : 16; /* conversations at once */
    for (int n = 1; n <= most; n *= 2) {
        STAC_TRY(time_load(s, side, &(struct load){n, PROMPT / 2, FEW}, &prefill, &decode, NULL, err));
        printf("%s_conversations_%d,%.5g,tokens/s\n", name, n, n * FEW / decode);
    }
    return STAC_OK;
}

int network_bench(struct stac_start *start, bool growth, struct stac_error *err) {
    struct stac_subject s = {.job = &start->job, .ranks = &start->ranks, .log = &start->log};
    if (start->ranks.size > 1) return stac_fail(err, STAC_ERR_USAGE, "stac-bench runs on one rank");
    STAC_TRY(stac_subject_open(&s, err));
    int status = STAC_OK;
    for (int side = 0; side < STAC_SIDES && status == STAC_OK; side++) {
        const char *spiking = start->job.execution == STAC_JOB_TEMPORAL ? "snn_temporal" : "snn_count";
        if (!s.side[side]) continue;
        status = (growth ? grow_side : bench_side)(&s, (enum stac_side)side, side == STAC_BASELINE ? "dense" : spiking, err);
    }
    stac_subject_close(&s);
    return status;
}
