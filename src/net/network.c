#include "net/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int stac_q_width(const struct stac_hparams *hp) {
    return hp->n_head * hp->head_dim;
}

int stac_kv_width(const struct stac_hparams *hp) {
    return hp->n_head_kv * hp->head_dim;
}

double stac_block_bytes(const struct stac_hparams *hp) {
    double q = stac_q_width(hp), kv = stac_kv_width(hp);
    return 4.0 * hp->n_embd * (2 * q + 2 * kv + (hp->gated ? 3.0 : 2.0) * hp->n_ff);
}

double stac_embedding_bytes(const struct stac_hparams *hp) {
    return 4.0 * hp->n_embd * ((double)hp->n_vocab + (hp->learned_positions ? hp->n_ctx : 0));
}

double stac_head_bytes(const struct stac_hparams *hp) {
    return 4.0 * hp->n_embd * (double)hp->n_vocab;
}

static struct stac_site describe(enum stac_site_kind kind, int layer, const struct stac_hparams *hp) {
    struct stac_site site = {.kind = kind, .layer = layer};
    switch (kind) {
    case STAC_SITE_Q: site.width = hp->head_dim; break;
    case STAC_SITE_P: site.width = 0; break;
    case STAC_SITE_O_IN: site.width = stac_q_width(hp); break;
    case STAC_SITE_DOWN_IN: site.width = hp->n_ff; break;
    default: site.width = hp->n_embd;
    }
    bool token = kind == STAC_SITE_Q || kind == STAC_SITE_O_IN || kind == STAC_SITE_DOWN_IN;
    site.scaling = token ? STAC_SCALE_TOKEN : STAC_SCALE_STATIC;
    return site;
}

int stac_network_init(struct stac_network *net, const struct stac_hparams *hp, struct stac_part part, struct stac_error *err) {
    *net = (struct stac_network){.hp = *hp, .first = part.first, .last = part.last, .has_head = part.head};
    STAC_TRY(STAC_NEW(net->block, part.last - part.first, "the blocks", err));
    for (int l = part.first; l < part.last; l++) {
        struct stac_block *b = &net->block[l - part.first];
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) b->site[k] = describe((enum stac_site_kind)k, l, hp);
        int q = stac_q_width(hp), kv = stac_kv_width(hp);
        b->qkv = (struct stac_linear){.n_in = hp->n_embd, .n_out = q + 2 * kv};
        b->o = (struct stac_linear){.n_in = q, .n_out = hp->n_embd};
        b->up = (struct stac_linear){.n_in = hp->n_embd, .n_out = hp->gated ? 2 * hp->n_ff : hp->n_ff};
        b->down = (struct stac_linear){.n_in = hp->n_ff, .n_out = hp->n_embd};
    }
    net->head_in = describe(STAC_SITE_HEAD_IN, 0, hp);
    net->head = (struct stac_linear){.n_in = hp->n_embd, .n_out = hp->n_vocab};
    return STAC_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* A vector or table of its own; absent weights leave NULL. */
static int read_whole(struct stac_model *m, enum stac_weight weight, int layer, float **out, struct stac_error *err) {
    if (!stac_model_has(m, weight, layer)) return STAC_OK;
    STAC_TRY(STAC_NEW(*out, stac_model_count(m, weight, layer), "weights", err));
    return stac_model_read(m, weight, layer, *out, err);
}

/* Weights that lie side by side in one product, with their biases. */
struct beside {
    enum stac_weight weight, bias; /* bias == STAC_W_COUNT: never any */
    int width;
};

static int read_beside(struct stac_model *m, int layer, const struct beside *parts, int n, struct stac_linear *l,
                       struct stac_error *err) {
    float *scratch = NULL;
    int status = STAC_OK, at = 0;
    STAC_TRY_DONE(STAC_NEW(l->w, (size_t)l->n_in * l->n_out, "weights", err));
    if (n > 1) STAC_TRY_DONE(STAC_NEW(scratch, (size_t)l->n_in * l->n_out, "weights", err));
    for (int p = 0; p < n; p++) {
        int width = parts[p].width;
        STAC_TRY_DONE(stac_model_read(m, parts[p].weight, layer, n > 1 ? scratch : l->w, err));
        for (int i = 0; n > 1 && i < l->n_in; i++)
            memcpy(l->w + (size_t)i * l->n_out + at, scratch + (size_t)i * width, (size_t)width * sizeof(float));
        if (parts[p].bias != STAC_W_COUNT && stac_model_has(m, parts[p].bias, layer)) {
            if (!l->bias) STAC_TRY_DONE(STAC_NEW(l->bias, l->n_out, "a bias", err));
            STAC_TRY_DONE(stac_model_read(m, parts[p].bias, layer, l->bias + at, err));
        }
        at += width;
    }
done:
    free(scratch);
    return status;
}

