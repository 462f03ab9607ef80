#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"
#include "privsep/ready.h"

static int starter = -1; /* a pipe to the first process */
static int manager = -1; /* the service manager's socket */

static void __attribute__((noreturn)) wait_until_ready(int pipe, pid_t pid)
{
	ssize_t n;
	char byte;
	int status;

	while ((n = read(pipe, &byte, 1)) == -1 && errno == EINTR)
		continue;
	if (n == 1)
		_exit(0);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	log_warnx("it was killed by signal %d (%s) before it was ready",
	    WTERMSIG(status), strsignal(WTERMSIG(status)));
	_exit(1);
}

/* What is told until it is ready still needs standard error. */
static int
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || setsid() == -1 || chdir("/") == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		return -1;
	close(null);
	return 0;
}

int
ready_background(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		return -1;
	if (pid > 0) {
		close(ends[1]);
		wait_until_ready(ends[0], pid);
	}
	close(ends[0]);
	starter = ends[1];
	log_to_syslog(true);
	return leave_terminal();
}

void
ready_connect(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;

	if (path == NULL)
		return;
	len = strlen(path);
	if (len >= sizeof(sun.sun_path)) {
		log_warnx("NOTIFY_SOCKET: the path is too long: who started "
			  "tund is not told when it is ready");
		return;
	}
	memcpy(sun.sun_path, path, len);
	/* an abstract address is as long as it is, a path ends with a NUL */
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	else
		len++;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager != -1 &&
	    connect(manager, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return;
	log_warnx("NOTIFY_SOCKET %s: %s: who started tund is not told when it "
		  "is ready",
	    path, why_errno(errno));
	close(manager);
	manager = -1;
}

/* Standard output is /dev/null already. */
static void
leave_standard_error(void)
{
	log_to_syslog(false);
	if (dup2(STDOUT_FILENO, STDERR_FILENO) == -1)
		log_warn("standard error stays open");
}

void
ready_tell(void)
{
	static const char ready[] = "READY=1";

	if (manager != -1) {
		if (send(manager, ready, sizeof(ready) - 1, 0) == -1)
			log_warn("the service manager cannot be told");
		close(manager);
		manager = -1;
	}
	if (starter != -1) {
		leave_standard_error();
		/* it may have been ended: then nobody waits */
		if (write(starter, "", 1) == -1)
			log_debug("who started it has gone");
		close(starter);
		starter = -1;
	}
}
