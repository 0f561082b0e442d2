/* job/: the manual pages have every key and flag of their program, and nothing that roff would take as its own. */
#include "unit.h"

#include "job/about.h"
#include "job/keys.h"

static const enum stac_program programs[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
enum { PROGRAMS = 3 };

static struct stac_strbuf page_of(enum stac_program program) {
    struct stac_strbuf page = {0};
    struct stac_error err = {0};
    OK(stac_job_manual(program, "1.2.3", "2001-02-03", &page, &err));
    return page;
}

/* What roff makes of a name: "--top_k" is \-\-top_k. */
static void escaped(const char *name, char *out) {
    for (; *name; name++) {
        if (*name == '-') *out++ = '\\';
        *out++ = *name;
    }
    *out = 0;
}

static void assert_has_term(const struct stac_strbuf *page, const char *term) {
    char name[160], text[200];
    escaped(term, name);
    snprintf(text, sizeof text, ".TP\n\\fB%s\\fR\n", name);
    if (!strstr(page->data, text)) fail_msg("the page lacks %s", term);
}

static void every_key_flag_and_exit_code_is_there(void **state) {
    (void)state;
    for (int p = 0; p < PROGRAMS; p++) {
        struct stac_strbuf page = page_of(programs[p]);
        size_t n;
        const struct stac_key *key = stac_keys(&n);
        for (size_t i = 0; i < n; i++) {
            char flag[80];
            if (!(key[i].programs & programs[p])) continue;
            snprintf(flag, sizeof flag, "--%s", key[i].name);
            assert_has_term(&page, flag);
            if (key[i].planned && !strstr(page.data, "Refused in this version")) fail_msg("%s is not said to wait", flag);
        }
        for (const struct stac_term *t = stac_about_flags; t->term; t++) assert_has_term(&page, t->term);
        for (const struct stac_term *t = stac_about_exits; t->term; t++) assert_has_term(&page, t->term);
        for (const struct stac_term *t = stac_about_environment; t->term; t++) assert_has_term(&page, t->term);
        for (const struct stac_term *t = stac_about(programs[p])->files; t->term; t++) assert_has_term(&page, t->term);
        assert_int_equal(strstr(page.data, "\\-\\-simplified\\fR\n") != NULL, programs[p] == STAC_CONVERT);
        stac_strbuf_clean(&page);
    }
}

static void pages_are_headed_by_program_version_and_date(void **state) {
    (void)state;
    static const char *const heads[PROGRAMS] = {".TH STAC\\-CONVERT 1 ", ".TH STAC\\-EVAL 1 ", ".TH STAC\\-CHAT 1 "};
    for (int p = 0; p < PROGRAMS; p++) {
        struct stac_strbuf page = page_of(programs[p]);
        const char *head = strstr(page.data, heads[p]);
        assert_non_null(head);
        assert_memory_equal(head + strlen(heads[p]), "\"2001-02-03\" \"stac 1.2.3\"", 25);
        stac_strbuf_clean(&page);
    }
}

/* A line that begins with a dot is a request that we know; every hyphen is a minus; lines are short. */
static void no_text_is_a_request(void **state) {
    (void)state;
    static const char *const requests[] = {".\\\"", ".TH ", ".SH ", ".SS ", ".TP", ".PP", ".RS 4", ".RE", ".nf", ".fi"};
    for (int p = 0; p < PROGRAMS; p++) {
        struct stac_strbuf page = page_of(programs[p]);
        for (const char *line = page.data; *line; line += strcspn(line, "\n") + 1) {
            size_t known = 0, n = sizeof requests / sizeof *requests;
            assert_true(*line != '\'' && *line != '\n');
            if (*line != '.') {
                for (size_t i = 1; i < strcspn(line, "\n"); i++) assert_true(line[i] != '-' || line[i - 1] == '\\');
                continue;
            }
            while (known < n && strncmp(line, requests[known], strlen(requests[known])) != 0) known++;
            if (known == n) fail_msg("a request by chance: %.60s", line);
        }
        stac_strbuf_clean(&page);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_flag_and_exit_code_is_there),
        cmocka_unit_test(pages_are_headed_by_program_version_and_date),
        cmocka_unit_test(no_text_is_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
