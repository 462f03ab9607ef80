/*
 * The grammar of tund.conf(5).  The lexer, conf_lex.c, makes tokens of files
 * and macros; the builder, conf_build.c, knows what statements mean.
 * What stands here is the order of words, and how to go on after an error:
 * the rest of the statement, with the blocks in it, is skipped, so that one
 * mistake gives one message.
 */
%require "3.6"
%define api.pure full
%define api.location.type {struct conf_where}
%define parse.error custom
%param {struct parser *p}
%locations
%expect 0

%code requires {
#include "privsep/conf_build.h"

struct parser;
}

%code {
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/msg.h"
#include "privsep/conf_lex.h"
#include "privsep/conf_macro.h"
#include "privsep/conf_text.h"

#define MACRO_VALUE_MAX (1 << 20) /* bytes */

/* A statement is where its first word is. */
#define YYLLOC_DEFAULT(current, rhs, n)                                        \
	((current) = (n) > 0 ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))

struct parser {
	struct conf_errors errors;
	struct conf_macros macros;
	struct conf_lex *lex;
	struct conf_build *build;
	struct conf_where end; /* of the main file */
	struct conf_token token; /* the one in hand */
	struct conf_token before; /* and the one before that */
	unsigned int level; /* blocks that the grammar has entered */
	bool skipping; /* the rest of an erroneous statement */
	struct conf_text value; /* of a macro, as far as it was read */
	bool value_is_long; /* too long, which was told */
};

static int yylex(YYSTYPE *, YYLTYPE *, struct parser *);
static void yyerror(YYLTYPE *, struct parser *, const char *);
static void value_begin(struct parser *);
static void value_add(struct parser *, const char *, struct conf_where);
static void value_define(struct parser *, struct conf_where, const char *);
}

%union {
	const char *text;
	bool flag;
	enum conf_setting setting;
}

%token SEPARATOR "end of line"
%token ASSIGN "="
%token INTERFACE "interface"
%token PEER "peer"
%token INCLUDE "include"
%token USER "user"
%token CONTROL_USER "control-user"
%token CONTROL "control"
%token READ_ONLY "read-only"
%token SANDBOX "sandbox"
%token STRICT "strict"
%token RELAXED "relaxed"
%token DEVICE "device"
%token CREATE "create"
%token ADOPT "adopt"
%token FD "fd"
%token UNMONITORED "unmonitored"
%token MTU "mtu"
%token ADDRESS "address"
%token TXQUEUELEN "txqueuelen"
%token GSO_MAX_SEGS "gso-max-segs"
%token QUEUES "queues"
%token MAX_PEERS "max-peers"
%token VNET_HEADER "vnet-header"
%token OFFLOAD "offload"
%token ROUTES "routes"
%token LISTEN "listen"
%token UDP "udp"
%token ON "on"
%token OFF "off"
%token PORT "port"
%token MARK "mark"
%token BIND_DEVICE "bind-device"
%token SOCKET_BUFFER "socket-buffer"
%token SCHED_POLICY "sched-policy"
%token BATCH "batch"
%token RR "rr"
%token CPUS "cpus"
%token ENDPOINT "endpoint"
%token ALLOW "allow"
%token <text> WORD "value"

%type <flag> toggle monitored
%type <setting> number

%%

conf:
	  %empty
	| conf SEPARATOR { yyerrok; }
	| conf statement SEPARATOR
	| conf include
	| conf interface
	| conf WORD ASSIGN error {
		conf_macros_define(&p->macros, &p->errors, @2, $2, NULL, false);
	}
	| conf error
	;

statement:
	  WORD ASSIGN value { value_define(p, @1, $1); }
	| USER WORD { build_user(p->build, @2, SETTING_USER, $2); }
	| CONTROL_USER WORD {
		build_user(p->build, @2, SETTING_CONTROL_USER, $2);
	}
	| CONTROL WORD { build_control(p->build, @2, SETTING_CONTROL, $2); }
	| CONTROL READ_ONLY WORD {
		build_control(p->build, @3, SETTING_CONTROL_READ_ONLY, $3);
	}
	| SANDBOX STRICT { build_sandbox(p->build, @1, true); }
	| SANDBOX RELAXED { build_sandbox(p->build, @1, false); }
	;

