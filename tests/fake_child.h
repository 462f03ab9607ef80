#ifndef TESTS_FAKE_CHILD_H
#define TESTS_FAKE_CHILD_H

/* How tests/fake_child is to behave: the id of its first message. */
enum child_behaviour {
	CHILD_READY = 1,	/* says so, and ends with its channel */
	CHILD_REPORTS,		/* and tells what it was given */
	CHILD_EXITS,		/* at once, with status 3 */
	CHILD_CRASHES,		/* when it is ready */
	CHILD_FLOODS,		/* 20,000 messages */
	CHILD_IS_SILENT,	/* never says that it is ready */
	CHILD_LEAVES,		/* closes its channel and lives on */
	CHILD_SENDS_RUBBISH,	/* a datagram that is no message */
	CHILD_SPEAKS_AS_PARENT, /* a message that only a parent sends */
	CHILD_IS_READY_TWICE,
	CHILD_IS_READY_BADLY, /* a ready message of the wrong size */
	CHILD_IS_READY_BARE,  /* one that says it has no sandbox */
	CHILD_IS_REFUSED,     /* a message that the hook refuses */
	CHILD_LOGS,	      /* 5,000 lines, and then MSG_REQUEST */
	CHILD_LOGS_FOR_EVER,  /* as fast as it can */
	CHILD_LOGS_AND_EXITS, /* why it does, with status 1 */
	CHILD_IS_STUBBORN,    /* stays when its channel is closed */
	CHILD_FORKS	      /* and tells the pid of its own child */
};

#endif
