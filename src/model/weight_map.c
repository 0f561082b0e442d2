#include "model/weight_map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"

struct binding {
    const struct stac_weight_row *row; /* NULL: the model has no such tensor */
    size_t tensor;                     /* its number in the source */
};

struct stac_weight_map {
    const struct stac_arch *arch;
    const struct stac_hparams *hp;
    struct stac_source *source;
    bool gguf;
    size_t skip;              /* bytes of the architecture's prefix that the names of the source lack */
    struct binding *bindings; /* [STAC_W_COUNT][n_layer] */
};

static struct binding *binding_of(const struct stac_weight_map *map, enum stac_weight weight, int layer) {
    return &map->bindings[(size_t)weight * (size_t)map->hp->n_layer + (size_t)layer];
}

static int layers_of(const struct stac_weight_map *map, enum stac_weight weight) {
    return stac_weight_is_layered(weight) ? map->hp->n_layer : 1;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* A pattern of the architecture as this source spells it. */
static const char *spelled(const struct stac_weight_map *map, const char *pattern) {
    return strncmp(pattern, map->arch->prefix, strlen(map->arch->prefix)) == 0 ? pattern + map->skip : pattern;
}

static const char *pattern_of(const struct stac_weight_map *map, const struct stac_weight_row *row) {
    return map->gguf ? row->gguf : spelled(map, row->safetensors);
}

/* Names come with the prefix or without; the embedding, which every model has, decides. */
static void detect_prefix(struct stac_weight_map *map) {
    size_t length = strlen(map->arch->prefix);
    for (size_t i = 0; i < map->arch->n_rows && !map->gguf; i++) {
        const char *name = map->arch->rows[i].safetensors;
        if (map->arch->rows[i].weight == STAC_W_TOKEN_EMBD && stac_source_find(map->source, name) < 0 &&
            stac_source_find(map->source, name + length) >= 0)
            map->skip = length;
    }
}

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

/* The outputs of the tensor that holds a weight, and the weight's first one among them. */
static void outputs_of(const struct stac_weight_map *map, const struct stac_weight_row *row, size_t *all, size_t *first) {
    size_t own = stac_weight_shape_of(map->hp, row->weight).outputs;
    *all = own;
    *first = 0;
    if (!(row->layout & STAC_FUSED_QKV)) return;
    size_t q = stac_weight_shape_of(map->hp, STAC_W_Q).outputs, kv = stac_weight_shape_of(map->hp, STAC_W_K).outputs;
    *all = q + 2 * kv;
    switch (row->weight) {
    case STAC_W_K:
    case STAC_W_K_BIAS: *first = q; break;
    case STAC_W_V:
    case STAC_W_V_BIAS: *first = q + kv; break;
    default: break;
    }
}

static bool stored_by_input(const struct stac_weight_map *map, const struct stac_weight_row *row) {
    return !map->gguf && (row->layout & STAC_CONV1D);
}

/* The shape that the hyper-parameters ask of the tensor of a row; returns the number of dimensions. */
static int wanted_shape(const struct stac_weight_map *map, const struct stac_weight_row *row, size_t shape[2]) {
    struct stac_weight_shape w = stac_weight_shape_of(map->hp, row->weight);
    size_t outputs, first;
    outputs_of(map, row, &outputs, &first);
    bool inputs_first = w.table || stored_by_input(map, row);
    shape[0] = w.vector || !inputs_first ? outputs : w.inputs;
    shape[1] = inputs_first ? outputs : w.inputs;
    return w.vector ? 1 : 2;
}

static int refuse_shape(const struct stac_tensor *t, int n_dims, const size_t wanted[2], struct stac_error *err) {
    struct stac_strbuf has = {0};
    int status = STAC_OK;
    for (int i = 0; i < t->n_dims && status == STAC_OK; i++)
        status = stac_strbuf_printf(&has, err, "%s%" PRId64, i ? ", " : "", t->shape[i]);
    if (n_dims == 1)
        stac_fail(err, STAC_ERR_INPUT, "tensor %s has the shape [%s]; the hyper-parameters ask for [%zu]", t->name,
                  stac_strbuf_text(&has), wanted[0]);
    else
        stac_fail(err, STAC_ERR_INPUT, "tensor %s has the shape [%s]; the hyper-parameters ask for [%zu, %zu]", t->name,
                  stac_strbuf_text(&has), wanted[0], wanted[1]);
    stac_strbuf_clean(&has);
    return err->status;
}

static int check_shape(const struct stac_weight_map *map, const struct binding *b, struct stac_error *err) {
    const struct stac_tensor *t = stac_source_tensor(map->source, b->tensor);
    size_t wanted[2];
    int n_dims = wanted_shape(map, b->row, wanted);
    bool fits = t->n_dims == n_dims;
    for (int i = 0; fits && i < n_dims; i++) fits = (uint64_t)t->shape[i] == wanted[i];
    return fits ? STAC_OK : refuse_shape(t, n_dims, wanted, err);
}

/* The weights that lie in one file, which is open. */
static int check_file(const struct stac_weight_map *map, size_t file, struct stac_error *err) {
    size_t n = STAC_W_COUNT * (size_t)map->hp->n_layer;
    for (size_t i = 0; i < n; i++) {
        const struct binding *b = &map->bindings[i];
        if (b->row && stac_source_file(map->source, b->tensor) == file && check_shape(map, b, err) != STAC_OK)
            return stac_fail_in(err, "%s", stac_source_file_path(map->source, file));
    }
    return STAC_OK;
}

/* ---- binding ---------------------------------------------------------------------------------------------------- */

static int bind(struct stac_weight_map *map, const struct stac_weight_row *row, int layer, bool *known,
                struct stac_error *err) {
    struct stac_strbuf name = {0};
    int status = stac_pattern_expand(pattern_of(map, row), layer, &name, err);
    ptrdiff_t tensor = status == STAC_OK ? stac_source_find(map->source, stac_strbuf_text(&name)) : -1;
    bool needed = !((row->layout & STAC_UNTIED) && map->hp->tied);
    if (tensor >= 0) {
        known[tensor] = true;
        if (needed) *binding_of(map, row->weight, layer) = (struct binding){row, (size_t)tensor};
    } else if (needed && status == STAC_OK) {
        status = stac_fail(err, STAC_ERR_INPUT, "the tensor %s is missing", stac_strbuf_text(&name));
    }
    stac_strbuf_clean(&name);
    return status;
}

static bool is_ignored(const struct stac_weight_map *map, const char *name) {
    for (const char *const *pattern = map->arch->ignored; *pattern; pattern++)
        if (stac_pattern_matches(spelled(map, *pattern), name)) return true;
    return false;
}

/* A tensor that nothing reads would be a part of the model left out in silence. */
static int check_unknown(const struct stac_weight_map *map, const bool *known, struct stac_error *err) {
    for (size_t i = 0; i < stac_source_count(map->source); i++) {
        const char *name = stac_source_name(map->source, i);
        if (!known[i] && !is_ignored(map, name))
            return stac_fail(err, STAC_ERR_INPUT, "the tensor %.200s is no part of a %s model of %d layers", name,
                             map->arch->name, map->hp->n_layer);
    }
    return STAC_OK;
}

static int bind_all(struct stac_weight_map *map, bool *known, struct stac_error *err) {
    detect_prefix(map);
    for (size_t i = 0; i < map->arch->n_rows; i++) {
        const struct stac_weight_row *row = &map->arch->rows[i];
        for (int layer = 0; layer < layers_of(map, row->weight); layer++) STAC_TRY(bind(map, row, layer, known, err));
    }
    return check_unknown(map, known, err);
}

int stac_weight_map_build(const struct stac_arch *arch, const struct stac_hparams *hp, struct stac_source *source, bool gguf,
                          struct stac_weight_map **out, struct stac_error *err) {
    struct stac_weight_map *map;
    bool *known = NULL;
    *out = NULL;
    STAC_TRY(STAC_NEW(map, 1, "the weights of a model", err));
    *map = (struct stac_weight_map){.arch = arch, .hp = hp, .source = source, .gguf = gguf};
    int status = STAC_NEW(map->bindings, STAC_W_COUNT * (size_t)hp->n_layer, "the weights of a model", err);
    if (status == STAC_OK) status = STAC_NEW(known, stac_source_count(source), "the weights of a model", err);
    if (status == STAC_OK && bind_all(map, known, err) != STAC_OK) status = stac_fail_in(err, "%s", stac_source_path(source));
    if (status == STAC_OK && !stac_source_is_sharded(source)) status = check_file(map, 0, err);
    free(known);
    if (status == STAC_OK)
        *out = map;
    else
        stac_weight_map_free(map);
    return status;
}

void stac_weight_map_free(struct stac_weight_map *map) {
    if (!map) return;
    free(map->bindings);
    free(map);
}

/* ---- look-up ---------------------------------------------------------------------------------------------------- */

bool stac_weight_map_has(const struct stac_weight_map *map, enum stac_weight weight, int layer) {
    return (int)weight >= 0 && weight < STAC_W_COUNT && layer >= 0 && layer < layers_of(map, weight) &&
           binding_of(map, weight, layer)->row != NULL;
}

static int open_file_of(struct stac_weight_map *map, const struct binding *b, struct stac_error *err) {
    size_t file = stac_source_file(map->source, b->tensor);
    if (stac_source_is_open(map->source, file)) return STAC_OK;
    STAC_TRY(stac_source_open(map->source, file, err));
    int status = check_file(map, file, err);
    if (status != STAC_OK) stac_source_shut(map->source, file); /* so that the next attempt is checked again */
    return status;
}

int stac_weight_map_place(struct stac_weight_map *map, enum stac_weight weight, int layer, struct stac_weight_place *out,
                          struct stac_error *err) {
    if (!stac_weight_map_has(map, weight, layer))
        return stac_fail(err, STAC_ERR_INTERNAL, "the model has no weight %d in layer %d", (int)weight, layer);
    const struct binding *b = binding_of(map, weight, layer);
    struct stac_weight_shape w = stac_weight_shape_of(map->hp, weight);
    bool by_input = w.vector || w.table || stored_by_input(map, b->row);
    size_t all, first;
    STAC_TRY(open_file_of(map, b, err));
    outputs_of(map, b->row, &all, &first);
    struct stac_stored *s = &out->stored;
    *s = (struct stac_stored){.tensor = stac_source_tensor(map->source, b->tensor)};
    if (by_input) { /* the outputs are columns */
        s->cols = all;
        s->n_rows = w.inputs;
        s->col = first;
        s->n_cols = w.outputs;
    } else {
        s->cols = s->n_cols = w.inputs;
        s->row = first;
        s->n_rows = w.outputs;
    }
    if (map->gguf && (b->row->layout & STAC_PERMUTED)) s->interleaved = (size_t)map->hp->head_dim;
    out->transposed = !by_input;
    out->path = stac_source_file_path(map->source, stac_source_file(map->source, b->tensor));
    return STAC_OK;
}

size_t stac_weight_map_bytes(const struct stac_weight_map *map, enum stac_weight weight, int layer, size_t assumed) {
    if (!stac_weight_map_has(map, weight, layer)) return 0;
    const struct binding *b = binding_of(map, weight, layer);
    struct stac_weight_shape w = stac_weight_shape_of(map->hp, weight);
    if (stac_source_is_sharded(map->source)) return w.inputs * w.outputs * assumed;
    size_t all, first;
    outputs_of(map, b->row, &all, &first);
    return stac_source_tensor(map->source, b->tensor)->size / all * w.outputs;
}
