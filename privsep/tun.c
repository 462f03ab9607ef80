#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/why.h"
#include "ipc/limits.h"
#include "ipc/msg.h"
#include "privsep/conf.h"
#include "privsep/link_msg.h"
#include "privsep/netns.h"
#include "privsep/nlsock.h"
#include "privsep/tun.h"
#include "privsep/tun_offload.h"

#define TUN_PATH "/dev/net/tun"
#define TUN_MAJOR 10 /* misc */
#define TUN_MINOR 200

enum kind { KIND_UNKNOWN, KIND_NONE, KIND_TUN, KIND_TAP, KIND_OTHER };

static int
tun_flags(int fd, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	return ioctl(fd, TUNGETIFF, ifr);
}

/* The flags are an unsigned number in a signed short. */
static unsigned int
ifr_bits(const struct ifreq *ifr)
{
	return (unsigned short)ifr->ifr_flags;
}

static int
tun_attach(const char *name, unsigned int flags, struct ifreq *ifr)
{
	int fd, saved;

	fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	memset(ifr, 0, sizeof(*ifr));
	strlcpy(ifr->ifr_name, name, sizeof(ifr->ifr_name));
	ifr->ifr_flags = (short)flags;
	if (ioctl(fd, TUNSETIFF, ifr) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* What stands under a name now: the driver says so through ethtool. */
static enum kind
device_kind(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr;
	enum kind kind = KIND_UNKNOWN;
	int s;

	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		return KIND_UNKNOWN;
	memset(&ifr, 0, sizeof(ifr));
	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	ifr.ifr_data = (char *)&info;
	if (ioctl(s, SIOCETHTOOL, &ifr) == -1)
		kind = errno == ENODEV ? KIND_NONE : KIND_OTHER;
	else if (strcmp(info.driver, "tun") != 0)
		kind = KIND_OTHER;
	else
		kind = strcmp(info.bus_info, "tap") == 0 ? KIND_TAP : KIND_TUN;
	close(s);
	return kind;
}

static int
explain_attach(const struct conf_interface *conf, int error, struct why *why)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return why_set(why,
		    "%s: %s is missing: load the driver with "
		    "`modprobe tun`",
		    conf->name, TUN_PATH);
	case EPERM:
	case EACCES:
		return why_set(why,
		    "%s: opening a tun device needs CAP_NET_ADMIN and access "
		    "to %s: start tund as root, and let its unit or container "
		    "use the device",
		    conf->name, TUN_PATH);
	case EISDIR:
	case ENOTTY:
		return why_set(why,
		    "%s: %s is something else: make it anew with `mknod %s c "
		    "10 200`",
		    conf->name, TUN_PATH, TUN_PATH);
	case EINVAL:
		return why_set(why,
		    "%s: the kernel refuses this name or its flags: choose "
		    "another name",
		    conf->name);
	default:
		return why_set(why, "%s: cannot open %s: %s", conf->name,
		    TUN_PATH, why_errno(error));
	}
}

static unsigned int
wanted_flags(const struct conf_interface *conf)
{
	return IFF_TUN | IFF_NO_PI | (conf->vnet_hdr ? IFF_VNET_HDR : 0) |
	       (conf->queues > 1 ? IFF_MULTI_QUEUE : 0);
}

static int
open_created(
    const struct conf_interface *conf, struct tun *tun, struct why *why)
{
	struct ifreq ifr;
	enum kind kind;

	/* EXCL: a device that someone left behind is not silently taken. */
	tun->fd =
	    tun_attach(conf->name, wanted_flags(conf) | IFF_TUN_EXCL, &ifr);
	if (tun->fd != -1)
		return 0;
	if (errno != EBUSY)
		return explain_attach(conf, errno, why);
	kind = device_kind(conf->name);
	if (kind == KIND_OTHER || kind == KIND_TAP)
		return why_set(why,
		    "%s exists already and is not a tun device: choose another "
		    "name",
		    conf->name);
	return why_set(why,
	    "%s exists already: use `device adopt` to take it over, or another "
	    "name",
	    conf->name);
}

/* What rtnetlink says of a tun device (IFLA_INFO_DATA); 0 where it does not. */
struct tun_attr {
	uint16_t type;
	uint16_t size; /* 1 or 4 bytes */
	uint32_t value;
};

static void
on_link(const struct nlmsghdr *h, int nsid, void *arg)
{
	struct tun_attr *want = arg;
	const struct nlattr *a = nlsock_attr_tun(h, want->type, want->size);

	(void)nsid;
	if (a != NULL)
		want->value =
		    want->size == 1 ? mnl_attr_get_u8(a) : mnl_attr_get_u32(a);
}

