/* Rows through weights in time. */
#include "kernels/cuda/spikes.cuh"

enum { THREADS = 256 };

/* The place of a row of k inputs. */
static __device__ inline struct events events_of(const struct stac_steps &s, int k, struct stac_event_space space,
                                                 unsigned row) {
    struct events e = {space.index + (size_t)row * k * s.most, space.begin + (size_t)row * (2 * s.timesteps + 1)};
    return e;
}

/* A block plays the neurons of a row. */
static __global__ void play_rows(struct stac_encoding e, struct stac_steps s, int k, const float *x, float *factor,
                                 struct stac_event_space space, struct stac_tally *tally) {
    __shared__ float lane[STAC_LANES];
    __shared__ int filled[2 * STAC_MAX_TIMESTEPS];
    __shared__ int active;
    SHARED(float, held);
    const float *row = hold_row(k, x + (size_t)blockIdx.x * k, &e.mean, held);
    struct events events = events_of(s, k, space, blockIdx.x);
    if (threadIdx.x == 0) active = 0;
    float unit = unit_of_row(&e, k, row, lane);
    int values = play(
        &e.levels, &s, k, 1.0f / unit, [&](int i) { return e.mean ? row[i] - e.mean[i] : row[i]; }, filled, events);
    values = warp_sum(values);
    if (threadIdx.x % WARP == 0) atomicAdd(&active, values);
    __syncthreads();
    if (threadIdx.x > 0) return;
    factor[blockIdx.x] = unit;
    atomicAdd((unsigned long long *)&tally->spikes, (unsigned long long)events.begin[2 * s.timesteps]);
    atomicAdd((unsigned long long *)&tally->active, (unsigned long long)active);
}

/* A thread takes an output of a row. */
static __global__ void drive_rows(struct stac_steps s, int n, int k, const int8_t *w, int ldw, struct stac_event_space space,
                                  int32_t *acc) {
    int j = (int)(blockIdx.x * THREADS + threadIdx.x);
    struct events e = events_of(s, k, space, blockIdx.y);
    if (j < n) acc[(size_t)blockIdx.y * n + j] = add_all_steps(&s, &e, w + j, (size_t)ldw);
}

void stac_spike_rows_cuda(const struct stac_encoding *e, const struct stac_steps *s, int m, int n, int k, const float *x,
                          const int8_t *w, int ldw, float *factor, struct stac_event_space space, int32_t *acc,
                          struct stac_tally *tally) {
    if (m <= 0) return;
    LAUNCH(play_rows, m, THREADS, held_bytes(k), *e, *s, k, x, factor, space, tally);
    LAUNCH(drive_rows, dim3(blocks_of(n, THREADS), m), THREADS, 0, *s, n, k, w, ldw, space, acc);
}

/* ---- ST-BIF+ -------------------------------------------------------------------------------------------------------- */

/* A block takes a row. */
static __global__ void step_rows(struct stac_encoding e, int most, int k, const float *x, float *factor, int16_t *sum,
                                 int16_t *step, struct stac_tally *tally) {
    __shared__ float lane[STAC_LANES];
    SHARED(float, held);
    const float *row = hold_row(k, x + (size_t)blockIdx.x * k, &e.mean, held);
    float unit = unit_of_row(&e, k, row, lane), inverse = 1.0f / unit;
    int spikes = 0;
    sum += (size_t)blockIdx.x * k, step += (size_t)blockIdx.x * k;
    for (int i = (int)threadIdx.x; i < k; i += THREADS) {
        int s = stac_st_bif_fires((e.mean ? row[i] - e.mean[i] : row[i]) * inverse, sum[i], most);
        sum[i] = (int16_t)(sum[i] + s);
        step[i] = (int16_t)s;
        spikes += s != 0;
    }
    spikes = warp_sum(spikes);
    if (threadIdx.x % WARP == 0) atomicAdd((unsigned long long *)&tally->spikes, (unsigned long long)spikes);
    if (threadIdx.x == 0) factor[blockIdx.x] = unit;
}

void stac_step_rows_cuda(const struct stac_encoding *e, int most, int m, int k, const float *x, float *factor, int16_t *sum,
                         int16_t *step, struct stac_tally *tally) {
    if (m > 0) LAUNCH(step_rows, m, THREADS, held_bytes(k), *e, most, k, x, factor, sum, step, tally);
}

/* A thread takes an output of a row. */
static __global__ void add_steps(int n, int k, const int16_t *step, const int8_t *w, int ldw, int32_t *acc) {
    int j = (int)(blockIdx.x * THREADS + threadIdx.x), sum = 0;
    if (j >= n) return;
    step += (size_t)blockIdx.y * k;
    for (int i = 0; i < k; i++) {
        if (step[i] > 0) sum += w[(size_t)i * ldw + j];
        if (step[i] < 0) sum -= w[(size_t)i * ldw + j];
    }
    acc[(size_t)blockIdx.y * n + j] += sum;
}

void stac_add_steps_cuda(int m, int n, int k, const int16_t *step, const int8_t *w, int ldw, int32_t *acc) {
    if (m > 0) LAUNCH(add_steps, dim3(blocks_of(n, THREADS), m), THREADS, 0, n, k, step, w, ldw, acc);
}
