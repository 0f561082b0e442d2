/* report/: what comes out of files is text on the page, whatever it is; reports say what stays outside the spikes. */
#include "unit.h"

#include "base/file.h"
#include "fixture_files.h"
#include "fixture_results.h"
#include "report/html.h"
#include "report/page.h"
#include "result/summary.h"

static void html_is_escaped(void **state) {
    struct stac_strbuf s = {0};
    struct stac_error err = {0};
    (void)state;
    OK(stac_html_text(&s, "<a href=\"x\">&amp;\xc3\xa9", &err));
    assert_string_equal(stac_strbuf_text(&s), "&lt;a href=&quot;x&quot;&gt;&amp;amp;\xc3\xa9");
    stac_strbuf_clean(&s);
}

/* ---- the page ----------------------------------------------------------------------------------------------------- */

static const char evil[] = "<script>";

/* A result whose texts are all markup. */
static void make_evil(struct fx_result *m) {
    static char path[] = "<script>1", sha256[] = "<script>2", job[] = "<script>3", calibration[] = "<script>4";
    struct stac_energy *e = &m->result.energy;
    fx_result_make(m);
    m->subject.snn.origin =
        (struct stac_origin){.model_path = path, .model_sha256 = sha256, .job = job, .calibration = calibration};
    m->result.talked = true;
    m->result.parity.n_kinds = 1;
    snprintf(m->result.parity.kind_name[0], sizeof m->result.parity.kind_name[0], "%s5", evil);
    snprintf(e->model.name, sizeof e->model.name, "%s6", evil);
    snprintf(e->model.format, sizeof e->model.format, "%s7", evil);
    snprintf(e->used[0].of[0].source, sizeof e->used[0].of[0].source, "%s8", evil);
}

static void texts_of_files_are_no_markup(void **state) {
    const struct fx_folder *f = *state;
    struct fx_result m;
    struct stac_error err = {0};
    char *page, part[40];
    size_t size;
    make_evil(&m);
    OK(stac_page_write(&m.result, f->path, &err));
    OK(stac_file_read(fx_path(f, "report.html"), 1 << 24, &page, &size, &err));
    assert_null(strstr(page, evil));
    for (int i = 1; i <= 8; i++) {
        snprintf(part, sizeof part, "&lt;script&gt;%d", i);
        if (!strstr(page, part)) fail_msg("text %d is not on the page", i);
    }
    free(page);
    stac_job_clean(&m.job);
}

/* ---- what does not spike ------------------------------------------------------------------------------------------ */

static void write_reports(const struct fx_folder *f, const struct fx_result *m, struct stac_strbuf *page,
                          struct stac_strbuf *summary) {
    struct stac_error err = {0};
    char *text;
    size_t size;
    OK(stac_page_write(&m->result, f->path, &err));
    OK(stac_file_read(fx_path(f, "report.html"), 1 << 24, &text, &size, &err));
    fx_put(page, text, size);
    free(text);
    OK(stac_summary_write(&m->result, summary, &err));
}

static void reports_say_what_stays_outside_the_spikes(void **state) {
    static const char *const outside[] = {"norms",    "softmax",  "SiLU/GELU",        "gate", "RoPE", "residual",
                                          "Hadamard", "decoding", "embedding look-up"};
    struct fx_result m;
    for (int snn = 0; snn < 2; snn++) {
        struct stac_strbuf page = {0}, summary = {0};
        make_evil(&m);
        m.subject.side[STAC_SNN] = snn;
        write_reports(*state, &m, &page, &summary);
        const char *of_page = strstr(stac_strbuf_text(&page), "Outside the spikes: ");
        const char *of_summary = strstr(stac_strbuf_text(&summary), "outside the spikes ");
        assert_true((of_page != NULL) == snn && (of_summary != NULL) == snn);
        for (size_t i = 0; snn && i < sizeof outside / sizeof *outside; i++)
            assert_true(strstr(of_page, outside[i]) && strstr(of_summary, outside[i]));
        stac_strbuf_clean(&page);
        stac_strbuf_clean(&summary);
        stac_job_clean(&m.job);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_folder_make, fx_folder_remove)
    const struct CMUnitTest tests[] = {cmocka_unit_test(html_is_escaped), TEST(texts_of_files_are_no_markup),
                                       TEST(reports_say_what_stays_outside_the_spikes)};
    return cmocka_run_group_tests(tests, fx_one_rank_begin, fx_one_rank_end);
}
