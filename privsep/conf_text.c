#include <stdlib.h>

#include "common/log.h"
#include "privsep/conf_text.h"

void *
conf_alloc(size_t size)
{
	void *p;

	if ((p = calloc(1, size)) == NULL)
		fatal("memory for the configuration");
	return p;
}

void
conf_text_put(struct conf_text *text, char c)
{
	if (text->len == text->size) {
		text->size = text->size == 0 ? 64 : 2 * text->size;
		text->bytes = realloc(text->bytes, text->size);
		if (text->bytes == NULL)
			fatal("memory for the configuration");
	}
	text->bytes[text->len++] = c;
}

void
conf_text_append(struct conf_text *text, const char *bytes, size_t len)
{
	size_t n;

	for (n = 0; n < len; n++)
		conf_text_put(text, bytes[n]);
}
