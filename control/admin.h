#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

struct call;

/* Methods that change something: carried out by the parent. */
void method_reload(const struct call *);
void method_set(const struct call *);
void method_log(const struct call *);

#endif
