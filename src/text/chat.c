#include "text/chat.h"

#include <string.h>

#include "text/chat_template.h"

#define START "<|im_start|>"
#define END "<|im_end|>"

static const struct stac_message default_system = {"system",
                                                   "You are a helpful AI assistant named SmolLM, trained by Hugging Face"};

int stac_chat_format_of(const struct stac_tokenizer *t, enum stac_chat_format *out, struct stac_error *err) {
    const char *text = stac_tokenizer_chat_template(t);
    *out = STAC_CHAT_PLAIN;
    if (!text) return STAC_OK;
    STAC_TRY(stac_chat_recognise(text, out, err));
    if (*out != STAC_CHAT_AUTO) return STAC_OK;
    return stac_fail(err, STAC_ERR_INPUT,
                     "the tokenizer's chat template (\"%.60s...\") is not one that is known; set "
                     "chat_template: chatml, smollm2 or plain",
                     text);
}

static int resolve(const struct stac_tokenizer *t, enum stac_chat_format *format, struct stac_error *err) {
    if (*format == STAC_CHAT_AUTO) STAC_TRY(stac_chat_format_of(t, format, err));
    if (*format == STAC_CHAT_PLAIN) return STAC_OK;
    static const char *const controls[] = {START, END};
    for (int i = 0; i < 2; i++)
        if (!stac_tokenizer_is_special(t, stac_tokenizer_find(t, controls[i])))
            return stac_fail(err, STAC_ERR_INPUT,
                             "the chat format needs %s as a special token, which the tokenizer does not "
                             "have; set chat_template: plain",
                             controls[i]);
    return STAC_OK;
}

static struct stac_text_part part(const char *text, bool trusted) {
    return (struct stac_text_part){text, strlen(text), trusted};
}

/* What opens a message. The role is text of the caller's, not ours. */
static int encode_opening(const struct stac_tokenizer *t, const char *role, struct stac_tokens *out, struct stac_error *err) {
    const struct stac_text_part parts[] = {part(START, true), part(role, false), part("\n", true)};
    return stac_tokenizer_encode_parts(t, parts, 3, out, err);
}

/* Every message begins with a control token, so messages one by one give the tokens of the whole. */
static int encode_chatml(const struct stac_tokenizer *t, const struct stac_message *m, struct stac_tokens *out,
                         struct stac_error *err) {
    const struct stac_text_part parts[] = {part(START, true), part(m->role, false), part("\n", true), part(m->content, false),
                                           part(END "\n", true)};
    return stac_tokenizer_encode_parts(t, parts, 5, out, err);
}

/* No control token separates plain messages, so each is made tokens by itself: turns add up here as well. */
static int encode_plain(const struct stac_tokenizer *t, const struct stac_message *m, struct stac_tokens *out,
                        struct stac_error *err) {
    const struct stac_text_part parts[] = {part(m->content, false), part("\n", true)};
    return stac_tokenizer_encode_parts(t, parts, 2, out, err);
}

int stac_chat_encode(const struct stac_tokenizer *t, enum stac_chat_format format, const struct stac_message *messages,
                     size_t n, size_t first, bool prompt, struct stac_tokens *out, struct stac_error *err) {
    if (first > n) return stac_fail(err, STAC_ERR_USAGE, "message %zu of a conversation of %zu", first, n);
    for (size_t i = 0; i < n; i++)
        if (!messages[i].role || !messages[i].content)
            return stac_fail(err, STAC_ERR_USAGE, "message %zu of a conversation has no role or no content", i);
    STAC_TRY(resolve(t, &format, err));
    if (format == STAC_CHAT_SMOLLM2 && first == 0 && n > 0 && strcmp(messages[0].role, "system") != 0)
        STAC_TRY(encode_chatml(t, &default_system, out, err));
    for (size_t i = first; i < n; i++)
        STAC_TRY(format == STAC_CHAT_PLAIN ? encode_plain(t, &messages[i], out, err)
                                           : encode_chatml(t, &messages[i], out, err));
    return prompt && format != STAC_CHAT_PLAIN ? encode_opening(t, "assistant", out, err) : STAC_OK;
}

int stac_chat_close(const struct stac_tokenizer *t, enum stac_chat_format format, struct stac_tokens *out,
                    struct stac_error *err) {
    STAC_TRY(resolve(t, &format, err));
    const struct stac_text_part closing = part(format == STAC_CHAT_PLAIN ? "\n" : END "\n", true);
    return stac_tokenizer_encode_parts(t, &closing, 1, out, err);
}

int32_t stac_chat_end(const struct stac_tokenizer *t, enum stac_chat_format format) {
    struct stac_error ignored = {0};
    if (resolve(t, &format, &ignored) != STAC_OK) return -1;
    return format == STAC_CHAT_PLAIN ? stac_tokenizer_eos(t) : stac_tokenizer_find(t, END);
}
