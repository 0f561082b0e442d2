/* A program of somebody else: opens a converted network through the installed headers, reads some tokens at once and in two
 * pieces, holds that both give the same logits, and writes them to a file. Use: consumer DIR --mode snn --set logits_out=FILE
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stac.h>

enum { TOKENS = 6, HALF = 3 };
static const int32_t ids[TOKENS] = {5, 17, 42, 300, 8, 99};

static int read_both_ways(struct stac_processor *p, float *whole, float *parts, size_t row, struct stac_error *err) {
    const struct stac_input all = {.n_seq = 1, .length = TOKENS, .input_ids = ids};
    const struct stac_input first = {.n_seq = 1, .length = HALF, .input_ids = ids, .batch_ids = (int[]){1}};
    const struct stac_input rest = {.n_seq = 1, .length = TOKENS - HALF, .input_ids = ids + HALF, .batch_ids = (int[]){1}};
    STAC_TRY(stac_processor_forward(p, &all, whole, err));
    STAC_TRY(stac_processor_forward(p, &first, parts, err));
    return stac_processor_forward(p, &rest, parts + HALF * row, err);
}

static int write_logits(const char *path, const float *logits, size_t n) {
    FILE *f = fopen(path, "wb");
    if (!f) return 1;
    size_t put = fwrite(logits, sizeof *logits, n, f);
    return fclose(f) != 0 || put != n;
}

/* 0, or 1 when a check failed. */
static int check(const float *whole, const float *parts, size_t n, size_t row) {
    size_t best = 0;
    const float *last = whole + n - row;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(whole[i])) return 1;
    for (size_t i = 0; i < row; i++) best = last[i] > last[best] ? i : best;
    printf("%zu logits, then token %zu\n", n, best);
    return memcmp(whole, parts, n * sizeof *whole) != 0;
}

int main(int argc, char **argv) {
    static struct stac_start start;
    static struct stac_subject subject;
    struct stac_processor processor = {0};
    struct stac_error err = {0};
    float *whole = NULL, *parts = NULL;
    int code = 1, status = stac_start(&start, STAC_EVAL, argc, argv, stac_build_info(), &err);
    subject = (struct stac_subject){.job = &start.job, .ranks = &start.ranks, .log = &start.log};
    if (status == STAC_OK) status = stac_subject_open(&subject, &err);
    if (status == STAC_OK) status = stac_processor_init(&processor, &subject, STAC_SNN, 2, 0, &err);
    if (status == STAC_OK) {
        size_t row = (size_t)subject.hp.n_vocab, n = TOKENS * row;
        whole = calloc(n, sizeof *whole);
        parts = calloc(n, sizeof *parts);
        if (whole && parts && read_both_ways(&processor, whole, parts, row, &err) == STAC_OK)
            code = check(whole, parts, n, row) | write_logits(start.job.logits_out, whole, n);
    }
    free(whole);
    free(parts);
    stac_processor_clean(&processor);
    stac_subject_close(&subject);
    return stac_finish(&start, code, &err);
}
