/* result/: every figure and text of the JSON object is in metrics.h5, CSV and the comparison as well; tables agree on the layer
 * of a site. */
#include "unit.h"

#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "fixture_files.h"
#include "fixture_results.h"
#include "result/compare.h"
#include "result/csv.h"
#include "result/tables.h"

/* ---- the list of figures ------------------------------------------------------------------------------------------ */

/* Whether a text has a line that begins with this. */
static bool has_line(const char *text, const char *begin) {
    size_t n = strlen(begin);
    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, begin, n) == 0) return true;
    return false;
}

static bool is_measured(const char *name) {
    return strncmp(name, "measured_", strlen("measured_")) == 0 || strcmp(name, "seconds") == 0 ||
           strcmp(name, "peak_memory_bytes") == 0 || strcmp(name, "ranks") == 0;
}

static void check_number(const struct stac_h5_reader *h, const char *name, double wanted, const char *csv, const char *lines) {
    struct stac_error err = {0};
    char begin[120];
    double value;
    OK(stac_h5_get_real(h, is_measured(name) ? "/run" : "/result", name, &value, &err));
    assert_true(fabs(value - wanted) <= 1e-9 * fabs(wanted));
    snprintf(begin, sizeof begin, "%s,%.12g", name, wanted);
    if (!has_line(csv, begin)) fail_msg("no row of the CSV begins with %s", begin);
    snprintf(begin, sizeof begin, "%s ", name);
    if (!has_line(lines, begin)) fail_msg("no line of the comparison begins with %s", begin);
}

static void check_text(const struct stac_h5_reader *h, const char *name, const char *wanted, const char *csv) {
    struct stac_error err = {0};
    char row[400], *value;
    OK(stac_h5_get_text(h, is_measured(name) ? "/run" : "/result", name, &value, &err));
    assert_string_equal(value, wanted);
    free(value);
    snprintf(row, sizeof row, "%s,\"%s\",", name, wanted);
    if (!has_line(csv, row)) fail_msg("no row of the CSV is %s", row);
}

static char *text_of(const char *path) {
    struct stac_error err = {0};
    char *text;
    size_t size;
    OK(stac_file_read(path, 1 << 20, &text, &size, &err));
    return text;
}

static void write_all(const struct fx_result *m, const struct fx_folder *f) {
    struct stac_error err = {0};
    OK(stac_result_json(&m->result, fx_path(f, "x.json"), &err));
    OK(stac_result_h5(&m->result, fx_path(f, "metrics.h5"), &err));
    OK(stac_csv_write(&m->result, fx_path(f, "x.csv"), &err));
}

static void every_figure_is_in_every_file(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_strbuf lines = {0};
    struct stac_h5_reader h = {0};
    const char *name;
    json_t *value;
    bool broken;
    int numbers = 0, texts = 0, missing = 0;
    fx_result_make(&m);
    write_all(&m, f);
    OK(stac_compare(f->path, f->path, &lines, &broken, &err));
    OK(stac_h5_open(fx_path(f, "metrics.h5"), "stac-metrics", STAC_METRICS_VERSION, &h, &err));
    char *csv = text_of(fx_path(f, "x_summary.csv"));
    json_t *o = json_load_file(fx_path(f, "x.json"), 0, NULL);
    json_object_foreach(o, name, value) {
        if (json_is_number(value)) check_number(&h, name, json_number_value(value), csv, stac_strbuf_text(&lines)), numbers++;
        if (json_is_string(value)) check_text(&h, name, json_string_value(value), csv), texts++;
        char begin[120];
        snprintf(begin, sizeof begin, "%s,", name);
        assert_true(has_line(csv, begin)); /* what was not measured as well */
        missing += json_is_null(value);
    }
    assert_true(numbers >= 2 * 3 * 6 + 3 + 3 * 2 && texts >= 1 + 6 + 1 && missing >= 3);
    assert_null(strstr(stac_strbuf_text(&lines), "worse"));
    json_decref(o);
    free(csv);
    stac_h5_close(&h);
    stac_strbuf_clean(&lines);
    stac_job_clean(&m.job);
}

