#ifndef PRIVSEP_PROC_H
#define PRIVSEP_PROC_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/log.h"
#include "ipc/msg.h"

/*
 * A child process: started by fork and exec with its channel on fd 3 and
 * nothing else, watched, killed when it breaks the protocol, started again
 * in place after a delay that doubles while it keeps falling.  What it leaves
 * behind is waited for, too, where this process is a PR_SET_CHILD_SUBREAPER.
 */
struct event_base;
struct proc;

enum proc_state {
	PROC_STARTING, /* has not said that it is ready */
	PROC_RUNNING,
	PROC_WAITING, /* fallen; will be started again */
	PROC_STOPPED
};

struct proc_hooks {
	/* Just started: send what it needs, up to its START message. */
	void (*setup)(struct proc *, void *arg);
	/* It said MSG_READY. */
	void (*ready)(struct proc *, void *arg);
	/* Any other message: -1 when it is not legal. */
	int (*message)(struct proc *, struct imsg *, void *arg);
	/*
	 * It is gone; why is a sentence for the log and the event.  pid is 0
	 * if no process could be made in the first place.
	 */
	void (*exited)(struct proc *, const char *why, void *arg);
};

struct proc {
	enum process_kind kind;
	enum proc_state state;
	char serves[32]; /* "tun0 0", for the log: it is told no names; or "" */
	pid_t pid;	 /* 0: none */
	time_t since;	 /* the last start, on the monotonic clock */
	time_t started;	 /* the same on the wall clock */
	uint32_t restarts;
	uint32_t applied; /* sandbox layers, as it reported them */
	uint32_t missing;
	struct proc_private *priv;
};

/* directory: where the executables are.  NULL when memory is short. */
struct proc *proc_new(struct event_base *, enum process_kind,
    const char *directory, const struct proc_hooks *, void *arg);
/* Starts it; a failure counts as a fall and is tried again. */
void proc_start(struct proc *);
/* Closes its channel, which ends it; it is not started again. */
void proc_stop(struct proc *);
/* Ends and starts it again without delay, with a new setup. */
void proc_restart(struct proc *);
/* Kills it if it still lives.  Frees. */
void proc_free(struct proc *);
/* It broke the protocol: kill it; it is started again after the delay. */
void proc_kill(struct proc *, const char *why);
/*
 * One that runs owes an answer: killed, as above, if proc_answered is not said
 * of it within 10 seconds from the first of these.  why stays the caller's.
 */
void proc_await(struct proc *, const char *why);
void proc_answered(struct proc *);

/* -1 when it is not there to be told; not an error. */
int proc_send(struct proc *, uint32_t type, uint32_t id, const void *data,
    size_t len, int fd);

/*
 * What it has not taken yet: bytes; is a descriptor among it?  While there is
 * anything, what can wait should.
 */
size_t proc_unsent(const struct proc *);
bool proc_has_unsent_fds(const struct proc *);

/* From SIGCHLD: reaps every child that ended. */
void proc_reap(void);

#endif
