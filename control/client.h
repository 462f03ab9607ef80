#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One connection: its buffers, its limits, its end.  A client is freed only
 * from the event loop, never by one of these functions.
 */
struct client;
struct event_base;
struct subscriber;

/* What is made of what clients do, above the connections. */
struct client_handlers {
	/* a line came, without its newline */
	void (*line)(struct client *, const char *line, size_t len);
	/* a subscriber has read something; it is gone, or is NULL */
	void (*read)(struct subscriber *);
	void (*gone)(struct subscriber *);
};
void clients_init(struct event_base *, const struct client_handlers *);
/*
 * Takes over fd, which is non-blocking, of a user whom SO_PEERCRED named.
 * -1 if memory is short; fd is then the caller's.
 */
int client_new(int fd, uid_t, bool on_admin_socket);
/* Connections, and those of one user. */
unsigned int clients_count(void);
unsigned int clients_of_user(uid_t);

/* Sends one line.  Steals json, which may be NULL (memory was short). */
void client_send(struct client *, json_t *line);
/*
 * The same with its newline already written.  -1: memory was short, and
 * nothing is sent.
 */
int client_send_text(struct client *, const char *, size_t len);
/* Bytes that the client has not read yet. */
size_t client_unread(const struct client *);

/* A number that is never used twice; NULL when that client is gone. */
uint64_t client_serial(const struct client *);
struct client *client_find(uint64_t serial);
/* Root, and on the admin socket. */
bool client_is_admin(const struct client *);
bool client_is_root(const struct client *);

/* Requests of this client that the parent has not answered yet. */
void client_add_requests(struct client *, int change);

/* Its subscription, NULL for none; freed with the client. */
struct subscriber *client_subscriber(const struct client *);
void client_set_subscriber(struct client *, struct subscriber *);

#endif
