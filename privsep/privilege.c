#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <stdint.h>
#include <unistd.h>

#include "privsep/privilege.h"

/* Each with the job that needs it. */
static const int kept[] = {
    CAP_NET_ADMIN, /* tun ioctls, rtnetlink, forced buffers, fwmark */
    CAP_NET_RAW,   /* SO_BINDTODEVICE on a socket that is bound already */
    CAP_NET_BIND_SERVICE,    /* a reload may listen below port 1024 */
    CAP_SETUID,		     /* the children become their users */
    CAP_SETGID, CAP_SETFCAP, /* tund-control may see who root is */
    CAP_SETPCAP,	     /* this drop, and the children empty their sets */
    CAP_SYS_CHROOT,	     /* the children's root, without user namespaces */
    CAP_KILL,		     /* to end children of another uid */
};

static bool
is_kept(int cap)
{
	unsigned int i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i] == cap)
			return true;
	return false;
}

int
privilege_drop(bool nice)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0}, held[2] = {0};
	int cap;

	/* a unit may leave this one out: that is no reason to fail */
	if (syscall(SYS_capget, &head, held) == -1)
		return -1;
	nice = nice && (held[0].permitted & 1u << CAP_SYS_NICE) != 0;

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