static void units_are_told(void **state) {
    const struct fx_folder *f = *state;
    static const char *const units[][3] = {{"/result", "energy_prefill_memory_snn_unit", "pJ per token"},
                                           {"/result", "energy_rival_bits_unit", "bits"},
                                           {"/run", "measured_text_seconds_unit", "s"},
                                           {"/run", "measured_decode_snn_cpu_joules_unit", "J"}};
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_h5_reader h = {0};
    char *text;
    fx_result_make(&m);
    write_all(&m, f);
    OK(stac_h5_open(fx_path(f, "metrics.h5"), "stac-metrics", STAC_METRICS_VERSION, &h, &err));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        OK(stac_h5_get_text(&h, units[i][0], units[i][1], &text, &err));
        assert_string_equal(text, units[i][2]);
        free(text);
    }
    stac_h5_close(&h);
    stac_job_clean(&m.job);
}

/* Nothing was measured: null, missing, an empty row, no line. */
static void what_was_not_measured_is_nowhere(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_strbuf lines = {0};
    bool broken;
    fx_result_make(&m);
    m.result.energy.measured = false;
    write_all(&m, f);
    OK(stac_compare(f->path, f->path, &lines, &broken, &err));
    assert_null(strstr(stac_strbuf_text(&lines), "energy_"));
    assert_null(strstr(stac_strbuf_text(&lines), "measured_"));
    char *csv = text_of(fx_path(f, "x_summary.csv")), *json = text_of(fx_path(f, "x.json"));
    assert_true(has_line(csv, "energy_prefill_operations_snn,,pJ per token") && has_line(csv, "energy_model,,"));
    assert_non_null(strstr(json, "\"energy_model\": null"));
    assert_non_null(strstr(json, "\"energy_ratio_rival_decode_memory\": null"));
    assert_non_null(strstr(json, "\"measured_text_cpu_source\": null"));
    free(csv), free(json);
    stac_strbuf_clean(&lines);
    stac_job_clean(&m.job);
}

/* ---- the comparison ----------------------------------------------------------------------------------------------- */

/* The line of a figure, whether it ends with a word. */
static bool ends_with(const char *lines, const char *name, const char *word) {
    char begin[80];
    snprintf(begin, sizeof begin, "\n%s ", name);
    const char *at = strstr(lines, begin), *end = at ? strchr(at + 1, '\n') : NULL;
    if (!end) fail_msg("no line of %s", name);
    return strncmp(end - strlen(word), word, strlen(word)) == 0;
}

static void less_energy_is_better(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_strbuf lines = {0};
    bool broken;
    fx_result_make(&m);
    OK(stac_result_h5(&m.result, fx_path(f, "a.h5"), &err));
    for (int p = 0; p < STAC_PHASES; p++)
        for (int k = STAC_SPIKING; k < STAC_MACHINES; k++) m.result.energy.phase[p].total.pj[k][STAC_CHARGE_PRODUCTS] *= 2;
    m.result.energy.mean_bits = 6;
    snprintf(m.result.energy.model.name, sizeof m.result.energy.model.name, "another");
    OK(stac_result_h5(&m.result, fx_path(f, "b.h5"), &err));
    OK(stac_compare(fx_path(f, "a.h5"), fx_path(f, "b.h5"), &lines, &broken, &err));
    const char *text = stac_strbuf_text(&lines);
    assert_true(ends_with(text, "energy_prefill_operations_snn", "  worse"));
    assert_true(ends_with(text, "energy_decode_memory_snn_integer", "  worse"));
    assert_true(ends_with(text, "energy_ratio_prefill_everything", "  worse"));
    assert_false(ends_with(text, "energy_prefill_operations_rival", "worse"));
    assert_false(ends_with(text, "energy_rival_bits", "worse") || ends_with(text, "energy_rival_bits", "better"));
    assert_false(ends_with(text, "energy_decode_operations_dense", "worse"));
    assert_non_null(strstr(text, "note: not the same energy_model: horowitz_45nm_memory in A, another in B\n"));
    stac_strbuf_clean(&lines);
    OK(stac_compare(fx_path(f, "b.h5"), fx_path(f, "a.h5"), &lines, &broken, &err));
    assert_true(ends_with(stac_strbuf_text(&lines), "energy_decode_everything_snn", "  better"));
    stac_strbuf_clean(&lines);
    stac_job_clean(&m.job);
}

