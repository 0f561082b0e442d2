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

#include "cuda_runtime.h"

enum { WARP = 32, MOST_THREADS = 1024, STACK = 64 << 10, MOST_SHARED = 227 << 10 };

/* ---- errors --------------------------------------------------------------------------------------------------------- */

static cudaError_t stuck = cudaSuccess; /* what has failed so far */
static char reason[512];

static cudaError_t breach(cudaError_t code, const char *kernel, const char *what) {
    if (stuck != cudaSuccess) return stuck;
    stuck = code;
    snprintf(reason, sizeof reason, "%s%s%s", kernel ? kernel : "", kernel ? ": " : "", what);
    return code;
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

static size_t from_environment(const char *name, size_t usual) {
    const char *value = getenv(name);
    return value && *value ? (size_t)strtoull(value, NULL, 10) : usual;
}

/* ---- graphs --------------------------------------------------------------------------------------------------------- */

struct cuda_on_host_graph {
    std::vector<std::function<void()>> steps;
};
static cuda_on_host_graph *captured; /* what the stream is captured to, or NULL */
size_t cuda_on_host_graphs;

static void do_or_capture(const std::function<void()> &what) {
    if (captured)
        captured->steps.push_back(what);
    else
        what();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
    if (captured) return breach(cudaErrorInvalidValue, NULL, "a stream is captured twice");
    captured = new cuda_on_host_graph();
    return stuck;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *out) {
    *out = captured;
    captured = NULL;
    return stuck;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
    *out = new cuda_on_host_graph(*graph);
    return stuck;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t) {
    cuda_on_host_graphs++;
    for (auto &step : graph->steps) step();
    return stuck;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return stuck;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    delete graph;
    return stuck;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* A block of the device: whole pages and a guard behind them; what was asked for ends at the last multiple of 256 bytes. */
struct block {
    char *pages;
    size_t n_pages_bytes, bytes;
};
static std::map<char *, block> blocks; /* by what was given out */
static size_t in_use;
static bool open_to_all;

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Memory of the device is to be had by kernels and copies only. */
static void open_memory(bool open) {
    for (auto &b : blocks) mprotect(b.second.pages, b.second.n_pages_bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE);
    open_to_all = open;
}

/* The block that holds all of [p, p + bytes), or NULL. */
static const block *block_of(const void *p, size_t bytes) {
    auto after = blocks.upper_bound((char *)(uintptr_t)p);
    if (after == blocks.begin()) return NULL;
    auto at = std::prev(after);
    return (const char *)p + bytes <= at->first + at->second.bytes ? &at->second : NULL;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all) {
    *all = from_environment("CUDA_ON_HOST_MEMORY", (size_t)1 << 34);
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
    if (!open_to_all) mprotect(p, pages, PROT_NONE);
    *out = (char *)p + pages - aligned;
    blocks[(char *)*out] = block{(char *)p, pages, bytes};
    in_use += bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p) {
    auto at = blocks.find((char *)p);
    if (!p) return stuck;
    if (at == blocks.end()) return breach(cudaErrorInvalidValue, NULL, "cudaFree of what is no memory of the device");
    munmap(at->second.pages, at->second.n_pages_bytes + page_size());
    in_use -= at->second.bytes;
    blocks.erase(at);
    return stuck;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
    if (captured) return breach(cudaErrorInvalidValue, NULL, "a copy on a stream that is captured");
    const void *there = kind == cudaMemcpyHostToDevice ? to : from, *here = kind == cudaMemcpyHostToDevice ? from : to;
    bool within = kind == cudaMemcpyDeviceToDevice;
    if (stuck != cudaSuccess) return stuck;
    if (bytes > 0 && !block_of(there, bytes))
        return breach(cudaErrorInvalidValue, NULL, "a copy outside of the device's memory");
    if (bytes > 0 && within && !block_of(here, bytes))
        return breach(cudaErrorInvalidValue, NULL, "a copy outside of the device's memory");
    if (bytes > 0 && !within && block_of(here, 1))
        return breach(cudaErrorInvalidValue, NULL, "a copy whose host side is the device's memory");
    open_memory(true);
    memcpy(to, from, bytes);
    open_memory(false);
    return cudaSuccess;
}

static void clear(void *to, size_t pitch, int value, size_t width, size_t height) {
    if (stuck != cudaSuccess) return;
    if (width > 0 && height > 0 && !block_of(to, (height - 1) * pitch + width))
        return (void)breach(cudaErrorInvalidValue, NULL, "memory outside of the device's is cleared");
    open_memory(true);
    for (size_t i = 0; i < height; i++) memset((char *)to + i * pitch, value, width);
    open_memory(false);
}

cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t) {
    do_or_capture([=] { clear(to, pitch, value, width, height); });
    return stuck;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    return cudaMemset2DAsync(to, bytes, value, bytes, 1, stream);
}

/* ---- devices and streams -------------------------------------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *n) {
    *n = (int)from_environment("CUDA_ON_HOST_DEVICES", 1);
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

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
    *out = NULL;
    return stuck;
}

cudaError_t cudaStreamDestroy(cudaStream_t) {
    return stuck;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return stuck;
}

bool cuda_on_host_hangs;

/* All is done when it is asked for. */
cudaError_t cudaStreamQuery(cudaStream_t) {
    if (captured) return breach(cudaErrorInvalidValue, NULL, "a stream that is captured is waited for");
    return stuck == cudaSuccess && cuda_on_host_hangs ? cudaErrorNotReady : stuck;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
    return stuck;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned) {
    *out = NULL;
    return stuck;
}

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
    return stuck;
}

