#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <vector>

#include "on_host.h"

enum { WARP = 32, MOST_THREADS = 1024, STACK = 64 << 10, USUAL_SHARED = 48 << 10, MOST_SHARED = 227 << 10 };

/* ---- errors --------------------------------------------------------------------------------------------------------- */

static cudaError_t stuck = cudaSuccess; /* what has failed so far */
static char reason[512];

cudaError_t cuda_on_host_breach(cudaError_t code, const char *kernel, const char *what) {
    if (stuck != cudaSuccess) return stuck;
    stuck = code;
    snprintf(reason, sizeof reason, "%s%s%s", kernel ? kernel : "", kernel ? ": " : "", what);
    return code;
}

cudaError_t cuda_on_host_stuck(void) {
    return stuck;
}

cudaError_t cudaGetLastError(void) {
    return stuck;
}

const char *cudaGetErrorString(cudaError_t code) {
    if (code == stuck && *reason) return reason;
    switch (code) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    default: return "invalid argument";
    }
}

size_t cuda_on_host_setting(const char *name, size_t usual) {
    const char *value = getenv(name);
    return value && *value ? (size_t)strtoull(value, NULL, 10) : usual;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* A block of the device: whole pages and a guard behind them; what was asked for ends at the last multiple of 256 bytes. */
struct block {
    char *pages;
    size_t n_pages_bytes, bytes;
};
static std::map<char *, block> blocks; /* by what was given out */
static size_t in_use;
static int opened; /* how often */

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Memory of the device is to be had by kernels and copies only. */
void cuda_on_host_open_memory(bool open) {
    opened += open ? 1 : -1;
    if (opened != (open ? 1 : 0)) return;
    for (auto &b : blocks) mprotect(b.second.pages, b.second.n_pages_bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

/* The block that holds all of [p, p + bytes), or NULL. */
static const block *block_of(const void *p, size_t bytes) {
    auto after = blocks.upper_bound((char *)(uintptr_t)p);
    if (after == blocks.begin()) return NULL;
    auto at = std::prev(after);
    return (const char *)p + bytes <= at->first + at->second.bytes ? &at->second : NULL;
}

bool cuda_on_host_is_reserved(const void *p, size_t bytes) {
    return block_of(p, bytes) != NULL;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all) {
    *all = cuda_on_host_setting("CUDA_ON_HOST_MEMORY", (size_t)1 << 34);
    *left = *all > in_use ? *all - in_use : 0;
    return stuck;
}

cudaError_t cudaMalloc(void **out, size_t bytes) {
    size_t page = page_size(), aligned = (bytes + 255) / 256 * 256, pages = (aligned + page - 1) / page * page, left, all;
    if (stuck != cudaSuccess) return stuck;
    cudaMemGetInfo(&left, &all);
    if (bytes > left) return cudaErrorMemoryAllocation;
    void *p = mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return cudaErrorMemoryAllocation;
    memset(p, 0xff, pages); /* floats that are not numbers */
    mprotect((char *)p + pages, page, PROT_NONE);
    if (!opened) mprotect(p, pages, PROT_NONE);
    *out = (char *)p + pages - aligned;
    blocks[(char *)*out] = block{(char *)p, pages, bytes};
    in_use += bytes;
    return cudaSuccess;
}

static bool is_filled(const char *from, const char *to) {
    for (; from < to; from++)
        if (*from != -1) return false;
    return true;
}

/* Whether what lies around a block, on its pages, is as it was. */
static bool is_untouched(const char *p, const struct block *b) {
    cuda_on_host_open_memory(true);
    bool as_it_was = is_filled(b->pages, p) && is_filled(p + b->bytes, b->pages + b->n_pages_bytes);
    cuda_on_host_open_memory(false);
    return as_it_was;
}

cudaError_t cudaFree(void *p) {
    if (!p) return stuck;
    cuda_on_host_finish(NULL);
    auto at = blocks.find((char *)p);
    if (at == blocks.end())
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "cudaFree of what is no memory of the device");
    if (!is_untouched((char *)p, &at->second))
        cuda_on_host_breach(cudaErrorIllegalAddress, NULL, "somebody wrote beside what was reserved");
    munmap(at->second.pages, at->second.n_pages_bytes + page_size());
    in_use -= at->second.bytes;
    blocks.erase(at);
    return stuck;
}

/* As from memory that is not pinned: the host's side is read, or written, before this returns. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    if (cuda_on_host_is_captured(stream))
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a copy on a stream that is captured");
    const void *there = kind == cudaMemcpyHostToDevice ? to : from, *here = kind == cudaMemcpyHostToDevice ? from : to;
    bool within = kind == cudaMemcpyDeviceToDevice;
    if (stuck != cudaSuccess || bytes == 0) return stuck;
    if (!block_of(there, bytes) || (within && !block_of(here, bytes)))
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a copy outside of the device's memory");
    if (!within && block_of(here, 1))
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a copy whose host side is the device's memory");
    if (kind == cudaMemcpyHostToDevice) {
        std::vector<char> staged((const char *)from, (const char *)from + bytes);
        return cuda_on_host_do(stream, [=] { memcpy(to, staged.data(), staged.size()); });
    }
    cuda_on_host_do(stream, [=] { memcpy(to, from, bytes); });
    if (!within) cuda_on_host_finish(stream);
    return stuck;
}

static void clear(void *to, size_t pitch, int value, size_t width, size_t height) {
    if (stuck != cudaSuccess) return;
    if (width > 0 && height > 0 && !block_of(to, (height - 1) * pitch + width))
        return (void)cuda_on_host_breach(cudaErrorInvalidValue, NULL, "memory outside of the device's is cleared");
    for (size_t i = 0; i < height; i++) memset((char *)to + i * pitch, value, width);
}

cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
    return cuda_on_host_do(stream, [=] { clear(to, pitch, value, width, height); });
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    return cudaMemset2DAsync(to, bytes, value, bytes, 1, stream);
}

/* ---- devices -------------------------------------------------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *n) {
    *n = (int)cuda_on_host_setting("CUDA_ON_HOST_DEVICES", 1);
    return stuck;
}

cudaError_t cudaSetDevice(int) {
    return stuck;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int) {
    *out = cudaDeviceProp{};
    snprintf(out->name, sizeof out->name, "CUDA on the host (a mock)");
    out->major = 8;
    return stuck;
}

/* ---- threads of a block --------------------------------------------------------------------------------------------- */

enum state { READY, AT_BARRIER, AT_WARP_BARRIER, DONE };
struct thread {
    ucontext_t context; /* to begin with */
    jmp_buf place;      /* where it stopped: unlike a context it is left and taken up without a call of the system */
    bool begun;
    char *stack;
    enum state state;
    dim3 index;
    int vote;
    uint32_t posted;
    unsigned a[4], b[2];
    std::vector<struct copy> *copies; /* that were not waited for, in groups */
    int groups;                       /* closed so far */
};
struct copy {
    void *to;
    const void *from;
    int group;
};

dim3 threadIdx, blockIdx, blockDim, gridDim;
static thread all_threads[MOST_THREADS];
static thread *current;
static int n_threads, voted;
static jmp_buf scheduler;
static void (*jump)(jmp_buf, int);
static const std::function<void()> *running;
static char *shared_memory;
static const char *running_name;
static size_t shared_bytes, interval;
extern char __start_cuda_shared[], __stop_cuda_shared[];

void *cuda_on_host_shared(void) {
    return shared_memory;
}

const char *cuda_on_host_running(void) {
    return running_name;
}

cuda_on_host_moment cuda_on_host_now(void) {
    return {(int)(current - all_threads), shared_bytes, interval};
}

/* The C library's own: sanitizers put theirs before it and look around at every jump. */
static bool find_jump(void) {
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *symbol = library ? dlsym(library, "_longjmp") : NULL;
    memcpy(&jump, &symbol, sizeof jump);
    return jump != NULL;
}

/* Back to the scheduler, and later on from here. */
static void stop(enum state state) {
    thread *me = current;
    me->state = state;
    if (_setjmp(me->place) == 0) jump(scheduler, 1);
}

/* A thread lives on from block to block. */
static void live(void) {
    for (;;) {
        (*running)();
        stop(DONE);
    }
}

static bool prepare(int n) {
    for (int i = 0; i < n; i++) {
        thread *t = &all_threads[i];
        if (t->stack) continue;
        void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED) return false;
        t->stack = (char *)stack;
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = t->stack;
        t->context.uc_stack.ss_size = STACK;
        t->context.uc_link = NULL;
        makecontext(&t->context, live, 0);
    }
    return true;
}

static void resume(thread *t) {
    current = t;
    threadIdx = t->index;
    if (_setjmp(scheduler) != 0) return;
    if (t->begun) jump(t->place, 1);
    t->begun = true;
    setcontext(&t->context);
}

void __syncthreads(void) {
    stop(AT_BARRIER);
}

int __syncthreads_or(int mine) {
    current->vote = mine != 0;
    stop(AT_BARRIER);
    return voted;
}

static int count(int from, int to, enum state state) {
    int n = 0;
    for (int i = from; i < to; i++) n += all_threads[i].state == state;
    return n;
}

/* An order of n things, as CUDA_ON_HOST_ORDER says: the i-th is at(i). */
struct order {
    size_t n, step, begin;
    size_t at(size_t i) const {
        return (begin + i * step) % n;
    }
};

static size_t common_divisor(size_t a, size_t b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

static order new_order(size_t n) {
    order o = {n, 1, 0};
    if (cuda_on_host_order() == CUDA_ON_HOST_FORWARD) return o;
    if (cuda_on_host_order() == CUDA_ON_HOST_BACKWARD) return {n, n > 1 ? n - 1 : 1, n - 1};
    o.begin = cuda_on_host_draw(n);
    do o.step = 1 + cuda_on_host_draw(n);
    while (common_divisor(o.step, n) != 1);
    return o;
}

/* The threads [from, to) of a warp until none of them can go on without others. */
static bool run_warp(int from, int to) {
    for (;;) {
        order turns = new_order((size_t)(to - from));
        for (size_t i = 0; i < turns.n; i++) {
            thread *t = &all_threads[from + (int)turns.at(i)];
            if (t->state == READY) resume(t);
        }
        int waiting = count(from, to, AT_WARP_BARRIER);
        if (waiting == 0) return true;
        if (waiting < to - from) return false;
        for (int i = from; i < to; i++) all_threads[i].state = READY;
    }
}

/* All threads of a block to their end. */
static const char *run_block(void) {
    for (;;) {
        order turns = new_order((size_t)(n_threads + WARP - 1) / WARP);
        for (size_t i = 0; i < turns.n; i++) {
            int from = (int)turns.at(i) * WARP;
            if (!run_warp(from, from + WARP < n_threads ? from + WARP : n_threads))
                return "some threads of a warp wait for others that do not come";
        }
        int waiting = count(0, n_threads, AT_BARRIER);
        if (waiting == 0) return NULL;
        if (waiting < n_threads) return "some threads of a block wait at a barrier that others do not reach";
        voted = 0;
        interval++;
        for (int i = 0; i < n_threads; i++) {
            voted |= all_threads[i].vote;
            all_threads[i].vote = 0;
            all_threads[i].state = READY;
        }
    }
}

static void begin_block(size_t shared) {
    shared_bytes = shared;
    interval++;
    memset(__start_cuda_shared, 0xff, (size_t)(__stop_cuda_shared - __start_cuda_shared));
    memset(shared_memory, 0xff, shared);
    for (int i = 0; i < n_threads; i++) {
        thread *t = &all_threads[i];
        t->state = READY;
        t->vote = t->groups = 0;
        if (t->copies) t->copies->clear();
        t->index = dim3((unsigned)i % blockDim.x, (unsigned)i / blockDim.x % blockDim.y, (unsigned)i / blockDim.x / blockDim.y);
    }
}

void cuda_on_host_check(const char *kernel, const void *argument, size_t bytes, bool pointer) {
    for (size_t at = 0; at + sizeof(void *) <= bytes; at += sizeof(void *)) {
        uintptr_t p;
        memcpy(&p, (const char *)argument + at, sizeof p);
        if (p == 0 || block_of((const void *)p, 1)) continue;
        unsigned char in_core;
        /* two small integers side by side are no pointer, though sanitizers may have something mapped there */
        bool mapped =
            p >> 44 > 1 && p < (uintptr_t)1 << 47 && mincore((void *)(p / page_size() * page_size()), 1, &in_core) == 0;
        if (pointer || mapped)
            cuda_on_host_breach(cudaErrorIllegalAddress, kernel, "an argument does not point into the device's memory");
    }
}

static void run_kernel(const char *kernel, dim3 grid, dim3 block, size_t shared, const std::function<void()> &body) {
    static size_t launches;
    if (stuck != cudaSuccess) return;
    if (++launches == cuda_on_host_setting("CUDA_ON_HOST_FAIL_LAUNCH", 0))
        return (void)cuda_on_host_breach(cudaErrorLaunchFailure, kernel, "this launch was to fail");
    if (!shared_memory) shared_memory = (char *)aligned_alloc(256, (MOST_SHARED + 255) / 256 * 256);
    n_threads = (int)(block.x * block.y * block.z);
    if (!shared_memory || !prepare(n_threads) || !(jump || find_jump()))
        return (void)cuda_on_host_breach(cudaErrorMemoryAllocation, kernel, "no memory for its threads");
    running = &body;
    running_name = kernel;
    blockDim = block, gridDim = grid;
    order turns = new_order((size_t)grid.x * grid.y);
    for (size_t i = 0; i < turns.n && stuck == cudaSuccess; i++) {
        blockIdx = dim3((unsigned)(turns.at(i) % grid.x), (unsigned)(turns.at(i) / grid.x));
        begin_block(shared);
        const char *wrong = run_block();
        if (wrong) cuda_on_host_breach(cudaErrorLaunchFailure, kernel, wrong);
    }
}

struct known {
    std::string name;
    cuda_on_host_binder bind;
    size_t shared;            /* bytes that it may take of what is known at launch only */
    std::vector<size_t> size; /* of its arguments */
    cuda_on_host_code code;
};
static std::map<const void *, known> kernels;

void cuda_on_host_remember(const void *kernel, const std::string &name, const cuda_on_host_binder &bind,
                           const std::vector<size_t> &size) {
    cuda_on_host_code code;
    if (kernels.find(kernel) != kernels.end()) return;
    if (!cuda_on_host_compiled(name, &code)) cuda_on_host_breach(cudaErrorInvalidValue, name.c_str(), "it was not compiled");
    kernels[kernel] = {name, bind, USUAL_SHARED - code.static_shared, size, code};
}

/* A call of what nvcc made of a kernel, with a copy of these arguments. */
static std::function<void()> bind_compiled(const struct known &k, void **arguments) {
    std::vector<std::vector<unsigned char>> copies;
    for (size_t i = 0; i < k.size.size(); i++) {
        const unsigned char *from = (const unsigned char *)arguments[i];
        copies.emplace_back(from, from + k.size[i]);
    }
    return [=] {
        const unsigned char *param[64];
        for (size_t i = 0; i < copies.size(); i++) param[i] = copies[i].data();
        k.code.run(param);
    };
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute, int value) {
    auto at = kernels.find(kernel);
    if (at == kernels.end()) return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "no such kernel");
    if (value + at->second.code.static_shared > MOST_SHARED)
        return cuda_on_host_breach(cudaErrorInvalidValue, at->second.name.c_str(), "more shared memory than there is");
    at->second.shared = (size_t)value;
    return stuck;
}

cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared, cudaStream_t stream) {
    auto at = kernels.find(kernel);
    size_t threads = (size_t)block.x * block.y * block.z;
    if (stuck != cudaSuccess) return stuck;
    if (at == kernels.end()) return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "no such kernel");
    const char *name = at->second.name.c_str();
    if (threads == 0 || threads > MOST_THREADS || grid.x == 0 || grid.x > INT32_MAX || grid.y == 0 || grid.y > 65535 ||
        grid.z != 1)
        return cuda_on_host_breach(cudaErrorInvalidConfiguration, name, "no such grid or block");
    if (shared > at->second.shared)
        return cuda_on_host_breach(cudaErrorInvalidValue, name, "more shared memory than it was allowed");
    std::function<void()> body = at->second.bind(arguments); /* looks at them, too */
    if (at->second.code.run) body = bind_compiled(at->second, arguments);
    size_t in_all = shared + at->second.code.static_shared;
    return cuda_on_host_do(stream, [=] { run_kernel(name, grid, block, in_all, body); });
}

