#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <sys/socket.h>

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * IPv4 and IPv6 addresses, prefixes and UDP endpoints in fixed-width form,
 * fit to be compared with memcmp and sent between processes.  Unused bytes
 * are always zero.
 */
struct addr {
	uint8_t family;	   /* 4, 6, or 0 for none */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four */
};

struct prefix {
	struct addr addr; /* host bits are kept as they were given */
	uint8_t len;	  /* 0..32 or 0..128 */
};

struct endpoint {
	struct addr addr;
	uint16_t port;	     /* host order, 0 for none */
	uint32_t scope;	     /* sin6_scope_id: a link-local address's ifindex */
	char zone[IFNAMSIZ]; /* the name that stood for it, "": none did */
};

#define ADDR_STRLEN 46 /* INET6_ADDRSTRLEN */
#define PREFIX_STRLEN (ADDR_STRLEN + 4)
#define ENDPOINT_STRLEN (ADDR_STRLEN + 24) /* [addr%zone]:port */

/* All parsers: 0, or -1 if text is not such a thing; *out is then unset. */
int addr_parse(const char *, struct addr *);
/* "10.0.0.0/8"; a bare address is a host prefix, /32 or /128. */
int prefix_parse(const char *, struct prefix *);

/* The formatters write into buf (at least *_STRLEN bytes) and return it. */
const char *addr_format(const struct addr *, char *buf);
const char *prefix_format(const struct prefix *, char *buf);
const char *endpoint_format(const struct endpoint *, char *buf);

/* 0.0.0.0 or ::. */
bool addr_is_unspecified(const struct addr *);
/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *);
/* 224.0.0.0/4 or ff00::/8. */
bool addr_is_multicast(const struct addr *);
/* Bits in an address of this family: 32 or 128. */
unsigned int addr_bits(const struct addr *);
/* Clears the bits behind the prefix length. */
void prefix_mask(struct prefix *);
bool prefix_equal(const struct prefix *, const struct prefix *);
/* Is it, as it stands, one of a list in any order? */
bool prefix_is_among(
    const struct prefix *, const struct prefix *list, size_t count);
/* For qsort and bsearch: by family, address, length. */
int prefix_compare(const void *, const void *);
/*
 * With the port, and without it.  A zone is the same by its name, whatever its
 * ifindex was.
 */
bool endpoint_equal(const struct endpoint *, const struct endpoint *);
bool endpoint_same_address(const struct endpoint *, const struct endpoint *);

/* Fills ss for socket calls; returns its length. */
socklen_t endpoint_to_sockaddr(
    const struct endpoint *, struct sockaddr_storage *);
/* What getsockname told; -1: neither IPv4 nor IPv6, and *out is unset. */
int endpoint_from_sockaddr(const struct sockaddr_storage *, struct endpoint *);

#endif
