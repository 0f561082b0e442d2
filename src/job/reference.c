/* Help, reference file and the record of a job: all written from the table of keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "job/about.h"
#include "job/keys.h"

/* Text wrapped at 100 columns, every line after `lead`. */
static int wrap(const char *text, const char *lead, struct stac_strbuf *out, struct stac_error *err) {
    size_t room = 100 - strlen(lead);
    while (*text) {
        size_t n = strlen(text), cut = n;
        if (n > room) {
            cut = room;
            while (cut > 0 && text[cut] != ' ') cut--;
            if (cut == 0) cut = room;
        }
        STAC_TRY(stac_strbuf_printf(out, err, "%s%.*s\n", lead, (int)cut, text));
        text += cut;
        while (*text == ' ') text++;
    }
    return STAC_OK;
}

static int help_of_key(const struct stac_key *key, struct stac_strbuf *out, struct stac_error *err) {
    char values[160];
    stac_about_values(key, values, sizeof values);
    STAC_TRY(stac_strbuf_printf(out, err, "  --%s   (%s%s%s)\n", key->name, values, *key->fallback ? "; default " : "",
                                key->fallback));
    if (key->planned) {
        char text[256];
        snprintf(text, sizeof text, "Refused in this version: %s is not part of it.", key->planned);
        STAC_TRY(wrap(text, "        ", out, err));
    }
    return wrap(key->help, "        ", out, err);
}

/* Flags that are no keys, precedence, exit codes. */
static int ending(struct stac_strbuf *out, struct stac_error *err) {
    struct stac_strbuf codes = {0};
    STAC_TRY(stac_strbuf_puts(out, "\nOther flags:\n", err));
    for (const struct stac_term *t = stac_about_flags; t->term; t++)
        STAC_TRY(stac_strbuf_printf(out, err, "  %-25s %s\n", t->term, t->text));
    STAC_TRY(stac_strbuf_printf(out, err, "\n%s\n", stac_about_precedence));
    int status = STAC_OK;
    for (const struct stac_term *t = stac_about_exits; t->term && status == STAC_OK; t++)
        status = stac_strbuf_printf(&codes, err, "%s %s %s", t == stac_about_exits ? "Exit code:" : ",", t->term, t->text);
    if (status == STAC_OK) status = stac_strbuf_puts(&codes, ".", err);
    if (status == STAC_OK) status = wrap(stac_strbuf_text(&codes), "", out, err);
    stac_strbuf_clean(&codes);
    return status;
}

int stac_job_help(enum stac_program program, struct stac_strbuf *out, struct stac_error *err) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    const struct stac_about *about = stac_about(program);
    const char *group = "";
    char text[400];
    snprintf(text, sizeof text, "%.*s", (int)(strstr(about->text, "\n\n") - about->text), about->text);
    STAC_TRY(stac_strbuf_printf(out, err, "Usage: %s%s %s\n\n", about->parallel ? "mpirun -n RANKS " : "", about->name,
                                about->synopsis));
    STAC_TRY(wrap(text, "", out, err));
    for (size_t i = 0; i < n; i++) {
        if (!(key[i].programs & program)) continue;
        if (strcmp(group, key[i].group) != 0) STAC_TRY(stac_strbuf_printf(out, err, "\n%s:\n", key[i].group));
        group = key[i].group;
        STAC_TRY(help_of_key(&key[i], out, err));
    }
    if (program == STAC_CONVERT) STAC_TRY(stac_strbuf_puts(out, "\n  --simplified   the same as --mode simplified\n", err));
    return ending(out, err);
}

/* Characters that YAML allows in a quoted text and does not fold: no controls, line separators, byte order mark. */
static bool is_printable(utf8proc_int32_t c) {
    return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff);
}

/* A text, which is UTF-8, as a YAML scalar that reads back as itself. */
static int quote(const char *text, struct stac_strbuf *out, struct stac_error *err) {
    utf8proc_int32_t c;
    STAC_TRY(stac_strbuf_puts(out, "\"", err));
    for (utf8proc_ssize_t n; *text; text += n) {
        if ((n = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &c)) < 1)
            return stac_fail(err, STAC_ERR_INTERNAL, "a text of the job is not UTF-8");
        if (c == '"' || c == '\\')
            STAC_TRY(stac_strbuf_printf(out, err, "\\%c", (char)c));
        else if (is_printable(c))
            STAC_TRY(stac_strbuf_add(out, text, (size_t)n, err));
        else
            STAC_TRY(stac_strbuf_printf(out, err, "\\u%04x", (unsigned)c));
    }
    return stac_strbuf_puts(out, "\"", err);
}

