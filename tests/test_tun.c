#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/why.h"
#include "ipc/msg.h"
#include "privsep/conf.h"
#include "privsep/tun.h"
#include "privsep/tun_offload.h"
#include "tests/nets.h"

#define TUN_OFFLOADS                                                 \
	(OFFLOAD_BIT(OFFLOAD_TSO_TX) | OFFLOAD_BIT(OFFLOAD_USO_TX) | \
	    OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX))

#define FEATURES_TSO (TUN_F_TSO4 | TUN_F_TSO6)
#define FEATURES_USO (0x20UL | 0x40) /* TUN_F_USO4, TUN_F_USO6 */

#define OFFLOADS_TSO (OFFLOAD_BIT(OFFLOAD_TSO_TX) | OFFLOAD_BIT(OFFLOAD_TSO_RX))
#define NO_TSO "this kernel refuses TSO on a tun device"
#define NO_USO                                               \
	"this kernel refuses USO on a tun device: it needs " \
	"Linux 6.2 or later"

static struct why why;
/* What the kernel that this runs on has: before 6.2 no USO. */
static bool has_uso;
/* A TUNSETOFFLOAD with any of these is refused; the last that was not. */
static unsigned long refused, taken;
/* One that is refused whatever it says; 0: none. */
static unsigned long failing;
/* A device that somebody deletes just before a TUNSETIFF, or NULL. */
static const char *deleted_at_attach;

int __real_ioctl(int, unsigned long, ...);
int __wrap_ioctl(int, unsigned long, ...);

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg; /* or a pointer */
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	if (request == TUNSETIFF && deleted_at_attach != NULL) {
		nets_run("ip link del %s", deleted_at_attach);
		deleted_at_attach = NULL;
	}
	if (failing != 0 && request == failing) {
		errno = EINVAL;
		return -1;
	}
	if (request != TUNSETOFFLOAD)
		return __real_ioctl(fd, request, arg);
	if (arg & refused) {
		errno = EINVAL;
		return -1;
	}
	if (__real_ioctl(fd, request, arg) == -1)
		return -1;
	taken = arg;
	return 0;
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	nets_enter();
	memset(&why, 0, sizeof(why));
	refused = failing = 0;
	fd = nets_tun("probe", IFF_VNET_HDR);
	has_uso = __real_ioctl(fd, TUNSETOFFLOAD,
		      (unsigned long)(TUN_F_CSUM | FEATURES_USO)) == 0;
	close(fd);
	return 0;
}

/* What is granted, and why not all, where nothing is refused by a test. */
static uint32_t
possible(void)
{
	return has_uso ? TUN_OFFLOADS : OFFLOADS_TSO;
}

static const char *
no_more(void)
{
	return has_uso ? "" : NO_USO;
}

static struct conf_interface
conf(const char *name, enum conf_device device)
{
	struct conf_interface c;

	memset(&c, 0, sizeof(c));
	strlcpy(c.name, name, sizeof(c.name));
	c.device = device;
	c.fd = -1;
	c.vnet_hdr = true;
	c.queues = 1;
	c.offloads = OFFLOAD_ALL;
	return c;
}

static struct tun
open_it(const struct conf_interface *c)
{
	struct tun tun;

	if (tun_open(c, &tun, &why) == -1)
		fail_msg("refused: %s", why.text);
	assert_int_equal(fcntl(tun.fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(tun.fd, F_GETFL) & O_NONBLOCK);
	return tun;
}

/* One line, which names the device or descriptor and has the words. */
static void
refuse(const struct conf_interface *c, const char *words)
{
	struct tun tun;

	assert_int_equal(tun_open(c, &tun, &why), -1);
	assert_int_equal(tun.fd, -1);
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, why.text);
	assert_null(strchr(why.text, '\n'));
	assert_true(strlen(why.text) < sizeof(why.text) - 1);
}

static void
expect_link(const char *name, const char *words)
{
	nets_run("ip -d link show %s | grep -Fq -e '%s' || "
		 "{ ip -d link show %s; exit 1; }",
	    name, words, name);
}

/* A feature of t0 as ethtool(8) shows it. */
static void
expect_feature(const char *feature, const char *value)
{
	nets_run("ethtool -k t0 | grep -Eq '^[[:space:]]*%s: %s( |$)'", feature,
	    value);
}

