#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "privsep/conf_macro.h"
#include "privsep/conf_text.h"

struct macro {
	SLIST_ENTRY(macro) entry;
	const char *name;
	const char *value; /* NULL: wrong */
	bool fixed;
	bool used;
};

void
conf_macros_clear(struct conf_macros *macros)
{
	struct macro *m;

	while ((m = SLIST_FIRST(&macros->list)) != NULL) {
		SLIST_REMOVE_HEAD(&macros->list, entry);
		free(m);
	}
}

bool
conf_macro_has(int c)
{
	return c < 0x80 && (isalnum(c) || c == '_');
}

static bool
macro_may_be_named(
    struct conf_errors *errors, struct conf_where where, const char *name)
{
	const char *p = name;

	while (conf_macro_has((unsigned char)*p))
		p++;
	if (p - name > CONF_MACRO_NAME_MAX)
		conf_error(errors, where,
		    "the name of macro \"%.64s...\" is longer than %d", name,
		    CONF_MACRO_NAME_MAX);
	else if (p == name || *p != '\0')
		conf_error(errors, where,
		    "\"%s\" cannot name a macro; use letters, digits and _",
		    name);
	else
		return true;
	return false;
}

static struct macro *
macro_find(const struct conf_macros *macros, const char *name)
{
	struct macro *m;

	SLIST_FOREACH (m, &macros->list, entry) {
		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

void
conf_macros_define(struct conf_macros *macros, struct conf_errors *errors,
    struct conf_where where, const char *name, const char *value, bool fixed)
{
	struct macro *m;

	if (value != NULL && !macro_may_be_named(errors, where, name))
		return;
	if ((m = macro_find(macros, name)) == NULL) {
		m = conf_alloc(sizeof(*m));
		m->name = name;
		SLIST_INSERT_HEAD(&macros->list, m, entry);
	} else if (m->fixed && !fixed)
		return;
	m->value = value;
	m->fixed = fixed;
}

bool
conf_macros_use(
    struct conf_macros *macros, const char *name, const char **value)
{
	struct macro *m;

	if ((m = macro_find(macros, name)) == NULL)
		return false;
	m->used = true;
	*value = m->value;
	return true;
}

void
conf_macros_warn_unused(const struct conf_macros *macros)
{
	const struct macro *m;

	SLIST_FOREACH (m, &macros->list, entry) {
		if (m->fixed && !m->used)
			log_warnx("-D %s: no $%s is in the configuration; "
				  "write it there, or leave out the option",
			    m->name, m->name);
	}
}
