#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/memory.h"
#include "ctl/text.h"

/* Ranges of characters that never reach a terminal. */
static const struct {
	uint32_t first;
	uint32_t last;
} unsafe[] = {
    {0x0, 0x1f},      /* C0 */
    {0x7f, 0x9f},     /* DEL, C1 */
    {0x61c, 0x61c},   /* direction of writing */
    {0x200b, 0x200f}, /* invisible, or direction */
    {0x2028, 0x202e}, /* line ends, direction */
    {0x2060, 0x206f}, /* invisible, or direction */
    {0xfeff, 0xfeff}, /* invisible */
    {0xfff9, 0xfffb},
};

/* Bytes of a character that begins so, 0 if none does: RFC 3629. */
static size_t
utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Is this what n bytes may stand for: in its shortest form, no surrogate? */
static bool
utf8_is_valid(uint32_t c, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

/* One character of UTF-8: its length, 1 and 0xfffd for what is none. */
static size_t
utf8_next(const char *text, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i, n = utf8_length(p[0]);

	*c = n <= 1 ? p[0] : p[0] & (0x7fu >> n);
	for (i = 1; i < n && (p[i] & 0xc0) == 0x80; i++)
		*c = *c << 6 | (p[i] & 0x3f);
	if (n > 0 && i >= n && utf8_is_valid(*c, n))
		return n;
	*c = 0xfffd;
	return 1;
}

static bool
is_unsafe(uint32_t c)
{
	size_t i;

	for (i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (c >= unsafe[i].first && c <= unsafe[i].last)
			return true;
	return c == 0xfffd;
}

char *
text_safe(const char *text)
{
	/* the longest form of one byte is \u{fffd} */
	char *safe = need(malloc(strlen(text) * 8 + 1)), *to = safe;
	uint32_t c;
	size_t n;

	for (; *text != '\0'; text += n) {
		n = utf8_next(text, &c);
		if (is_unsafe(c)) {
			to += sprintf(to, "\\u{%x}", c);
		} else {
			memcpy(to, text, n);
			to += n;
		}
	}
	*to = '\0';
	return safe;
}

size_t
text_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void __attribute__((format(printf, 3, 0)))
print_safe(FILE *to, const char *before, const char *fmt, va_list ap)
{
	char *text, *safe;

	if (vasprintf(&text, fmt, ap) == -1)
		no_memory();
	safe = text_safe(text);
	fprintf(to, "%s%s\n", before, safe);
	free(text);
	free(safe);
}

void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_safe(stdout, "", fmt, ap);
	va_end(ap);
}

void
complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_safe(stderr, "tundctl: ", fmt, ap);
	va_end(ap);
}

/* JSON escapes all but DEL and what is not ASCII; so here it is ASCII. */
int
say_json(const json_t *json)
{
	char *text = json_dumps(
	    json, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	const char *p;

	if (text == NULL)
		return -1;
	for (p = text; *p != '\0'; p++)
		if (*p == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*p);
	putchar('\n');
	free(text);
	return fflush(stdout) == EOF || ferror(stdout) ? -1 : 0;
}

/* Lists are joined by commas, and cut with the number of what is left. */
static const char *
text_list(const json_t *list, char *buf)
{
	char cell[TEXT_CELL];
	const char *item;
	size_t i, used = 0, n = json_array_size(list);

	if (n == 0)
		return "-";
	for (i = 0; i < n; i++) {
		item = text_value(json_array_get(list, i), cell);
		if (used + strlen(item) + 32 > TEXT_CELL)
			break;
		used += (size_t)sprintf(
		    buf + used, "%s%s", i == 0 ? "" : ",", item);
	}
	if (i < n)
		sprintf(buf + used, " and %zu more", n - i);
	return buf;
}

const char *
text_value(const json_t *v, char *buf)
{
	char *dump;

	if (v == NULL || json_is_null(v))
		return "-";
	if (json_is_string(v))
		snprintf(buf, TEXT_CELL, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(
		    buf, TEXT_CELL, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	else if (json_is_array(v))
		return text_list(v, buf);
	else if ((dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY)) !=
		 NULL) {
		snprintf(buf, TEXT_CELL, "%s", dump);
		free(dump);
	} else
		return "-";
	return buf;
}

const char *
text_bytes(const json_t *v, char *buf)
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double n = (double)json_integer_value(v);
	size_t unit = 0;

	if (!json_is_integer(v) || n < 1024)
		return text_value(v, buf);
	while (n >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		n /= 1024;
		unit++;
	}
	snprintf(buf, TEXT_CELL, "%lld (%.1f %s)",
	    (long long)json_integer_value(v), n, units[unit]);
	return buf;
}

const char *
text_seconds(const json_t *v, char *buf)
{
	long long s = json_integer_value(v);

	if (!json_is_integer(v))
		return "an unknown time";
	if (s < 60)
		snprintf(buf, TEXT_CELL, "%lld s", s);
	else if (s < 3600)
		snprintf(buf, TEXT_CELL, "%lld min %lld s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(
		    buf, TEXT_CELL, "%lld h %lld min", s / 3600, s / 60 % 60);
	else
		snprintf(
		    buf, TEXT_CELL, "%lld d %lld h", s / 86400, s / 3600 % 24);
	return buf;
}