static void
a_device_is_made(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);
	int value;

	(void)state;
	assert_string_equal(tun.name, "t0");
	assert_true(tun.vnet_hdr);
	assert_false(tun.multi_queue);
	assert_int_equal(ioctl(tun.fd, TUNGETVNETHDRSZ, &value), 0);
	assert_int_equal(value, 10);
	expect_link("t0", "vnet_hdr on persist off user root");
	expect_link("t0", "state DOWN");
	close(tun.fd);
	assert_int_equal(if_nametoindex("t0"), 0);
}

static void
the_kernel_numbers_a_pattern(void **state)
{
	struct conf_interface c = conf("tt%d", CONF_DEVICE_CREATE);
	struct tun first = open_it(&c), second = open_it(&c);

	(void)state;
	assert_string_equal(first.name, "tt0");
	assert_string_equal(second.name, "tt1");
	close(first.fd);
	close(second.fd);
}

static void
what_exists_is_not_made_again(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);

	(void)state;
	nets_run("ip tuntap add t0 mode tun");
	refuse(&c, "t0 exists already: use `device adopt`");
	strlcpy(c.name, "lo", sizeof(c.name));
	refuse(&c, "lo exists already");
}

static void
a_bad_name_is_refused(void **state)
{
	struct conf_interface c = conf("a/b", CONF_DEVICE_CREATE);

	(void)state;
	refuse(&c, "choose another name");
}

static void
a_persistent_device_is_adopted(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_ADOPT);
	struct tun tun;

	(void)state;
	nets_run("ip tuntap add t0 mode tun user 65534");
	tun = open_it(&c);
	assert_string_equal(tun.name, "t0");
	assert_true(tun.vnet_hdr);
	expect_link("t0", "vnet_hdr on persist on user root");
	close(tun.fd);
	assert_int_not_equal(if_nametoindex("t0"), 0);
}

static void
one_that_cannot_be_prepared_keeps_its_owner(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_ADOPT);

	(void)state;
	failing = TUNSETVNETHDRSZ;
	nets_run("ip tuntap add t0 mode tun user 65534");
	refuse(&c, "t0: cannot set its header");
	failing = 0;
	expect_link("t0", "user nobody");
	close(open_it(&c).fd);
	expect_link("t0", "user root");
}

static void
adopting_needs_a_persistent_tun(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_ADOPT);
	int fd;

	(void)state;
	refuse(&c, "t0 does not exist: make it with `ip tuntap add");
	assert_int_equal(if_nametoindex("t0"), 0);
	nets_run("ip tuntap add t0 mode tap");
	refuse(&c, "t0 is a tap device");
	strlcpy(c.name, "lo", sizeof(c.name));
	refuse(&c, "lo is not a tun device");
	strlcpy(c.name, "t1", sizeof(c.name));
	fd = nets_tun("t1", 0);
	refuse(&c, "t1 is in use by another process");
	close(fd);
	c.queues = 2;
	fd = nets_tun("t1", IFF_MULTI_QUEUE);
	refuse(&c, "t1 is in use by another process");
	close(fd);
	/* to attach to one that is gone makes another */
	nets_run("ip tuntap add t1 mode tun multi_queue");
	deleted_at_attach = "t1";
	refuse(&c, "t1 is not persistent");
	assert_int_equal(if_nametoindex("t1"), 0);
}

static void
adopting_needs_fitting_queues(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_ADOPT);
	struct tun tun;

	(void)state;
	nets_run("ip tuntap add t0 mode tun multi_queue;"
		 "ip tuntap add t1 mode tun");
	refuse(&c, "t0 was made with multi_queue: set `queues` to 2 or more");
	c.queues = 2;
	tun = open_it(&c);
	assert_true(tun.multi_queue);
	/* whose packets one more queue would take */
	refuse(&c, "t0 is in use by another process");
	close(tun.fd);
	close(open_it(&c).fd);
	strlcpy(c.name, "t1", sizeof(c.name));
	refuse(&c, "t1 was made with a single queue: set `queues 1`");
}

