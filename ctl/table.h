#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Columns of text, aligned; cells are filled row by row. */
struct table;

/* Ends the program when memory is short, as do all of these. */
struct table *table_new(void);
/* In order, before any cell.  right: numbers. */
void table_column(struct table *, const char *head, bool right);
void table_cell(struct table *, const char *text);
/* Prints it, safe for a terminal, and frees it. */
void table_print(struct table *);

/* A list of JSON objects as a table: one column for each of these. */
struct column {
	const char *head; /* NULL ends the list */
	const char *path; /* "traffic.tx_bytes"; "" is the object itself */
	bool right;
	const char *(*format)(const json_t *, char *buf); /* NULL: text_value */
};
void table_list(const json_t *list, const struct column *);
/* What is too wide for that: a table for each object, a row for each head. */
void table_blocks(const json_t *list, const struct column *);
/* The value at a path, or NULL. */
const json_t *json_at(const json_t *, const char *path);

#endif
