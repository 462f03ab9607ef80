#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/memory.h"
#include "ctl/table.h"
#include "ctl/text.h"

#define TABLE_COLUMNS 32

struct table {
	struct {
		size_t width;
		bool right;
	} columns[TABLE_COLUMNS];
	size_t width; /* columns that there are */
	char **cells; /* the heads first */
	size_t used;
	size_t room;
};

struct table *
table_new(void)
{
	return need(calloc(1, sizeof(struct table)));
}

void
table_cell(struct table *t, const char *text)
{
	size_t column = t->used % t->width;
	char *safe = text_safe(text);

	if (t->used == t->room) {
		t->room = t->room == 0 ? 64 : 2 * t->room;
		t->cells =
		    need(reallocarray(t->cells, t->room, sizeof(t->cells[0])));
	}
	t->cells[t->used++] = safe;
	if (text_width(safe) > t->columns[column].width)
		t->columns[column].width = text_width(safe);
}

void
table_column(struct table *t, const char *head, bool right)
{
	if (t->width == TABLE_COLUMNS)
		errx(CTL_REFUSED, "too many columns");
	t->columns[t->width++].right = right;
	table_cell(t, head);
}

static void
table_print_cell(const struct table *t, size_t i)
{
	size_t column = i % t->width;
	size_t pad = t->columns[column].width - text_width(t->cells[i]);
	bool last = column == t->width - 1;

	if (t->columns[column].right)
		printf("%*s%s", (int)pad, "", t->cells[i]);
	else if (last)
		printf("%s", t->cells[i]);
	else
		printf("%s%*s", t->cells[i], (int)pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

void
table_print(struct table *t)
{
	size_t i;

	for (i = 0; i < t->used; i++) {
		table_print_cell(t, i);
		free(t->cells[i]);
	}
	free(t->cells);
	free(t);
}

const json_t *
json_at(const json_t *v, const char *path)
{
	char key[64];
	size_t n;

	for (; v != NULL && *path != '\0'; path += n) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		v = json_object_get(v, key);
		n += path[n] == '.';
	}
	return v;
}

static const char *
cell_text(const json_t *object, const struct column *c, char *buf)
{
	const json_t *value = json_at(object, c->path);

	return c->format == NULL ? text_value(value, buf)
				 : c->format(value, buf);
}

void
table_list(const json_t *list, const struct column *columns)
{
	struct table *t = table_new();
	const struct column *c;
	char buf[TEXT_CELL];
	size_t i;

	for (c = columns; c->head != NULL; c++)
		table_column(t, c->head, c->right);
	for (i = 0; i < json_array_size(list); i++)
		for (c = columns; c->head != NULL; c++)
			table_cell(
			    t, cell_text(json_array_get(list, i), c, buf));
	table_print(t);
}

void
table_blocks(const json_t *list, const struct column *columns)
{
	struct table *t;
	const struct column *c;
	const json_t *object;
	char buf[TEXT_CELL];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		object = json_array_get(list, i);
		if (i > 0)
			putchar('\n');
		t = table_new();
		table_column(t, columns[0].head, false);
		table_column(t, cell_text(object, &columns[0], buf), false);
		for (c = columns + 1; c->head != NULL; c++) {
			table_cell(t, c->head);
			table_cell(t, cell_text(object, c, buf));
		}
		table_print(t);
	}
}