include:
	  INCLUDE WORD { conf_lex_include(p->lex, $2, @1); }
	;

value:
	  WORD { value_begin(p); value_add(p, $1, @1); }
	| value WORD { value_add(p, $2, @2); }
	;

interface:
	  INTERFACE WORD '{' {
		p->level++;
		build_interface_begin(p->build, @1, $2);
	} interface_body '}' {
		p->level--;
		build_interface_end(p->build);
	}
	;

interface_body:
	  %empty
	| interface_body SEPARATOR { yyerrok; }
	| interface_body include
	| interface_body setting
	| interface_body socket_setting
	| interface_body peer
	| interface_body error
	;

setting:
	  DEVICE CREATE { build_device(p->build, @1, CONF_DEVICE_CREATE); }
	| DEVICE ADOPT { build_device(p->build, @1, CONF_DEVICE_ADOPT); }
	| DEVICE FD WORD monitored { build_device_fd(p->build, @1, $3, $4); }
	| MTU WORD { build_mtu(p->build, @1, $2); }
	| ADDRESS WORD { build_address(p->build, @1, $2); }
	| number WORD { build_number(p->build, @1, $1, $2); }
	| VNET_HEADER toggle {
		build_switch(p->build, @1, SETTING_VNET_HEADER, $2);
	}
	| ROUTES toggle { build_switch(p->build, @1, SETTING_ROUTES, $2); }
	| OFFLOAD '{' { build_offload_begin(p->build, @1); } lines offloads '}'
	| LISTEN UDP ON WORD PORT WORD { build_listen(p->build, @1, $4, $6); }
	| SOCKET_BUFFER WORD { build_socket_buffer(p->build, @1, $2); }
	| SCHED_POLICY BATCH {
		build_sched_policy(p->build, @1, SCHED_POLICY_BATCH);
	}
	| SCHED_POLICY RR {
		build_sched_policy(p->build, @1, SCHED_POLICY_RR);
	}
	| CPUS cpus
	;

cpus:
	  WORD {
		build_cpus_begin(p->build, @1);
		build_cpu(p->build, @1, $1);
	}
	| '{' { build_cpus_begin(p->build, @1); } lines cpu_list '}'
	;

cpu_list:
	  WORD { build_cpu(p->build, @1, $1); } gap
	| cpu_list WORD { build_cpu(p->build, @2, $2); } gap
	;

monitored:
	  %empty { $$ = true; }
	| UNMONITORED { $$ = false; }
	;

number:
	  TXQUEUELEN { $$ = SETTING_TXQUEUELEN; }
	| GSO_MAX_SEGS { $$ = SETTING_GSO_MAX_SEGS; }
	| QUEUES { $$ = SETTING_QUEUES; }
	| MAX_PEERS { $$ = SETTING_MAX_PEERS; }
	;

toggle:
	  ON { $$ = true; }
	| OFF { $$ = false; }
	;

offloads:
	  %empty
	| offloads WORD toggle { build_offload(p->build, @2, $2, $3); } gap
	;

socket_setting:
	  MARK WORD { build_mark(p->build, @1, $2); }
	| BIND_DEVICE WORD { build_bind_device(p->build, @1, $2); }
	;

peer:
	  PEER WORD '{' {
		p->level++;
		build_peer_begin(p->build, @1, $2);
	} peer_body '}' {
		p->level--;
		build_peer_end(p->build);
	}
	;

peer_body:
	  %empty
	| peer_body SEPARATOR { yyerrok; }
	| peer_body include
	| peer_body ENDPOINT WORD PORT WORD {
		build_endpoint(p->build, @2, $3, $5);
	}
	| peer_body ALLOW WORD { build_allow(p->build, @3, $3); }
	| peer_body ALLOW '{' lines prefixes '}'
	| peer_body socket_setting
	| peer_body error
	;

