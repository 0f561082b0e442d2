/* Chat templates by their text. */
#ifndef STAC_TEXT_CHAT_TEMPLATE_H
#define STAC_TEXT_CHAT_TEMPLATE_H

#include "text/chat.h"

/* The format that a Jinja template renders, STAC_CHAT_AUTO when it is none that is known. Templates are compared with
 * known ones after what cannot change their result was made alike: white space and quotes inside tags, line breaks that
 * Jinja drops behind a tag, "\n" in a literal written out or escaped. */
int stac_chat_recognise(const char *template_text, enum stac_chat_format *out, struct stac_error *err);

#endif
