/* dist/merge: what ranks hold becomes one, for every kind of number, of no elements and of more than go at once. Under mpirun
 * between as many ranks, over NCCL where each has a GPU of its own (or a fake, tests/fakes/cuda), else over MPI. */
#include "unit.h"

#include "base/random.h"
#include "dist/hardware.h"
#include "dist/merge.h"

enum { KINDS = STAC_MAX_U8 + 1, MOST = (8 << 20) + 40 /* bytes: two pieces on a device, and some */ };
static const size_t size_of[KINDS] = {
    [STAC_ADD_I64] = 8, [STAC_MAX_I64] = 8, [STAC_ADD_I32] = 4, [STAC_MAX_F32] = 4, [STAC_ADD_F64] = 8, [STAC_MAX_U8] = 1};
static struct stac_ranks ranks;

/* What a rank holds; of floating-point numbers that are added only one does. */
static void fill(enum stac_reduction how, int rank, void *data, size_t n) {
    struct stac_random rng = stac_random_seeded(how, (uint64_t)rank);
    for (size_t i = 0; i < n; i++) {
        uint64_t u = stac_random_u64(&rng);
        double x = (double)(int64_t)u * 1e-9;
        if (how == STAC_ADD_I64) ((int64_t *)data)[i] = (int64_t)u / 64;
        if (how == STAC_MAX_I64) ((int64_t *)data)[i] = (int64_t)u;
        if (how == STAC_ADD_I32) ((int32_t *)data)[i] = (int32_t)u / 64;
        if (how == STAC_MAX_F32) ((float *)data)[i] = (float)x;
        if (how == STAC_ADD_F64) ((double *)data)[i] = i % (size_t)ranks.size == (size_t)rank ? x : 0;
        if (how == STAC_MAX_U8) ((uint8_t *)data)[i] = u % 4 == 0;
    }
}

#define ADD(type)                                                                                                              \
    for (size_t i = 0; i < n; i++) ((type *)all)[i] += ((const type *)one)[i]
#define MAX(type)                                                                                                              \
    for (size_t i = 0; i < n; i++)                                                                                             \
        if (((const type *)one)[i] > ((type *)all)[i]) ((type *)all)[i] = ((const type *)one)[i]

/* What all hold together; `one` is room for what one holds. */
static void put_together(enum stac_reduction how, void *all, void *one, size_t n) {
    fill(how, 0, all, n);
    for (int rank = 1; rank < ranks.size; rank++) {
        fill(how, rank, one, n);
        if (how == STAC_ADD_I64) ADD(int64_t);
        if (how == STAC_MAX_I64) MAX(int64_t);
        if (how == STAC_ADD_I32) ADD(int32_t);
        if (how == STAC_MAX_F32) MAX(float);
        if (how == STAC_ADD_F64) ADD(double);
        if (how == STAC_MAX_U8) MAX(uint8_t);
    }
}

static void merge(enum stac_reduction how, size_t n) {
    struct stac_error err = {0};
    size_t bytes = n * size_of[how];
    char *data = malloc(bytes + 1), *whole = malloc(bytes + 1), *nothing = calloc(bytes + 1, 1);
    put_together(how, whole, data, n);
    fill(how, ranks.rank, data, n);
    OK(stac_merge_to_all(&ranks, &(struct stac_partial){how, data, n}, 1, &err));
    assert_memory_equal(data, whole, bytes);
    fill(how, ranks.rank, data, n);
    OK(stac_merge_to_first(&ranks, &(struct stac_partial){how, data, n}, 1, &err));
    assert_memory_equal(data, ranks.rank == 0 ? whole : nothing, bytes);
    free(data);
    free(whole);
    free(nothing);
}

static void what_ranks_hold_becomes_one(void **state) {
    (void)state;
    for (int how = 0; how < KINDS; how++) {
        merge(how, 0);
        merge(how, 1);
        merge(how, 1000);
        merge(how, MOST / size_of[how]);
    }
}

static void several_parts_go_one_after_the_other(void **state) {
    (void)state;
    struct stac_error err = {0};
    int64_t sum[2] = {ranks.rank, 1}, most = -ranks.rank;
    struct stac_partial part[] = {{STAC_ADD_I64, sum, 2}, {STAC_MAX_I64, &most, 1}};
    OK(stac_merge_to_all(&ranks, part, 2, &err));
    assert_int_equal(sum[0], ranks.size * (ranks.size - 1) / 2);
    assert_int_equal(sum[1], ranks.size);
    assert_int_equal(most, 0);
    assert_int_equal(stac_partial_bytes(part, 2), 24);
}

/* ---- the devices of the ranks ------------------------------------------------------------------------------------- */

static struct stac_hardware hardware;
static struct stac_grid grid;

static void connect_devices(void) {
    static const struct stac_log silent;
    struct stac_error err = {0};
    struct stac_job job;
    OK(stac_job_init(&job, STAC_CONVERT, &err));
    job.device = STAC_JOB_AUTO;
    OK(stac_grid_init(&grid, &ranks, 1, &err));
    OK(stac_hardware_open(&hardware, &job, &ranks, &grid, &silent, &err));
    assert_null(ranks.device);
    OK(stac_hardware_connect(&hardware, &ranks, &silent, &err));
    stac_job_clean(&job);
}

static void nccl_is_used_where_that_can_be(void **state) {
    (void)state;
    connect_devices();
    bool can_be =
        hardware.device && ranks.size > 1 && hardware.device->n_devices >= ranks.local_size && !getenv("NCCL_ON_HOST_ABSENT");
    assert_int_equal(ranks.device != NULL, can_be);
    printf("rank %d of %d: %s, over %s\n", ranks.rank, ranks.size, hardware.name, can_be ? "NCCL" : "MPI");
}

static void devices_are_connected_once_more(void **state) {
    (void)state;
    bool were = ranks.device != NULL;
    stac_hardware_close(&hardware, &grid);
    stac_grid_clean(&grid);
    assert_null(ranks.device);
    merge(STAC_ADD_I64, 1000);
    connect_devices();
    assert_int_equal(ranks.device != NULL, were);
    merge(STAC_ADD_I64, 1000);
}

static int begin(void **state) {
    struct stac_error err = {0};
    (void)state;
    return stac_ranks_begin(&ranks, &err) == STAC_OK ? 0 : -1;
}

static int end(void **state) {
    struct stac_error none = {0};
    (void)state;
    stac_hardware_close(&hardware, &grid);
    stac_grid_clean(&grid);
    return stac_ranks_end(&ranks, 0, &none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nccl_is_used_where_that_can_be),
        cmocka_unit_test(what_ranks_hold_becomes_one),
        cmocka_unit_test(several_parts_go_one_after_the_other),
        cmocka_unit_test(devices_are_connected_once_more),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
