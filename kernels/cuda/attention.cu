/* Attention of a batch: a block takes a row of a head, over all keys that it sees. Their scores stay in shared memory. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/spikes.cuh"
#include "kernels/scalar_math.h"

enum { THREADS = 128 };

static_assert(sizeof(struct stac_attention) <= 4096, "arguments of a kernel");

/* What a block works on. */
struct place {
    int row, head, seen;
    size_t cache; /* offset of the head's keys and values */
    const float *q;
    float *out;
};

static __device__ struct place place_of(const struct stac_attention *a) {
    int row = (int)blockIdx.x, head = (int)blockIdx.y, kv = head / (a->n_head / a->n_head_kv);
    struct place p = {row,
                      head,
                      a->at[row] + 1,
                      ((size_t)a->slot[row] * a->n_head_kv + kv) * a->head_dim * a->capacity,
                      a->qkv + (size_t)row * a->ldq + (size_t)head * a->head_dim,
                      a->out + ((size_t)row * a->n_head + head) * a->head_dim};
    return p;
}

/* Over all threads of the block, for all of them; `shared` holds one number for every warp. */
static __device__ int block_sum(int x, int *shared) {
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0) shared[threadIdx.x / WARP] = x;
    __syncthreads();
    int sum = 0;
    for (int w = 0; w < THREADS / WARP; w++) sum += shared[w];
    __syncthreads();
    return sum;
}

/* ---- keys and values ------------------------------------------------------------------------------------------------ */

/* What is not a number counts as 0. */
static __device__ int8_t clamped(float x) {
    float r = rintf(x);
    return (int8_t)(r > 127 ? 127 : r < -127 ? -127 : r == r ? r : 0);
}

/* A block stores a token's key and value of one head. */
static __global__ void store_rows(struct stac_attention a) {
    __shared__ float most[THREADS / WARP];
    int row = (int)blockIdx.x, head = (int)blockIdx.y, dim = a.head_dim, at = a.at[row];
    size_t block = (size_t)a.slot[row] * a.n_head_kv + head, cache = block * dim * a.capacity;
    const float *k = a.qkv + (size_t)row * a.ldq + (size_t)(a.n_head + head) * dim, *v = k + (size_t)a.n_head_kv * dim;
    if (a.k) {
        for (int d = (int)threadIdx.x; d < dim; d += THREADS) {
            a.k[cache + (size_t)d * a.capacity + at] = k[d];
            a.v[cache + (size_t)at * dim + d] = v[d];
        }
        return;
    }
    const float *mean = a.k_mean + (size_t)head * dim, *v_scale = a.v_scale + (size_t)head * dim;
    float largest = 0;
    for (int d = (int)threadIdx.x; d < dim; d += THREADS)
        largest = fabsf(k[d] - mean[d]) > largest ? fabsf(k[d] - mean[d]) : largest;
    largest = block_max(largest, most);
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    for (int d = (int)threadIdx.x; d < dim; d += THREADS) {
        float r = rintf((k[d] - mean[d]) * inverse);
        a.qk[cache + (size_t)d * a.capacity + at] = (int8_t)(fabsf(r) <= 127.0f ? r : 0.0f);
        a.qv[cache + (size_t)at * dim + d] = clamped(v[d] / v_scale[d]);
    }
    if (threadIdx.x == 0) a.k_scale[block * a.capacity + at] = largest > 0 ? largest / 127.0f : 1.0f;
}

void stac_store_cuda(const struct stac_attention *a) {
    if (a->m > 0) LAUNCH(store_rows, dim3(a->m, a->n_head_kv), THREADS, 0, *a);
}

/* ---- spiking -------------------------------------------------------------------------------------------------------- */

/* The code of an input, centred, or what its ST-BIF+ neuron has sent in all; and the spikes of now. */
static __device__ inline struct code send(const struct stac_levels *levels, const struct stac_sums *sums, size_t at,
                                          float centred, float inverse) {
    if (!sums->sum) return code_of(levels, centred, inverse);
    int step = stac_st_bif_fires(centred * inverse, sums->sum[at], sums->most);
    sums->sum[at] = (int16_t)(sums->sum[at] + step);
    return {sums->sum[at], step != 0};
}

/* code times weight, or the weight once for every spike. */
template <bool by_spikes> static __device__ inline int drive(int code, int weight) {
    if constexpr (!by_spikes) return code * weight;
    int sum = 0;
    for (int r = 0; r < code; r++) sum += weight;
    for (int r = 0; r > code; r--) sum -= weight;
    return sum;
}

/* Over a block's inputs; of ST-BIF+ neurons also all that they have sent so far. */
struct totals {
    int spikes, active, all;
};

static __device__ inline void count(struct totals *t, struct code c) {
    t->spikes += c.spikes;
    t->active += c.value != 0;
    t->all += abs(c.value);
}

/* Over all threads of the block, for all of them. */
static __device__ struct totals block_totals(struct totals t, const struct stac_sums *sums, int *shared) {
    return {block_sum(t.spikes, shared), block_sum(t.active, shared), sums->sum ? block_sum(t.all, shared) : 0};
}

