#include "spike/train.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Inputs between two looks at how many spikes the steps have; and how many let them go on. */
enum { AT_ONCE = 128, MANY = STAC_SPIKES_OF_STEP - AT_ONCE };

int stac_train_init(struct stac_train *train, int cap, int most, struct stac_error *err) {
    size_t spikes = (size_t)cap * (size_t)(most > 2 ? most : 2);
    *train = (struct stac_train){0};
    if (cap < 0 || cap > 65536) return stac_fail(err, STAC_ERR_INPUT, "a product of %d inputs; at most 65536 can spike", cap);
    int status = STAC_OK;
    STAC_TRY_DONE(STAC_NEW(train->index, spikes + 2 * STAC_TRAIN_INPUTS + STAC_SPIKES_AHEAD, "a spike train", err));
    STAC_TRY_DONE(STAC_NEW(train->burst, spikes / MANY + (size_t)cap / STAC_TRAIN_INPUTS + 2, "a spike train", err));
done:
    if (status != STAC_OK) stac_train_clean(train);
    return status;
}

void stac_train_clean(struct stac_train *train) {
    free(train->index);
    free(train->burst);
    *train = (struct stac_train){0};
}

int stac_sent_init(struct stac_sent *sent, int cap, struct stac_error *err) {
    int status = STAC_OK;
    *sent = (struct stac_sent){0};
    STAC_TRY_DONE(STAC_NEW(sent->word, cap, "a spike train", err));
    STAC_TRY_DONE(STAC_NEW(sent->place, 2 * (size_t)cap, "a spike train", err));
done:
    if (status != STAC_OK) stac_sent_clean(sent);
    return status;
}

void stac_sent_clean(struct stac_sent *sent) {
    free(sent->word);
    free(sent->place);
    *sent = (struct stac_sent){0};
}

/* ---- playing ------------------------------------------------------------------------------------------------------ */

/* A spike is put where others of its step and sign are: place 2 t for plus, 2 t + 1 for minus. Those from 128 on are for spikes
 * that there are not, which all come to lie in one of them. */
enum { PLACES = 256, NOWHERE = PLACES - 2 };
_Static_assert(2 * STAC_MAX_TIMESTEPS <= PLACES / 2, "places fit a byte");

/* The place of the first of the spikes that are left of a word; without a branch, for how many it sends is as good as random.
 */
static inline int place_of(struct stac_word word, uint64_t left) {
    uint64_t none = left == 0;
    int t = __builtin_ctzll(left | none << 63);
    return 2 * t + (int)(word.minus >> t & (none ^ 1)) + (int)(none << 7);
}

/* Counts how many spikes each place has of inputs [from, to); those that sent any. Most send one or two, which need no branch;
 * the others go on. */
static int count_places(const struct stac_sent *sent, int from, int to, int *filled) {
    int active = 0;
    for (int i = from; i < to; i++) {
        struct stac_word word = sent->word[i];
        uint64_t left = word.plus | word.minus, second = left & (left - 1);
        int p = place_of(word, left), q = place_of(word, second);
        sent->place[2 * i] = (uint8_t)p, sent->place[2 * i + 1] = (uint8_t)q;
        active += left != 0;
        filled[p]++, filled[q]++;
        for (left = second & (second - 1); left; left &= left - 1) filled[place_of(word, left)]++;
    }
    return active;
}

/* Whether a step has so many that some more inputs could be too many. */
static int is_full(int timesteps, const int *filled) {
    int most = 0;
    for (int t = 0; t < timesteps; t++) {
        int n = filled[2 * t] + filled[2 * t + 1];
        most = n > most ? n : most;
    }
    return most > MANY;
}

/* From counts to where each place begins, from `at` on; where the last one does. */
static int lay_out_places(int timesteps, int at, int *filled, int *begin) {
    for (int place = 0; place < 2 * timesteps; place++) {
        int n = filled[place];
        begin[place] = filled[place] = at;
        at += n;
    }
    return begin[2 * timesteps] = filled[NOWHERE] = at;
}

static void fill_places(const struct stac_sent *sent, int from, int to, int *filled, uint16_t *index) {
    for (int i = from; i < to; i++) {
        struct stac_word word = sent->word[i];
        uint64_t left = word.plus | word.minus;
        index[filled[sent->place[2 * i]]++] = (uint16_t)(i - from);
        index[filled[sent->place[2 * i + 1]]++] = (uint16_t)(i - from);
        left &= left - 1;
        for (left &= left - 1; left; left &= left - 1) index[filled[place_of(word, left)]++] = (uint16_t)(i - from);
    }
}

int64_t stac_train_play(struct stac_train *train, struct stac_sent *sent, const struct stac_code *code,
                        const struct stac_kernels *k, int n, const float *x, const float *mean, float inv_scale) {
    int filled[PLACES], at = 0;
    *train = (struct stac_train){.timesteps = code->timesteps, .burst = train->burst, .index = train->index};
    stac_neuron_run(code, k, n, x, mean, inv_scale, sent->word);
    for (int from = 0, to = 0; from < n; from = to) {
        int block = (from / STAC_TRAIN_INPUTS + 1) * STAC_TRAIN_INPUTS, end = block < n ? block : n;
        struct stac_burst *burst = &train->burst[train->n_bursts++];
        memset(filled, 0, sizeof filled);
        while (to < end && !is_full(train->timesteps, filled)) {
            int next = end - to < AT_ONCE ? end : to + AT_ONCE;
            train->active += count_places(sent, to, next, filled);
            to = next;
        }
        burst->from = from;
        at = lay_out_places(train->timesteps, at, filled, burst->begin);
        fill_places(sent, from, to, filled, train->index);
    }
    return at;
}

/* ---- driving ------------------------------------------------------------------------------------------------------ */

int64_t stac_train_sum(const struct stac_train *train, const struct stac_steps *s) {
    int64_t sum = 0;
    for (int b = 0; b < train->n_bursts; b++) {
        const int *begin = train->burst[b].begin;
        for (int t = 0; t < s->timesteps; t++)
            sum += (int64_t)s->weight[t] * (2 * begin[2 * t + 1] - begin[2 * t] - begin[2 * t + 2]);
    }
    return sum;
}

void stac_train_drive_burst(const struct stac_train *train, int b, const struct stac_steps *s, const struct stac_kernels *k,
                            int n_out, const int8_t *w, int ldw, int16_t *sum, int32_t *y) {
    struct stac_spikes spikes = {train->timesteps, train->index, train->burst[b].begin};
    for (int j = 0; j < n_out; j += STAC_TRAIN_TILE) {
        int n = n_out - j < STAC_TRAIN_TILE ? n_out - j : STAC_TRAIN_TILE;
        k->sum_spikes(&spikes, n, w + j, ldw, sum);
        k->weigh_steps(s, n, sum, y + j);
    }
}

void stac_train_drive(const struct stac_train *train, const struct stac_steps *s, const struct stac_kernels *k, int n_out,
                      const int8_t *w, int ldw, int16_t *sum, int32_t *y) {
    memset(y, 0, (size_t)n_out * sizeof *y);
    for (int b = 0; b < train->n_bursts; b++)
        stac_train_drive_burst(train, b, s, k, n_out, w + (size_t)train->burst[b].from * (size_t)ldw, ldw, sum, y);
}
