#ifndef CONTROL_METHODS_H
#define CONTROL_METHODS_H

#include <jansson.h>
#include <stdbool.h>

struct call;

#define METHOD_PARAMS 4

struct param {
	const char *name; /* NULL ends the list */
	json_type type;	  /* JSON_TRUE for a boolean */
	bool required;
	const char *help;
};

struct method {
	const char *name;
	bool admin;
	const char *help;
	void (*handler)(const struct call *);
	struct param params[METHOD_PARAMS + 1];
};
/* All of them, ended by a row without a name. */
extern const struct method methods[];
const char *param_type_name(const struct param *);

#endif
