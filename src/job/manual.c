/* Manual pages in the language of man(7), from the table of keys and what the programs say about themselves. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "job/about.h"
#include "job/keys.h"

enum { WIDTH = 72 };

/* A character as roff prints it unchanged; after a bar a line may end. */
static int character(char c, struct stac_strbuf *out, struct stac_error *err) {
    switch (c) {
    case '\\': return stac_strbuf_puts(out, "\\e", err);
    case '-': return stac_strbuf_puts(out, "\\-", err);
    case '~': return stac_strbuf_puts(out, "\\(ti", err);
    case '^': return stac_strbuf_puts(out, "\\(ha", err);
    case '`': return stac_strbuf_puts(out, "\\(ga", err);
    case '|': return stac_strbuf_puts(out, "|\\:", err);
    default: return stac_strbuf_add(out, &c, 1, err);
    }
}

/* A text on one line. */
static int line(const char *text, struct stac_strbuf *out, struct stac_error *err) {
    if (*text == '.' || *text == '\'') STAC_TRY(stac_strbuf_puts(out, "\\&", err)); /* no request */
    for (; *text; text++) STAC_TRY(character(*text, out, err));
    return STAC_OK;
}

/* A text that ends its line, and has more where it is long. */
static int lines(const char *text, struct stac_strbuf *out, struct stac_error *err) {
    char part[WIDTH + 1];
    while (*text) {
        size_t n = strlen(text), cut = n;
        if (n > WIDTH)
            for (cut = WIDTH; cut > 0 && text[cut] != ' '; cut--) {
            }
        if (cut == 0) cut = n < WIDTH ? n : WIDTH; /* a word that is longer: none is */
        snprintf(part, sizeof part, "%.*s", (int)cut, text);
        STAC_TRY(line(part, out, err));
        STAC_TRY(stac_strbuf_puts(out, "\n", err));
        text += cut;
        while (*text == ' ') text++;
    }
    return STAC_OK;
}

static int bold(const char *text, struct stac_strbuf *out, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(out, "\\fB", err));
    STAC_TRY(line(text, out, err));
    return stac_strbuf_puts(out, "\\fR", err);
}

static int section(const char *macro, const char *title, struct stac_strbuf *out, struct stac_error *err) {
    return stac_strbuf_printf(out, err, ".%s \"%s\"\n", macro, title);
}

/* A text under a term. */
static int item(const char *term, const char *text, struct stac_strbuf *out, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(out, ".TP\n", err));
    STAC_TRY(bold(term, out, err));
    STAC_TRY(stac_strbuf_puts(out, "\n", err));
    return lines(text, out, err);
}

static int items(const char *title, const struct stac_term *t, struct stac_strbuf *out, struct stac_error *err) {
    STAC_TRY(section("SH", title, out, err));
    for (; t->term; t++) STAC_TRY(item(t->term, t->text, out, err));
    return STAC_OK;
}

/* Paragraphs, which empty lines separate. */
static int paragraphs(const char *text, struct stac_strbuf *out, struct stac_error *err) {
    char part[600];
    for (const char *begin = text, *end; *begin; begin = end + strspn(end, "\n")) {
        end = strstr(begin, "\n\n");
        if (!end) end = begin + strlen(begin);
        snprintf(part, sizeof part, "%.*s", (int)(end - begin), begin);
        if (begin != text) STAC_TRY(stac_strbuf_puts(out, ".PP\n", err));
        STAC_TRY(lines(part, out, err));
    }
    return STAC_OK;
}

/* Commands under what they do. */
static int examples(const struct stac_term *t, struct stac_strbuf *out, struct stac_error *err) {
    STAC_TRY(section("SH", "EXAMPLES", out, err));
    for (const struct stac_term *first = t; t->term; t++) {
        if (t != first) STAC_TRY(stac_strbuf_puts(out, ".PP\n", err));
        STAC_TRY(lines(t->text, out, err));
        STAC_TRY(stac_strbuf_puts(out, ".PP\n.RS 4\n.nf\n", err));
        STAC_TRY(bold(t->term, out, err));
        STAC_TRY(stac_strbuf_puts(out, "\n.fi\n.RE\n", err));
    }
    return STAC_OK;
}

