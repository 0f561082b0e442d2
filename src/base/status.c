#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

void stac_error_record(struct stac_error *err, int status, const char *format, ...) {
    if (err->status != STAC_OK) return;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    stac_one_line(err->text); /* whatever a file name or a token contains */
    err->status = status;
}

int stac_fail_in(struct stac_error *err, const char *format, ...) {
    char context[STAC_ERROR_TEXT], inner[STAC_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(inner, err->text, sizeof inner);
    snprintf(err->text, sizeof err->text, "%.250s: %.500s", context, inner);
    return err->status;
}

void stac_error_clear(struct stac_error *err) {
    err->status = STAC_OK;
    err->agreed = 0;
    err->text[0] = 0;
}

int stac_exit_code(int status) {
    switch (status) {
    case STAC_OK: return 0;
    case STAC_ERR_USAGE: return 2;
    case STAC_ERR_INPUT:
    case STAC_ERR_IO: return 3;
    case STAC_STOPPED: return 75; /* EX_TEMPFAIL of sysexits.h */
    default: return 4;
    }
}
