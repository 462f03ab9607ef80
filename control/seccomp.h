#ifndef CONTROL_SECCOMP_H
#define CONTROL_SECCOMP_H

/* Installs the allow-list of tund-control: 0, or -1 with errno. */
int control_seccomp(void);

#endif