/* A query into codes, to code[head_dim]; what 1 in them is worth. */
static __device__ float encode_query(const struct stac_attention *a, const struct place *p, int *code, float *lane, int *sums) {
    int dim = a->head_dim;
    size_t head = (size_t)p->row * a->n_head + p->head;
    struct totals t = {};
    float unit = unit_of_row(&a->q, dim, p->q, lane);
    for (int d = (int)threadIdx.x; d < dim; d += THREADS) {
        struct code c = send(&a->q.levels, &a->q_sums, head * dim + d, a->q.mean ? p->q[d] - a->q.mean[d] : p->q[d],
                             1.0f / unit);
        code[d] = c.value;
        count(&t, c);
    }
    t = block_totals(t, &a->q_sums, sums);
    if (threadIdx.x == 0) a->sent[head].q_spikes = t.spikes, a->sent[head].q_active = t.active, a->sent[head].q_all = t.all;
    return unit;
}

/* Where a query's or the weights' spikes are put together, if they are played in time; shared. */
struct played {
    int filled[2 * STAC_MAX_TIMESTEPS], begin[2 * STAC_MAX_TIMESTEPS + 1];
};

/* Four bytes that lie side by side, at a multiple of four. */
union four {
    unsigned all;
    int8_t byte[4];
};

/* acc[4] = codes times n <= 4 keys side by side; `whole`: all four, at once. */
template <bool by_spikes, bool whole>
static __device__ inline void drive_keys(const struct stac_attention *a, const int *code, const int8_t *key, int n, int acc[4]) {
#pragma unroll 16
    for (int d = 0; d < a->head_dim; d++) {
        union four k;
        if (whole)
            k.all = *(const unsigned *)(key + (size_t)d * a->capacity);
        else
            for (int i = 0; i < 4; i++) k.byte[i] = i < n ? key[(size_t)d * a->capacity + i] : (int8_t)0;
        for (int i = 0; i < 4; i++) acc[i] += drive<by_spikes>(code[d], k.byte[i]);
    }
}

/* The same in the way that this attention takes. */
static __device__ inline void add_keys(const struct stac_attention *a, const int *code, const int8_t *key, int n, int acc[4]) {
    if (a->q_sums.by_spikes)
        drive_keys<true, false>(a, code, key, n, acc);
    else if (n == 4 && a->capacity % 4 == 0)
        drive_keys<false, true>(a, code, key, n, acc);
    else
        drive_keys<false, false>(a, code, key, n, acc);
}

/* Scores of all keys, to score[seen], by codes or, if they are played in time, by events; the largest of them times scale. */
static __device__ float score_keys(const struct stac_attention *a, const struct place *p, const int *code,
                                   const struct events *e, float unit, float scale, float *score, float *most) {
    const float *k_scale = a->k_scale + p->cache / a->head_dim;
    float largest = -INFINITY;
    int each = a->q_time.timesteps ? 1 : 4;
    for (int j = (int)threadIdx.x * each; j < p->seen; j += THREADS * each) {
        const int8_t *key = a->qk + p->cache + j;
        int n = p->seen - j < each ? p->seen - j : each, acc[4] = {0};
        if (a->q_time.timesteps)
            acc[0] = add_all_steps(&a->q_time, e, key, (size_t)a->capacity);
        else
            add_keys(a, code, key, n, acc);
        for (int i = 0; i < 4; i++) {
            if (i >= n) continue;
            score[j + i] = (float)acc[i] * (unit * k_scale[j + i]);
            largest = score[j + i] * scale > largest ? score[j + i] * scale : largest;
        }
    }
    return block_max(largest, most);
}

/* What enters the neuron of a key. */
static __device__ inline float weight_of(const struct stac_attention *a, const float *score, int j, float scale,
                                         float largest) {
    float e = stac_expf(score[j] * scale - largest);
    return a->p.mean ? e - a->p.mean[j] : e;
}

/* Scores into codes of exp(score - largest), in their place; their sum. */
static __device__ int encode_weights(const struct stac_attention *a, const struct place *p, float largest, float scale,
                                     float *score, int *sums) {
    size_t head = (size_t)p->row * a->n_head + p->head;
    struct totals t = {};
    int sum = 0;
    for (int j = (int)threadIdx.x; j < p->seen; j += THREADS) {
        struct code c = send(&a->p.levels, &a->p_sums, head * a->capacity + j, weight_of(a, score, j, scale, largest),
                             1.0f / a->p.unit);
        ((int *)score)[j] = c.value;
        sum += c.value;
        count(&t, c);
    }
    t = block_totals(t, &a->p_sums, sums);
    if (threadIdx.x == 0) a->sent[head].p_spikes = t.spikes, a->sent[head].p_active = t.active, a->sent[head].p_all = t.all;
    return block_sum(sum, sums);
}

