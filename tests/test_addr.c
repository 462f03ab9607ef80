#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/addr.h"

static void
addresses_parse_and_print_the_same(void **state)
{
	static const char *const good[] = {
	    "0.0.0.0", "192.0.2.1", "::", "fd09::1", "2001:db8::ff"};
	char buf[ADDR_STRLEN];
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(addr_parse(good[i], &a), 0);
		assert_string_equal(addr_format(&a, buf), good[i]);
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.256",
	    ":::", "fd09::1%eth0", "10.0.0.1/8", " 10.0.0.1", "010.0.0.1x"};
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_parse(bad[i], &a), -1);
}

static void
a_bare_address_is_a_host_prefix(void **state)
{
	struct prefix p;

	(void)state;
	assert_int_equal(prefix_parse("10.0.0.1", &p), 0);
	assert_int_equal(p.len, 32);
	assert_int_equal(prefix_parse("fd09::1", &p), 0);
	assert_int_equal(p.len, 128);
}

static void
prefix_lengths_are_bounded(void **state)
{
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/-1",
	    "10.0.0.0/", "10.0.0.0/ 8", "10.0.0.0/+8", "fd00::/129", "/8",
	    "10.0.0.0/8/8"};
	struct prefix p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -1);
	assert_int_equal(prefix_parse("0.0.0.0/0", &p), 0);
	assert_int_equal(p.len, 0);
}

static void
a_prefix_is_among_others_with_its_length(void **state)
{
	static const char *const texts[] = {
	    "fd09::/64", "10.0.0.1/8", "10.0.0.0/8"};
	struct prefix list[3], p;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(prefix_parse(texts[i], &list[i]), 0);
	for (i = 0; i < 3; i++)
		assert_true(prefix_is_among(&list[i], list, 3));
	assert_false(prefix_is_among(&list[2], list, 2));
	assert_false(prefix_is_among(&list[0], NULL, 0));
	assert_int_equal(prefix_parse("10.0.0.0/9", &p), 0);
	assert_false(prefix_is_among(&p, list, 3));
}

static void
masking_clears_host_bits_only(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {{"10.255.255.255/9", "10.128.0.0/9"},
	    {"10.1.2.3/32", "10.1.2.3/32"}, {"255.255.255.255/0", "0.0.0.0/0"},
	    {"fd09:ffff::1/17", "fd09:8000::/17"},
	    {"fd09::1/128", "fd09::1/128"}};
	char buf[PREFIX_STRLEN];
	struct prefix p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(prefix_parse(cases[i].from, &p), 0);
		prefix_mask(&p);
		assert_string_equal(prefix_format(&p, buf), cases[i].to);
	}
}

static void
endpoints_print_with_port_and_scope(void **state)
{
	char buf[ENDPOINT_STRLEN];
	struct endpoint e = {.port = 6080}, f;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &e.addr), 0);
	assert_string_equal(endpoint_format(&e, buf), "192.0.2.1:6080");
	assert_int_equal(addr_parse("fe80::1", &e.addr), 0);
	assert_string_equal(endpoint_format(&e, buf), "[fe80::1]:6080");
	f = e;
	assert_true(endpoint_equal(&e, &f));
	f.scope = 7;
	assert_false(endpoint_equal(&e, &f));
	assert_string_equal(endpoint_format(&f, buf), "[fe80::1%7]:6080");
	strlcpy(f.zone, "eth0", sizeof(f.zone));
	assert_string_equal(endpoint_format(&f, buf), "[fe80::1%eth0]:6080");
}

static void
a_zone_is_known_by_its_name_or_its_index(void **state)
{
	static const struct {
		uint32_t scope[2];
		const char *zone[2];
		bool equal;
	} cases[] = {{{3, 3}, {"", ""}, true}, {{3, 4}, {"", ""}, false},
	    {{3, 4}, {"eth0", "eth0"}, true}, {{3, 4}, {"eth0", "eth1"}, false},
	    {{3, 3}, {"eth0", ""}, true}, {{3, 4}, {"", "eth0"}, false}};
	struct endpoint e = {.port = 6080}, f;
	size_t i;

	(void)state;
	assert_int_equal(addr_parse("fe80::1", &e.addr), 0);
	f = e;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e.scope = cases[i].scope[0];
		f.scope = cases[i].scope[1];
		strlcpy(e.zone, cases[i].zone[0], sizeof(e.zone));
		strlcpy(f.zone, cases[i].zone[1], sizeof(f.zone));
		assert_int_equal(endpoint_equal(&e, &f), cases[i].equal);
	}
}

static void
endpoints_become_socket_addresses(void **state)
{
	struct endpoint back, e = {.port = 6080, .scope = 3};
	struct sockaddr_storage ss;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &e.addr), 0);
	assert_int_equal(endpoint_to_sockaddr(&e, &ss), sizeof(sin));
	memcpy(&sin, &ss, sizeof(sin));
	assert_int_equal(sin.sin_family, AF_INET);
	assert_int_equal(ntohs(sin.sin_port), 6080);
	assert_int_equal(ntohl(sin.sin_addr.s_addr), 0xc0000201);
	assert_int_equal(endpoint_from_sockaddr(&ss, &back), 0);
	assert_int_equal(back.scope, 0);
	back.scope = 3;
	assert_true(endpoint_equal(&e, &back));
	assert_int_equal(addr_parse("fe80::1", &e.addr), 0);
	assert_int_equal(endpoint_to_sockaddr(&e, &ss), sizeof(sin6));
	memcpy(&sin6, &ss, sizeof(sin6));
	assert_int_equal(sin6.sin6_scope_id, 3);
	assert_int_equal(sin6.sin6_addr.s6_addr[15], 1);
	assert_int_equal(endpoint_from_sockaddr(&ss, &back), 0);
	assert_true(endpoint_equal(&e, &back));
	ss.ss_family = AF_UNIX;
	assert_int_equal(endpoint_from_sockaddr(&ss, &back), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_parse_and_print_the_same),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(a_bare_address_is_a_host_prefix),
	    cmocka_unit_test(prefix_lengths_are_bounded),
	    cmocka_unit_test(a_prefix_is_among_others_with_its_length),
	    cmocka_unit_test(masking_clears_host_bits_only),
	    cmocka_unit_test(endpoints_print_with_port_and_scope),
	    cmocka_unit_test(a_zone_is_known_by_its_name_or_its_index),
	    cmocka_unit_test(endpoints_become_socket_addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
