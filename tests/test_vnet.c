#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/vnet.h"

static void
every_field_has_its_place(void **state)
{
	/* in the byte order of the machine */
	const uint16_t fields[4] = {0x0136, 0x05a8, 0x0228, 0x0310};
	uint8_t raw[VNET_HDR_LEN] = {1, 4};
	struct vnet_hdr h;

	(void)state;
	memcpy(raw + 2, fields, sizeof(fields));
	vnet_decode(raw, &h);
	assert_true(h.needs_csum);
	assert_int_equal(h.gso_type, VNET_GSO_TCPV6);
	assert_int_equal(h.hdr_len, 0x0136);
	assert_int_equal(h.gso_size, 0x05a8);
	assert_int_equal(h.csum_start, 0x0228);
	assert_int_equal(h.csum_offset, 0x0310);
}

static void
encode_is_the_inverse_of_decode(void **state)
{
	const uint8_t raw[VNET_HDR_LEN] = {
	    1, 5, 0x30, 0, 0xff, 0xff, 0x28, 0, 6, 0};
	uint8_t again[VNET_HDR_LEN];
	struct vnet_hdr h;

	(void)state;
	vnet_decode(raw, &h);
	vnet_encode(again, &h);
	assert_memory_equal(raw, again, sizeof(raw));
}

static void
encode_writes_ten_bytes_and_no_more(void **state)
{
	const struct vnet_hdr none = {0};
	const uint8_t zero[VNET_HDR_LEN] = {0};
	uint8_t buf[VNET_HDR_LEN + 4];

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	vnet_encode(buf, &none);
	assert_memory_equal(buf, zero, VNET_HDR_LEN);
	for (size_t i = VNET_HDR_LEN; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xaa);
}

static void
the_ecn_bit_is_masked(void **state)
{
	uint8_t raw[VNET_HDR_LEN] = {1, 0x80 | VNET_GSO_TCPV4};
	struct vnet_hdr h;

	(void)state;
	vnet_decode(raw, &h);
	assert_int_equal(h.gso_type, VNET_GSO_TCPV4);
	raw[1] = 0x80;
	vnet_decode(raw, &h);
	assert_int_equal(h.gso_type, VNET_GSO_NONE);
}

static void
data_valid_asks_for_no_checksum(void **state)
{
	uint8_t raw[VNET_HDR_LEN] = {2};
	struct vnet_hdr h;

	(void)state;
	vnet_decode(raw, &h);
	assert_false(h.needs_csum);
	raw[0] = 3;
	vnet_decode(raw, &h);
	assert_true(h.needs_csum);
}

static void
an_unknown_type_is_handed_on(void **state)
{
	uint8_t raw[VNET_HDR_LEN] = {1, 0x7f};
	struct vnet_hdr h;

	(void)state;
	vnet_decode(raw, &h);
	assert_int_equal(h.gso_type, 0x7f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_field_has_its_place),
	    cmocka_unit_test(encode_is_the_inverse_of_decode),
	    cmocka_unit_test(encode_writes_ten_bytes_and_no_more),
	    cmocka_unit_test(the_ecn_bit_is_masked),
	    cmocka_unit_test(data_valid_asks_for_no_checksum),
	    cmocka_unit_test(an_unknown_type_is_handed_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
