#ifndef COMMON_UDP_OPTIONS_H
#define COMMON_UDP_OPTIONS_H

/*
 * Options of UDP sockets from <linux/udp.h>, where the C library's headers
 * may be older than the kernel.  UDP_SEGMENT >= 4.18, UDP_GRO >= 5.0.
 */
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#endif
