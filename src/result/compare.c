#include "result/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "result/tables.h"

enum { SIDES = 2, LONGEST_NAME = 80, COLUMN = 38 };

/* One of the two files. */
struct measured {
    struct stac_h5_reader h;
    struct stac_check_row *check; /* owned */
    size_t n_checks;
};

static int open_result(const char *path, struct measured *m, struct stac_error *err) {
    char *file = stac_file_join(path, "metrics.h5", err);
    if (!file) return err->status;
    int status = stac_h5_open(stac_file_exists(file) ? file : path, "stac-metrics", STAC_METRICS_VERSION, &m->h, err);
    free(file);
    STAC_TRY(status);
    return stac_tables_read_checks(&m->h, &m->check, &m->n_checks, err);
}

static void close_result(struct measured *m) {
    stac_h5_close(&m->h);
    free(m->check);
}

/* ---- conditions --------------------------------------------------------------------------------------------------- */

/* A condition of the measurement, as text; "" where the file has none. */
static void text_of(struct measured *m, const char *group, const char *name, char *out, size_t size) {
    struct stac_error none = {0};
    char *text = NULL;
    if (stac_h5_get_text(&m->h, group, name, &text, &none) == STAC_OK) snprintf(out, size, "%s", stac_one_line(text));
    free(text);
}

/* The sets of coefficients, where both files account for energy: /energy has had the name for longer than /result. */
static int tell_energy_models(struct measured *m, struct stac_strbuf *out, struct stac_error *err) {
    char name[SIDES][80] = {"", ""};
    for (int s = 0; s < SIDES; s++) text_of(&m[s], "/energy", "model", name[s], sizeof name[s]);
    if (!*name[0] || !*name[1] || strcmp(name[0], name[1]) == 0) return STAC_OK;
    return stac_strbuf_printf(out, err, "note: not the same energy_model: %s in A, %s in B\n", name[0], name[1]);
}

static int tell_conditions(struct measured *m, struct stac_strbuf *out, struct stac_error *err) {
    /* the sums say what is compared; names only how it was called */
    static const char *const notes[] = {"model_sha256", "text_sha256", "bos", "words"};
    static const char *const called[] = {"model", "text", "bos", "words"};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        char value[SIDES][600] = {"", ""}, name[SIDES][600] = {"", ""};
        for (int s = 0; s < SIDES; s++) {
            text_of(&m[s], "/result", notes[i], value[s], sizeof value[s]);
            text_of(&m[s], "/result", called[i], name[s], sizeof name[s]);
            if (!*value[s]) memcpy(value[s], name[s], sizeof name[s]);
        }
        if (strcmp(value[0], value[1]) != 0)
            STAC_TRY(stac_strbuf_printf(out, err, "note: not the same %s: %s in A, %s in B\n", called[i],
                                        *name[0] ? name[0] : "none", *name[1] ? name[1] : "none"));
    }
    static const char *const sizes[] = {"text_tokens", "tokens", "context", "stride"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double value[SIDES] = {0, 0};
        struct stac_error none = {0};
        for (int s = 0; s < SIDES; s++) (void)stac_h5_get_real(&m[s].h, "/result", sizes[i], &value[s], &none);
        if (value[0] != value[1])
            STAC_TRY(
                stac_strbuf_printf(out, err, "note: not the same %s: %.0f in A, %.0f in B\n", sizes[i], value[0], value[1]));
    }
    return tell_energy_models(m, out, err);
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

/* Whether a figure is the energy of a token on the dense machine or the SNN. Not on the rival: it needs more where the code
 * errs less. */
static bool is_energy(const char *name) {
    static const char *const ends[] = {"_dense", "_snn", "_snn_integer"};
    size_t n = strlen(name);
    if (strncmp(name, "energy_", strlen("energy_")) != 0) return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && strcmp(name + n - strlen(ends[i]), ends[i]) == 0) return true;
    return false;
}

/* Whether more of a figure is better (+1), worse (-1), or just other (0). */
static int direction_of(const char *name) {
    static const char *const less[] = {
        "ppl_", "word_ppl_", "byte_ppl_", "bits_per_byte_", "kl", "ac_per_mac", "spikes_per_activation"};
    static const char *const more[] = {"top1_agreement", "coverage", "energy_ratio"};
    for (size_t i = 0; i < sizeof less / sizeof *less; i++)
        if (strncmp(name, less[i], strlen(less[i])) == 0) return -1;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (strncmp(name, more[i], strlen(more[i])) == 0) return 1;
    return is_energy(name) ? -1 : 0;
}