/* Its last user left a larger header, big offloads, another byte order. */
static void
what_the_last_user_left_is_cleared(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_ADOPT);
	int fd = nets_tun("t0", IFF_VNET_HDR), value = 24, one = 1;
	struct tun tun;

	(void)state;
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1UL), 0);
	assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &value), 0);
	assert_int_equal(ioctl(fd, TUNSETVNETLE, &one), 0);
	assert_int_equal(
	    ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4)),
	    0);
	close(fd);
	c.vnet_hdr = false;
	tun = open_it(&c);
	assert_int_equal(ioctl(tun.fd, TUNGETVNETHDRSZ, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(ioctl(tun.fd, TUNGETVNETLE, &value), 0);
	assert_int_equal(value, 0);
	expect_feature("tx-checksumming", "off");
	close(tun.fd);
}

static void
an_inherited_descriptor_serves(void **state)
{
	struct conf_interface c = conf("other", CONF_DEVICE_FD);
	struct tun tun;

	(void)state;
	c.fd = nets_tun("t0", IFF_VNET_HDR);
	c.vnet_hdr = false;
	assert_int_equal(fcntl(c.fd, F_SETFD, 0), 0);
	assert_int_equal(fcntl(c.fd, F_SETFL, O_RDWR), 0);
	tun = open_it(&c);
	/* Name and header are the device's, whatever the file says. */
	assert_string_equal(tun.name, "t0");
	assert_true(tun.vnet_hdr);
	assert_int_equal(tun.granted, possible());
	nets_run("! ip -d link show t0 | grep -q ' user '");
	assert_int_equal(fcntl(c.fd, F_GETFD), FD_CLOEXEC);
	/* The number serves again after ours is closed. */
	close(tun.fd);
	tun = open_it(&c);
	close(tun.fd);
	close(c.fd);
}

static void
an_unfit_descriptor_is_refused(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_FD);

	(void)state;
	c.fd = 4711;
	refuse(&c, "descriptor 4711 is not open");
	c.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	refuse(&c, "is not a tun device");
	close(c.fd);
	c.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	refuse(&c, "has no device: attach it with TUNSETIFF");
	close(c.fd);
	c.fd = open("/dev/net/tun", O_RDONLY | O_CLOEXEC);
	refuse(&c, "is not open for reading and writing");
	close(c.fd);
	c.fd = nets_tun("t0", 0);
	c.queues = 2;
	refuse(&c, "t0, has a single queue");
	/* What is refused stays open, and is the caller's. */
	assert_int_not_equal(fcntl(c.fd, F_GETFD), -1);
	close(c.fd);
}

static int
attach_raw(const char *name, int flags)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = (short)flags};

	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void
a_tap_or_a_headed_descriptor_is_refused(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_FD);

	(void)state;
	c.fd = attach_raw("tap0", IFF_TAP | IFF_NO_PI);
	refuse(&c, "is the tap device tap0");
	close(c.fd);
	/* the kernel takes what a terminal would obey */
	c.fd = attach_raw("t\033[7m\x9b", IFF_TAP | IFF_NO_PI);
	refuse(&c, "is the tap device t?[7m?:");
	close(c.fd);
	c.fd = attach_raw("pi0", IFF_TUN);
	refuse(&c, "pi0, has packet information headers");
	close(c.fd);
}

static void
all_offloads_are_granted(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);

	(void)state;
	assert_int_equal(tun.granted, possible());
	assert_string_equal(tun.reason, no_more());
	/* those of the sockets are no matter of the device */
	assert_int_equal(tun_set_offloads(tun.fd, OFFLOAD_ALL, tun.reason,
			     sizeof(tun.reason)),
	    possible());
	assert_string_equal(tun.reason, no_more());
	close(tun.fd);
}

/* Also where the device lives in another namespace. */
static void
a_headed_descriptor_elsewhere_is_refused(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_FD);
	pid_t other = nets_other();
	struct tun tun;

	(void)state;
	c.fd = attach_raw("pi0", IFF_TUN);
	nets_run("ip link set pi0 netns %d", (int)other);
	refuse(&c, "pi0, has packet information headers");
	close(c.fd);
	c.fd = nets_tun("t0", 0);
	nets_run("ip link set t0 netns %d", (int)other);
	tun = open_it(&c);
	assert_string_equal(tun.name, "t0");
	close(tun.fd);
	close(c.fd);
	nets_end_other(other);
}