/* The shortest decimal that reads back as the same number. */
static int real(double x, struct stac_strbuf *out, struct stac_error *err) {
    char text[32];
    for (int digits = 12; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    return stac_strbuf_puts(out, text, err);
}

static int value_as_yaml(const struct stac_key *key, const char *value, struct stac_strbuf *out, struct stac_error *err) {
    if (key->type == STAC_KEY_TEXT) return quote(value, out, err);
    return stac_strbuf_printf(out, err, stac_key_is_list(key->type) ? "[%s]" : "%s", value);
}

int stac_job_reference(enum stac_program program, struct stac_strbuf *out, struct stac_error *err) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    const char *group = "";
    STAC_TRY(stac_strbuf_printf(out, err,
                                "# Every key of a %s job, at its default. Written by `%s --reference`.\n"
                                "# Unknown keys are refused; a key that is left out keeps its default.\n",
                                stac_about(program)->name, stac_about(program)->name));
    for (size_t i = 0; i < n; i++) {
        char values[160];
        if (!(key[i].programs & program)) continue;
        stac_about_values(&key[i], values, sizeof values);
        if (strcmp(group, key[i].group) != 0) STAC_TRY(stac_strbuf_printf(out, err, "\n# ---- %s ----\n", key[i].group));
        group = key[i].group;
        STAC_TRY(stac_strbuf_puts(out, "\n", err));
        STAC_TRY(wrap(key[i].help, "# ", out, err));
        if (key[i].planned) {
            STAC_TRY(stac_strbuf_printf(out, err, "# Refused in this version: %s is not part of it.\n", key[i].planned));
            STAC_TRY(stac_strbuf_printf(out, err, "# %s: %s   # %s\n", key[i].name, key[i].fallback, values));
            continue;
        }
        STAC_TRY(stac_strbuf_printf(out, err, "%s: ", key[i].name));
        STAC_TRY(value_as_yaml(&key[i], key[i].fallback, out, err));
        STAC_TRY(stac_strbuf_printf(out, err, "   # %s\n", values));
    }
    return STAC_OK;
}

/* [8, 16], as YAML writes a list. */
static int print_list(const struct stac_key *key, const struct stac_job_list *list, struct stac_strbuf *out,
                      struct stac_error *err) {
    char word[64];
    for (int i = 0; i < list->n; i++) {
        STAC_TRY(stac_strbuf_puts(out, i ? ", " : "[", err));
        if (!key->words) {
            STAC_TRY(real(list->at[i], out, err));
            continue;
        }
        stac_key_word(key->words, (int64_t)list->at[i], word, sizeof word);
        STAC_TRY(stac_strbuf_puts(out, word, err));
    }
    return stac_strbuf_puts(out, list->n ? "]" : "[]", err);
}

static int print_value(const struct stac_key *key, const void *at, struct stac_strbuf *out, struct stac_error *err) {
    char word[64];
    if (stac_key_is_list(key->type)) return print_list(key, at, out, err);
    switch (key->type) {
    case STAC_KEY_TEXT: return quote(*(char *const *)at, out, err);
    case STAC_KEY_INT: return stac_strbuf_printf(out, err, "%lld", (long long)*(const int64_t *)at);
    case STAC_KEY_REAL: return real(*(const double *)at, out, err);
    case STAC_KEY_BOOL: return stac_strbuf_puts(out, *(const bool *)at ? "true" : "false", err);
    default: stac_key_word(key->words, *(const int64_t *)at, word, sizeof word); return stac_strbuf_puts(out, word, err);
    }
}

int stac_job_print(const struct stac_job *job, struct stac_strbuf *out, struct stac_error *err) {
    size_t n;
    const struct stac_key *key = stac_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (!(key[i].programs & job->program) || key[i].planned || stac_key_is_neutral(&key[i])) continue;
        STAC_TRY(stac_strbuf_printf(out, err, "%s: ", key[i].name));
        STAC_TRY(print_value(&key[i], (const char *)job + key[i].offset, out, err));
        STAC_TRY(stac_strbuf_puts(out, "\n", err));
    }
    return STAC_OK;
}
