#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the daemon says is not to be trusted with a terminal: everything
 * that is printed goes through here.
 */

/*
 * A copy, the caller's, in which control characters and those that change
 * the direction of writing stand as \u{1b}.
 */
char *text_safe(const char *);
/* Columns that it takes on the screen: one per character. */
size_t text_width(const char *);

/* One safe line, with its newline, on standard output. */
void say(const char *, ...) __attribute__((format(printf, 1, 2)));
/* The same on standard error, behind the program's name. */
void complain(const char *, ...) __attribute__((format(printf, 1, 2)));
/* The JSON on one line; -1 if it cannot be written. */
int say_json(const json_t *);

#define TEXT_CELL 512
/* Into buf of TEXT_CELL bytes, which they return. */
const char *text_value(const json_t *, char *buf);   /* null: "-" */
const char *text_bytes(const json_t *, char *buf);   /* 1536 (1.5 KiB) */
const char *text_seconds(const json_t *, char *buf); /* 3 h 25 min */

#endif
