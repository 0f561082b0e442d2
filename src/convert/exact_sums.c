#include "convert/exact_sums.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

enum { PARTS = 3, CUT = 1 << 24 }; /* the second part counts CUT units of the third, and as many of it make one of the first */

int stac_exact_sums_init(struct stac_exact_sums *s, size_t n, struct stac_error *err) {
    *s = (struct stac_exact_sums){.n = n};
    return STAC_NEW(s->part, PARTS * n, "sums", err);
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
    int64_t *part = s->part + PARTS * i, high = llrint(term * 0x1p12);
    int64_t rest = llrint((term - (double)high * 0x1p-12) * 0x1p60); /* at most 2^47 */
#pragma omp atomic
    part[0] += high;
#pragma omp atomic
    part[1] += rest / CUT;
#pragma omp atomic
    part[2] += rest % CUT;
}

double stac_exact_sums_value(const struct stac_exact_sums *s, size_t i) {
    const int64_t *part = s->part + PARTS * i;
    int64_t carry = llabs(part[1]) < INT64_C(1) << 38 ? 0 : part[1] / CUT; /* what is left has room in one integer */
    int64_t rest = (part[1] - carry * CUT) * CUT + part[2];
    return (double)(part[0] + carry) * 0x1p-12 + (double)rest * 0x1p-60;
}

struct stac_partial stac_exact_sums_partial(struct stac_exact_sums *s) {
    return (struct stac_partial){STAC_ADD_I64, s->part, PARTS * s->n};
}

int stac_exact_sums_check(const struct stac_exact_sums *s, const char *what, struct stac_error *err) {
    if (!s->overflow) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT, "%s is not finite: the model's weights are damaged", what);
}

int stac_exact_sums_merge(struct stac_exact_sums *s, MPI_Comm comm, const char *what, struct stac_error *err) {
    uint8_t overflow = s->overflow;
    struct stac_partial part[] = {stac_exact_sums_partial(s), {STAC_MAX_U8, &overflow, 1}};
    STAC_TRY(stac_merge_among(comm, part, 2, err));
    s->overflow = overflow;
    return stac_exact_sums_check(s, what, err);
}
