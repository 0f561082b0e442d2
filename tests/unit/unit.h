/* What every unit test includes: cmocka with its standard headers, and checks for status-returning functions. */
#ifndef STAC_TESTS_UNIT_H
#define STAC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

/* The call must succeed; on failure its error text is shown. Needs a `struct stac_error err` in scope. */
#define OK(call)                                                                                                               \
    do {                                                                                                                       \
        stac_error_clear(&err);                                                                                                \
        if ((call) != STAC_OK) fail_msg("%s: %s", #call, err.text);                                                            \
    } while (0)

/* The call must fail with this status and a one-line text that contains `part`. */
#define FAILS(call, wanted, part)                                                                                              \
    do {                                                                                                                       \
        stac_error_clear(&err);                                                                                                \
        int got_ = (call);                                                                                                     \
        if (got_ != (wanted)) fail_msg("%s: status %d, expected %d (%s)", #call, got_, (wanted), err.text);                    \
        if (!strstr(err.text, (part))) fail_msg("%s: \"%s\" does not contain \"%s\"", #call, err.text, (part));                \
        assert_null(strchr(err.text, '\n'));                                                                                   \
    } while (0)

#endif