/* A file from before these figures has "-" in their place. */
static void an_earlier_file_is_compared(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_strbuf lines = {0};
    bool broken;
    fx_result_make(&m);
    OK(stac_result_h5(&m.result, fx_path(f, "b.h5"), &err));
    OK(stac_compare(STAC_TEST_DATA "/data/schema/llama", fx_path(f, "b.h5"), &lines, &broken, &err));
    const char *text = stac_strbuf_text(&lines);
    assert_true(has_line(text, "ppl_ratio ") && has_line(text, "energy_prefill_operations_snn "));
    assert_false(ends_with(text, "energy_prefill_operations_snn", "worse"));
    stac_strbuf_clean(&lines);
    stac_job_clean(&m.job);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

struct place {
    char site[16];
    int64_t layer;
};

/* Rows of a table that have their layer in that many bytes; how many of them are of the head. All must be where they belong. */
static size_t check_layers(const struct stac_h5_reader *h, const char *path, enum stac_h5_type type) {
    const struct stac_h5_field fields[] = {
        {"site", STAC_H5_I8, 16, offsetof(struct place, site), ""},
        {"layer", type, 0, offsetof(struct place, layer), ""},
    };
    struct place row[4 * STAC_PHASES * FX_SITES] = {0};
    struct stac_error err = {0};
    size_t n, heads = 0;
    OK(stac_h5_rows(h, path, sizeof row / sizeof *row, &n, &err));
    OK(stac_h5_read_table(h, path, fields, 2, sizeof *row, row, n, &err));
    for (size_t i = 0; i < n; i++) {
        bool head = strcmp(row[i].site, "head_in") == 0;
        if (head != (row[i].layer == FX_LAYERS)) fail_msg("%s: %s is of layer %d", path, row[i].site, (int)row[i].layer);
        heads += head;
    }
    return heads;
}

static void all_tables_have_the_head_behind_the_layers(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    struct stac_h5_reader h = {0};
    struct stac_spike_rate rate[FX_SITES] = {{0}};
    fx_result_make(&m);
    m.result.rates = (struct stac_spike_rates){FX_SITES, rate};
    m.result.scored = m.subject.side[STAC_SNN] = true;
    m.result.score.counts = m.spiking;
    write_all(&m, f);
    OK(stac_h5_open(fx_path(f, "metrics.h5"), "stac-metrics", STAC_METRICS_VERSION, &h, &err));
    assert_int_equal(check_layers(&h, "/sites", STAC_H5_I32), 1);
    assert_int_equal(check_layers(&h, "/energy/counts", STAC_H5_I64), 2 * STAC_PHASES);
    assert_int_equal(check_layers(&h, "/energy/sites", STAC_H5_I64), STAC_PHASES);
    assert_int_equal(check_layers(&h, "/energy/layers", STAC_H5_I64), STAC_PHASES);
    assert_int_equal(check_layers(&h, "/spike_rates", STAC_H5_I64), 1);
    char *csv = text_of(fx_path(f, "x.csv"));
    assert_true(has_line(csv, "2,head_in,"));
    free(csv);
    stac_h5_close(&h);
    stac_job_clean(&m.job);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {TEST(every_figure_is_in_every_file),
                                       TEST(units_are_told),
                                       TEST(what_was_not_measured_is_nowhere),
                                       TEST(less_energy_is_better),
                                       TEST(an_earlier_file_is_compared),
                                       TEST(all_tables_have_the_head_behind_the_layers)};
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
