#ifndef CONTROL_SHOW_H
#define CONTROL_SHOW_H

struct call;

/* Methods that read: answered from the state and the counters pages. */
void method_status(const struct call *);
void method_interfaces(const struct call *);
void method_peers(const struct call *);
void method_stats(const struct call *);
void method_offload(const struct call *);
void method_sandbox(const struct call *);
void method_subscribe(const struct call *);

#endif
