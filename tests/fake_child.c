#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"
#include "ipc/msg.h"
#include "tests/fake_child.h"

/*
 * A child of tests/test_proc, which says in its first message how this one is
 * to behave.
 */
#define FLOOD 20000

extern char **environ;
static struct imsg m;

static void
say(uint32_t type, uint32_t id, const void *data, size_t len)
{
	if (imsg_send(PARENT_FD, type, id, data, len, -1) == -1)
		_exit(0); /* nobody hears it any more */
}

static void
say_applied(uint32_t layers)
{
	struct msg_ready r = {
	    .applied = layers, .missing = SANDBOX_ALL & ~layers};

	say(MSG_READY, 0, &r, sizeof(r));
}

static void
say_ready(void)
{
	say_applied(SANDBOX_REQUIRED);
}

static void
say_something(size_t times)
{
	for (size_t i = 0; i < times; i++)
		say(MSG_PEERS_DONE, (uint32_t)i, NULL, 0);
}

/* Until the parent closes the channel. */
static void
wait_for_end(void)
{
	while (imsg_recv(PARENT_FD, &m) == 1)
		continue;
	_exit(0);
}

static void
wait_for_ever(void)
{
	for (;;)
		pause();
}

static void
report_fds(FILE *out)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	struct stat st;
	int fd;

	while (d != NULL && (e = readdir(d)) != NULL) {
		fd = atoi(e->d_name);
		if (e->d_name[0] == '.' || fd == dirfd(d))
			continue;
		if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
		    st.st_rdev == makedev(1, 3))
			fprintf(out, "%d null\n", fd);
		else
			fprintf(out, "%d %s\n", fd,
			    S_ISSOCK(st.st_mode) ? "socket" : "other");
	}
	if (d != NULL)
		closedir(d);
}

/* What this process was given, one thing a line. */
static void
report(const char *name)
{
	static char text[IMSG_DATA_MAX];
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct sigaction sa;
	sigset_t set;
	int i;

	if (out == NULL)
		_exit(1);
	fprintf(out, "name %s\n", name);
	for (i = 0; environ[i] != NULL; i++)
		fprintf(out, "environment %s\n", environ[i]);
	report_fds(out);
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (i = 1; i < NSIG; i++) {
		if (sigismember(&set, i) == 1)
			fprintf(out, "blocked %d\n", i);
		if ((i == SIGTERM || i == SIGHUP || i == SIGCHLD) &&
		    sigaction(i, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL)
			fprintf(out, "changed %d\n", i);
	}
	fclose(out);
	say(MSG_REQUEST, 0, text, strlen(text) + 1);
}

static void
leave_channel(void)
{
	say_ready();
	close(PARENT_FD);
	wait_for_ever();
}

static void
send_rubbish(void)
{
	say_ready();
	if (write(PARENT_FD, "abc", 3) != 3)
		_exit(1);
	say_something(50);
	wait_for_ever();
}

static void
say_line(void)
{
	char buf[32];
	uint32_t level = 2;

	memcpy(buf, &level, sizeof(level));
	strcpy(buf + sizeof(level), "a line");
	say(MSG_LOG, 0, buf, sizeof(level) + 6);
}

static void
log_much(void)
{
	say_ready();
	for (int i = 0; i < 5000; i++)
		say_line();
	say(MSG_REQUEST, 0, "all", 4);
}

static void
log_for_ever(void)
{
	say_ready();
	for (;;)
		say_line();
}

static void __attribute__((noreturn)) log_and_exit(void)
{
	say_ready();
	say_line();
	say(MSG_REQUEST, 0, "all", 4);
	_exit(1);
}

/* It has what we have. */
static void
fork_another(void)
{
	char text[16];
	pid_t pid = fork();

	if (pid == 0)
		wait_for_ever();
	snprintf(text, sizeof(text), "%d", (int)pid);
	say_ready();
	say(MSG_REQUEST, 0, text, strlen(text) + 1);
}

int
main(int argc, char **argv)
{
	(void)argc;
	if (imsg_recv(PARENT_FD, &m) != 1)
		return 1;
	switch (m.hdr.id) {
	case CHILD_READY:
		say_ready();
		break;
	case CHILD_REPORTS:
		say_ready();
		report(argv[0]);
		break;
	case CHILD_EXITS:
		_exit(3);
	case CHILD_CRASHES:
		say_ready();
		signal(SIGABRT, SIG_DFL);
		kill(getpid(), SIGABRT);
		break;
	case CHILD_FLOODS:
		say_ready();
		say_something(FLOOD);
		wait_for_ever();
		break;
	case CHILD_IS_SILENT:
		wait_for_ever();
		break;
	case CHILD_LEAVES:
		leave_channel();
		break;
	case CHILD_SENDS_RUBBISH:
		send_rubbish();
		break;
	case CHILD_SPEAKS_AS_PARENT:
		say_ready();
		say(MSG_WORKER_START, 0, NULL, 0);
		say_something(50);
		wait_for_ever();
		break;
	case CHILD_IS_READY_TWICE:
		say_ready();
		say_ready();
		say_something(50);
		wait_for_ever();
		break;
	case CHILD_IS_READY_BADLY:
		say(MSG_READY, 0, "x", 1);
		say_something(50);
		wait_for_ever();
		break;
	case CHILD_IS_READY_BARE:
		say_applied(0);
		say_something(50);
		wait_for_ever();
		break;
	case CHILD_IS_REFUSED:
		say_ready();
		say(MSG_OFFLOAD_OFF, 0, NULL, 0);
		say_something(50);
		wait_for_ever();
		break;
	case CHILD_LOGS:
		log_much();
		break;
	case CHILD_LOGS_FOR_EVER:
		log_for_ever();
		break;
	case CHILD_LOGS_AND_EXITS:
		log_and_exit();
	case CHILD_IS_STUBBORN:
		signal(SIGTERM, SIG_IGN);
		say_ready();
		wait_for_ever();
		break;
	case CHILD_FORKS:
		fork_another();
		break;
	default:
		return 2;
	}
	wait_for_end();
}
