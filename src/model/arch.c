#include "model/arch.h"

#include <ctype.h>
#include <string.h>

/* ---- the families ----------------------------------------------------------------------------------------------- */

#define FAMILIES(family) family(gpt2) family(llama)

#define DECLARE(name) extern const struct stac_arch stac_arch_##name;
#define LIST(name) &stac_arch_##name,
FAMILIES(DECLARE)
static const struct stac_arch *const families[] = {FAMILIES(LIST)};

#define N_FAMILIES (sizeof families / sizeof families[0])

int stac_arch_find(const char *name, size_t size, const struct stac_arch **out, struct stac_error *err) {
    struct stac_strbuf known = {0};
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (strlen(families[i]->name) == size && memcmp(families[i]->name, name, size) == 0) {
            *out = families[i];
            stac_strbuf_clean(&known);
            return STAC_OK;
        }
        if (stac_strbuf_printf(&known, err, "%s%s", i ? ", " : "", families[i]->name) != STAC_OK) break;
    }
    stac_fail(err, STAC_ERR_INPUT, "the architecture \"%.*s\" is not supported; supported are: %s",
              (int)(size < 64 ? size : 64), name, stac_strbuf_text(&known));
    stac_strbuf_clean(&known);
    return err->status;
}

/* ---- weights ---------------------------------------------------------------------------------------------------- */

bool stac_weight_is_layered(enum stac_weight weight) {
    return weight >= STAC_W_ATTN_NORM && weight <= STAC_W_DOWN_BIAS;
}

struct stac_weight_shape stac_weight_shape_of(const struct stac_hparams *hp, enum stac_weight weight) {
    size_t width = (size_t)hp->n_embd, ff = (size_t)hp->n_ff, vocab = (size_t)hp->n_vocab;
    size_t q = (size_t)hp->n_head * (size_t)hp->head_dim, kv = (size_t)hp->n_head_kv * (size_t)hp->head_dim;
    struct stac_weight_shape vector = {.inputs = 1, .outputs = width, .vector = true};
    switch (weight) {
    case STAC_W_TOKEN_EMBD: return (struct stac_weight_shape){vocab, width, .table = true};
    case STAC_W_POSITION_EMBD: return (struct stac_weight_shape){(size_t)hp->n_ctx, width, .table = true};
    case STAC_W_Q: return (struct stac_weight_shape){width, q, .vector = false};
    case STAC_W_K:
    case STAC_W_V: return (struct stac_weight_shape){width, kv, .vector = false};
    case STAC_W_O: return (struct stac_weight_shape){q, width, .vector = false};
    case STAC_W_GATE:
    case STAC_W_UP: return (struct stac_weight_shape){width, ff, .vector = false};
    case STAC_W_DOWN: return (struct stac_weight_shape){ff, width, .vector = false};
    case STAC_W_HEAD: return (struct stac_weight_shape){width, vocab, .vector = false};
    case STAC_W_Q_BIAS: vector.outputs = q; return vector;
    case STAC_W_K_BIAS:
    case STAC_W_V_BIAS: vector.outputs = kv; return vector;
    case STAC_W_UP_BIAS: vector.outputs = ff; return vector;
    default: return vector; /* norms, and the biases of o and down */
    }
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

int stac_pattern_expand(const char *pattern, int layer, struct stac_strbuf *b, struct stac_error *err) {
    size_t head = strcspn(pattern, "#");
    STAC_TRY(stac_strbuf_add(b, pattern, head, err));
    return pattern[head] ? stac_strbuf_printf(b, err, "%d%s", layer, pattern + head + 1) : STAC_OK;
}

bool stac_pattern_matches(const char *pattern, const char *name) {
    size_t head = strcspn(pattern, "#");
    if (strncmp(pattern, name, head) != 0) return false;
    if (!pattern[head]) return name[head] == 0;
    size_t digits = 0;
    while (isdigit((unsigned char)name[head + digits])) digits++;
    return digits > 0 && strcmp(pattern + head + 1, name + head + digits) == 0;
}
