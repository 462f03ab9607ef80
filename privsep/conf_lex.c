/*
 * The sources of characters are a stack: a file, the files that it includes,
 * and on top the value of a macro while that is expanded.  A source is read
 * into memory as a whole when it is opened.  A macro's value is cut into
 * tokens again where it is used, so that it can hold a number, an address or
 * a list; macros in it were expanded when it was defined.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "privsep/conf_file.h"
#include "privsep/conf_lex.h"
#include "privsep/conf_macro.h"
#include "privsep/conf_text.h"

#define LEX_DEPTH_MAX 16  /* files within files */
#define LEX_FILES_MAX 256 /* files in all */
#define LEX_BLOCKS_MAX 16 /* blocks within blocks */

struct lex_string {
	SLIST_ENTRY(lex_string) entry;
	char text[];
};

struct lex_source {
	SLIST_ENTRY(lex_source) entry;
	struct conf_where where; /* the next character, or the macro's use */
	const char *data;
	size_t len, pos;
	bool is_macro;
	struct conf_file file; /* whose data it is; a macro has none */
	unsigned int base;     /* blocks open where it was included */
};

struct conf_lex {
	struct conf_errors *errors;
	struct conf_macros *macros;
	SLIST_HEAD(, lex_source) sources; /* the current one first */
	SLIST_HEAD(, lex_string) strings;
	unsigned int depth, files;
	struct conf_where blocks[LEX_BLOCKS_MAX];
	unsigned int open;
	struct conf_where last; /* where the last file ended */
	struct conf_text text;	/* the token or path in hand */
	bool quiet;
	bool ended;
};

struct conf_lex *
conf_lex_new(struct conf_errors *errors, struct conf_macros *macros)
{
	struct conf_lex *lex;

	lex = conf_alloc(sizeof(*lex));
	lex->errors = errors;
	lex->macros = macros;
	SLIST_INIT(&lex->sources);
	SLIST_INIT(&lex->strings);
	return lex;
}

static void
lex_pop(struct conf_lex *lex)
{
	struct lex_source *s = SLIST_FIRST(&lex->sources);

	SLIST_REMOVE_HEAD(&lex->sources, entry);
	if (!s->is_macro) {
		lex->last = s->where;
		lex->depth--;
		free(s->file.data);
	}
	free(s);
}

void
conf_lex_free(struct conf_lex *lex)
{
	struct lex_string *s;

	while (!SLIST_EMPTY(&lex->sources))
		lex_pop(lex);
	while ((s = SLIST_FIRST(&lex->strings)) != NULL) {
		SLIST_REMOVE_HEAD(&lex->strings, entry);
		free(s);
	}
	free(lex->text.bytes);
	free(lex);
}

const char *
conf_lex_keep(struct conf_lex *lex, const char *text, size_t len)
{
	struct lex_string *s;

	if (len == 0)
		return "";
	s = conf_alloc(sizeof(*s) + len + 1);
	memcpy(s->text, text, len);
	SLIST_INSERT_HEAD(&lex->strings, s, entry);
	return s->text;
}

unsigned int
conf_lex_depth(const struct conf_lex *lex)
{
	return lex->open;
}

void
conf_lex_quiet(struct conf_lex *lex, bool quiet)
{
	lex->quiet = quiet;
}

/* sources */

static const char *
lex_path(struct conf_lex *lex, const char *path, struct conf_where from)
{
	const char *slash = NULL;

	if (path[0] != '/' && from.file != NULL)
		slash = strrchr(from.file, '/');
	lex->text.len = 0;
	if (slash != NULL)
		conf_text_append(
		    &lex->text, from.file, (size_t)(slash - from.file) + 1);
	conf_text_append(&lex->text, path, strlen(path));
	return conf_lex_keep(lex, lex->text.bytes, lex->text.len);
}

static bool
lex_file_may_nest(
    struct conf_lex *lex, struct conf_where from, const struct conf_file *f)
{
	const struct lex_source *s;

	SLIST_FOREACH (s, &lex->sources, entry) {
		if (s->is_macro || s->file.dev != f->dev ||
		    s->file.ino != f->ino)
			continue;
		conf_error(lex->errors, from,
		    "include loop: %s is being read already", s->where.file);
		return false;
	}
	if (lex->depth >= LEX_DEPTH_MAX)
		conf_error(lex->errors, from,
		    "more than %d files included within each other",
		    LEX_DEPTH_MAX);
	else if (lex->files >= LEX_FILES_MAX)
		conf_error(
		    lex->errors, from, "more than %d files", LEX_FILES_MAX);
	else
		return true;
	return false;
}

static void
lex_file_push(
    struct conf_lex *lex, struct conf_where where, const struct conf_file *file)
{
	struct lex_source *s;

