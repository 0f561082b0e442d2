#include "kernels/cuda/queue.cuh"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOM = 1 << 20,      /* bytes that wait; a token of 32 layers has 200,000 */
    FEWEST = 8,          /* launches that are worth a graph */
    GRAPHS = 32,         /* that are kept */
    MEMORY = 256,        /* sequences that are remembered by their hash */
    KERNELS = 32,           /* that take more shared memory than all may */
    FREE_SHARED = 32 << 10, /* bytes that a kernel may take without being allowed to: 48 KiB, with what it has anyway */
};

/* What waits: steps one after the other, each with its arguments behind it, padded to whole units. Padding is zero, so that equal
 * sequences have equal bytes. */
typedef uint64_t unit;
struct step {
    const void *kernel; /* NULL: zeros */
    uint64_t shared;
    unsigned grid[3], block[3];
    void *to; /* of zeros */
    uint64_t pitch, width, height;
    uint64_t units;    /* of the arguments */
    uint32_t n, size[STAC_QUEUE_ARGUMENTS + 1];
};
static_assert(sizeof(struct step) % sizeof(unit) == 0, "steps follow one another");

/* A sequence that goes as one. */
struct graph {
    unit *steps;
    size_t units;
    cudaGraphExec_t all;
    uint64_t used; /* when, by the number of sequences so far */
};

static unit waiting[ROOM / sizeof(unit)];
static size_t filled;
static int n_waiting;
static struct graph kept[GRAPHS];
static uint64_t seen[MEMORY], n_sequences;

/* ---- steps ---------------------------------------------------------------------------------------------------------- */

/* Room for another step; what waits is started where there is none. */
static struct step *add(size_t units) {
    const size_t whole = sizeof(struct step) / sizeof(unit) + units;
    if (filled + whole > sizeof waiting / sizeof *waiting) stac_queue_start();
    struct step *s = (struct step *)(void *)(waiting + filled);
    memset(s, 0, whole * sizeof(unit));
    s->units = units;
    filled += whole;
    n_waiting++;
    return s;
}

static size_t units_of(size_t bytes) {
    return (bytes + sizeof(unit) - 1) / sizeof(unit);
}

void stac_queue_kernel(const void *kernel, dim3 grid, dim3 block, size_t shared, int n, const void *const *argument,
                       const size_t *size) {
    size_t units = 0;
    for (int i = 0; i < n; i++) units += units_of(size[i]);
    struct step *s = add(units);
    unit *to = (unit *)(void *)(s + 1);
    s->kernel = kernel;
    s->shared = shared;
    s->grid[0] = grid.x, s->grid[1] = grid.y, s->grid[2] = grid.z;
    s->block[0] = block.x, s->block[1] = block.y, s->block[2] = block.z;
    s->n = (uint32_t)n;
    for (int i = 0; i < n; i++) {
        s->size[i] = (uint32_t)size[i];
        memcpy(to, argument[i], size[i]);
        to += units_of(size[i]);
    }
}

void stac_queue_clear(void *to, size_t pitch, size_t width, size_t height) {
    struct step *s = add(0);
    s->to = to;
    s->pitch = pitch, s->width = width, s->height = height;
}

/* Let a kernel take so much shared memory. What it was allowed stays: a graph may rely on it. */
static void allow_shared(const void *kernel, uint64_t bytes) {
    static struct {
        const void *kernel;
        uint64_t bytes;
    } allowed[KERNELS];
    int i = 0;
    while (i < KERNELS - 1 && allowed[i].kernel && allowed[i].kernel != kernel) i++;
    if (allowed[i].kernel == kernel && allowed[i].bytes >= bytes) return;
    allowed[i].kernel = kernel, allowed[i].bytes = bytes;
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
}

static void clear(const struct step *s) {
    if (s->height == 1)
        cudaMemsetAsync(s->to, 0, s->width, stac_cuda_stream); /* which has no limit of a row's length */
    else
        cudaMemset2DAsync(s->to, s->pitch, 0, s->width, s->height, stac_cuda_stream);
}

/* Failures are found by whoever asks for the last error. */
static void launch(struct step *s) {
    void *argument[STAC_QUEUE_ARGUMENTS];
    unit *at = (unit *)(void *)(s + 1);
    if (!s->kernel) return clear(s);
    for (uint32_t i = 0; i < s->n; i++) {
        argument[i] = at;
        at += units_of(s->size[i]);
    }
    if (s->shared > FREE_SHARED) allow_shared(s->kernel, s->shared);
    cudaLaunchKernel(s->kernel, dim3(s->grid[0], s->grid[1], s->grid[2]), dim3(s->block[0], s->block[1], s->block[2]), argument,
                     s->shared, stac_cuda_stream);
}

static void launch_all(void) {
    for (unit *at = waiting; at < waiting + filled;) {
        struct step *s = (struct step *)(void *)at;
        launch(s);
        at = (unit *)(void *)(s + 1) + s->units;
    }
}

/* ---- graphs --------------------------------------------------------------------------------------------------------- */

static struct graph *find_graph(void) {
    for (int i = 0; i < GRAPHS; i++)
        if (kept[i].units == filled && memcmp(kept[i].steps, waiting, filled * sizeof *waiting) == 0) return &kept[i];
    return NULL;
}

static void forget(struct graph *g) {
    if (g->all) cudaGraphExecDestroy(g->all);
    free(g->steps);
    *g = {};
}

/* The place of the one that was not used for longest. */
static struct graph *make_room(void) {
    struct graph *oldest = kept;
    for (int i = 1; i < GRAPHS; i++)
        if (kept[i].used < oldest->used) oldest = &kept[i];
    forget(oldest);
    return oldest;
}

/* Whether this sequence was seen before; from now on it was. */
static bool seen_before(void) {
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < filled; i++) hash = (hash ^ waiting[i]) * 0xbf58476d1ce4e5b9u, hash ^= hash >> 29;
    for (int i = 0; i < MEMORY; i++)
        if (seen[i] == hash) return true;
    seen[n_sequences % MEMORY] = hash;
    return false;
}

/* No graph, and no failure either: the steps will tell whether there is one. */
static struct graph *give_up(struct graph *g) {
    forget(g);
    cudaGetLastError();
    return NULL;
}

/* A graph of what waits, or NULL: then it goes step by step, as ever. */
static struct graph *make_graph(void) {
    cudaGraph_t drawn = NULL;
    struct graph *g = make_room();
    g->steps = (unit *)malloc(filled * sizeof *waiting);
    if (!g->steps || cudaStreamBeginCapture(stac_cuda_stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess)
        return give_up(g);
    launch_all();
    cudaError_t code = cudaStreamEndCapture(stac_cuda_stream, &drawn);
    if (code == cudaSuccess) code = cudaGraphInstantiateWithFlags(&g->all, drawn, 0);
    if (drawn) cudaGraphDestroy(drawn);
    if (code != cudaSuccess) return give_up(g);
    memcpy(g->steps, waiting, filled * sizeof *waiting);
    g->units = filled;
    return g;
}

void stac_queue_start(void) {
    struct graph *g = NULL;
    if (filled == 0) return;
    n_sequences++;
    if (n_waiting >= FEWEST && !(g = find_graph()) && seen_before()) g = make_graph();
    if (g)
        g->used = n_sequences, cudaGraphLaunch(g->all, stac_cuda_stream);
    else
        launch_all();
    filled = 0;
    n_waiting = 0;
}

void stac_queue_close(void) {
    for (int i = 0; i < GRAPHS; i++) forget(&kept[i]);
}
