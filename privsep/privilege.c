#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <unistd.h>

#include "privsep/privilege.h"

/* Each with the job that needs it. */
static const struct {
	int cap;
	const char *name;
} kept[] = {
    /* tun ioctls, rtnetlink, forced buffers, fwmark */
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    /* SO_BINDTODEVICE on a socket that is bound already */
    {CAP_NET_RAW, "CAP_NET_RAW"},
    /* a reload may listen below port 1024 */
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
    /* the children become their users */
    {CAP_SETUID, "CAP_SETUID"},
    {CAP_SETGID, "CAP_SETGID"},
    /* tund-control may see who root is */
    {CAP_SETFCAP, "CAP_SETFCAP"},
    /* this drop, and the children empty their sets */
    {CAP_SETPCAP, "CAP_SETPCAP"},
    /* the children's root, without user namespaces */
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
    /* to end children of another uid */
    {CAP_KILL, "CAP_KILL"},
};

static bool
is_kept(int cap)
{
	unsigned int i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i].cap == cap)
			return true;
	return false;
}

/* 1 or 0; -1 when the kernel does not say. */
static int
is_held(int cap)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct held[2] = {0};

	if (syscall(SYS_capget, &head, held) == -1)
		return -1;
	return (held[cap / 32].permitted & 1u << (cap % 32)) != 0;
}

const char *
privilege_missing(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (is_held(kept[i].cap) == 0)
			return kept[i].name;
	return NULL;
}

int
privilege_drop(bool nice)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	int cap, nice_held = is_held(CAP_SYS_NICE);

	/* a unit may leave this one out: that is no reason to fail */
	if (nice_held == -1)
		return -1;
	nice = nice && nice_held == 1;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (is_kept(cap) || (nice && cap == CAP_SYS_NICE))
			data[cap / 32].permitted |= 1u << (cap % 32);
		else if (prctl(PR_CAPBSET_DROP, cap) == -1)
			return -1;
	}
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	if (syscall(SYS_capset, &head, data) == -1)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
