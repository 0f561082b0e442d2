/* Architectures: a family of models is one file that names things. It says how config.json or GGUF metadata become
 * hyper-parameters, and under which name and in which layout each weight is stored. Nothing here computes.
 *
 * A new family is a new file like llama.c and one line in arch.c. */
#ifndef STAC_MODEL_ARCH_H
#define STAC_MODEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "model/gguf.h"
#include "model/hparams.h"
#include "model/model.h"
#include "model/model_config.h"

/* How a weight is stored. Without a flag it is a tensor of its own; a matrix [outputs][inputs]; a table [rows][width]. */
enum stac_layout {
    STAC_CONV1D = 1,    /* safetensors stores the matrix as [inputs][outputs]; GGUF does not */
    STAC_FUSED_QKV = 2, /* the tensor holds the outputs of q, of k and of v one after the other */
    STAC_PERMUTED = 4,  /* GGUF interleaves the halves of each head, see stored_matrix.h; safetensors does not */
    STAC_UNTIED = 8,    /* only an untied model needs it; a tied one may carry it unused */
};

struct stac_weight_row {
    enum stac_weight weight;
    const char *safetensors, *gguf; /* names; '#' stands for the number of the layer */
    unsigned layout;                /* enum stac_layout, or-ed */
};

struct stac_arch {
    const char *name;   /* model_type of config.json, general.architecture of GGUF */
    const char *prefix; /* names in safetensors files may lack this beginning */
    int (*read_config)(const struct stac_config *c, struct stac_hparams *hp, struct stac_error *err);
    int (*read_gguf)(const struct stac_gguf *g, struct stac_hparams *hp, struct stac_error *err);
    const struct stac_weight_row *rows;
    size_t n_rows;
    const char *const *ignored; /* names of stored buffers that are no weights, NULL-ended */
};

/* The family of a name of `size` bytes; STAC_ERR_INPUT lists the families when there is none. */
int stac_arch_find(const char *name, size_t size, const struct stac_arch **out, struct stac_error *err);

/* Whether a weight belongs to each block, rather than to the model. */
bool stac_weight_is_layered(enum stac_weight weight);

/* Shape of a weight as stac_model_read gives it: inputs x outputs. Vectors have one input. */
struct stac_weight_shape {
    size_t inputs, outputs;
    bool vector, table;
};
struct stac_weight_shape stac_weight_shape_of(const struct stac_hparams *hp, enum stac_weight weight);

/* A name pattern: append its name in a layer to b; whether a name is the pattern's in any layer. */
int stac_pattern_expand(const char *pattern, int layer, struct stac_strbuf *b, struct stac_error *err);
bool stac_pattern_matches(const char *pattern, const char *name);

#endif