prefixes:
	  %empty
	| prefixes WORD { build_allow(p->build, @2, $2); } gap
	;

/* Between the items of a list: at most one comma, any number of newlines. */
gap:
	  lines
	| lines ',' lines
	;

lines:
	  %empty
	| lines SEPARATOR
	;

%%

/* Sorted, for bsearch(3). */
static const struct keyword {
	const char *text;
	int token;
	const char *block; /* where it may begin a statement */
} keywords[] = {
    {"address", ADDRESS, "an interface"},
    {"adopt", ADOPT, NULL},
    {"allow", ALLOW, "a peer"},
    {"batch", BATCH, NULL},
    {"bind-device", BIND_DEVICE, "an interface or a peer"},
    {"control", CONTROL, ""},
    {"control-user", CONTROL_USER, ""},
    {"cpus", CPUS, "an interface"},
    {"create", CREATE, NULL},
    {"device", DEVICE, "an interface"},
    {"endpoint", ENDPOINT, "a peer"},
    {"fd", FD, NULL},
    {"gso-max-segs", GSO_MAX_SEGS, "an interface"},
    {"include", INCLUDE, NULL},
    {"interface", INTERFACE, ""},
    {"listen", LISTEN, "an interface"},
    {"mark", MARK, "an interface or a peer"},
    {"max-peers", MAX_PEERS, "an interface"},
    {"mtu", MTU, "an interface"},
    {"off", OFF, NULL},
    {"offload", OFFLOAD, "an interface"},
    {"on", ON, NULL},
    {"peer", PEER, "an interface"},
    {"port", PORT, NULL},
    {"queues", QUEUES, "an interface"},
    {"read-only", READ_ONLY, NULL},
    {"relaxed", RELAXED, NULL},
    {"routes", ROUTES, "an interface"},
    {"rr", RR, NULL},
    {"sandbox", SANDBOX, ""},
    {"sched-policy", SCHED_POLICY, "an interface"},
    {"socket-buffer", SOCKET_BUFFER, "an interface"},
    {"strict", STRICT, NULL},
    {"txqueuelen", TXQUEUELEN, "an interface"},
    {"udp", UDP, NULL},
    {"unmonitored", UNMONITORED, NULL},
    {"user", USER, ""},
    {"vnet-header", VNET_HEADER, "an interface"},
};

static int
keyword_compare(const void *text, const void *row)
{
	return strcmp(text, ((const struct keyword *)row)->text);
}

/*
 * Only in "word =" may the words that do not begin statements name macros:
 * port = 6080 is too natural to be refused, and user = "x" too easily meant
 * to be a setting.
 */
static const struct keyword *
keyword_find(const struct conf_token *t)
{
	const struct keyword *k;

	if (t->kind != CONF_TOKEN_WORD)
		return NULL;
	k = bsearch(t->text, keywords, sizeof(keywords) / sizeof(keywords[0]),
	    sizeof(keywords[0]), keyword_compare);
	if (k != NULL && t->assigned && k->block == NULL &&
	    k->token != INCLUDE)
		return NULL;
	return k;
}

static void
value_begin(struct parser *p)
{
	p->value.len = 0;
	p->value_is_long = false;
}

/* The words of a macro, with a blank between them.  Those of macros double. */
static void
value_add(struct parser *p, const char *word, struct conf_where where)
{
	bool blank = p->value.len > 0;
	size_t len = strlen(word);

	if (p->value_is_long)
		return;
	if (p->value.len + blank + len > MACRO_VALUE_MAX) {
		conf_error(&p->errors, where,
		    "the value is longer than %d bytes; make it several macros",
		    MACRO_VALUE_MAX);
		p->value_is_long = true;
		return;
	}
	if (blank)
		conf_text_put(&p->value, ' ');
	conf_text_append(&p->value, word, len);
}