	s = conf_alloc(sizeof(*s));
	s->where = where;
	s->data = file->data;
	s->len = file->len;
	s->file = *file;
	s->base = lex->open;
	lex->depth++;
	lex->files++;
	SLIST_INSERT_HEAD(&lex->sources, s, entry);
}

void
conf_lex_include(struct conf_lex *lex, const char *path, struct conf_where from)
{
	struct conf_where where = {.line = 1};
	struct conf_file file;

	if (path[0] == '\0' && from.file != NULL) {
		conf_error(lex->errors, from,
		    "include of an empty name; name the file");
		return;
	}
	where.file = lex_path(lex, path, from);
	if (lex->last.file == NULL)
		lex->last = where;
	if (conf_file_read(lex->errors, from, where.file, &file) == -1)
		return;
	if (lex_file_may_nest(lex, from, &file))
		lex_file_push(lex, where, &file);
	else
		free(file.data);
}

static void
lex_macro_push(struct conf_lex *lex, const char *value, struct conf_where use)
{
	struct lex_source *s;

	s = conf_alloc(sizeof(*s));
	s->is_macro = true;
	s->data = value;
	s->len = strlen(value);
	s->where = use;
	SLIST_INSERT_HEAD(&lex->sources, s, entry);
}

/* characters */

/* How many bytes end the line here: of LF, or CR and LF; 0: it goes on. */
static size_t
lex_line_end(const struct lex_source *s)
{
	size_t cr = s->pos < s->len && s->data[s->pos] == '\r';

	return s->pos + cr < s->len && s->data[s->pos + cr] == '\n' ? cr + 1
								    : 0;
}

/* The next one of this source, or EOF; a backslash joins two lines. */
static int
lex_get(struct lex_source *s)
{
	size_t end;
	int c;

	while (s->pos < s->len) {
		c = (unsigned char)s->data[s->pos++];
		if (c == '\\' && (end = lex_line_end(s)) > 0) {
			s->pos += end;
			s->where.line += !s->is_macro;
			continue;
		}
		if (c == '\n')
			s->where.line += !s->is_macro;
		return c;
	}
	return EOF;
}

static int
lex_peek(struct lex_source *s)
{
	size_t pos = s->pos;
	int line = s->where.line, c;

	c = lex_get(s);
	s->pos = pos;
	s->where.line = line;
	return c;
}

static bool
lex_is_word_char(int c)
{
	return c > ' ' && c < 0x7f && strchr("{},;=#\"'\\$", c) == NULL;
}

/* Skips blanks and comments; returns the character that comes next. */
static int
lex_skip(struct lex_source *s)
{
	int c;

	while ((c = lex_peek(s)) == ' ' || c == '\t' || c == '\r')
		lex_get(s);
	if (c != '#')
		return c;
	while ((c = lex_peek(s)) != '\n' && c != EOF && c != '\0')
		lex_get(s);
	return c;
}

/* tokens */

static void
lex_bad(struct conf_lex *lex, struct conf_token *t, const char *why)
{
	t->kind = CONF_TOKEN_BAD;
	if (!lex->quiet)
		conf_error(lex->errors, t->where, "%s", why);
}

static void
lex_bad_char(struct conf_lex *lex, struct conf_token *t, int c)
{
	char why[96];

	if (c == '\0')
		snprintf(why, sizeof(why), "NUL byte; is this a text file?");
	else if (c == '\\')
		snprintf(why, sizeof(why),
		    "\"\\\" must be the last character of its line, or stand "
		    "in quotes");
	else if (c > ' ' && c < 0x7f)
		snprintf(why, sizeof(why),
		    "\"%c\" must stand in quotes, as in \"a%cb\"", c, c);
	else
		snprintf(why, sizeof(why),
		    "byte 0x%02x is not printable ASCII, which is needed "
		    "outside comments",
		    (unsigned int)c);
	lex_bad(lex, t, why);
}

static void
lex_word(struct conf_lex *lex, struct lex_source *s, struct conf_token *t)
{
	lex->text.len = 0;
	while (lex_is_word_char(lex_peek(s)))
		conf_text_put(&lex->text, (char)lex_get(s));
	t->kind = CONF_TOKEN_WORD;
	t->text = conf_lex_keep(lex, lex->text.bytes, lex->text.len);
	t->assigned = lex_skip(s) == '=';
}

static void
lex_quoted(struct conf_lex *lex, struct lex_source *s, struct conf_token *t)
{
	int c, quote = lex_get(s);

	lex->text.len = 0;
	while ((c = lex_peek(s)) != quote) {
		if (c == '\n' || c == EOF) {
			lex_bad(lex, t,
			    "unterminated string; close the quote on its line");
			return;
		}
		lex_get(s);
		if (c == '\\' && (lex_peek(s) == quote || lex_peek(s) == '\\'))
			c = lex_get(s);
		if ((c < ' ' && c != '\t') || c >= 0x7f) {
			lex_bad_char(lex, t, c);
			return;
		}
		conf_text_put(&lex->text, (char)c);
	}
	lex_get(s);
	t->kind = CONF_TOKEN_QUOTED;
	t->text = conf_lex_keep(lex, lex->text.bytes, lex->text.len);
}

