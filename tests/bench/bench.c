/* stac-bench: how fast a network is, beside what the machine can do at most. Lines of CSV: name,value,unit.
 *
 *     stac-bench limits                            bandwidth and peaks of this machine
 *     stac-bench load DIR                          a converted folder's network into memory, and its file read plainly
 *     stac-bench tokenizer DIR TEXT                text into tokens
 *     stac-bench checkpoint SHAPE DIR              a Hugging Face folder with random weights: 135M, 360M or 1.7B
 *     stac-bench network DIR [flags of stac-chat]  tokens a second of each side of a converted folder, or of a model alone with
 *                                                  --mode baseline: reading 512 tokens at once, and one by one after 128
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "checkpoint.h"
#include "dist/start.h"
#include "eval/subject.h"
#include "input.h"
#include "limits.h"

enum { PREFILL = 512, PROMPT = 128, DECODED = 64, TRIES = 3 };

static int print_limits(void) {
    struct limits l = limits_measure();
    printf("read_bandwidth,%.4g,bytes/s\nfloat_peak,%.4g,operations/s\n", l.read_bandwidth, l.float_peak);
    printf("int16_peak,%.4g,operations/s\nint8_peak,%.4g,operations/s\n", l.int16_peak, l.int8_peak);
    return STAC_OK;
}

/* ---- a network ---------------------------------------------------------------------------------------------------- */

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

/* n tokens of a session, `at_once` or one by one; seconds. */
static int read_tokens(struct stac_sessions *s, const int32_t *token, int n, bool at_once, double *seconds,
                       struct stac_error *err) {
    double began = stac_clock_now();
    for (int i = 0; i < n; i += at_once ? n : 1) {
        STAC_TRY(stac_sessions_add(s, 0, token + i, at_once ? (size_t)n : 1, err));
        STAC_TRY(stac_sessions_read(s, NULL, NULL, err));
    }
    *seconds = stac_clock_now() - began;
    return STAC_OK;
}

/* The best of some tries. */
static int time_side(struct stac_stand *stand, double *prefill, double *decode, struct stac_error *err) {
    struct stac_sessions s = {0};
    int32_t token[PREFILL];
    int vocab = stand->subject->hp.n_vocab, status = stac_sessions_init(&s, &stand->pipeline, 0, err);
    for (int i = 0; i < PREFILL; i++) token[i] = (int32_t)((i * 7919LL + 1) % vocab);
    *prefill = *decode = 1e30;
    for (int t = 0; t < TRIES && status == STAC_OK; t++) {
        double seconds;
        stac_sessions_reset(&s, 0);
        if ((status = read_tokens(&s, token, PREFILL, true, &seconds, err)) != STAC_OK) break;
        *prefill = seconds < *prefill ? seconds : *prefill;
        stac_sessions_reset(&s, 0);
        if ((status = read_tokens(&s, token, PROMPT, true, &seconds, err)) != STAC_OK) break;
        status = read_tokens(&s, token + PROMPT, DECODED, false, &seconds, err);
        *decode = seconds < *decode ? seconds : *decode;
    }
    stac_sessions_clean(&s);
    return status;
}

static int bench_side(struct stac_subject *s, enum stac_side side, struct stac_error *err) {
    struct stac_stand stand = {0};
    double prefill, decode, bytes, macs;
    const char *name = side == STAC_BASELINE ? "dense" : s->job->execution == STAC_JOB_TEMPORAL ? "snn_temporal" : "snn_count";
    STAC_TRY(stac_stand_init(&stand, s, side, 1, PREFILL, PREFILL, err));
    int status = time_side(&stand, &prefill, &decode, err);
    stac_stand_clean(&stand);
    STAC_TRY(status);
    weigh(&s->net[side], &bytes, &macs);
    printf("%s_weight_bytes,%.0f,bytes\n%s_macs,%.0f,multiply-accumulates/token\n", name, bytes, name, macs);
    printf("%s_prefill,%.5g,tokens/s\n%s_decode,%.5g,tokens/s\n", name, PREFILL / prefill, name, DECODED / decode);
    return STAC_OK;
}

static int bench_network(struct stac_start *start, struct stac_error *err) {
    struct stac_subject s = {.job = &start->job, .ranks = &start->ranks, .log = &start->log};
    if (start->ranks.size > 1) return stac_fail(err, STAC_ERR_USAGE, "stac-bench runs on one rank");
    STAC_TRY(stac_subject_open(&s, err));
    int status = STAC_OK;
    for (int side = 0; side < STAC_SIDES && status == STAC_OK; side++)
        if (s.side[side]) status = bench_side(&s, (enum stac_side)side, err);
    stac_subject_close(&s);
    return status;
}

static int bench_checkpoint(const char *name, const char *folder, struct stac_error *err) {
    const struct shape *shape = shape_named(name);
    if (!shape) return stac_fail(err, STAC_ERR_USAGE, "no shape is called %s: 135M, 360M or 1.7B", name);
    return checkpoint_write(shape, folder, err);
}

/* What needs no ranks; *known: the first argument is one of these. */
static int bench_alone(int argc, char **argv, bool *known, struct stac_error *err) {
    const char *what = argc > 1 ? argv[1] : "";
    *known = true;
    if (argc == 2 && strcmp(what, "limits") == 0) return print_limits();
    if (argc == 3 && strcmp(what, "load") == 0) return input_bench_load(argv[2], err);
    if (argc == 4 && strcmp(what, "tokenizer") == 0) return input_bench_tokenizer(argv[2], argv[3], err);
    if (argc == 4 && strcmp(what, "checkpoint") == 0) return bench_checkpoint(argv[2], argv[3], err);
    *known = false;
    return STAC_OK;
}

static const char usage[] = "usage: stac-bench limits | load DIR | tokenizer DIR TEXT | checkpoint SHAPE DIR | "
                            "network DIR [flags of stac-chat]\n";

int main(int argc, char **argv) {
    static struct stac_start start;
    struct stac_error err = {0};
    bool known;
    if (bench_alone(argc, argv, &known, &err) != STAC_OK) fprintf(stderr, "error: %s\n", err.text);
    if (known) return err.status != STAC_OK;
    if (argc < 3 || strcmp(argv[1], "network") != 0) {
        fputs(usage, stderr);
        return 2;
    }
    int status = stac_start(&start, STAC_CHAT, argc - 1, argv + 1, stac_build_info(), &err);
    if (status == STAC_OK && !start.answered) bench_network(&start, &err);
    return stac_finish(&start, 0, &err);
}