/* ---- copies beside computation ---------------------------------------------------------------------------------------- */

void cuda_on_host_copy_later(void *to, const void *from) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16)
        cuda_on_host_breach(cudaErrorIllegalAddress, NULL, "16 bytes are copied from or to odd places");
    if (!current->copies) current->copies = new std::vector<struct copy>();
    current->copies->push_back({to, from, current->groups});
}

void cuda_on_host_close_copies(void) {
    current->groups++;
}

void cuda_on_host_wait_copies(int but) {
    size_t left = 0;
    if (!current->copies) return;
    std::vector<struct copy> &all = *current->copies;
    for (struct copy &c : all) {
        if (c.group < current->groups - but)
            memcpy(c.to, c.from, 16);
        else
            all[left++] = c;
    }
    all.resize(left);
}

/* ---- warps ---------------------------------------------------------------------------------------------------------- */

static thread *warp_of_current(void) {
    return &all_threads[(current - all_threads) / WARP * WARP];
}

uint32_t cuda_on_host_shuffle(uint32_t mine, int from_lane) {
    thread *warp = warp_of_current();
    current->posted = mine;
    stop(AT_WARP_BARRIER);
    uint32_t theirs = warp[from_lane].posted;
    stop(AT_WARP_BARRIER); /* before anybody posts anew */
    return theirs;
}