static void
value_define(struct parser *p, struct conf_where where, const char *name)
{
	const char *value = NULL;

	if (!p->value_is_long)
		value = conf_lex_keep(p->lex, p->value.bytes, p->value.len);
	conf_macros_define(
	    &p->macros, &p->errors, where, name, value, false);
}

/* The token ends the statement: here the grammar can go on. */
static bool
parser_is_in_step(const struct parser *p)
{
	const struct conf_token *t = &p->token;
	unsigned int depth = conf_lex_depth(p->lex);

	if (t->kind == CONF_TOKEN_PUNCT && t->text[0] == '}')
		return depth < p->level;
	return t->kind == CONF_TOKEN_END ||
	       (t->kind == CONF_TOKEN_NEWLINE && depth <= p->level);
}

static void
parser_next(struct parser *p)
{
	p->before = p->token;
	conf_lex_quiet(p->lex, p->skipping);
	conf_lex_next(p->lex, &p->token);
	while (p->skipping && !parser_is_in_step(p))
		conf_lex_next(p->lex, &p->token);
	p->skipping = false;
}

static int
yylex(YYSTYPE *value, YYLTYPE *where, struct parser *p)
{
	const struct keyword *k;

	parser_next(p);
	*where = p->token.where;
	switch (p->token.kind) {
	case CONF_TOKEN_NEWLINE:
		return SEPARATOR;
	case CONF_TOKEN_WORD:
		if ((k = keyword_find(&p->token)) != NULL)
			return k->token;
		/* FALLTHROUGH */
	case CONF_TOKEN_QUOTED:
		value->text = p->token.text;
		return WORD;
	case CONF_TOKEN_PUNCT:
		if (p->token.text[0] == '=')
			return ASSIGN;
		return (unsigned char)p->token.text[0];
	case CONF_TOKEN_BAD:
		/* was reported: the grammar recovers in silence */
		p->skipping = true;
		build_lost_statement(p->build);
		return YYerror;
	case CONF_TOKEN_END:
		break;
	}
	p->end = p->token.where;
	return YYEOF;
}

/* syntax errors */

static bool
expects(const yypcontext_t *context, yysymbol_kind_t symbol)
{
	yysymbol_kind_t all[YYNTOKENS];
	int n, count;

	count = yypcontext_expected_tokens(context, all, YYNTOKENS);
	for (n = 0; n < count; n++) {
		if (all[n] == symbol)
			return true;
	}
	return false;
}

/* One expected token, in words. */
static void
name_expected(yysymbol_kind_t symbol, char *text, size_t size)
{
	const char *name = yysymbol_name(symbol);
	int len = (int)strlen(name);

	if (symbol == YYSYMBOL_WORD)
		strlcpy(text, "a value", size);
	else if (symbol == YYSYMBOL_SEPARATOR)
		strlcpy(text, "the end of the line", size);
	else if (name[0] == '\'')
		snprintf(text, size, "\"%.*s\"", len - 2, name + 1);
	else
		snprintf(text, size, "\"%s\"", name);
}

/* "create" or "adopt" or "fd" */
static void
list_expected(const yypcontext_t *context, char *text, size_t size)
{
	yysymbol_kind_t all[YYNTOKENS];
	char name[64];
	int n, count;

	text[0] = '\0';
	count = yypcontext_expected_tokens(context, all, YYNTOKENS);
	for (n = 0; n < count; n++) {
		if (all[n] == YYSYMBOL_SEPARATOR && count > 1)
			continue;
		if (text[0] != '\0')
			strlcat(text, " or ", size);
		name_expected(all[n], name, sizeof(name));
		strlcat(text, name, size);
	}
}

static bool
begins_statement(const yypcontext_t *context)
{
	return expects(context, YYSYMBOL_INCLUDE);
}