/* Adds codes times values to acc[head_dim]. A thread takes four channels, or one, of every so many keys. */
template <bool by_spikes>
static __device__ inline void drive_values(const struct stac_attention *a, const struct place *p, const int *code,
                                           const int8_t *value, int *acc) {
    int dim = a->head_dim, each = dim % 4 == 0 ? 4 : 1, threads = dim / each; /* of a key */
    int keys = threads < THREADS ? THREADS / threads : 1, first = (int)threadIdx.x / threads;
    for (int d = (int)threadIdx.x % threads * each; d < dim && first < keys; d += THREADS * each) {
        int total[4] = {0};
#pragma unroll 8
        for (int j = first; j < p->seen; j += keys) {
            union four v = {};
            if (each == 4)
                v.all = *(const unsigned *)(value + (size_t)j * dim + d);
            else
                v.byte[0] = value[(size_t)j * dim + d];
            for (int i = 0; i < 4; i++) total[i] += drive<by_spikes>(code[j], v.byte[i]);
        }
        for (int i = 0; i < 4; i++)
            if (i < each) atomicAdd(&acc[d + i], total[i]);
    }
}

/* acc[head_dim] = what codes, or events, take from the values. */
static __device__ void add_values(const struct stac_attention *a, const struct place *p, const int *code,
                                  const struct events *e, int *acc) {
    int dim = a->head_dim;
    const int8_t *value = a->qv + p->cache;
    for (int d = (int)threadIdx.x; d < dim; d += THREADS)
        acc[d] = a->p_time.timesteps ? add_all_steps(&a->p_time, e, value + d, (size_t)dim) : 0;
    __syncthreads();
    if (!a->p_time.timesteps)
        a->p_sums.by_spikes ? drive_values<true>(a, p, code, value, acc) : drive_values<false>(a, p, code, value, acc);
    __syncthreads();
}

/* Shared memory: scores of the keys, then their codes; codes of the query, then accumulators of the values; events. */
static __global__ void attend_spiking(struct stac_attention a) {
    __shared__ float lane[STAC_LANES], most[THREADS / WARP];
    __shared__ int sums[THREADS / WARP];
    __shared__ struct played played;
    SHARED(float, score);
    int *code = (int *)(score + a.most_keys), dim = a.head_dim;
    struct place p = place_of(&a);
    struct events e = {(uint16_t *)(code + dim), played.begin};
    float scale = 1.0f / sqrtf((float)dim), unit = encode_query(&a, &p, code, lane, sums);
    if (a.q_time.timesteps)
        play(
            &a.q.levels, &a.q_time, dim, 1.0f / unit, [&](int d) { return a.q.mean ? p.q[d] - a.q.mean[d] : p.q[d]; },
            played.filled, e);
    float largest = score_keys(&a, &p, code, &e, unit, scale, score, most);
    if (a.p_time.timesteps)
        play(
            &a.p.levels, &a.p_time, p.seen, 1.0f / a.p.unit, [&](int j) { return weight_of(&a, score, j, scale, largest); },
            played.filled, e);
    int sum = encode_weights(&a, &p, largest, scale, score, sums), *acc = code;
    add_values(&a, &p, (const int *)score, &e, acc);
    const float *v_scale = a.v_scale + (size_t)(p.head / (a.n_head / a.n_head_kv)) * dim;
    float worth = sum > 0 ? 1.0f / (float)sum : 0.0f;
    for (int d = (int)threadIdx.x; d < dim; d += THREADS) p.out[d] = (float)acc[d] * (worth * v_scale[d]);
}

/* ---- dense ---------------------------------------------------------------------------------------------------------- */

static __global__ void attend_dense(struct stac_attention a) {
    __shared__ float lane[STAC_LANES], most[THREADS / WARP];
    SHARED(float, score);
    struct place p = place_of(&a);
    int dim = a.head_dim;
    float scale = 1.0f / sqrtf((float)dim), largest = -INFINITY;
    for (int j = (int)threadIdx.x; j < p.seen; j += THREADS) {
        float sum = 0;
#pragma unroll 16
        for (int d = 0; d < dim; d++) sum = fmaf(p.q[d], a.k[p.cache + (size_t)d * a.capacity + j], sum);
        score[j] = sum;
        largest = sum * scale > largest ? sum * scale : largest;
    }
    largest = block_max(largest, most);
    for (int j = (int)threadIdx.x; j < p.seen; j += THREADS) score[j] = stac_expf(score[j] * scale - largest);
    __syncthreads();
    float worth = 1.0f / sum_row<false>(p.seen, score, nullptr, 0, lane);
    for (int d = (int)threadIdx.x; d < dim; d += THREADS) {
        float sum = 0;
#pragma unroll 32
        for (int j = 0; j < p.seen; j++) sum = fmaf(score[j], a.v[p.cache + (size_t)j * dim + d], sum);
        p.out[d] = sum * worth;
    }
}

void stac_attend_cuda(const struct stac_attention *a) {
    if (a->m <= 0) return;
    size_t bytes = stac_attention_bytes(a);
    if (a->k)
        LAUNCH(attend_dense, dim3(a->m, a->n_head), THREADS, bytes, *a);
    else
        LAUNCH(attend_spiking, dim3(a->m, a->n_head), THREADS, bytes, *a);
}
