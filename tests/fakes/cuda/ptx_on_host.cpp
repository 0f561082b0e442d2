#include "ptx_on_host.h"

#include <cxxabi.h>
#include <stdlib.h>

#include <string>
#include <vector>

/* ---- kernels -------------------------------------------------------------------------------------------------------- */

static std::string demangled(const char *symbol) {
    int status = 0;
    char *text = abi::__cxa_demangle(symbol, NULL, NULL, &status);
    std::string out = text ? text : "";
    free(text);
    return out;
}

/* Of "void product<unsigned short, 2>(int, float const*)" what it is called and the types that the template was given. */
static std::string name_of(const char *symbol) {
    std::string whole = demangled(symbol);
    whole = whole.substr(0, whole.find('('));
    return whole.compare(0, 5, "void ") == 0 ? whole.substr(5) : whole;
}

/* The compiler's spelling as the demangler has it. */
static std::string as_demangled(std::string name) {
    static const std::string theirs = "short unsigned int", ours = "unsigned short";
    size_t at = name.find(theirs);
    return at == std::string::npos ? name : name.replace(at, theirs.size(), ours);
}

static std::vector<ptx_entry> &entries(void) {
    static std::vector<ptx_entry> all;
    return all;
}

bool ptx_know(std::initializer_list<ptx_entry> kernels) {
    entries().insert(entries().end(), kernels.begin(), kernels.end());
    return true;
}

bool cuda_on_host_compiled(const std::string &name, cuda_on_host_code *out) {
    *out = {};
    if (entries().empty()) return true;
    for (const ptx_entry &e : entries())
        if (name_of(e.symbol) == as_demangled(name)) *out = {e.kernel, e.static_shared};
    return out->run != NULL;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static char nowhere[16] __attribute__((aligned(16))); /* what is used after a breach */

static void *bad(const char *what) {
    cuda_on_host_breach(cudaErrorIllegalAddress, cuda_on_host_running(), what);
    return nowhere;
}

void ptx_misaligned(void) {
    bad("an address is no multiple of what is read or written there");
}

/* A byte of shared memory: who last used it in each way, between which barriers. */
enum { WAYS = 3, SEVERAL = -1 };
struct trace {
    size_t interval[WAYS];
    int who[WAYS];
};
static std::vector<trace> traces;

/* Readers do not hinder one another, nor do atomics. */
static bool is_race(const trace &t, size_t now, int me, ptx_access how) {
    for (int way = 0; way < WAYS; way++)
        if ((way != how || how == PTX_WRITE) && t.interval[way] == now && t.who[way] != me) return true;
    return false;
}

void *ptx_shared_at(uint64_t offset, size_t bytes, ptx_access how) {
    const cuda_on_host_moment now = cuda_on_host_now();
    if (offset + bytes > now.shared_bytes) return bad("an address outside of its shared memory");
    if (traces.size() < now.shared_bytes) traces.resize(now.shared_bytes); /* intervals count from 1 */
    for (size_t i = 0; i < bytes; i++) {
        trace &t = traces[offset + i];
        if (is_race(t, now.interval, now.thread, how))
            return bad("threads meet in shared memory without a barrier between them");
        t.who[how] = t.interval[how] == now.interval && t.who[how] != now.thread ? (int)SEVERAL : now.thread;
        t.interval[how] = now.interval;
    }
    return (char *)cuda_on_host_shared() + offset;
}

void *ptx_global_at(uint64_t address, size_t bytes) {
    if (!cuda_on_host_is_reserved((const void *)(uintptr_t)address, bytes))
        return bad("an address outside of what is reserved");
    return (void *)(uintptr_t)address;
}

void *ptx_generic_at(uint64_t address, size_t bytes, ptx_access how) {
    uint64_t offset = address - (uint64_t)(uintptr_t)cuda_on_host_shared();
    return offset < cuda_on_host_now().shared_bytes ? ptx_shared_at(offset, bytes, how) : ptx_global_at(address, bytes);
}