/* ---- sections ----------------------------------------------------------------------------------------------------- */

static int heading(const struct stac_about *about, const char *version, const char *date, struct stac_strbuf *out,
                   struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(out, ".\\\" Written from the table of keys, as --help is.\n.TH ", err));
    for (const char *c = about->name; *c; c++) {
        char upper[] = {(char)toupper((unsigned char)*c), 0};
        STAC_TRY(line(upper, out, err));
    }
    STAC_TRY(stac_strbuf_printf(out, err, " 1 \"%s\" \"stac %s\" \"STAC\"\n.SH NAME\n", date, version));
    STAC_TRY(line(about->name, out, err));
    STAC_TRY(stac_strbuf_puts(out, " \\- ", err));
    STAC_TRY(line(about->purpose, out, err));
    STAC_TRY(stac_strbuf_puts(out, "\n.SH SYNOPSIS\n", err));
    if (about->parallel) STAC_TRY(stac_strbuf_puts(out, "\\fBmpirun \\-n\\fR \\fIRANKS\\fR ", err));
    STAC_TRY(bold(about->name, out, err));
    STAC_TRY(stac_strbuf_puts(out, " ", err));
    STAC_TRY(line(about->synopsis, out, err));
    STAC_TRY(stac_strbuf_puts(out, "\n.SH DESCRIPTION\n", err));
    return paragraphs(about->text, out, err);
}

static int option(const struct stac_key *key, struct stac_strbuf *out, struct stac_error *err) {
    char values[160], text[320];
    stac_about_values(key, values, sizeof values);
    snprintf(text, sizeof text, "--%s", key->name);
    STAC_TRY(item(text, key->help, out, err));
    snprintf(text, sizeof text, "Refused in this version: %s is not part of it.", key->planned ? key->planned : "");
    if (key->planned) STAC_TRY(lines(text, out, err));
    snprintf(text, sizeof text, "(%s%s%s)", values, *key->fallback ? "; default " : "", key->fallback);
    return lines(text, out, err);
}

static int options(enum stac_program program, struct stac_strbuf *out, struct stac_error *err) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    const char *group = "";
    STAC_TRY(stac_strbuf_puts(out, ".SH OPTIONS\nEvery one is also a key of a job file, without its hyphens.\n", err));
    STAC_TRY(lines(stac_about_precedence, out, err));
    for (size_t i = 0; i < n; i++) {
        if (!(key[i].programs & program)) continue;
        if (strcmp(group, key[i].group) != 0) STAC_TRY(section("SS", key[i].group, out, err));
        group = key[i].group;
        STAC_TRY(option(&key[i], out, err));
    }
    STAC_TRY(section("SS", "Other flags", out, err));
    if (program == STAC_CONVERT) STAC_TRY(item("--simplified", "the same as --mode simplified", out, err));
    for (const struct stac_term *t = stac_about_flags; t->term; t++) STAC_TRY(item(t->term, t->text, out, err));
    return STAC_OK;
}

int stac_job_manual(enum stac_program program, const char *version, const char *date, struct stac_strbuf *out,
                    struct stac_error *err) {
    const struct stac_about *about = stac_about(program);
    static const enum stac_program all[] = {STAC_CONVERT, STAC_EVAL, STAC_CHAT};
    STAC_TRY(heading(about, version, date, out, err));
    STAC_TRY(options(program, out, err));
    STAC_TRY(items("EXIT STATUS", stac_about_exits, out, err));
    STAC_TRY(items("ENVIRONMENT", stac_about_environment, out, err));
    STAC_TRY(items("FILES", about->files, out, err));
    STAC_TRY(examples(about->examples, out, err));
    STAC_TRY(stac_strbuf_puts(out, ".SH \"SEE ALSO\"\n", err));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] == program) continue;
        STAC_TRY(bold(stac_about(all[i])->name, out, err));
        STAC_TRY(stac_strbuf_puts(out, "(1), ", err));
    }
    return stac_strbuf_puts(out, "\\fBmpirun\\fR(1)\n", err);
}
