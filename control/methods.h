#ifndef CONTROL_METHODS_H
#define CONTROL_METHODS_H

/* The handlers, one per method; control/methods.c has the table. */
struct call;

void method_version(const struct call *);
void method_methods(const struct call *);

/* control/show.c: from the state and the counters pages */
void method_status(const struct call *);
void method_interfaces(const struct call *);
void method_peers(const struct call *);
void method_stats(const struct call *);
void method_offload(const struct call *);
void method_sandbox(const struct call *);
void method_subscribe(const struct call *);

/* control/admin.c: carried out by the parent */
void method_reload(const struct call *);
void method_set(const struct call *);
void method_log(const struct call *);

#endif
