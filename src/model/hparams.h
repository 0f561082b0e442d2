/* Hyper-parameters: what the forward pass must know of a model, whatever its family or file format. */
#ifndef STAC_MODEL_HPARAMS_H
#define STAC_MODEL_HPARAMS_H

#include <stdbool.h>

enum stac_norm {
    STAC_NORM_RMS,   /* x / sqrt(mean(x^2) + eps) * gain                        (Zhang, Sennrich 2019) */
    STAC_NORM_LAYER, /* (x - mean(x)) / sqrt(var(x) + eps) * gain + bias        (Ba, Kiros, Hinton 2016) */
};

enum stac_activation {
    STAC_ACT_SILU,      /* x / (1 + exp(-x)) */
    STAC_ACT_GELU_TANH, /* "gelu_new": 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    STAC_ACT_GELU_ERF,  /* "gelu": 0.5 x (1 + erf(x / sqrt 2)) */
    STAC_ACT_RELU,
};

/* The most eos tokens that a model may name. */
#define STAC_MAX_EOS 8

struct stac_hparams {
    char arch[16]; /* "llama", "gpt2": the name of the architecture file */
    int n_layer;   /* blocks */
    int n_embd;    /* width of the residual stream */
    int n_head;    /* query heads; n_head * head_dim is the width of q */
    int n_head_kv; /* key and value heads; divides n_head */
    int head_dim;  /* channels of a head */
    int n_ff;      /* width of the hidden layer of the feed-forward part */
    int n_vocab;   /* rows of the embedding and of the head */
    int n_ctx;     /* max_position_embeddings */
    enum stac_norm norm;
    double norm_eps;
    enum stac_activation activation;
    bool gated;             /* feed-forward: down(act(gate x) * (up x)) instead of down(act(up x)) */
    bool learned_positions; /* a table of n_ctx positions is added to the embedding */
    double rope_theta;      /* base of the rotary positions; 0: none. Pairs are (i, i + head_dim/2), as in Hugging Face */
    bool tied;              /* the head is the embedding */
    int bos;                /* -1: none */
    int n_eos;
    int eos[STAC_MAX_EOS];
};

#endif
