#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "privsep/conf_value.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* numbers */

static bool
is_digits(const char *text)
{
	return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

int
conf_value_number(
    const struct conf_value *v, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long n;

	if (!is_digits(v->text + (v->text[0] == '-'))) {
		conf_error(v->errors, v->where, "%s \"%.64s\" is not a number",
		    v->what, v->text);
		return -1;
	}
	errno = 0;
	n = strtoull(v->text, NULL, 10);
	if (v->text[0] == '-' || errno != 0 || n < min || n > max) {
		conf_error(v->errors, v->where, "%s %s is outside %u..%u",
		    v->what, v->text, min, max);
		return -1;
	}
	*out = (uint32_t)n;
	return 0;
}

int
conf_value_mark(const struct conf_value *v, uint32_t *out)
{
	const char *hex = v->text + 2;
	size_t len = strlen(v->text);

	if (strncmp(v->text, "0x", 2) != 0)
		return conf_value_number(v, 0, UINT32_MAX, out);
	if (len < 3 || len > 10 ||
	    strspn(hex, "0123456789abcdefABCDEF") != len - 2) {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is not a number of 32 bits", v->what,
		    v->text);
		return -1;
	}
	*out = (uint32_t)strtoul(hex, NULL, 16);
	return 0;
}

int
conf_value_size(
    const struct conf_value *v, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long n, unit = 1;
	char *end;

	if (isdigit((unsigned char)v->text[0])) {
		n = strtoull(v->text, &end, 10);
		if (*end == 'k' || *end == 'K')
			unit = 1024;
		else if (*end == 'm' || *end == 'M')
			unit = 1024 * 1024;
		if (*end != '\0' && (unit == 1 || end[1] != '\0'))
			goto bad;
		/* the first comparison keeps the product from wrapping */
		if (n > max || n * unit > max || n * unit < min) {
			conf_error(v->errors, v->where,
			    "%s %s is outside %u..%u bytes", v->what, v->text,
			    min, max);
			return -1;
		}
		*out = (uint32_t)(n * unit);
		return 0;
	}
bad:
	conf_error(v->errors, v->where,
	    "%s \"%.64s\" is not a number of bytes, as in 4194304, 4096k or 4m",
	    v->what, v->text);
	return -1;
}

int
conf_value_port(const struct conf_value *v, uint16_t *out)
{
	uint32_t n;

	if (conf_value_number(v, 1, UINT16_MAX, &n) == -1)
		return -1;
	*out = (uint16_t)n;
	return 0;
}

/* names */

static int
name_check(const struct conf_value *v, size_t max, const char *forbidden)
{
	const char *p;

	if (v->text[0] == '\0') {
		conf_error(v->errors, v->where, "%s is empty", v->what);
		return -1;
	}
	for (p = v->text; *p != '\0'; p++) {
		if (isgraph((unsigned char)*p) && strchr(forbidden, *p) == NULL)
			continue;
		if (isblank((unsigned char)*p))
			conf_error(v->errors, v->where,
			    "%s \"%.64s\" may not hold a blank", v->what,
			    v->text);
		else
			conf_error(v->errors, v->where,
			    "%s \"%.64s\" may not hold '%c'", v->what, v->text,
			    *p);
		return -1;
	}
	if ((size_t)(p - v->text) > max) {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is longer than %zu characters", v->what,
		    v->text, max);
		return -1;
	}
	return 0;
}

int
conf_value_name(const struct conf_value *v, char name[CONF_NAME_SIZE])
{
	if (name_check(v, CONF_NAME_SIZE - 1, "/\"\\") == -1)
		return -1;
	strlcpy(name, v->text, CONF_NAME_SIZE);
	return 0;
}

/* What the kernel's dev_valid_name() and dev_alloc_name() take. */
int
conf_value_ifname(const struct conf_value *v, bool pattern, char name[IFNAMSIZ])
{
	const char *percent = strchr(v->text, '%');

	if (name_check(v, IFNAMSIZ - 1, "/:\"\\") == -1)
		return -1;
	if (strcmp(v->text, ".") == 0 || strcmp(v->text, "..") == 0) {
		conf_error(v->errors, v->where, "%s \"%.64s\" is not a name",
		    v->what, v->text);
		return -1;
	}
	if (percent != NULL && (!pattern || strcmp(percent, "%d") != 0)) {
		conf_error(v->errors, v->where, "%s \"%.64s\" %s", v->what,
		    v->text,
		    pattern ? "may hold '%' only in one %d at its end"
			    : "may not hold '%'");
		return -1;
	}
	strlcpy(name, v->text, IFNAMSIZ);
	return 0;
}

