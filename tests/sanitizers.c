/* Part of every program of a build with sanitizers: what Open MPI and its plug-ins keep until the process ends,
 * and what HDF5 loses over files it could not write or that are damaged, is not ours. */
#include <dlfcn.h>

const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* Plug-ins stay loaded, so that the leak checker can name the library a block comes from. */
int dlclose(void *handle) {
    (void)handle;
    return 0;
}

const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5\nleak:libmpi\nleak:libopen-\nleak:libpmix\nleak:mca_\nleak:libhwloc\nleak:libevent\nleak:"
           "libfabric\nleak:libucs\n"
           "leak:__vasprintf_internal\nleak:libucp\nleak:libuct\nleak:libucm\nleak:libpsm\nleak:libibverbs\nleak:librdmacm\n";
}

const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}
