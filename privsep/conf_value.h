#ifndef PRIVSEP_CONF_VALUE_H
#define PRIVSEP_CONF_VALUE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "privsep/conf_error.h"

/*
 * The configuration's words made into values.  Each returns 0, or -1 after
 * it reported what is wrong; what names the setting in that message.
 */
struct conf_value {
	struct conf_errors *errors;
	struct conf_where where;
	const char *what;
	const char *text;
};

int conf_value_number(
    const struct conf_value *, uint32_t min, uint32_t max, uint32_t *);
/* Decimal, or hexadecimal after 0x; any 32 bits. */
int conf_value_mark(const struct conf_value *, uint32_t *);
/* Bytes, with k or m for 1024 or 1048576 of them. */
int conf_value_size(
    const struct conf_value *, uint32_t min, uint32_t max, uint32_t *);
int conf_value_port(const struct conf_value *, uint16_t *);

/* A user's or peer's name, of fewer than CONF_NAME_SIZE characters. */
int conf_value_name(const struct conf_value *, char name[CONF_NAME_SIZE]);
/* pattern: may end in %d. */
int conf_value_ifname(
    const struct conf_value *, bool pattern, char name[IFNAMSIZ]);
int conf_value_path(const struct conf_value *, char path[CONF_PATH_MAX]);

int conf_value_prefix(const struct conf_value *, struct prefix *);
/* The address and scope of an endpoint; its port is left alone. */
int conf_value_address(const struct conf_value *, struct endpoint *);

#endif
