#include "spike/train.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_train_init(struct stac_train *train, int cap, struct stac_error *err) {
    *train = (struct stac_train){.cap = cap};
    if (cap < 0 || cap > 65536) return stac_fail(err, STAC_ERR_INPUT, "a product of %d inputs; at most 65536 can spike", cap);
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(train->index, (size_t)cap * STAC_MAX_TIMESTEPS, "a spike train", err));
    STAC_TRY_DONE(STAC_NEW(train->word, cap, "a spike train", err));
    STAC_TRY_DONE(STAC_NEW(train->place, 2 * (size_t)cap, "a spike train", err));
done:
    if (status != STAC_OK) stac_train_clean(train);
    return status;
}

void stac_train_clean(struct stac_train *train) {
    free(train->index);
    free(train->word);
    free(train->place);
    *train = (struct stac_train){0};
}

/* Events are put where others of their step and sign are: place 2 t for plus, 2 t + 1 for minus. The last place is for spikes
 * that there are not. */
enum { NOWHERE = 2 * STAC_MAX_TIMESTEPS, PLACES };

/* The place of the first of the spikes that are left of a word. */
static inline int place_of(struct stac_word word, uint64_t left) {
    return left ? 2 * __builtin_ctzll(left) + (int)(word.minus >> __builtin_ctzll(left) & 1) : NOWHERE;
}

/* How many events each place has. Most values send one or two spikes, which need no branch; the others go on. */
static void count_places(struct stac_train *train, int n, int *filled) {
    int active = 0;
    memset(filled, 0, PLACES * sizeof *filled);
    for (int i = 0; i < n; i++) {
        struct stac_word word = train->word[i];
        uint64_t left = word.plus | word.minus, second = left & (left - 1);
        int p = place_of(word, left), q = place_of(word, second);
        train->place[2 * i] = (uint8_t)p, train->place[2 * i + 1] = (uint8_t)q;
        filled[p]++, filled[q]++;
        active += left != 0;
        for (left = second & (second - 1); left; left &= left - 1) filled[place_of(word, left)]++;
    }
    train->active = active;
}

/* From counts to where each place begins. Returns where the last one does, which is how many events there are. */
static int lay_out_places(struct stac_train *train, int *filled) {
    int at = 0;
    for (int t = 0; t < train->timesteps; t++) {
        train->begin[t] = at;
        train->n_plus[t] = filled[2 * t];
        train->n_minus[t] = filled[2 * t + 1];
        filled[2 * t] = at;
        filled[2 * t + 1] = at + train->n_plus[t];
        at += train->n_plus[t] + train->n_minus[t];
    }
    return filled[NOWHERE] = at;
}

static void fill_places(struct stac_train *train, int n, int *filled) {
    for (int i = 0; i < n; i++) {
        struct stac_word word = train->word[i];
        uint64_t left = word.plus | word.minus;
        train->index[filled[train->place[2 * i]]++] = (uint16_t)i;
        train->index[filled[train->place[2 * i + 1]]++] = (uint16_t)i;
        left &= left - 1;
        for (left &= left - 1; left; left &= left - 1) train->index[filled[place_of(word, left)]++] = (uint16_t)i;
    }
}

int64_t stac_train_play(struct stac_train *train, const struct stac_code *code, int n, const float *x, const float *mean,
                        float inv_scale) {
    int filled[PLACES], events;
    train->timesteps = code->timesteps;
    stac_neuron_run(code, n, x, mean, inv_scale, train->word);
    count_places(train, n, filled);
    events = lay_out_places(train, filled);
    fill_places(train, n, filled);
    return events;
}

int64_t stac_train_sum(const struct stac_train *train, const struct stac_code *code) {
    int64_t sum = 0;
    for (int t = 0; t < code->timesteps; t++) sum += (int64_t)code->weight[t] * (train->n_plus[t] - train->n_minus[t]);
    return sum;
}

static struct stac_events events_at(const struct stac_train *train, int t) {
    return (struct stac_events){train->index + train->begin[t], train->n_plus[t], train->n_minus[t]};
}

