/* Streams, events and graphs of the mock. What is put into a stream waits there: work is done when somebody waits for it, the
 * host or another stream, as late as it may be, or as soon, or at times that are drawn (CUDA_ON_HOST_ORDER). So an event that
 * should order two streams and does not is noticed by what comes out. */
#include <deque>
#include <vector>

#include "on_host.h"

typedef std::function<void()> work;

/* All steps of a stream up to a number. */
struct mark {
    cudaStream_t stream;
    size_t number;
};

struct step {
    work what;
    mark before; /* stream not NULL: wait for that, and nothing else */
};

struct cuda_on_host_stream {
    std::deque<step> waiting;
    size_t put, done;
    cuda_on_host_graph *captured; /* what goes there instead, or NULL */
};

struct cuda_on_host_event {
    mark recorded;
};

struct cuda_on_host_graph {
    std::vector<work> steps;
};

static std::vector<cudaStream_t> streams;
size_t cuda_on_host_graphs;
bool cuda_on_host_hangs;

/* ---- order ---------------------------------------------------------------------------------------------------------- */

size_t cuda_on_host_order(void) {
    static const size_t order = cuda_on_host_setting("CUDA_ON_HOST_ORDER", CUDA_ON_HOST_FORWARD);
    return order;
}

size_t cuda_on_host_draw(size_t n) {
    static uint64_t state = cuda_on_host_order() * 0x9e3779b97f4a7c15u + 1;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17; /* xorshift64 */
    return (size_t)(state >> 11) % n;
}

static void advance(cudaStream_t s, size_t number) {
    while (s->done < number) {
        step next = s->waiting.front();
        s->waiting.pop_front();
        s->done++;
        if (next.before.stream)
            advance(next.before.stream, next.before.number);
        else
            next.what();
    }
}

static void run(cudaStream_t s, size_t number) {
    if (s->done >= number) return;
    cuda_on_host_open_memory(true);
    advance(s, number);
    cuda_on_host_open_memory(false);
}

void cuda_on_host_finish(cudaStream_t stream) {
    for (cudaStream_t s : streams)
        if (!stream || s == stream) run(s, s->put);
}

/* Streams go on by themselves, or not. */
static void go_on(cudaStream_t s) {
    if (cuda_on_host_order() == CUDA_ON_HOST_FORWARD) return;
    if (cuda_on_host_order() == CUDA_ON_HOST_BACKWARD) return run(s, s->put);
    if (cuda_on_host_draw(2) == 0) return;
    cudaStream_t any = streams[cuda_on_host_draw(streams.size())];
    run(any, any->done + cuda_on_host_draw(any->put - any->done + 1));
}

static cudaError_t put(cudaStream_t s, const step &what) {
    s->waiting.push_back(what);
    s->put++;
    go_on(s);
    return cuda_on_host_stuck();
}

bool cuda_on_host_is_captured(cudaStream_t stream) {
    return stream && stream->captured;
}

cudaError_t cuda_on_host_do(cudaStream_t stream, const work &what) {
    if (!stream) return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "work for no stream");
    if (!stream->captured) return put(stream, {what, {}});
    stream->captured->steps.push_back(what);
    return cuda_on_host_stuck();
}

/* ---- streams and events --------------------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
    *out = new cuda_on_host_stream();
    streams.push_back(*out);
    return cuda_on_host_stuck();
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    cuda_on_host_finish(stream);
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == stream) streams.erase(streams.begin() + (long)i);
    delete stream;
    return cuda_on_host_stuck();
}

/* All is done when it is asked for. */
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    if (cuda_on_host_is_captured(stream))
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a stream that is captured is waited for");
    cuda_on_host_finish(stream);
    return cuda_on_host_stuck() == cudaSuccess && cuda_on_host_hangs ? cudaErrorNotReady : cuda_on_host_stuck();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return cudaStreamQuery(stream);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    if (cuda_on_host_is_captured(stream))
        return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a stream that is captured is to wait");
    if (!event->recorded.stream) return cuda_on_host_stuck(); /* never recorded: nothing to wait for */
    return put(stream, {work(), event->recorded});
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned) {
    *out = new cuda_on_host_event();
    return cuda_on_host_stuck();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->recorded = {stream, stream->put};
    return cuda_on_host_stuck();
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cuda_on_host_stuck();
}

/* ---- graphs --------------------------------------------------------------------------------------------------------- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream->captured) return cuda_on_host_breach(cudaErrorInvalidValue, NULL, "a stream is captured twice");
    stream->captured = new cuda_on_host_graph();
    return cuda_on_host_stuck();
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
    *out = stream->captured;
    stream->captured = NULL;
    return cuda_on_host_stuck();
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
    *out = new cuda_on_host_graph(*graph);
    return cuda_on_host_stuck();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    std::vector<work> steps = graph->steps;
    cuda_on_host_graphs++;
    return cuda_on_host_do(stream, [=] {
        for (const work &step : steps) step();
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cuda_on_host_stuck();
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    delete graph;
    return cuda_on_host_stuck();
}
