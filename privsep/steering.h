#ifndef PRIVSEP_STEERING_H
#define PRIVSEP_STEERING_H

#include <stddef.h>

struct why;

/*
 * Which queue of a device takes a packet: a program that the kernel runs for
 * each (TUNSETSTEERINGEBPF, Linux 4.16), one for all devices.
 */

/*
 * Loads the program, which takes CAP_BPF (CAP_SYS_ADMIN holds it, too) and the
 * call bpf: once, before either is given up.  steering_set tells what failed.
 */
void steering_load(void);
/*
 * For all queues of the device behind this tun descriptor, now and later ones.
 * 0, or -1 with errno: then the driver chooses.
 */
int steering_set(int tun);
/* One line of what that error means, its cause and the remedy. */
void steering_explain(int error, struct why *why);
/* The driver chooses again. */
void steering_clear(int tun);

#endif
