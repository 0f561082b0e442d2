#include "eval/conversation.h"

#include <stdlib.h>

#include "base/memory.h"

int stac_conversation_init(struct stac_conversation *c, struct stac_stand *stand, int slot, uint64_t seed,
                           struct stac_error *err) {
    struct stac_subject *s = stand->subject;
    *c = (struct stac_conversation){.stand = stand, .format = (enum stac_chat_format)s->job->chat_template};
    if (c->format == STAC_CHAT_AUTO) STAC_TRY(stac_chat_format_of(s->tokenizer, &c->format, err));
    return stac_sequence_init(&c->sequence, &stand->pipeline, slot, seed, err);
}

void stac_conversation_clean(struct stac_conversation *c) {
    for (size_t i = 0; i < c->n_messages; i++) free((void *)(uintptr_t)c->message[i].content);
    free(c->message);
    stac_tokens_clean(&c->tokens);
    stac_sequence_clean(&c->sequence);
    *c = (struct stac_conversation){0};
}

static int add_message(struct stac_conversation *c, const char *role, const char *content, struct stac_error *err) {
    STAC_TRY(stac_grow(&c->message, &c->cap, c->n_messages + 1, sizeof *c->message, "a conversation", err));
    char *copy = stac_strdup(content, err);
    if (!copy) return err->status;
    c->message[c->n_messages++] = (struct stac_message){role, copy};
    return STAC_OK;
}

/* Read the tokens that are not read yet. */
static int read_on(struct stac_conversation *c, struct stac_error *err) {
    size_t from = (size_t)c->sequence.position, left = c->tokens.n - from;
    int capacity = c->stand->run[0].cache->capacity;
    if (c->tokens.n > (size_t)capacity)
        return stac_fail(err, STAC_ERR_USAGE,
                         "the conversation has %zu tokens and max_context_length keeps %d: begin anew or raise it", c->tokens.n,
                         capacity);
    return stac_sequence_read(&c->sequence, c->tokens.id + from, (int)left, NULL, err);
}

int stac_conversation_ask(struct stac_conversation *c, const char *text, struct stac_error *err) {
    STAC_TRY(add_message(c, "user", text, err));
    STAC_TRY(stac_chat_encode(c->stand->subject->tokenizer, c->format, c->message, c->n_messages, c->n_messages - 1, true,
                              &c->tokens, err));
    return read_on(c, err);
}

/* Bytes of `text` that end with a whole character: a character may be spread over several tokens. */
static size_t whole_characters(const char *text, size_t size) {
    size_t tail = 0;
    while (tail < 4 && tail < size && ((unsigned char)text[size - 1 - tail] & 0xc0) == 0x80) tail++;
    if (tail == size) return size;
    unsigned char lead = (unsigned char)text[size - 1 - tail];
    size_t needed = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return tail < needed ? size - 1 - tail : size;
}

int stac_conversation_answer(struct stac_conversation *c, const struct stac_sampling *how, int most, stac_piece_fn piece,
                             void *ctx, struct stac_error *err) {
    const struct stac_tokenizer *t = c->stand->subject->tokenizer;
    struct stac_strbuf said = {0};
    int32_t end = stac_chat_end(t, c->format);
    size_t shown = 0;
    int status = STAC_OK;
    for (int i = 0; i < most; i++) {
        int32_t token = 0;
        STAC_TRY_DONE(stac_sequence_next(&c->sequence, how, &token, err));
        if (token == end) break;
        STAC_TRY_DONE(stac_tokens_add(&c->tokens, token, err));
        STAC_TRY_DONE(stac_tokenizer_decode(t, &token, 1, true, &said, err));
        size_t whole = i + 1 == most ? said.size : whole_characters(stac_strbuf_text(&said), said.size);
        if (piece && whole > shown) piece(ctx, said.data + shown, whole - shown);
        shown = whole > shown ? whole : shown;
        if (i + 1 < most) STAC_TRY_DONE(read_on(c, err));
    }
    STAC_TRY_DONE(add_message(c, "assistant", stac_strbuf_text(&said), err));
    STAC_TRY_DONE(stac_chat_close(t, c->format, &c->tokens, err));
done:
    stac_strbuf_clean(&said);
    return status;
}

const char *stac_conversation_last(const struct stac_conversation *c) {
    return c->n_messages ? c->message[c->n_messages - 1].content : "";
}
