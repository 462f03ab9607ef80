#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/idmap.h"

/* The whole range; the second where we are in a namespace ourselves. */
static int
idmap_write(pid_t target, uid_t owner)
{
	char path[64], map[2][64];
	int fd, i, r = -1;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", target);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) == -1)
		return -1;
	snprintf(map[0], sizeof(map[0]), "0 0 4294967295\n");
	snprintf(map[1], sizeof(map[1]), "0 0 1\n%u %u 1\n", owner, owner);
	for (i = 0; i < 2 && r == -1; i++)
		if (write(fd, map[i], strlen(map[i])) ==
		    (ssize_t)strlen(map[i]))
			r = 0;
	close(fd);
	return r;
}

/* The owner of the namespace, with the two capabilities and no other. */
static int
idmap_become(uid_t owner)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	data[0].permitted = 1u << CAP_SETUID | 1u << CAP_SETFCAP;
	data[0].effective = data[0].permitted;
	if (prctl(PR_SET_KEEPCAPS, 1) == -1 ||
	    setresuid(owner, owner, owner) == -1 ||
	    syscall(SYS_capset, &head, data) == -1)
		return -1;
	/* last: a change of the uid clears it */
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void __attribute__((noreturn))
idmap_helper(int go, pid_t target, uid_t owner)
{
	char byte;

	if (idmap_become(owner) == -1 || read(go, &byte, 1) != 1 ||
	    getppid() != target || idmap_write(target, owner) == -1)
		_exit(1);
	_exit(0);
}

int
idmap_start(struct idmap *im, uid_t owner)
{
	pid_t self = getpid();
	int fds[2];

	im->helper = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return -1;
	if ((im->helper = fork()) == 0) {
		close(fds[1]);
		idmap_helper(fds[0], self, owner);
	}
	close(fds[0]);
	if (im->helper == -1) {
		close(fds[1]);
		return -1;
	}
	im->go = fds[1];
	return 0;
}

int
idmap_finish(struct idmap *im)
{
	ssize_t n;
	int status;

	if (im->helper == -1)
		return -1;
	do {
		n = send(im->go, "", 1, MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	close(im->go);
	while (waitpid(im->helper, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	im->helper = -1;
	return n == 1 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
