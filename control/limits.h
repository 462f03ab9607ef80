#ifndef CONTROL_LIMITS_H
#define CONTROL_LIMITS_H

/*
 * What a client may use up.  The times can be set by the compiler, so that
 * the tests need not wait for them.
 */
#define CLIENTS_MAX 64
#define CLIENTS_RESERVED 8	    /* of those, for root alone */
#define CLIENTS_PER_USER 16	    /* root is not counted */
#define CLIENT_READ 16384	    /* bytes taken in one turn of the loop */
#define CLIENT_TURN 8		    /* requests answered in one turn */
#define CLIENT_OUTPUT_HIGH 262144   /* unread bytes: no more requests */
#define CLIENT_EVENTS_HIGH 262144   /* unread bytes: events are lost */
#define CLIENT_ANSWER_MAX (8 << 20) /* bytes of one answer */
#define CLIENT_REQUESTS 4	    /* under way to the parent */
#define CLIENT_LINGER 2 /* seconds to read what follows a fatal error */
#ifndef CLIENT_IDLE
#define CLIENT_IDLE 300 /* seconds without a request, unless subscribed */
#endif
#ifndef CLIENT_STALL
#define CLIENT_STALL 30 /* seconds with an answer unread */
#endif

#define REQUESTS_MAX 64 /* under way to the parent, of all clients */
#ifndef REQUEST_SECONDS
#define REQUEST_SECONDS 30 /* until a request is given up */
#endif
#define EVENTS_KEPT 256 /* that the published state does not show yet */
/* Bytes: all prefixes that there can be, as JSON, are 104 MiB of it. */
#define STATE_MAX (128 << 20)

/* Descriptors: clients, one to refuse, one in passing, and our own. */
#define CONTROL_NOFILE (CLIENTS_MAX + 16)
/*
 * MiB of memory of its own: two of the largest states are 500 when parsed, for
 * the new one comes before the old one goes, and the clients' answers are 512.
 */
#define CONTROL_DATA 2048

#endif