static int tell_figure(struct measured *m, const char *group, const char *name, struct stac_strbuf *out,
                       struct stac_error *err) {
    double value[SIDES];
    bool there[SIDES];
    char text[SIDES][32], change[64] = "", shown[LONGEST_NAME];
    for (int s = 0; s < SIDES; s++) {
        struct stac_error none = {0};
        there[s] = stac_h5_get_real(&m[s].h, group, name, &value[s], &none) == STAC_OK;
        snprintf(text[s], sizeof text[s], there[s] ? "%.8g" : "-", there[s] ? value[s] : 0);
    }
    if (!there[0] && !there[1]) return STAC_OK; /* a text */
    const char *flag = "";
    if (there[0] && there[1]) {
        double gap = value[1] - value[0], way = gap * direction_of(name);
        int n = snprintf(change, sizeof change, "%+.4g", gap);
        if (value[0] != 0) snprintf(change + n, sizeof change - (size_t)n, " (%+.2f %%)", 100 * gap / fabs(value[0]));
        flag = way < 0 ? "  worse" : way > 0 ? "  better" : "";
        if (gap == 0) snprintf(change, sizeof change, "=");
    }
    snprintf(shown, sizeof shown, "%s", name);
    return stac_strbuf_printf(out, err, "%-*s %16s %16s  %-24s%s\n", COLUMN, stac_one_line(shown), text[0], text[1], change,
                              flag);
}

static int tell_figures(struct measured *m, const char *group, struct stac_strbuf *out, struct stac_error *err) {
    const char *name;
    for (int s = 0; s < SIDES; s++)
        for (size_t i = 0; (name = stac_h5_attribute_name(&m[s].h, group, i)); i++) {
            double known;
            struct stac_error none = {0};
            bool told = s == 1 && stac_h5_get_real(&m[0].h, group, name, &known, &none) == STAC_OK;
            if (!told) STAC_TRY(tell_figure(m, group, name, out, err));
        }
    return STAC_OK;
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

static const struct stac_check_row *find_check(const struct measured *m, const char *name) {
    for (size_t i = 0; i < m->n_checks; i++)
        if (strcmp(m->check[i].name, name) == 0) return &m->check[i];
    return NULL;
}

static const char *word_of(const struct stac_check_row *c) {
    return !c ? "-" : c->passed ? "passed" : "FAILED";
}

static int tell_check(const struct stac_check_row *a, const struct stac_check_row *b, bool *broken, struct stac_strbuf *out,
                      struct stac_error *err) {
    bool breaks = a && b && a->passed && !b->passed;
    char name[64];
    snprintf(name, sizeof name, "check %s", a ? a->name : b->name);
    *broken = *broken || breaks;
    return stac_strbuf_printf(out, err, "%-*s %16s %16s  %-24s%s%s%s\n", COLUMN, name, word_of(a), word_of(b), "",
                              breaks ? "  worse: " : "", breaks ? b->text : "",
                              a && b && !a->passed && b->passed ? "  better" : "");
}

static int tell_checks(const struct measured *m, bool *broken, struct stac_strbuf *out, struct stac_error *err) {
    for (size_t i = 0; i < m[0].n_checks; i++)
        STAC_TRY(tell_check(&m[0].check[i], find_check(&m[1], m[0].check[i].name), broken, out, err));
    for (size_t i = 0; i < m[1].n_checks; i++)
        if (!find_check(&m[0], m[1].check[i].name)) STAC_TRY(tell_check(NULL, &m[1].check[i], broken, out, err));
    return STAC_OK;
}

int stac_compare(const char *a, const char *b, struct stac_strbuf *out, bool *broken, struct stac_error *err) {
    struct measured m[SIDES] = {0};
    int status = STAC_OK;
    *broken = false;
    STAC_TRY_DONE(open_result(a, &m[0], err));
    STAC_TRY_DONE(open_result(b, &m[1], err));
    STAC_TRY_DONE(stac_strbuf_printf(out, err, "A: %s\nB: %s\n", m[0].h.path, m[1].h.path));
    STAC_TRY_DONE(tell_conditions(m, out, err));
    STAC_TRY_DONE(stac_strbuf_printf(out, err, "%-*s %16s %16s  %s\n", COLUMN, "", "A", "B", "B - A"));
    STAC_TRY_DONE(tell_figures(m, "/result", out, err));
    STAC_TRY_DONE(tell_figures(m, "/run", out, err));
    STAC_TRY_DONE(tell_checks(m, broken, out, err));
done:
    for (int s = 0; s < SIDES; s++) close_result(&m[s]);
    return status;
}