static void
ask_attr(struct nlsock *s, int fd, const char *name, struct tun_attr *want)
{
	const int home = netns_of_socket(nlsock_fd(s));
	struct nlsock_request rq;
	int32_t nsid;

	nlsock_request(&rq, RTM_GETLINK, 0);
	mnl_nlmsg_put_extra_header(&rq.header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(&rq.header, IFLA_IFNAME, name);
	if (fd != -1 && netns_need_id_of_tun(s, home, fd, &nsid) == 0 &&
	    nsid != NLSOCK_HOME)
		mnl_attr_put_u32(
		    &rq.header, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	nlsock_call(s, &rq, on_link, want);
	if (home != -1)
		close(home);
}

/* fd: of the device, -1: it is in our namespace. */
static uint32_t
tun_attr(int fd, const char *name, uint16_t type, uint16_t size)
{
	struct tun_attr want = {.type = type, .size = size};
	struct nlsock *s = nlsock_open(0, NULL, NULL);

	if (s != NULL)
		ask_attr(s, fd, name, &want);
	nlsock_close(s);
	return want.value;
}

static int
explain_adopt(const struct conf_interface *conf, int error, struct why *why)
{
	if (error == EBUSY)
		return why_set(why,
		    "%s is in use by another process: stop that process, or "
		    "choose another device",
		    conf->name);
	if (error == EINVAL && conf->queues > 1)
		return why_set(why,
		    "%s was made with a single queue: set `queues 1`, or make "
		    "it anew with `ip tuntap del dev %s mode tun` and `ip "
		    "tuntap add dev %s mode tun multi_queue`",
		    conf->name, conf->name, conf->name);
	if (error == EINVAL)
		return why_set(why,
		    "%s was made with multi_queue: set `queues` to 2 or more, "
		    "or make it without multi_queue",
		    conf->name);
	return explain_attach(conf, error, why);
}

static int
open_adopted(
    const struct conf_interface *conf, struct tun *tun, struct why *why)
{
	struct ifreq ifr;

	switch (device_kind(conf->name)) {
	case KIND_NONE:
		return why_set(why,
		    "%s does not exist: make it with `ip tuntap add dev %s "
		    "mode tun%s`, or leave out `device adopt`",
		    conf->name, conf->name,
		    conf->queues > 1 ? " multi_queue" : "");
	case KIND_TAP:
		return why_set(why,
		    "%s is a tap device: tund needs one made with `mode tun`",
		    conf->name);
	case KIND_OTHER:
		return why_set(why,
		    "%s is not a tun device: choose another name", conf->name);
	case KIND_UNKNOWN:
	case KIND_TUN:
		break;
	}
	/* to attach one more queue would take packets from who has it */
	if (tun_attr(-1, conf->name, IFLA_TUN_NUM_QUEUES, 4) > 0)
		return explain_adopt(conf, EBUSY, why);
	tun->fd = tun_attach(conf->name, wanted_flags(conf), &ifr);
	if (tun->fd == -1)
		return explain_adopt(conf, errno, why);
	/* Without it, it vanished meanwhile and this call made a new one. */
	if (tun_flags(tun->fd, &ifr) == -1 || !(ifr_bits(&ifr) & IFF_PERSIST))
		return why_set(why,
		    "%s is not persistent: make it with `ip tuntap add dev %s "
		    "mode tun%s`, or leave out `device adopt`",
		    conf->name, conf->name,
		    conf->queues > 1 ? " multi_queue" : "");
	tun->owner = tun_attr(-1, ifr.ifr_name, IFLA_TUN_OWNER, 4);
	return 0;
}

/*
 * TUNGETIFF cannot say: its IFF_NOFILTER is the same bit as IFF_NO_PI.
 * A device in a namespace where we may not ask passes for one without.
 */
static bool
has_packet_info(int fd, const char *name)
{
	return tun_attr(fd, name, IFLA_TUN_PI, 1) != 0;
}

/* As it may be told; it is no longer the device's. */
static const char *
clean_name(struct ifreq *ifr)
{
	link_name_clean(ifr->ifr_name);
	return ifr->ifr_name;
}

static int
check_inherited(const struct conf_interface *conf, int fd, struct why *why)
{
	struct ifreq ifr;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return why_set(why,
		    "descriptor %d is not open: the service manager must pass "
		    "it",
		    fd);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(TUN_MAJOR, TUN_MINOR))
		return why_set(why,
		    "descriptor %d is not a tun device: it must be opened from "
		    "%s",
		    fd, TUN_PATH);
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return why_set(why,
		    "descriptor %d is not open for reading and writing: open "
		    "it with O_RDWR",
		    fd);
	if (tun_flags(fd, &ifr) == -1)
		return why_set(why,
		    "descriptor %d has no device: attach it with TUNSETIFF "
		    "before tund starts",
		    fd);
	if (!(ifr_bits(&ifr) & IFF_TUN))
		return why_set(why,
		    "descriptor %d is the tap device %s: tund needs one made "
		    "with IFF_TUN",
		    fd, clean_name(&ifr));
	if (has_packet_info(fd, ifr.ifr_name))
		return why_set(why,
		    "descriptor %d, %s, has packet information headers: make "
		    "it with IFF_NO_PI",
		    fd, clean_name(&ifr));
	if (conf->queues > 1 && !(ifr_bits(&ifr) & IFF_MULTI_QUEUE))
		return why_set(why,
		    "descriptor %d, %s, has a single queue: set `queues 1`, "
		    "or make it with IFF_MULTI_QUEUE",
		    fd, clean_name(&ifr));
	return 0;
}

static int
open_inherited(
    const struct conf_interface *conf, struct tun *tun, struct why *why)
{
	int flags;

	if (check_inherited(conf, conf->fd, why) == -1)
		return -1;
	flags = fcntl(conf->fd, F_GETFL);
	/* A duplicate: the number in the file still works after a reload. */
	if (fcntl(conf->fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(conf->fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    (tun->fd = fcntl(conf->fd, F_DUPFD_CLOEXEC, 3)) == -1)
		return why_set(why, "descriptor %d cannot be prepared: %s",
		    conf->fd, why_errno(errno));
	return 0;
}

/*
 * Without an owner any local user may attach a queue, or adopt a persistent
 * device, and read the traffic.
 */
static int
set_owner(const struct conf_interface *conf, int fd)
{
	if (conf->device == CONF_DEVICE_FD)
		return 0;
	return ioctl(fd, TUNSETOWNER, 0UL);
}

void
tun_give_back(const struct tun *tun)
{
	/* the kernel cannot make it nobody's again: then root keeps it */
	if (tun->owner != 0)
		ioctl(tun->fd, TUNSETOWNER, (unsigned long)tun->owner);
}

void
tun_leave(const struct tun *tun)
{
	ioctl(tun->fd, TUNSETOFFLOAD, 0UL);
}

/* A persistent device keeps these from its last user. */
static int
set_header(int fd)
{
	int size = VNET_HDR_LEN, off = 0;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) == -1 ||
	    ioctl(fd, TUNSETVNETLE, &off) == -1)
		return -1;
	/* EINVAL without CONFIG_TUN_VNET_CROSS_LE: never big endian then. */
	if (ioctl(fd, TUNSETVNETBE, &off) == -1 && errno != EINVAL)
		return -1;
	return 0;
}

static int
prepare(const struct conf_interface *conf, struct tun *tun, struct why *why)
{
	struct ifreq ifr;

	if (tun_flags(tun->fd, &ifr) == -1)
		return why_set(why, "%s: cannot read its flags: %s", conf->name,
		    strerror(errno));
	if (set_owner(conf, tun->fd) == -1)
		return why_set(why,
		    "%s: cannot make root its owner: %s: start tund as root",
		    clean_name(&ifr), strerror(errno));
	if (set_header(tun->fd) == -1)
		return why_set(why,
		    "%s: cannot set its header: %s: use Linux 4.3 or later",
		    clean_name(&ifr), strerror(errno));
	strlcpy(tun->name, ifr.ifr_name, sizeof(tun->name));
	tun->vnet_hdr = (ifr_bits(&ifr) & IFF_VNET_HDR) != 0;
	tun->multi_queue = (ifr_bits(&ifr) & IFF_MULTI_QUEUE) != 0;
	/* all that the kernel grants: what is not asked for now may be later */
	tun->granted = tun_set_offloads(
	    tun->fd, OFFLOADS_TUN, tun->reason, sizeof(tun->reason));
	return 0;
}

int
tun_open(const struct conf_interface *conf, struct tun *tun, struct why *why)
{
	static int (*const openers[])(
	    const struct conf_interface *, struct tun *, struct why *) = {
	    [CONF_DEVICE_CREATE] = open_created,
	    [CONF_DEVICE_ADOPT] = open_adopted,
	    [CONF_DEVICE_FD] = open_inherited,
	};

	memset(tun, 0, sizeof(*tun));
	tun->fd = -1;
	if (openers[conf->device](conf, tun, why) == 0 &&
	    prepare(conf, tun, why) == 0)
		return 0;
	if (tun->fd != -1) {
		tun_give_back(tun);
		close(tun->fd);
	}
	*tun = (struct tun){.fd = -1};
	return -1;
}

/* The same name in the same namespace is the same device. */
static bool
same_device(int fd, int other)
{
	char a[IFNAMSIZ], b[IFNAMSIZ];

	return tun_name(fd, a) == 0 && tun_name(other, b) == 0 &&
	       strcmp(a, b) == 0 && netns_of_tun_equal(fd, other) != 0;
}

int
tun_open_queue(const struct tun *tun)
{
	struct ifreq first, ifr;
	unsigned int flags;
	int fd;

	if (!tun->multi_queue) {
		errno = EINVAL;
		return -1;
	}
	if (tun_flags(tun->fd, &first) == -1)
		return -1;
	/* elsewhere; a device of that name here is another */
	if (netns_of_tun_is_ours(tun->fd) == 0) {
		errno = ENODEV;
		return -1;
	}
	flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE |
		(ifr_bits(&first) & IFF_VNET_HDR);
	fd = tun_attach(first.ifr_name, flags, &ifr);
	if (fd == -1)
		return -1;
	/* Where ours has moved away, this call made another. */
	if (!same_device(tun->fd, fd)) {
		close(fd);
		errno = ENODEV;
		return -1;
	}
	return fd;
}

int
tun_name(int fd, char name[IFNAMSIZ])
{
	struct ifreq ifr;

	if (tun_flags(fd, &ifr) == -1)
		return -1;
	strlcpy(name, ifr.ifr_name, IFNAMSIZ);
	return 0;
}
