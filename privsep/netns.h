#ifndef PRIVSEP_NETNS_H
#define PRIVSEP_NETNS_H

#include <stdint.h>

/*
 * Which network namespace something is in.  A namespace is held as an open
 * descriptor, close-on-exec and the caller's; see ioctl_ns(2).
 */
struct nlsock;

int netns_of_socket(int fd); /* SIOCGSKNS; -1 with errno */
/* TUNGETDEVNETNS, of the device, wherever it is now; -1 with errno. */
int netns_of_tun(int tun_fd);
/* 1 the same, 0 different, -1 not known. */
int netns_equal(int netns, int other);
int netns_of_tun_equal(int tun_fd, int other_tun_fd);
/* Is the device in the namespace of this process?  Likewise. */
int netns_of_tun_is_ours(int tun_fd);

/*
 * The number that the socket's namespace has for another; -1 with ENOENT
 * when it has none.
 */
int netns_get_id(struct nlsock *, int netns, int32_t *nsid);
/* The same, but a number is given when there is none. */
int netns_need_id(struct nlsock *, int netns, int32_t *nsid);
/*
 * The same for where the device is; NLSOCK_HOME if that is home, the socket's
 * namespace, and -1 where that (-1) could not be had.
 */
int netns_need_id_of_tun(struct nlsock *, int home, int tun_fd, int32_t *nsid);

#endif
