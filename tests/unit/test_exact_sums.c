/* convert/exact_sums: the same value for any order of the terms, as near as doubles come; small terms in any number; and what
 * is void on one rank is void on all. */
#include <math.h>

#include "convert/exact_sums.h"
#include "fixture_networks.h"

/* ---- a peer ------------------------------------------------------------------------------------------------------- */

static bool peer_is_void; /* what another rank would bring to a merge of flags */

int MPI_Allreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    int code = PMPI_Allreduce(from, to, n, type, op, comm);
    if (op == MPI_BOR && peer_is_void) *(uint8_t *)to |= 1;
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_that_is_void_on_another_rank_voids_the_sum_here),
    };
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
