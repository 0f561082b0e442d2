/* Part of every program of a build with sanitizers: what Open MPI and its plug-ins keep until the process ends,
 * and what HDF5 loses over files it could not write or that are damaged, is not ours. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);
int __vasprintf_chk(char **out, int flag, const char *format, va_list arguments);
int __asprintf_chk(char **out, int flag, const char *format, ...);

/* Plug-ins stay loaded, so that the leak checker can name the library a block comes from. */
int dlclose(void *handle) {
    (void)handle;
    return 0;
}

/* Texts that Open MPI makes without frame pointers on the way, so that no suppression can tell whose they are. STAC itself
 * does not use these two (tests/rules/library.sh). */
int vasprintf(char **out, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    *out = n < 0 ? NULL : malloc((size_t)n + 1);
    if (*out) vsnprintf(*out, (size_t)n + 1, format, again);
    va_end(again);
    if (!*out) return -1;
    __lsan_ignore_object(*out);
    return n;
}

int asprintf(char **out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(out, format, arguments);
    va_end(arguments);
    return n;
}

/* What compilers make of the two above when they fortify a program. */
int __vasprintf_chk(char **out, int flag, const char *format, va_list arguments) {
    (void)flag;
    return vasprintf(out, format, arguments);
}

int __asprintf_chk(char **out, int flag, const char *format, ...) {
    va_list arguments;
    (void)flag;
    va_start(arguments, format);
    int n = vasprintf(out, format, arguments);
    va_end(arguments);
    return n;
}

const char *__lsan_default_suppressions(void) {
    return "leak:ld-linux\nleak:libgomp\nleak:libhdf5\nleak:libmpi\nleak:libopen-\nleak:libpmix\nleak:mca_\nleak:"
           "libhwloc\nleak:libevent\nleak:"
           "libfabric\nleak:libucs\n"
           "leak:libucp\nleak:libuct\nleak:libucm\nleak:libpsm\nleak:libibverbs\nleak:librdmacm\n";
}

const char *__lsan_default_options(void) {
    return "print_suppressions=0:use_tls=0"; /* the checker of GCC 12 crashes on the thread-local blocks of some plug-ins */
}
