#include "text/chat_template.h"

#include <string.h>

#include "base/strbuf.h"

#define MESSAGE "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>'+'\n'}}"
#define MESSAGE_SHORT "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'}}"
#define NO_PROMPT_BY_DEFAULT "{%ifnotadd_generation_promptisdefined%}{%setadd_generation_prompt=false%}{%endif%}"
#define DEFAULT_SYSTEM                                                                                                         \
    "{%ifloop.firstandmessages[0]['role']!='system'%}{{'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, "     \
    "trained by Hugging Face<|im_end|>\n'}}{%endif%}"
#define FOR "{%formessageinmessages%}"
#define END "{%endfor%}"
#define PROMPT "{%ifadd_generation_prompt%}{{'<|im_start|>assistant\n'}}{%endif%}"

static const struct {
    enum stac_chat_format format;
    const char *text; /* in the canonical form below */
} known_templates[] = {
    {STAC_CHAT_SMOLLM2, FOR DEFAULT_SYSTEM MESSAGE END PROMPT},
    {STAC_CHAT_SMOLLM2, FOR DEFAULT_SYSTEM MESSAGE_SHORT END PROMPT},
    {STAC_CHAT_CHATML, FOR MESSAGE END PROMPT},
    {STAC_CHAT_CHATML, FOR MESSAGE_SHORT END PROMPT},
    {STAC_CHAT_CHATML, NO_PROMPT_BY_DEFAULT FOR MESSAGE END PROMPT},
    {STAC_CHAT_CHATML, NO_PROMPT_BY_DEFAULT FOR MESSAGE_SHORT END PROMPT},
};

/* Where the literal that begins at text[0] with a quote ends: behind its closing quote, or at the end of the text. */
static size_t literal_size(const char *text) {
    size_t n = 1;
    while (text[n] && text[n] != text[0]) n += text[n] == '\\' && text[n + 1] ? 2 : 1;
    return text[n] ? n + 1 : n;
}

/* A literal in single quotes, "\n" as a line break; other escapes stay as they are and so match nothing known. */
static int add_literal(struct stac_strbuf *out, const char *text, size_t size, struct stac_error *err) {
    STAC_TRY(stac_strbuf_puts(out, "'", err));
    for (size_t i = 1; i + 1 < size; i++) {
        bool line_break = text[i] == '\\' && text[i + 1] == 'n';
        STAC_TRY(stac_strbuf_add(out, line_break ? "\n" : text + i, 1, err));
        i += line_break;
    }
    return stac_strbuf_puts(out, "'", err);
}

/* A tag {{...}} or {%...%} without white space; *at moves behind it and behind the line break that Jinja drops after a
 * {%...%} (trim_blocks, which Hugging Face sets). */
static int add_tag(struct stac_strbuf *out, const char *text, size_t *at, struct stac_error *err) {
    char closing = text[*at + 1] == '{' ? '}' : '%';
    STAC_TRY(stac_strbuf_add(out, text + *at, 2, err));
    *at += 2;
    while (text[*at]) {
        const char *c = text + *at;
        if (c[0] == closing && c[1] == '}') {
            *at += closing == '%' && c[2] == '\n' ? 3 : 2;
            return stac_strbuf_add(out, c, 2, err);
        }
        size_t n = *c == '\'' || *c == '"' ? literal_size(c) : 1;
        if (n > 1)
            STAC_TRY(add_literal(out, c, n, err));
        else if (!strchr(" \t\r\n", *c))
            STAC_TRY(stac_strbuf_add(out, c, 1, err));
        *at += n;
    }
    return STAC_OK;
}

/* Text outside tags is kept: it would be rendered, so it matches nothing known. */
static int canonical(struct stac_strbuf *out, const char *text, struct stac_error *err) {
    for (size_t at = 0; text[at];) {
        if (text[at] == '{' && (text[at + 1] == '{' || text[at + 1] == '%')) {
            STAC_TRY(add_tag(out, text, &at, err));
        } else {
            if (text[at] == '\n' && text[at + 1] == 0) break; /* Jinja drops the last line break of a file */
            STAC_TRY(stac_strbuf_add(out, text + at++, 1, err));
        }
    }
    return STAC_OK;
}

int stac_chat_recognise(const char *template_text, enum stac_chat_format *out, struct stac_error *err) {
    struct stac_strbuf text = {0};
    int status = canonical(&text, template_text, err);
    *out = STAC_CHAT_AUTO;
    for (size_t i = 0; i < sizeof known_templates / sizeof *known_templates; i++)
        if (strcmp(stac_strbuf_text(&text), known_templates[i].text) == 0) *out = known_templates[i].format;
    stac_strbuf_clean(&text);
    return status;
}