int
conf_value_path(const struct conf_value *v, char path[CONF_PATH_MAX])
{
	if (v->text[0] != '/') {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is not absolute; begin it with /", v->what,
		    v->text);
		return -1;
	}
	if (strlcpy(path, v->text, CONF_PATH_MAX) >= CONF_PATH_MAX) {
		path[0] = '\0';
		conf_error(v->errors, v->where,
		    "%s \"%.40s...\" is longer than %d characters", v->what,
		    v->text, CONF_PATH_MAX - 1);
		return -1;
	}
	return 0;
}

/* addresses */

static bool
addr_is_link_local(const struct addr *a)
{
	return a->family == 6 && a->bytes[0] == 0xfe &&
	       (a->bytes[1] & 0xc0) == 0x80;
}

static int
addr_check(const struct conf_value *v, const char *text, struct addr *a)
{
	if (addr_parse(text, a) == -1) {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is not an IPv4 or IPv6 %s", v->what, v->text,
		    strchr(v->text, '/') != NULL ? "prefix" : "address");
		return -1;
	}
	if (a->family == 6 && memcmp(a->bytes, mapped, sizeof(mapped)) == 0) {
		conf_error(v->errors, v->where,
		    "%s %s is an IPv4-mapped address; write it as IPv4, "
		    "%u.%u.%u.%u",
		    v->what, v->text, a->bytes[12], a->bytes[13], a->bytes[14],
		    a->bytes[15]);
		return -1;
	}
	return 0;
}

int
conf_value_prefix(const struct conf_value *v, struct prefix *out)
{
	char text[PREFIX_STRLEN];
	struct prefix p;

	if (strlcpy(text, v->text, sizeof(text)) >= sizeof(text)) {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is too long for a prefix", v->what, v->text);
		return -1;
	}
	text[strcspn(text, "/")] = '\0';
	if (addr_check(v, text, &p.addr) == -1)
		return -1;
	if (prefix_parse(v->text, &p) == -1) {
		conf_error(v->errors, v->where,
		    "%s %s: the prefix length is outside 0..%u", v->what,
		    v->text, addr_bits(&p.addr));
		return -1;
	}
	*out = p;
	return 0;
}

static bool
is_graphic(const char *text)
{
	while (isgraph((unsigned char)*text))
		text++;
	return *text == '\0';
}

/*
 * The zone of fe80::1%zone: an interface's name, or its index.  A name that is
 * no text stands for the index alone.
 */
static int
zone_parse(const struct conf_value *v, const char *zone, struct endpoint *e)
{
	const char *error = NULL;

	if ((e->scope = if_nametoindex(zone)) != 0) {
		if (is_graphic(zone))
			strlcpy(e->zone, zone, sizeof(e->zone));
		return 0;
	}
	if (is_digits(zone))
		e->scope = (uint32_t)strtonum(zone, 1, INT32_MAX, &error);
	if (e->scope != 0 && error == NULL)
		return 0;
	conf_error(v->errors, v->where,
	    "%s %s: there is no interface \"%s\" now; make it first", v->what,
	    v->text, zone);
	return -1;
}

int
conf_value_address(const struct conf_value *v, struct endpoint *out)
{
	char text[ADDR_STRLEN + IFNAMSIZ], *zone;
	struct endpoint e = {.port = out->port};
	struct addr a;

	if (strlcpy(text, v->text, sizeof(text)) >= sizeof(text)) {
		conf_error(v->errors, v->where,
		    "%s \"%.64s\" is too long for an address", v->what,
		    v->text);
		return -1;
	}
	if ((zone = strchr(text, '%')) != NULL)
		*zone++ = '\0';
	if (addr_check(v, text, &a) == -1)
		return -1;
	if (zone != NULL && !addr_is_link_local(&a)) {
		conf_error(v->errors, v->where,
		    "%s %s: only a link-local address takes a %%interface",
		    v->what, v->text);
		return -1;
	}
	if (zone == NULL && addr_is_link_local(&a)) {
		conf_error(v->errors, v->where,
		    "%s %s is link-local and needs its interface, as in "
		    "%s%%eth0",
		    v->what, v->text, v->text);
		return -1;
	}
	if (zone != NULL && zone_parse(v, zone, &e) == -1)
		return -1;
	e.addr = a;
	*out = e;
	return 0;
}
