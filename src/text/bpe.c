#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SHORT 64        /* symbols of a word that is merged by scanning; longer ones use a heap */
#define GONE UINT32_MAX /* a symbol that was merged into the one on its left */

int stac_bpe_init(struct stac_bpe *b, size_t n, struct stac_error *err) {
    *b = (struct stac_bpe){.unknown = -1};
    memset(b->byte_id, 0xFF, sizeof b->byte_id);
    if (n > STAC_MERGES_MAX)
        return stac_fail(err, STAC_ERR_INPUT, "there are %zu merges, more than the %d accepted", n, STAC_MERGES_MAX);
    size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    STAC_TRY(STAC_NEW(b->merges, slots, "the merges", err));
    for (size_t i = 0; i < slots; i++) b->merges[i].rank = STAC_NO_MERGE;
    b->mask = slots - 1;
    return STAC_OK;
}

void stac_bpe_clean(struct stac_bpe *b) {
    free(b->merges);
    b->merges = NULL;
}

/* The merge of a pair, or the empty slot where it belongs: at most half of the slots are taken. */
static inline struct stac_merge *find(const struct stac_bpe *b, int32_t left, int32_t right) {
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    for (size_t i = (hash >> 32) & b->mask;; i = (i + 1) & b->mask) {
        struct stac_merge *m = &b->merges[i];
        if (m->rank == STAC_NO_MERGE || (m->left == left && m->right == right)) return m;
    }
}

int stac_bpe_add(struct stac_bpe *b, int32_t left, int32_t right, int32_t merged, struct stac_error *err) {
    struct stac_merge *m = find(b, left, right);
    if (m->rank != STAC_NO_MERGE)
        return stac_fail(err, STAC_ERR_INPUT, "merges %u and %zu are the same pair", m->rank, b->n_merges);
    if (b->n_merges >= (b->mask + 1) / 2)
        return stac_fail(err, STAC_ERR_INTERNAL, "there is no room for merge %zu", b->n_merges);
    *m = (struct stac_merge){left, right, merged, (uint32_t)b->n_merges++};
    return STAC_OK;
}

void stac_bpe_scratch_clean(struct stac_bpe_scratch *s) {
    free(s->symbols);
    free(s->links);
    free(s->heap);
    *s = (struct stac_bpe_scratch){0};
}

/* The tokens of the single bytes of a word, at most `size`. */
static size_t spell(const struct stac_bpe *b, const char *word, size_t size, bool unknown, uint32_t *out) {
    size_t n = 0;
    bool fusing = false;
    for (size_t i = 0; i < size; i++) {
        int32_t id = b->byte_id[(uint8_t)word[i]];
        bool known = id >= 0;
        if (!known) id = unknown && !fusing ? b->unknown : -1;
        fusing = !known && b->fuse_unknown;
        if (id >= 0) out[n++] = (uint32_t)id;
    }
    return n;
}