/* Weights of which the lower halves are zero take half of the memory, and of the time to read them. */
static int halve(struct stac_linear *l, struct stac_error *err) {
    size_t n = (size_t)l->n_in * l->n_out;
    uint32_t bits, low = 0;
    for (size_t i = 0; i < n && !low; i++) memcpy(&bits, &l->w[i], sizeof bits), low = bits & 0xffff;
    if (low) return STAC_OK;
    STAC_TRY(STAC_NEW(l->half, n, "weights", err));
    for (size_t i = 0; i < n; i++) memcpy(&bits, &l->w[i], sizeof bits), l->half[i] = (uint16_t)(bits >> 16);
    free(l->w);
    l->w = NULL;
    return STAC_OK;
}

static int read_product(struct stac_model *m, int layer, const struct beside *parts, int n, bool to_run, struct stac_linear *l,
                        struct stac_error *err) {
    STAC_TRY(read_beside(m, layer, parts, n, l, err));
    return to_run ? halve(l, err) : STAC_OK;
}

static int read_block(struct stac_model *m, int layer, bool to_run, struct stac_block *b, struct stac_error *err) {
    const struct stac_hparams *hp = stac_model_hparams(m);
    int q = stac_q_width(hp), kv = stac_kv_width(hp);
    const struct beside qkv[] = {{STAC_W_Q, STAC_W_Q_BIAS, q}, {STAC_W_K, STAC_W_K_BIAS, kv}, {STAC_W_V, STAC_W_V_BIAS, kv}};
    const struct beside o = {STAC_W_O, STAC_W_O_BIAS, hp->n_embd}, down = {STAC_W_DOWN, STAC_W_DOWN_BIAS, hp->n_embd};
    const struct beside up[] = {{STAC_W_GATE, STAC_W_COUNT, hp->n_ff}, {STAC_W_UP, STAC_W_UP_BIAS, hp->n_ff}};
    STAC_TRY(read_whole(m, STAC_W_ATTN_NORM, layer, &b->attn_norm, err));
    STAC_TRY(read_whole(m, STAC_W_ATTN_NORM_BIAS, layer, &b->attn_norm_bias, err));
    STAC_TRY(read_whole(m, STAC_W_MLP_NORM, layer, &b->mlp_norm, err));
    STAC_TRY(read_whole(m, STAC_W_MLP_NORM_BIAS, layer, &b->mlp_norm_bias, err));
    STAC_TRY(read_product(m, layer, qkv, 3, to_run, &b->qkv, err));
    STAC_TRY(read_product(m, layer, &o, 1, to_run, &b->o, err));
    STAC_TRY(read_product(m, layer, hp->gated ? up : up + 1, hp->gated ? 2 : 1, to_run, &b->up, err));
    return read_product(m, layer, &down, 1, to_run, &b->down, err);
}

int stac_network_load(struct stac_model *model, struct stac_part part, bool to_run, struct stac_network *net,
                      struct stac_error *err) {
    const struct stac_hparams *hp = stac_model_hparams(model);
    int status = STAC_OK;
    STAC_TRY_DONE(stac_network_init(net, hp, part, err));
    if (part.embedding) {
        STAC_TRY_DONE(read_whole(model, STAC_W_TOKEN_EMBD, 0, &net->token_embd, err));
        STAC_TRY_DONE(read_whole(model, STAC_W_POSITION_EMBD, 0, &net->position_embd, err));
    }
    for (int l = part.first; l < part.last; l++) STAC_TRY_DONE(read_block(model, l, to_run, &net->block[l - part.first], err));
    if (part.head) {
        const struct beside head = {STAC_W_HEAD, STAC_W_COUNT, hp->n_vocab};
        STAC_TRY_DONE(read_whole(model, STAC_W_FINAL_NORM, 0, &net->final_norm, err));
        STAC_TRY_DONE(read_whole(model, STAC_W_FINAL_NORM_BIAS, 0, &net->final_norm_bias, err));
        STAC_TRY_DONE(read_product(model, 0, &head, 1, to_run, &net->head, err));
    }
done:
    if (status != STAC_OK) stac_network_clean(net);
    return status;
}