cudaError_t cudaEventDestroy(cudaEvent_t) {
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
extern char __start_cuda_shared[], __stop_cuda_shared[];

void *cuda_on_host_shared(void) {
    return shared_memory;
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

/* The threads [from, to) of a warp until none of them can go on without others. */
static bool run_warp(int from, int to) {
    for (;;) {
        for (int i = from; i < to; i++)
            if (all_threads[i].state == READY) resume(&all_threads[i]);
        int waiting = count(from, to, AT_WARP_BARRIER);
        if (waiting == 0) return true;
        if (waiting < to - from) return false;
        for (int i = from; i < to; i++) all_threads[i].state = READY;
    }
}

/* All threads of a block to their end. */
static const char *run_block(void) {
    for (;;) {
        for (int from = 0; from < n_threads; from += WARP)
            if (!run_warp(from, from + WARP < n_threads ? from + WARP : n_threads))
                return "some threads of a warp wait for others that do not come";
        int waiting = count(0, n_threads, AT_BARRIER);
        if (waiting == 0) return NULL;
        if (waiting < n_threads) return "some threads of a block wait at a barrier that others do not reach";
        voted = 0;
        for (int i = 0; i < n_threads; i++) {
            voted |= all_threads[i].vote;
            all_threads[i].vote = 0;
            all_threads[i].state = READY;
        }
    }
}

static void begin_block(size_t shared) {
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
        if (pointer || mapped) breach(cudaErrorIllegalAddress, kernel, "an argument does not point into the device's memory");
    }
}

static void run_kernel(const char *kernel, dim3 grid, dim3 block, size_t shared, const std::function<void()> &body) {
    static size_t launches;
    size_t threads = (size_t)block.x * block.y * block.z;
    if (stuck != cudaSuccess) return;
    if (++launches == from_environment("CUDA_ON_HOST_FAIL_LAUNCH", 0))
        return (void)breach(cudaErrorLaunchFailure, kernel, "this launch was to fail");
    if (threads == 0 || threads > MOST_THREADS || grid.x == 0 || grid.y == 0 || grid.y > 65535 || grid.z != 1 ||
        shared > MOST_SHARED)
        return (void)breach(cudaErrorInvalidConfiguration, kernel, "no such grid, block or shared memory");
    if (!shared_memory) shared_memory = (char *)aligned_alloc(256, (MOST_SHARED + 255) / 256 * 256);
    n_threads = (int)threads;
    if (!shared_memory || !prepare(n_threads) || !(jump || find_jump()))
        return (void)breach(cudaErrorMemoryAllocation, kernel, "no memory for its threads");
    running = &body;
    blockDim = block, gridDim = grid;
    open_memory(true);
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x && stuck == cudaSuccess; x++) {
            blockIdx = dim3(x, y);
            begin_block(shared);
            const char *wrong = run_block();
            if (wrong) breach(cudaErrorLaunchFailure, kernel, wrong);
        }
    open_memory(false);
}

struct known {
    const char *name;
    cuda_on_host_binder bind;
};
static std::map<const void *, known> kernels;

void cuda_on_host_remember(const void *kernel, const char *name, const cuda_on_host_binder &bind) {
    if (kernels.find(kernel) == kernels.end()) kernels[kernel] = {name, bind};
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute, int value) {
    if (kernels.find(kernel) == kernels.end()) return breach(cudaErrorInvalidValue, NULL, "no such kernel");
    return value > MOST_SHARED ? breach(cudaErrorInvalidValue, kernels[kernel].name, "more shared memory than there is") : stuck;
}

cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared, cudaStream_t) {
    auto at = kernels.find(kernel);
    if (stuck != cudaSuccess) return stuck;
    if (at == kernels.end()) return breach(cudaErrorInvalidValue, NULL, "no such kernel");
    const char *name = at->second.name;
    std::function<void()> body = at->second.bind(arguments);
    do_or_capture([=] { run_kernel(name, grid, block, shared, body); });
    return stuck;
}

/* ---- copies beside computation ---------------------------------------------------------------------------------------- */

void cuda_on_host_copy_later(void *to, const void *from) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16)
        breach(cudaErrorIllegalAddress, NULL, "16 bytes are copied from or to odd places");
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
