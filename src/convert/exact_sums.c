#include "convert/exact_sums.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

int stac_exact_sums_init(struct stac_exact_sums *s, size_t n, struct stac_error *err) {
    *s = (struct stac_exact_sums){.n = n};
    return STAC_NEW(s->part, 2 * n, "sums", err);
}

void stac_exact_sums_clean(struct stac_exact_sums *s) {
    free(s->part);
    *s = (struct stac_exact_sums){0};
}

void stac_exact_sums_add(struct stac_exact_sums *s, size_t i, double term) {
    if (!(fabs(term) < 0x1p38)) {
#pragma omp atomic write
        s->overflow = true;
        return;
    }
    int64_t high = llrint(term * 0x1p12);
    int64_t low = llrint((term - (double)high * 0x1p-12) * 0x1p60);
#pragma omp atomic
    s->part[2 * i] += high;
#pragma omp atomic
    s->part[2 * i + 1] += low;
}

double stac_exact_sums_value(const struct stac_exact_sums *s, size_t i) {
    return (double)s->part[2 * i] * 0x1p-12 + (double)s->part[2 * i + 1] * 0x1p-60;
}

struct stac_partial stac_exact_sums_partial(struct stac_exact_sums *s) {
    return (struct stac_partial){STAC_ADD_I64, s->part, 2 * s->n};
}

int stac_exact_sums_check(const struct stac_exact_sums *s, const char *what, struct stac_error *err) {
    if (!s->overflow) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s is not finite: the model's weights are damaged", what);
}

int stac_exact_sums_merge(struct stac_exact_sums *s, MPI_Comm comm, const char *what, struct stac_error *err) {
    uint8_t overflow = s->overflow;
    struct stac_partial part[] = {stac_exact_sums_partial(s), {STAC_OR_U8, &overflow, 1}};
    STAC_TRY(stac_merge_to_all(comm, part, 2, err));
    s->overflow = overflow;
    return stac_exact_sums_check(s, what, err);
}
