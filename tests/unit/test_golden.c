/* The dense forward pass against Hugging Face transformers: logits of random models of both families (see
 * tests/golden/logits/README.md), padded batches with masks and holes, every kernel set. */
#include "unit.h"

#include <dirent.h>
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "net/run.h"

enum { WORST = 100 }; /* relative error in units of 1e-6: 1e-4 is promised */

static json_t *load_expected(const char *folder) {
    struct stac_error err = {0};
    json_t *o;
    char *path = stac_file_join(folder, "expected.json", &err);
    OK(stac_json_load(path, 1 << 24, &o, &err));
    free(path);
    return o;
}

/* A matrix of integers as one array. */
static int32_t *flatten(const json_t *rows, int *n_rows, int *n_columns) {
    *n_rows = (int)json_array_size(rows);
    *n_columns = (int)json_array_size(json_array_get(rows, 0));
    int32_t *out = calloc((size_t)*n_rows * (size_t)*n_columns, sizeof *out);
    for (int i = 0; i < *n_rows; i++)
        for (int j = 0; j < *n_columns; j++)
            out[i * *n_columns + j] = (int32_t)json_integer_value(json_array_get(json_array_get(rows, (size_t)i), (size_t)j));
    return out;
}

/* The rows of padded sequences: a slot each, tokens that are masked left out. row[3][n_seq * length] is their storage. */
static struct stac_batch rows_of(int n_seq, int length, const int32_t *ids, const int8_t *mask, const int32_t *position,
                                 int32_t *row) {
    int cells = n_seq * length, n = 0;
    for (int i = 0; i < cells; i++) {
        if (!mask[i]) continue;
        row[n] = ids[i];
        row[cells + n] = position[i];
        row[2 * cells + n++] = i / length;
    }
    return (struct stac_batch){n, row, row + cells, row + 2 * cells};
}

/* Largest difference over the largest logit. */
static double difference(const json_t *rows, const float *logits, int n, int vocab) {
    double worst = 0, largest = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < vocab; j++) {
            double want = json_number_value(json_array_get(json_array_get(rows, (size_t)i), (size_t)j));
            worst = fmax(worst, fabs(want - logits[i * vocab + j]));
            largest = fmax(largest, fabs(want));
        }
    return worst / largest;
}

static double check_model(const char *folder) {
    struct stac_error err = {0};
    struct stac_model *model;
    struct stac_network net;
    struct stac_cache cache;
    struct stac_run run;
    int n_seq, length;
    json_t *expected = load_expected(folder);
    int32_t *ids = flatten(json_object_get(expected, "ids"), &n_seq, &length);
    int32_t *wide = flatten(json_object_get(expected, "mask"), &n_seq, &length);
    int32_t *position = flatten(json_object_get(expected, "position"), &n_seq, &length);
    int8_t *mask = calloc((size_t)n_seq * (size_t)length, 1);
    for (int i = 0; i < n_seq * length; i++) mask[i] = (int8_t)wide[i];

    OK(stac_model_open(folder, &model, &err));
    const struct stac_hparams *hp = stac_model_hparams(model);
    OK(stac_network_load(model, (struct stac_part){0, hp->n_layer, true, true}, true, &net, &err));
    OK(stac_cache_init(&cache, &net, n_seq, length, &err));
    OK(stac_run_init(&run, &net, &cache, STAC_MODE_DENSE, n_seq * length, &err));
    int32_t *row = calloc((size_t)(n_seq * length) * 3, sizeof *row);
    struct stac_batch batch = rows_of(n_seq, length, ids, mask, position, row);
    float *x = calloc((size_t)(n_seq * length) * (size_t)hp->n_embd, sizeof *x);
    float *logits = calloc((size_t)(n_seq * length) * (size_t)hp->n_vocab, sizeof *logits);
    float *first = calloc((size_t)(n_seq * length) * (size_t)hp->n_vocab, sizeof *logits);
    double worst = 0;
    const char *sets[] = {"ref", "avx2", "avx512"};
    for (int s = 0; s < 3; s++) {
        if (!stac_kernels_named(sets[s])) continue;
        run.kernels = run.kernels_here = stac_kernels_named(sets[s]);
        stac_cache_reset(&cache, -1);
        OK(stac_run_begin(&run, &batch, &err));
        stac_run_embed(&run, x);
        OK(stac_run_blocks(&run, x, &err));
        OK(stac_run_end(&run, &err));
        OK(stac_run_head(&run, 0, batch.n, x, logits, &err));
        assert_int_equal(json_array_size(json_object_get(expected, "logits")), batch.n);
        worst = fmax(worst, difference(json_object_get(expected, "logits"), logits, batch.n, hp->n_vocab));
        if (s == 0) memcpy(first, logits, (size_t)(batch.n * hp->n_vocab) * sizeof *logits);
        assert_memory_equal(first, logits, (size_t)(batch.n * hp->n_vocab) * sizeof *logits); /* sets agree to the bit */
    }
    free(x), free(logits), free(first), free(ids), free(wide), free(position), free(mask), free(row);
    stac_run_clean(&run);
    stac_cache_clean(&cache);
    stac_network_clean(&net);
    stac_model_close(model);
    json_decref(expected);
    return worst;
}

static void dense_logits_equal_transformers(void **state) {
    (void)state;
    const char *root = STAC_TEST_DATA "/golden/logits";
    int models = 0;
    DIR *dir = opendir(root);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char folder[1024];
        snprintf(folder, sizeof folder, "%s/%s", root, e->d_name);
        if (e->d_name[0] == '.' || !stac_file_is_folder(folder)) continue;
        double worst = check_model(folder);
        printf("%-28s relative error %.1e\n", e->d_name, worst);
        assert_true(worst * 1e6 < WORST);
        models++;
    }
    closedir(dir);
    assert_true(models >= 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(dense_logits_equal_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
