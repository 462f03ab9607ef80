#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/nets.h"

#define COMMAND_MAX 4096

static int
write_file(const char *path, const char *text)
{
	int fd, ok;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok ? 0 : -1;
}

static int
enter(void)
{
	if (unshare(CLONE_NEWNET) == -1)
		return -1;
	/* No link-local addresses but those that a test asks for. */
	return write_file("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
}

void
nets_enter(void)
{
	assert_int_equal(enter(), 0);
	nets_run("ip link set lo up");
}

pid_t
nets_other(void)
{
	int ready[2];
	char ok = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ok = enter() == 0;
		if (write(ready[1], &ok, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &ok, 1), 1);
	close(ready[0]);
	assert_int_equal(ok, 1);
	return pid;
}

void
nets_end_other(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
run(const char *command)
{
	int status;

	fflush(NULL);
	status = system(command);
	if (status != 0)
		fail_msg("%s: status %d", command, status);
}

void
nets_run(const char *fmt, ...)
{
	char command[COMMAND_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	run(command);
}

void
nets_run_in(pid_t pid, const char *fmt, ...)
{
	char inner[COMMAND_MAX], command[COMMAND_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(inner, sizeof(inner), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "nsenter -t %d -n sh -ec '%s'",
	    (int)pid, inner);
	run(command);
}

void
nets_await(const char *addr)
{
	nets_run("for i in $(seq 250); do ip -%d route show table local | "
		 "grep -q '^local %s ' && exit 0; sleep 0.02; done; exit 1",
	    strchr(addr, ':') == NULL ? 4 : 6, addr);
}

int
nets_tun(const char *name, unsigned int flags)
{
	struct ifreq ifr;
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	memset(&ifr, 0, sizeof(ifr));
	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

uint32_t
nets_index(const char *name)
{
	unsigned int index = if_nametoindex(name);

	assert_int_not_equal(index, 0);
	return index;
}

void
nets_set_capability(int capability, int on)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t bit = CAP_TO_MASK((unsigned int)capability);

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[CAP_TO_INDEX(capability)].effective |= bit;
	else
		data[CAP_TO_INDEX(capability)].effective &= ~bit;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

void
nets_need_root(void)
{
	if (geteuid() == 0)
		return;
	printf("1..0 # SKIP needs root\n");
	exit(0);
}
