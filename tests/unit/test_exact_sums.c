/* convert/exact_sums: the same value for any order of the terms, as near as doubles come; small terms in any number; and what
 * is void on one rank is void on all. */
#include <math.h>

#include "convert/exact_sums.h"
#include "fixture_networks.h"

/* ---- a peer ------------------------------------------------------------------------------------------------------- */

static bool peer_is_void; /* what another rank would bring to a merge of flags */

int MPI_Allreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    int code = PMPI_Allreduce(from, to, n, type, op, comm);
    if (type == MPI_UINT8_T && op == MPI_MAX && peer_is_void) *(uint8_t *)to = 1;
    return code;
}

static void a_term_that_is_void_on_another_rank_voids_the_sum_here(void **state) {
    (void)state;
    for (int there = 0; there < 2; there++)
        for (int here = 0; here < 2; here++) {
            struct stac_error err = {0};
            struct stac_exact_sums s;
            OK(stac_exact_sums_init(&s, 2, &err));
            stac_exact_sums_add(&s, 1, here ? NAN : 0.5);
            peer_is_void = there;
            int status = stac_exact_sums_merge(&s, fx_ranks.comm, "a sum", &err);
            peer_is_void = false;
            assert_int_equal(status, here || there ? STAC_ERR_INPUT : STAC_OK);
            if (status == STAC_OK) assert_true(stac_exact_sums_value(&s, 1) == 0.5);
            stac_exact_sums_clean(&s);
        }
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

/* The value of n terms, from `first` on and growing by `step`, is off by at most so much, besides what rounding makes. */
static void assert_sum(double first, double step, int n, double bound) {
    struct stac_error err = {0};
    struct stac_exact_sums s, back;
    long double want = 0;
    OK(stac_exact_sums_init(&s, 1, &err));
    OK(stac_exact_sums_init(&back, 1, &err));
    for (int i = 0; i < n; i++) {
        stac_exact_sums_add(&s, 0, first + i * step);
        stac_exact_sums_add(&back, 0, first + (n - 1 - i) * step);
        want += (long double)(first + i * step);
    }
    double got = stac_exact_sums_value(&s, 0), other = stac_exact_sums_value(&back, 0);
    assert_same_bits(&got, &other, 1, "%d terms from %g, in the other order", n, first);
    if (!(fabs(got - (double)want) <= bound + 1e-13 * fabs((double)want)))
        fail_msg("%d terms from %g, growing by %g: %.17g, not %.17Lg", n, first, step, got, want);
    stac_exact_sums_clean(&s);
    stac_exact_sums_clean(&back);
}

static void sums_are_those_of_their_terms(void **state) {
    (void)state;
    static const double sizes[] = {0x1.8p-14, 0x1p-13, 0x1.fffp-14, 0x1p-20, 0x1p-40, 3e-9, 0.7, 1e6, 0x1.fp37};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double most = fmin(300000, 0x1p50 / sizes[i]);
            assert_sum(sign * sizes[i], 0, (int)most, most * 0x1p-61);
            assert_sum(sign * sizes[i], sizes[i] * 1e-7, (int)(most / 2), most * 0x1p-61);
        }
}

/* As many small terms of one sign as only large models have: the integers they are cut into, many times over. */
static void small_terms_may_be_very_many(void **state) {
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct stac_error err = {0};
        struct stac_exact_sums s;
        OK(stac_exact_sums_init(&s, 1, &err));
        for (int i = 0; i < 1024; i++) stac_exact_sums_add(&s, 0, sign * 0x1.ffp-14);
        for (int i = 0; i < 28; i++) /* twice as many */
            for (int k = 0; k < 3; k++) s.part[k] *= 2;
        double got = stac_exact_sums_value(&s, 0), want = sign * 0x1.ffp-14 * 0x1p38;
        if (!(fabs(got - want) <= 1e-15 * fabs(want))) fail_msg("2^38 terms: %.17g, not %.17g", got, want);
        stac_exact_sums_clean(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_that_is_void_on_another_rank_voids_the_sum_here),
        cmocka_unit_test(sums_are_those_of_their_terms),
        cmocka_unit_test(small_terms_may_be_very_many),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