/* "$name": true when the macro's value is now the source. */
static bool
lex_expand(struct conf_lex *lex, struct lex_source *s, struct conf_token *t)
{
	char name[CONF_MACRO_NAME_MAX + 1], why[512];
	const char *value;
	size_t len = 0;

	lex_get(s);
	while (conf_macro_has(lex_peek(s)) && len < sizeof(name) - 1)
		name[len++] = (char)lex_get(s);
	name[len] = '\0';
	if (len == 0) {
		lex_bad(lex, t,
		    "\"$\" without the name of a macro behind it; "
		    "quote it if none is meant");
		return false;
	}
	if (!conf_macros_use(lex->macros, name, &value)) {
		snprintf(why, sizeof(why),
		    "macro \"%s\" is not defined; write %s = \"value\" above "
		    "this line or use -D %s=value",
		    name, name, name);
		lex_bad(lex, t, why);
		return false;
	}
	if (value == NULL) {
		t->kind = CONF_TOKEN_BAD;
		return false;
	}
	lex_macro_push(lex, value, t->where);
	return true;
}

static void
lex_brace_open(struct conf_lex *lex, struct conf_token *t)
{
	if (lex->open == LEX_BLOCKS_MAX) {
		lex_bad(lex, t, "too many blocks within blocks");
		lex->ended = true;
		return;
	}
	lex->blocks[lex->open++] = t->where;
	t->kind = CONF_TOKEN_PUNCT;
	t->text = "{";
}

/* The blocks that were open where the file in hand was included. */
static unsigned int
lex_base(const struct conf_lex *lex)
{
	const struct lex_source *s;

	SLIST_FOREACH (s, &lex->sources, entry) {
		if (!s->is_macro)
			return s->base;
	}
	return 0;
}

static void
lex_brace_close(struct conf_lex *lex, struct conf_token *t)
{
	if (lex->open == lex_base(lex)) {
		lex_bad(lex, t, "\"}\" without a \"{\" before it");
		return;
	}
	lex->open--;
	t->kind = CONF_TOKEN_PUNCT;
	t->text = "}";
}

/* A file must close its blocks; nothing after one that does not is sound. */
static void
lex_file_end(struct conf_lex *lex, struct lex_source *s, struct conf_token *t)
{
	if (s->len > 0 && s->data[s->len - 1] == '\n')
		s->where.line--;
	t->where = s->where;
	t->kind = CONF_TOKEN_NEWLINE;
	t->text = "\n";
	if (lex->open > s->base) {
		conf_error(lex->errors, t->where,
		    "missing \"}\": the block that begins on line %d is not "
		    "closed",
		    lex->blocks[lex->open - 1].line);
		lex->ended = true;
	}
	lex_pop(lex);
}

/* Returns false when the token must be looked for in another source. */
static bool
lex_token(struct conf_lex *lex, struct lex_source *s, struct conf_token *t)
{
	int c = lex_skip(s);

	t->where = s->where;
	if (c == EOF && s->is_macro) {
		lex_pop(lex);
		return false;
	}
	if (c == EOF)
		lex_file_end(lex, s, t);
	else if (c == '$' && !s->is_macro)
		return !lex_expand(lex, s, t);
	else if (c == '"' || c == '\'')
		lex_quoted(lex, s, t);
	else if (lex_is_word_char(c))
		lex_word(lex, s, t);
	else {
		lex_get(s);
		if (c == '{')
			lex_brace_open(lex, t);
		else if (c == '}')
			lex_brace_close(lex, t);
		else if (c == ',' || c == '=') {
			t->kind = CONF_TOKEN_PUNCT;
			t->text = c == ',' ? "," : "=";
		} else if (c == '\n' || c == ';') {
			t->kind = CONF_TOKEN_NEWLINE;
			t->text = c == '\n' ? "\n" : ";";
		} else
			lex_bad_char(lex, t, c);
	}
	return true;
}

void
conf_lex_next(struct conf_lex *lex, struct conf_token *t)
{
	*t = (struct conf_token){.text = "", .where = lex->last};

	while (!lex->ended && !conf_errors_full(lex->errors)) {
		if (SLIST_EMPTY(&lex->sources))
			break;
		if (lex_token(lex, SLIST_FIRST(&lex->sources), t))
			return;
	}
	*t = (struct conf_token){.text = "", .where = lex->last};
	lex->ended = true;
}