unsigned cuda_on_host_ballot(bool mine) {
    thread *warp = warp_of_current();
    unsigned bits = 0;
    current->posted = mine;
    stop(AT_WARP_BARRIER);
    for (int i = 0; i < WARP && warp + i < all_threads + n_threads; i++) bits |= warp[i].posted << i;
    stop(AT_WARP_BARRIER);
    return bits;
}

/* The layout that launch.cuh quotes. */
void cuda_on_host_mma(int c[4], const unsigned a[4], const unsigned b[2], bool is_signed) {
    thread *warp = warp_of_current();
    int lane = (int)(current - warp);
    memcpy(current->a, a, sizeof current->a);
    memcpy(current->b, b, sizeof current->b);
    stop(AT_WARP_BARRIER);
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        unsigned sum = (unsigned)c[i];
        for (int k = 0; k < 32; k++) {
            const thread *of_a = &warp[row % 8 * 4 + k % 16 / 4], *of_b = &warp[column * 4 + k % 16 / 4];
            unsigned byte_a = of_a->a[k / 16 * 2 + row / 8] >> k % 4 * 8 & 0xff, byte_b = of_b->b[k / 16] >> k % 4 * 8 & 0xff;
            int value = is_signed ? (int8_t)byte_a : (int)byte_a;
            sum += (unsigned)(value * (int8_t)byte_b);
        }
        c[i] = (int)sum;
    }
    stop(AT_WARP_BARRIER);
}