static struct stac_effort drive_tile(const struct stac_train *train, const struct stac_code *code, const struct stac_kernels *k,
                                     int n, const int8_t *w, int ldw, int32_t *acc, int32_t *y) {
    int classes = code->base.n_classes, shift = code->base.shift, last_round = (code->timesteps - 1) / classes;
    struct stac_effort effort = {0};
    memset(acc, 0, (size_t)classes * n * sizeof *acc);
    memset(y, 0, (size_t)n * sizeof *y);
    for (int t = 0; t < code->timesteps; t++) {
        int32_t *a = acc + (size_t)(t % classes) * n;
        bool shifts = t >= classes && shift;
        for (int j = 0; j < n && shifts; j++) a[j] = (int32_t)((uint32_t)a[j] << shift);
        effort.shifts += shifts ? n : 0;
        k->add_rows(n, a, w, ldw, events_at(train, t));
    }
    for (int c = 0; c < classes && c < code->timesteps; c++) {
        int rounds = (code->timesteps - 1 - c) / classes; /* shifts that the class has had; the rest follows here */
        int32_t factor = code->mantissa[c] << (shift * (last_round - rounds));
        const int32_t *a = acc + (size_t)c * n;
        for (int j = 0; j < n; j++) y[j] += factor * a[j];
        effort.multiplies += (code->mantissa[c] & (code->mantissa[c] - 1)) != 0 ? n : 0;
        effort.sums += c > 0 ? n : 0;
    }
    return effort;
}

/* Step weights of a ramp: acc[0] counts the spikes so far; acc[1] its sums, acc[2] the sums of those; then the heavy steps. */
static struct stac_effort drive_ramp(const struct stac_train *train, const struct stac_code *code, const struct stac_kernels *k,
                                     int n, const int8_t *w, int ldw, int32_t *acc, int32_t *y) {
    int heavy = code->base.heavy;
    int32_t *once = acc, *twice = acc + n, *thrice = acc + 2 * (size_t)n, slope = code->mantissa[heavy];
    int32_t bend = code->mantissa[heavy + 1];
    struct stac_effort effort = {0};
    memset(acc, 0, (size_t)(3 + heavy) * n * sizeof *acc);
    for (int t = 0; t < code->timesteps; t++) {
        k->add_rows(n, t < heavy ? acc + (size_t)(3 + t) * n : once, w, ldw, events_at(train, t));
        for (int j = 0; j < n && t >= heavy; j++) {
            twice[j] += once[j];
            thrice[j] += twice[j];
        }
        effort.sums += t >= heavy ? 2 * n : 0;
    }
    for (int j = 0; j < n; j++) {
        uint32_t sum = (uint32_t)slope * (uint32_t)twice[j] + (uint32_t)bend * (uint32_t)thrice[j]; /* what overflows cancels */
        for (int t = 0; t < heavy; t++) sum += (uint32_t)code->mantissa[t] * (uint32_t)acc[(size_t)(3 + t) * n + j];
        y[j] = (int32_t)sum;
    }
    for (int i = 0; i < heavy + 2; i++) effort.multiplies += (code->mantissa[i] & (code->mantissa[i] - 1)) != 0 ? n : 0;
    effort.sums += (int64_t)(heavy + 1) * n;
    return effort;
}

/* Step weights one by one. */
static struct stac_effort drive_weighed(const struct stac_train *train, const struct stac_code *code,
                                        const struct stac_kernels *k, int n, const int8_t *w, int ldw, int32_t *acc,
                                        int32_t *y) {
    struct stac_effort effort = {0};
    memset(y, 0, (size_t)n * sizeof *y);
    for (int t = 0; t < code->timesteps; t++) {
        int32_t weight = code->weight[t];
        memset(acc, 0, (size_t)n * sizeof *acc);
        k->add_rows(n, acc, w, ldw, events_at(train, t));
        for (int j = 0; j < n; j++) y[j] += weight * acc[j];
        effort.multiplies += (weight & (weight - 1)) != 0 ? n : 0;
        effort.sums += t > 0 ? n : 0;
    }
    return effort;
}

struct stac_effort stac_train_drive(const struct stac_train *train, const struct stac_code *code, const struct stac_kernels *k,
                                    int n_out, const int8_t *w, int ldw, int32_t *acc, int32_t *y) {
    struct stac_effort effort = {0};
    for (int j = 0; j < n_out; j += STAC_TRAIN_TILE) {
        int n = n_out - j < STAC_TRAIN_TILE ? n_out - j : STAC_TRAIN_TILE;
        struct stac_effort tile = code->base.curve > 0   ? drive_ramp(train, code, k, n, w + j, ldw, acc, y + j)
                                  : code->base.n_classes ? drive_tile(train, code, k, n, w + j, ldw, acc, y + j)
                                                         : drive_weighed(train, code, k, n, w + j, ldw, acc, y + j);
        effort.multiplies += tile.multiplies;
        effort.sums += tile.sums;
        effort.shifts += tile.shifts;
    }
    return effort;
}
