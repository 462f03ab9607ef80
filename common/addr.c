#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"

int
addr_parse(const char *text, struct addr *out)
{
	struct addr a = {0};

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = 6;
	else
		return -1;
	*out = a;
	return 0;
}

int
prefix_parse(const char *text, struct prefix *out)
{
	char buf[PREFIX_STRLEN], *slash;
	const char *error;
	struct prefix p;

	if (strlcpy(buf, text, sizeof(buf)) >= sizeof(buf))
		return -1;
	if ((slash = strchr(buf, '/')) != NULL)
		*slash++ = '\0';
	if (addr_parse(buf, &p.addr) == -1)
		return -1;
	p.len = (uint8_t)addr_bits(&p.addr);
	if (slash != NULL) {
		/* strtonum takes signs and blanks; a prefix has neither */
		if (strspn(slash, "0123456789") != strlen(slash))
			return -1;
		p.len = (uint8_t)strtonum(slash, 0, p.len, &error);
		if (error != NULL)
			return -1;
	}
	*out = p;
	return 0;
}

const char *
addr_format(const struct addr *a, char *buf)
{
	int af = a->family == 4 ? AF_INET : AF_INET6;

	if (a->family == 0 || inet_ntop(af, a->bytes, buf, ADDR_STRLEN) == NULL)
		strlcpy(buf, "none", ADDR_STRLEN);
	return buf;
}

const char *
prefix_format(const struct prefix *p, char *buf)
{
	char text[ADDR_STRLEN];

	snprintf(
	    buf, PREFIX_STRLEN, "%s/%u", addr_format(&p->addr, text), p->len);
	return buf;
}

const char *
endpoint_format(const struct endpoint *e, char *buf)
{
	char text[ADDR_STRLEN];

	addr_format(&e->addr, text);
	if (e->addr.family != 6)
		snprintf(buf, ENDPOINT_STRLEN, "%s:%u", text, e->port);
	else if (e->scope == 0)
		snprintf(buf, ENDPOINT_STRLEN, "[%s]:%u", text, e->port);
	else if (e->zone[0] == '\0')
		snprintf(buf, ENDPOINT_STRLEN, "[%s%%%u]:%u", text, e->scope,
		    e->port);
	else
		snprintf(buf, ENDPOINT_STRLEN, "[%s%%%s]:%u", text, e->zone,
		    e->port);
	return buf;
}

bool
addr_is_unspecified(const struct addr *a)
{
	static const uint8_t zero[sizeof(a->bytes)];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[sizeof(a->bytes)] = {[15] = 1};

	if (a->family == 4)
		return a->bytes[0] == 127;
	return memcmp(a->bytes, one, sizeof(one)) == 0;
}

bool
addr_is_multicast(const struct addr *a)
{
	if (a->family == 4)
		return a->bytes[0] >> 4 == 0xe;
	return a->bytes[0] == 0xff;
}

unsigned int
addr_bits(const struct addr *a)
{
	return a->family == 4 ? 32 : 128;
}

void
prefix_mask(struct prefix *p)
{
	size_t i, whole = p->len / 8;

	for (i = whole; i < sizeof(p->addr.bytes); i++) {
		if (i == whole && p->len % 8 != 0)
			p->addr.bytes[i] &= (uint8_t)(0xff00 >> (p->len % 8));
		else
			p->addr.bytes[i] = 0;
	}
}

bool
prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len &&
	       memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

bool
prefix_is_among(const struct prefix *p, const struct prefix *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (prefix_equal(&list[i], p))
			return true;
	return false;
}

int
prefix_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

static bool
same_zone(const struct endpoint *a, const struct endpoint *b)
{
	return a->scope == b->scope ||
	       (a->zone[0] != '\0' && strcmp(a->zone, b->zone) == 0);
}

bool
endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
	return same_zone(a, b) &&
	       memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && endpoint_same_address(a, b);
}

socklen_t
endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};

	memset(ss, 0, sizeof(*ss));
	if (e->addr.family == 4) {
		sin.sin_port = htons(e->port);
		memcpy(&sin.sin_addr, e->addr.bytes, sizeof(sin.sin_addr));
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	sin6.sin6_port = htons(e->port);
	sin6.sin6_scope_id = e->scope;
	memcpy(&sin6.sin6_addr, e->addr.bytes, sizeof(sin6.sin6_addr));
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

int
endpoint_from_sockaddr(const struct sockaddr_storage *ss, struct endpoint *out)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (ss->ss_family != AF_INET && ss->ss_family != AF_INET6)
		return -1;
	memset(out, 0, sizeof(*out));
	if (ss->ss_family == AF_INET) {
		memcpy(&sin, ss, sizeof(sin));
		out->addr.family = 4;
		out->port = ntohs(sin.sin_port);
		memcpy(out->addr.bytes, &sin.sin_addr, sizeof(sin.sin_addr));
		return 0;
	}
	memcpy(&sin6, ss, sizeof(sin6));
	out->addr.family = 6;
	out->port = ntohs(sin6.sin6_port);
	out->scope = sin6.sin6_scope_id;
	memcpy(out->addr.bytes, &sin6.sin6_addr, sizeof(sin6.sin6_addr));
	return 0;
}
