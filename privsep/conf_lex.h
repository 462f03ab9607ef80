#ifndef PRIVSEP_CONF_LEX_H
#define PRIVSEP_CONF_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "privsep/conf_error.h"

/*
 * The characters of the configuration's files and macros, made into tokens.
 * The lexer knows nothing of keywords: that is the grammar's.
 */
enum conf_token_kind {
	CONF_TOKEN_END,
	CONF_TOKEN_NEWLINE, /* also ';' */
	CONF_TOKEN_WORD,    /* may be a keyword */
	CONF_TOKEN_QUOTED,  /* never a keyword */
	CONF_TOKEN_PUNCT,   /* text is "{", "}", "," or "=" */
	CONF_TOKEN_BAD,	    /* the error was reported */
};

struct conf_token {
	enum conf_token_kind kind;
	const char *text;	 /* lives as long as the lexer */
	bool assigned;		 /* a word with "=" behind it */
	struct conf_where where; /* its file name too */
};

struct conf_macros;
struct conf_lex;

/* The caller's, who keeps the errors and the macros for as long. */
struct conf_lex *conf_lex_new(struct conf_errors *, struct conf_macros *);
void conf_lex_free(struct conf_lex *);

/*
 * Goes on with this file, and then with what was being read.  A relative
 * path begins at the folder of the file that names it.  Reports why a file
 * cannot be read.  from is the include statement, or has no file.
 */
void conf_lex_include(
    struct conf_lex *, const char *path, struct conf_where from);

void conf_lex_next(struct conf_lex *, struct conf_token *);

/* Blocks that are open after the last token. */
unsigned int conf_lex_depth(const struct conf_lex *);

/* Report nothing while an erroneous statement is skipped. */
void conf_lex_quiet(struct conf_lex *, bool);

/* A copy that lives as long as the lexer. */
const char *conf_lex_keep(struct conf_lex *, const char *, size_t len);

#endif