/* Sets the offloads, which are granted; the device then tells so. */
static void
expect_features(
    int fd, uint32_t wanted, const char *tso, const char *ecn, const char *uso)
{
	char reason[128];

	assert_int_equal(tun_set_offloads(fd, wanted, reason, sizeof(reason)),
	    wanted & possible());
	assert_string_equal(reason, wanted & ~possible() ? NO_USO : "");
	expect_feature("tx-checksumming", "on");
	expect_feature("tx-tcp-segmentation", tso);
	expect_feature("tx-tcp6-segmentation", tso);
	expect_feature("tx-tcp-ecn-segmentation", ecn);
	expect_feature("tx-udp-segmentation", has_uso ? uso : "off");
}

static void
only_what_is_wanted_is_set(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);

	(void)state;
	expect_features(tun.fd, TUN_OFFLOADS, "on", "on", "on");
	expect_features(tun.fd, OFFLOAD_BIT(OFFLOAD_TSO_TX), "on", "on", "off");
	expect_features(
	    tun.fd, OFFLOAD_BIT(OFFLOAD_USO_TX), "off", "off", "on");
	/* Leave to write merged packets opens nothing for reading. */
	expect_features(tun.fd,
	    OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX), "off",
	    "off", "off");
	expect_features(tun.fd, 0, "off", "off", "off");
	close(tun.fd);
}

/* A kernel that refuses some features, and what the device then has. */
static const struct {
	const char *what;
	unsigned long refused, taken;
	uint32_t granted;
	const char *reason;
} kernels[] = {
    {"nothing", 0, TUN_F_CSUM | FEATURES_TSO | TUN_F_TSO_ECN | FEATURES_USO,
	TUN_OFFLOADS, ""},
    {"USO", FEATURES_USO, TUN_F_CSUM | FEATURES_TSO | TUN_F_TSO_ECN,
	OFFLOADS_TSO, NO_USO},
    {"ECN", TUN_F_TSO_ECN, TUN_F_CSUM | FEATURES_TSO | FEATURES_USO,
	TUN_OFFLOADS, ""},
    {"USO and ECN", FEATURES_USO | TUN_F_TSO_ECN, TUN_F_CSUM | FEATURES_TSO,
	OFFLOADS_TSO, NO_USO},
    /* to write merged TCP needs no leave */
    {"TSO and USO", FEATURES_TSO | FEATURES_USO, TUN_F_CSUM,
	OFFLOAD_BIT(OFFLOAD_TSO_RX), NO_TSO},
    {"everything", ~0UL, 0, OFFLOAD_BIT(OFFLOAD_TSO_RX), NO_TSO},
};

static void
what_the_kernel_refuses_is_left_out(void **state)
{
	int fd = nets_tun("t0", IFF_VNET_HDR);
	char reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		print_message("# refused: %s\n", kernels[i].what);
		refused = kernels[i].refused;
		taken = ~0UL;
		assert_int_equal(
		    tun_set_offloads(fd, TUN_OFFLOADS, reason, sizeof(reason)),
		    kernels[i].granted & possible());
		assert_string_equal(
		    reason, *kernels[i].reason ? kernels[i].reason : no_more());
		assert_int_equal(
		    taken, kernels[i].taken & (has_uso ? ~0UL : ~FEATURES_USO));
	}
	close(fd);
}

static void
one_that_takes_nothing_is_granted_nothing(void **state)
{
	int fd = nets_tun("t0", IFF_VNET_HDR);
	char reason[128];

	(void)state;
	failing = TUNSETOFFLOAD;
	assert_int_equal(
	    tun_set_offloads(fd, TUN_OFFLOADS, reason, sizeof(reason)), 0);
	assert_string_equal(reason, NO_TSO);
	close(fd);
}

