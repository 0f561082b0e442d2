#include "store/snn_layout.h"

static const struct stac_hparam_field fields[] = {
    {"n_layer", offsetof(struct stac_hparams, n_layer), STAC_HP_INT, 1, 1024},
    {"n_embd", offsetof(struct stac_hparams, n_embd), STAC_HP_INT, 1, 65536},
    {"n_head", offsetof(struct stac_hparams, n_head), STAC_HP_INT, 1, 65536},
    {"n_head_kv", offsetof(struct stac_hparams, n_head_kv), STAC_HP_INT, 1, 65536},
    {"head_dim", offsetof(struct stac_hparams, head_dim), STAC_HP_INT, 1, 1024},
    {"n_ff", offsetof(struct stac_hparams, n_ff), STAC_HP_INT, 1, 65536},
    {"n_vocab", offsetof(struct stac_hparams, n_vocab), STAC_HP_INT, 1, 1 << 24},
    {"n_ctx", offsetof(struct stac_hparams, n_ctx), STAC_HP_INT, 1, 1 << 24},
    {"norm", offsetof(struct stac_hparams, norm), STAC_HP_NORM, STAC_NORM_RMS, STAC_NORM_LAYER},
    {"norm_eps", offsetof(struct stac_hparams, norm_eps), STAC_HP_REAL, 0, 0},
    {"activation", offsetof(struct stac_hparams, activation), STAC_HP_ACTIVATION, STAC_ACT_SILU, STAC_ACT_RELU},
    {"gated", offsetof(struct stac_hparams, gated), STAC_HP_BOOL, 0, 1},
    {"learned_positions", offsetof(struct stac_hparams, learned_positions), STAC_HP_BOOL, 0, 1},
    {"rope_theta", offsetof(struct stac_hparams, rope_theta), STAC_HP_REAL, 0, 0},
    {"tied", offsetof(struct stac_hparams, tied), STAC_HP_BOOL, 0, 1},
    {"bos", offsetof(struct stac_hparams, bos), STAC_HP_INT, -1, 1 << 24},
};

const struct stac_hparam_field *stac_hparam_fields(size_t *n) {
    *n = sizeof fields / sizeof *fields;
    return fields;
}

char *stac_layer_path(int layer, const char *what, char out[96]) {
    snprintf(out, 96, "/block/%03d/%s", layer, what);
    return out;
}

char *stac_site_path(const struct stac_site *site, const char *what, char out[96]) {
    int n = site->kind == STAC_SITE_HEAD_IN ? snprintf(out, 96, "/head_in")
                                            : snprintf(out, 96, "/block/%03d/%s", site->layer, stac_site_name(site->kind));
    if (what) snprintf(out + n, 96 - (size_t)n, "/%s", what);
    return out;
}