/* A keyword or another word where a statement of this block could begin. */
static void
report_misplaced(struct parser *p, const struct keyword *k)
{
	struct conf_where where = p->token.where;
	const char *text = p->token.text;

	if (p->token.assigned && k != NULL)
		conf_error(&p->errors, where,
		    "\"%s\" is a keyword and cannot name a macro", text);
	else if (p->token.assigned)
		conf_error(&p->errors, where,
		    "macro \"%s\" must be defined outside the blocks", text);
	else if (p->token.kind == CONF_TOKEN_PUNCT)
		conf_error(&p->errors, where, "unexpected \"%s\"", text);
	else if (k == NULL)
		conf_error(&p->errors, where,
		    "unknown keyword \"%s\"; see tund.conf(5)", text);
	else if (k->block == NULL)
		conf_error(&p->errors, where,
		    "\"%s\" does not begin a statement", text);
	else if (k->block[0] == '\0')
		conf_error(&p->errors, where,
		    "\"%s\" cannot stand inside a block; is a \"}\" missing "
		    "before it?",
		    text);
	else
		conf_error(&p->errors, where,
		    "\"%s\" belongs into the block of %s", text, k->block);
}

static void
report_unexpected(const yypcontext_t *context, struct parser *p)
{
	const char *text = p->token.text;
	char expected[256];

	list_expected(context, expected, sizeof(expected));
	if (p->token.kind == CONF_TOKEN_NEWLINE)
		conf_error(&p->errors, p->token.where,
		    "expected %s after \"%s\", not the end of the line",
		    expected, p->before.text);
	else
		conf_error(&p->errors, p->token.where,
		    "expected %s after \"%s\", not \"%s\"", expected,
		    p->before.text, text);
}

static void
report_syntax(const yypcontext_t *context, struct parser *p)
{
	const struct keyword *k = keyword_find(&p->token);
	const char *text = p->token.text;

	if (begins_statement(context))
		report_misplaced(p, k);
	else if (expects(context, YYSYMBOL_ASSIGN))
		conf_error(&p->errors, p->before.where,
		    "unknown keyword \"%s\"; see tund.conf(5)", p->before.text);
	else if (expects(context, YYSYMBOL_WORD) && k != NULL)
		conf_error(&p->errors, p->token.where,
		    "\"%s\" is a keyword; as a value it must stand in quotes",
		    text);
	else if (p->before.assigned)
		conf_error(&p->errors, p->before.where,
		    "\"%s\" is a keyword and cannot name a macro",
		    p->before.text);
	else
		report_unexpected(context, p);
}

static int
yyreport_syntax_error(const yypcontext_t *context, struct parser *p)
{
	/* a file that ends too early was reported by the lexer */
	if (p->token.kind != CONF_TOKEN_END) {
		report_syntax(context, p);
		p->skipping = !parser_is_in_step(p);
		build_lost_statement(p->build);
	}
	return 0;
}

static void
yyerror(YYLTYPE *where, struct parser *p, const char *message)
{
	conf_error(&p->errors, *where, "%s", message);
}

struct conf *
conf_parse(const char *path, const struct conf_macro *macros, size_t count,
    conf_report *report, void *arg)
{
	struct parser p = {.errors = {.report = report, .arg = arg},
	    .token = {.text = ""}};
	struct conf_where start = {.line = 1}, nowhere = {0};
	struct conf_where option = {.file = "-D"};
	struct conf *conf;
	size_t n;

	p.lex = conf_lex_new(&p.errors, &p.macros);
	p.build = conf_build_new(&p.errors);
	start.file = conf_lex_keep(p.lex, path, strlen(path));
	p.end = start;
	for (n = 0; n < count; n++)
		conf_macros_define(&p.macros, &p.errors, option, macros[n].name,
		    macros[n].value, true);
	conf_lex_include(p.lex, path, nowhere);
	yyparse(&p);
	conf = conf_build_finish(p.build, p.end);
	if (conf != NULL)
		conf_macros_warn_unused(&p.macros);
	conf_build_free(p.build);
	conf_lex_free(p.lex);
	conf_macros_clear(&p.macros);
	free(p.value.bytes);
	return conf;
}
