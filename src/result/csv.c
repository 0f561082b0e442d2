#include "result/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "result/figures.h"
#include "result/tables.h"

static int write_rows(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    int n = stac_site_count(&r->subject->hp), status = STAC_OK;
    struct stac_site_row *row;
    if (!r->scored || !r->subject->side[STAC_SNN]) return STAC_OK;
    STAC_TRY(STAC_NEW(row, n, "a table", err));
    stac_tables_sites(r, row);
    for (int i = 0; i < n && status == STAC_OK; i++)
        status = stac_strbuf_printf(s, err,
                                    "%d,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                                    ",%.12g,%.12g,%.12g\n",
                                    row[i].layer, row[i].site, row[i].activations, row[i].spikes, row[i].acs, row[i].macs,
                                    row[i].covered_macs, row[i].multiplies, row[i].spikes_per_activation, row[i].ac_per_mac,
                                    row[i].coverage);
    free(row);
    return status;
}

static int write_sites(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(s,
                              "layer,site,activations,spikes,acs,macs,covered_macs,multiplies,spikes_per_activation,ac_per_mac,"
                              "coverage\n",
                              err));
    return write_rows(r, s, err);
}

/* A text in quotes, quotes in it twice; nothing where there is none. */
static int put_text(struct stac_strbuf *s, const char *name, const char *value, struct stac_error *err) {
    if (!value) return stac_strbuf_printf(s, err, "%s,,\n", name);
    STAC_TRY(stac_strbuf_printf(s, err, "%s,\"", name));
    for (const char *c = value; *c; c++) STAC_TRY(stac_strbuf_add(s, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1, err));
    return stac_strbuf_puts(s, "\",\n", err);
}

static int write_summary(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err) {
    struct stac_figure f[STAC_MOST_FIGURES];
    struct stac_note note[STAC_MOST_NOTES];
    int n = stac_result_figures(r, f), n_notes = stac_result_notes(r, note);
    STAC_TRY(stac_strbuf_puts(s, "name,value,unit\n", err));
    for (int i = 0; i < n_notes; i++) STAC_TRY(put_text(s, note[i].name, note[i].value, err));
    for (int i = 0; i < n; i++) {
        bool there = f[i].measured && !isnan(f[i].value);
        char value[40] = "";
        if (there) snprintf(value, sizeof value, f[i].whole ? "%.0f" : "%.12g", f[i].value);
        STAC_TRY(stac_strbuf_printf(s, err, "%s,%s,%s\n", f[i].name, value, f[i].unit));
    }
    for (int i = 0; i < r->n_checks; i++)
        STAC_TRY(stac_strbuf_printf(s, err, "passed_%s,%d,\n", r->check[i].name, r->check[i].passed));
    return STAC_OK;
}

typedef int (*fill_fn)(const struct stac_result *r, struct stac_strbuf *s, struct stac_error *err);

static int write_file(const struct stac_result *r, fill_fn fill, const char *path, struct stac_error *err) {
    struct stac_strbuf s = {0};
    int status = fill(r, &s, err);
    if (status == STAC_OK) status = stac_file_write(path, s.data, s.size, err);
    stac_strbuf_clean(&s);
    return status;
}

int stac_csv_write(const struct stac_result *r, const char *path, struct stac_error *err) {
    size_t n = strlen(path), stem = n > 4 && strcmp(path + n - 4, ".csv") == 0 ? n - 4 : n;
    char *summary;
    STAC_TRY(STAC_NEW(summary, stem + sizeof "_summary.csv", "a path", err));
    snprintf(summary, stem + sizeof "_summary.csv", "%.*s_summary.csv", (int)stem, path);
    int status = write_file(r, write_sites, path, err);
    if (status == STAC_OK) status = write_file(r, write_summary, summary, err);
    free(summary);
    return status;
}
