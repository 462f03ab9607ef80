#ifndef PRIVSEP_CONF_BUILD_H
#define PRIVSEP_CONF_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "privsep/conf_error.h"
#include "privsep/conf_setting.h"

/*
 * Makes a struct conf out of statements, in the order in which they stand.
 * Each call reports its own errors and leaves the default in place, so that
 * the rest of the file is checked too.
 */

struct conf_build;

struct conf_build *conf_build_new(struct conf_errors *);
/* Frees it, and the configuration unless conf_build_finish gave it away. */
void conf_build_free(struct conf_build *);
/* The last checks; NULL if there was any error.  end: of the main file. */
struct conf *conf_build_finish(struct conf_build *, struct conf_where end);

/*
 * A statement of the open blocks was lost to a syntax error: do not complain
 * that they lack something.
 */
void build_lost_statement(struct conf_build *);

void build_user(
    struct conf_build *, struct conf_where, enum conf_setting, const char *);
void build_control(
    struct conf_build *, struct conf_where, enum conf_setting, const char *);
void build_sandbox(struct conf_build *, struct conf_where, bool strict);

void build_interface_begin(
    struct conf_build *, struct conf_where, const char *name);
void build_interface_end(struct conf_build *);
void build_device(struct conf_build *, struct conf_where, enum conf_device);
void build_device_fd(
    struct conf_build *, struct conf_where, const char *fd, bool monitored);
/* txqueuelen, gso-max-segs, queues, max-peers. */
void build_number(
    struct conf_build *, struct conf_where, enum conf_setting, const char *);
void build_mtu(struct conf_build *, struct conf_where, const char *);
void build_address(struct conf_build *, struct conf_where, const char *);
void build_socket_buffer(struct conf_build *, struct conf_where, const char *);
void build_sched_policy(
    struct conf_build *, struct conf_where, uint32_t policy);
/* Then each CPU of the list. */
void build_cpus_begin(struct conf_build *, struct conf_where);
void build_cpu(struct conf_build *, struct conf_where, const char *);
/* vnet-header, routes. */
void build_switch(
    struct conf_build *, struct conf_where, enum conf_setting, bool on);
void build_offload_begin(struct conf_build *, struct conf_where);
void build_offload(
    struct conf_build *, struct conf_where, const char *name, bool on);
void build_listen(struct conf_build *, struct conf_where, const char *address,
    const char *port);

/* Of the open peer, or else of the open interface. */
void build_mark(struct conf_build *, struct conf_where, const char *);
void build_bind_device(struct conf_build *, struct conf_where, const char *);

void build_peer_begin(struct conf_build *, struct conf_where, const char *name);
void build_peer_end(struct conf_build *);
void build_endpoint(struct conf_build *, struct conf_where, const char *address,
    const char *port);
void build_allow(struct conf_build *, struct conf_where, const char *);

#endif