/* ---- the rest ----------------------------------------------------------------------------------------------------- */

bool stac_network_keeps_int8(const struct stac_network *net) {
    return net->last > net->first && net->block[0].v_scale;
}

int stac_site_inputs(const struct stac_hparams *hp, enum stac_site_kind kind) {
    switch (kind) {
    case STAC_SITE_Q:
    case STAC_SITE_P: return 0;
    case STAC_SITE_O_IN: return stac_q_width(hp);
    case STAC_SITE_DOWN_IN: return hp->n_ff;
    default: return hp->n_embd;
    }
}

int stac_network_sites(const struct stac_network *net) {
    return (net->last - net->first) * STAC_SITE_HEAD_IN + 1;
}

const struct stac_site *stac_network_site(const struct stac_network *net, int index) {
    if (index == stac_network_sites(net) - 1) return net->has_head ? &net->head_in : NULL;
    return &net->block[index / STAC_SITE_HEAD_IN].site[index % STAC_SITE_HEAD_IN];
}

const struct stac_linear *stac_site_linear(const struct stac_network *net, const struct stac_site *site) {
    if (site->kind == STAC_SITE_HEAD_IN) return &net->head;
    const struct stac_block *b = &net->block[site->layer - net->first];
    switch (site->kind) {
    case STAC_SITE_ATTN_IN: return &b->qkv;
    case STAC_SITE_O_IN: return &b->o;
    case STAC_SITE_MLP_IN: return &b->up;
    case STAC_SITE_DOWN_IN: return &b->down;
    default: return NULL;
    }
}

void stac_linear_clean(struct stac_linear *l) {
    free(l->w);
    free(l->half);
    free(l->q);
    free(l->scale);
    free(l->bias);
    *l = (struct stac_linear){.n_in = l->n_in, .n_out = l->n_out};
}

/* What is part of the mapping is not freed. */
static void *unless_stored(const struct stac_network *net, void *p) {
    uintptr_t at = (uintptr_t)p, begin = (uintptr_t)net->stored.data;
    return at >= begin && at - begin < net->stored.size ? NULL : p;
}

static void clean_product(const struct stac_network *net, struct stac_linear *l) {
    l->q = unless_stored(net, l->q);
    stac_linear_clean(l);
}

static void clean_block(const struct stac_network *net, struct stac_block *b) {
    free(b->attn_norm);
    free(b->attn_norm_bias);
    free(b->mlp_norm);
    free(b->mlp_norm_bias);
    free(b->k_mean);
    free(b->v_scale);
    clean_product(net, &b->qkv);
    clean_product(net, &b->o);
    clean_product(net, &b->up);
    clean_product(net, &b->down);
    for (int k = 0; k < STAC_SITE_HEAD_IN; k++) stac_site_clean(&b->site[k]);
}

void stac_network_drop_embedding(struct stac_network *net) {
    free(unless_stored(net, net->token_embd));
    free(unless_stored(net, net->position_embd));
    net->token_embd = net->position_embd = NULL;
}

void stac_network_clean(struct stac_network *net) {
    if (net->device) { /* all arrays are in one piece there, and what is not is the host network's */
        stac_device_release(net->device, net->placed);
        free(net->stream);
        free(net->block);
        *net = (struct stac_network){0};
        return;
    }
    for (int l = net->first; net->block && l < net->last; l++) clean_block(net, &net->block[l - net->first]);
    free(net->block);
    stac_network_drop_embedding(net);
    free(net->final_norm);
    free(net->final_norm_bias);
    stac_site_clean(&net->head_in);
    clean_product(net, &net->head);
    stac_file_unmap(&net->stored);
    *net = (struct stac_network){0};
}
