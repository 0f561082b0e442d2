/* Conversations as the model was taught to read them. Templates are recognised, never executed. */
#ifndef STAC_TEXT_CHAT_H
#define STAC_TEXT_CHAT_H

#include <stdbool.h>

#include "text/tokenizer.h"

enum stac_chat_format {
    STAC_CHAT_AUTO,    /* by the tokenizer's chat template; without one: plain */
    STAC_CHAT_CHATML,  /* <|im_start|>ROLE\nCONTENT<|im_end|>\n */
    STAC_CHAT_SMOLLM2, /* ChatML, and SmolLM2's default system message before a conversation that has none */
    STAC_CHAT_PLAIN,   /* the contents, each followed by a newline */
};

struct stac_message {
    const char *role;    /* "system", "user", "assistant" */
    const char *content; /* can never become a control token */
};

/* The format that AUTO stands for with this tokenizer; STAC_ERR_INPUT for a template that is not recognised, with the
 * advice to set chat_template. */
int stac_chat_format_of(const struct stac_tokenizer *t, enum stac_chat_format *out, struct stac_error *err);

/* Append the tokens of a conversation of n messages; with `prompt`, also the opening of the assistant's answer (nothing
 * in the plain format). `first` is the index of the first message to render, so that a later turn can be appended to a
 * cache that holds the messages before it: the concatenation over turns equals the whole conversation rendered at once.
 * In the ChatML formats it also equals the tokens of the rendered text, where no content spells a control token.
 *
 * A turn that the model answered itself: encode(messages, n, first, prompt = true), then the tokens of its answer without
 * the ending one, then stac_chat_close; the next turn begins at first = n + 1. */
int stac_chat_encode(const struct stac_tokenizer *t, enum stac_chat_format format, const struct stac_message *messages,
                     size_t n, size_t first, bool prompt, struct stac_tokens *out, struct stac_error *err);

/* Append what follows the content of a message: the token that ends an answer and a line break (plain: a line break). */
int stac_chat_close(const struct stac_tokenizer *t, enum stac_chat_format format, struct stac_tokens *out,
                    struct stac_error *err);

/* Token that ends an answer in this format (plain: EOS), or -1. A model may name more: eos of model/hparams.h. */
int32_t stac_chat_end(const struct stac_tokenizer *t, enum stac_chat_format format);

#endif