static void
without_a_header_nothing_is_granted(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun;

	(void)state;
	c.vnet_hdr = false;
	tun = open_it(&c);
	assert_false(tun.vnet_hdr);
	assert_int_equal(tun.granted, 0);
	assert_string_equal(tun.reason, "the device has no virtio_net_hdr");
	expect_feature("tx-checksumming", "off");
	/* which is a reason only where something is asked for */
	assert_int_equal(
	    tun_set_offloads(tun.fd, 0, tun.reason, sizeof(tun.reason)), 0);
	assert_string_equal(tun.reason, "");
	close(tun.fd);
}

static void
a_deleted_device_grants_nothing(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);
	char reason[128], name[IFNAMSIZ];

	(void)state;
	nets_run("ip link del t0");
	assert_int_equal(
	    tun_set_offloads(tun.fd, TUN_OFFLOADS, reason, sizeof(reason)), 0);
	assert_non_null(strstr(reason, strerror(EBADFD)));
	assert_int_equal(tun_name(tun.fd, name), -1);
	assert_int_equal(errno, EBADFD);
	close(tun.fd);
}

static void
queues_are_added(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun;
	int second;

	(void)state;
	c.queues = 2;
	tun = open_it(&c);
	assert_true(tun.multi_queue);
	/* By today's name. */
	nets_run("ip link set t0 name t9");
	second = tun_open_queue(&tun);
	assert_int_not_equal(second, -1);
	assert_int_equal(fcntl(second, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(second, F_GETFL) & O_NONBLOCK);
	expect_link("t9", "multi_queue numqueues 2");
	close(second);
	close(tun.fd);
}

static void
a_single_queue_takes_no_second(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);

	(void)state;
	assert_int_equal(tun_open_queue(&tun), -1);
	assert_int_equal(errno, EINVAL);
	close(tun.fd);
}

static void
a_queue_is_not_added_to_a_namesake(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	pid_t other = nets_other();
	struct tun tun;

	(void)state;
	c.queues = 2;
	tun = open_it(&c);
	nets_run("ip link set t0 netns %d", (int)other);
	assert_int_equal(tun_open_queue(&tun), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(if_nametoindex("t0"), 0);
	close(tun.fd);
	nets_end_other(other);
}

static void
the_name_is_todays(void **state)
{
	struct conf_interface c = conf("t0", CONF_DEVICE_CREATE);
	struct tun tun = open_it(&c);
	pid_t other = nets_other();
	char name[IFNAMSIZ];

	(void)state;
	nets_run("ip link set t0 name t1");
	assert_int_equal(tun_name(tun.fd, name), 0);
	assert_string_equal(name, "t1");
	nets_run("ip link set t1 netns %d name t2", (int)other);
	assert_int_equal(tun_name(tun.fd, name), 0);
	assert_string_equal(name, "t2");
	nets_end_other(other);
	close(tun.fd);
}

#define TUN_TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TUN_TEST(a_device_is_made),
	    TUN_TEST(the_kernel_numbers_a_pattern),
	    TUN_TEST(what_exists_is_not_made_again),
	    TUN_TEST(a_bad_name_is_refused),
	    TUN_TEST(a_persistent_device_is_adopted),
	    TUN_TEST(one_that_cannot_be_prepared_keeps_its_owner),
	    TUN_TEST(adopting_needs_a_persistent_tun),
	    TUN_TEST(adopting_needs_fitting_queues),
	    TUN_TEST(what_the_last_user_left_is_cleared),
	    TUN_TEST(an_inherited_descriptor_serves),
	    TUN_TEST(an_unfit_descriptor_is_refused),
	    TUN_TEST(a_tap_or_a_headed_descriptor_is_refused),
	    TUN_TEST(a_headed_descriptor_elsewhere_is_refused),
	    TUN_TEST(all_offloads_are_granted),
	    TUN_TEST(only_what_is_wanted_is_set),
	    TUN_TEST(what_the_kernel_refuses_is_left_out),
	    TUN_TEST(one_that_takes_nothing_is_granted_nothing),
	    TUN_TEST(without_a_header_nothing_is_granted),
	    TUN_TEST(a_deleted_device_grants_nothing),
	    TUN_TEST(queues_are_added),
	    TUN_TEST(a_single_queue_takes_no_second),
	    TUN_TEST(a_queue_is_not_added_to_a_namesake),
	    TUN_TEST(the_name_is_todays),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tun", tests, NULL, NULL);
}
