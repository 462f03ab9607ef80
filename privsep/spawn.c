#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"
#include "ipc/fdpass.h"
#include "ipc/limits.h"
#include "ipc/msg.h"
#include "privsep/spawn.h"

/* The child's last words: its standard error is nobody's. */
static void __attribute__((noreturn))
give_up(int sock, const char *what, const char *path)
{
	char text[LOG_LINE_MAX];

	snprintf(text, sizeof(text), "%s cannot be %s: %s", path, what,
	    why_errno(errno));
	msg_send_log(sock, LOG_LEVEL_ERROR, text);
	_exit(127);
}

/* In the child: nothing but the channel and three times /dev/null. */
static void
keep_channel(const char *path, int sock)
{
	int null, i;

	/* ours first: what is closed then makes room under any limit */
	if (sock == PARENT_FD ? fcntl(sock, F_SETFD, 0) == -1
			      : dup2(sock, PARENT_FD) == -1)
		give_up(sock, "given its channel", path);
	closefrom(PARENT_FD + 1);
	if ((null = open("/dev/null", O_RDWR)) == -1)
		give_up(PARENT_FD, "given /dev/null", path);
	for (i = 0; i < PARENT_FD; i++)
		if (dup2(null, i) == -1)
			give_up(PARENT_FD, "given /dev/null", path);
	if (null > PARENT_FD)
		close(null);
}

static void __attribute__((noreturn))
execute(const char *path, const char *name, int sock)
{
	char *argv[2] = {NULL, NULL}, *envp[1] = {NULL};
	sigset_t none;

	keep_channel(path, sock);
	if ((argv[0] = strdup(name)) == NULL || setpgid(0, 0) == -1)
		give_up(PARENT_FD, "prepared", path);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	/* ^C in a terminal is for the parent, which ends us in order */
	signal(SIGINT, SIG_IGN);
	execve(path, argv, envp);
	give_up(PARENT_FD, "executed", path);
}

pid_t
spawn(const char *path, const char *name, int *sock)
{
	int sv[2], saved;
	pid_t pid;

	if (access(path, X_OK) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	fdpass_refuse(sv[0]);
	if ((pid = fork()) == 0)
		execute(path, name, sv[1]);
	saved = errno;
	close(sv[1]);
	if (pid == -1) {
		close(sv[0]);
		errno = saved;
		return -1;
	}
	/* both do it, so that it is done for either; it may be gone */
	setpgid(pid, pid);
	*sock = sv[0];
	return pid;
}

int
spawn_end(pid_t pid)
{
	int status = 0;

	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	while (waitpid(-pid, NULL, 0) != -1 || errno == EINTR)
		continue;
	return status;
}