/* Merge a word of at most SHORT symbols in place; returns how many are left. */
static size_t merge_short(const struct stac_bpe *b, uint32_t *id, size_t n) {
    const struct stac_merge *pair[SHORT];
    for (size_t i = 0; i + 1 < n; i++) pair[i] = find(b, (int32_t)id[i], (int32_t)id[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (pair[i]->rank < pair[best]->rank) best = i;
        if (pair[best]->rank == STAC_NO_MERGE) break;
        id[best] = (uint32_t)pair[best]->merged;
        n--;
        memmove(id + best + 1, id + best + 2, (n - best - 1) * sizeof *id);
        memmove(pair + best, pair + best + 1, (n - best - 1) * sizeof *pair);
        if (best > 0) pair[best - 1] = find(b, (int32_t)id[best - 1], (int32_t)id[best]);
        if (best + 1 < n) pair[best] = find(b, (int32_t)id[best], (int32_t)id[best + 1]);
    }
    return n;
}

/* A binary heap of candidates rank << 32 | position, smallest first. */
static void sift_down(uint64_t *heap, size_t n, size_t at) {
    uint64_t item = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= item) break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

static uint64_t pop(struct stac_bpe_scratch *s) {
    uint64_t top = s->heap[0];
    s->heap[0] = s->heap[--s->heap_n];
    if (s->heap_n) sift_down(s->heap, s->heap_n, 0);
    return top;
}

static int push(struct stac_bpe_scratch *s, uint64_t item, struct stac_error *err) {
    STAC_TRY(stac_grow(&s->heap, &s->heap_cap, s->heap_n + 1, sizeof *s->heap, "the candidates of a long word", err));
    size_t at = s->heap_n++;
    for (; at > 0 && s->heap[(at - 1) / 2] > item; at = (at - 1) / 2) s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = item;
    return STAC_OK;
}

/* Link the n symbols of a long word, each to the places of its neighbours, and make a heap of the pairs that merge. */
static void link_symbols(const struct stac_bpe *b, struct stac_bpe_scratch *s, size_t n) {
    uint32_t *id = s->symbols, *next = s->links, *previous = s->links + n;
    s->heap_n = 0;
    for (size_t i = 0; i < n; i++) {
        next[i] = (uint32_t)i + 1;
        previous[i] = (uint32_t)i - 1;
        if (i + 1 == n) break;
        uint32_t rank = find(b, (int32_t)id[i], (int32_t)id[i + 1])->rank;
        if (rank != STAC_NO_MERGE) s->heap[s->heap_n++] = (uint64_t)rank << 32 | i;
    }
    for (size_t i = s->heap_n / 2; i-- > 0;) sift_down(s->heap, s->heap_n, i);
}

/* A new candidate at place `at`, if the pair of symbols there and at `right` merges. */
static int push_pair(const struct stac_bpe *b, struct stac_bpe_scratch *s, uint32_t at, uint32_t right,
                     struct stac_error *err) {
    uint32_t rank = find(b, (int32_t)s->symbols[at], (int32_t)s->symbols[right])->rank;
    return rank == STAC_NO_MERGE ? STAC_OK : push(s, (uint64_t)rank << 32 | at, err);
}

/* Merge a word of n symbols, 2 <= n < 2^32 - 1; *left receives how many are left at the front. Symbols keep their
 * places while they merge, and a candidate counts only if the pair at its place still has its rank. */
static int merge_long(const struct stac_bpe *b, struct stac_bpe_scratch *s, size_t n, size_t *left, struct stac_error *err) {
    uint32_t *id = s->symbols, *next = s->links, *previous = s->links + n;
    link_symbols(b, s, n);
    while (s->heap_n) {
        uint64_t candidate = pop(s);
        uint32_t at = (uint32_t)candidate, right = next[at];
        if (id[at] == GONE || right >= n) continue;
        const struct stac_merge *m = find(b, (int32_t)id[at], (int32_t)id[right]);
        if (m->rank != candidate >> 32) continue;
        id[at] = (uint32_t)m->merged;
        id[right] = GONE;
        next[at] = next[right];
        if (next[at] < n) {
            previous[next[at]] = at;
            STAC_TRY(push_pair(b, s, at, next[at], err));
        }
        if (at > 0) STAC_TRY(push_pair(b, s, previous[at], at, err));
    }
    *left = 0;
    for (size_t i = 0; i < n; i = next[i]) id[(*left)++] = id[i];
    return STAC_OK;
}

static int encode_long(const struct stac_bpe *b, struct stac_bpe_scratch *s, const char *word, size_t size, bool unknown,
                       size_t *n, struct stac_error *err) {
    if (size >= GONE) return stac_fail(err, STAC_ERR_INPUT, "a text has a word of %zu bytes, more than 4 GiB", size);
    STAC_TRY(stac_grow(&s->symbols, &s->symbols_cap, size, sizeof *s->symbols, "the symbols of a long word", err));
    STAC_TRY(stac_grow(&s->links, &s->links_cap, 2 * size, sizeof *s->links, "the symbols of a long word", err));
    STAC_TRY(stac_grow(&s->heap, &s->heap_cap, size, sizeof *s->heap, "the candidates of a long word", err));
    *n = spell(b, word, size, unknown, s->symbols);
    return *n < 2 ? STAC_OK : merge_long(b, s, *n, n, err);
}

int stac_bpe_encode(const struct stac_bpe *b, struct stac_bpe_scratch *s, const char *word, size_t size, bool unknown,
                    struct stac_tokens *out, struct stac_error *err) {
    uint32_t few[SHORT], *id = few;
    size_t n;
    if (size <= SHORT) {
        n = merge_short(b, few, spell(b, word, size, unknown, few));
    } else {
        STAC_TRY(encode_long(b, s, word, size, unknown, &n, err));
        id = s->symbols;
    }
    STAC_TRY(stac_grow(&out->id, &out->cap, out->n + n, sizeof *out->id, "the tokens", err));
    for (size_t i = 0; i < n; i++) out->id[out->n++] = (int32_t)id[i];
    return STAC_OK;
}
