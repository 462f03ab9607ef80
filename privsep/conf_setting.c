#include "privsep/conf_setting.h"

static const char *const setting_names[SETTING_COUNT] = {
    [SETTING_USER] = "user",
    [SETTING_CONTROL_USER] = "control-user",
    [SETTING_CONTROL] = "control",
    [SETTING_CONTROL_READ_ONLY] = "control read-only",
    [SETTING_SANDBOX] = "sandbox",
    [SETTING_DEVICE] = "device",
    [SETTING_MTU] = "mtu",
    [SETTING_ADDRESS] = "address",
    [SETTING_TXQUEUELEN] = "txqueuelen",
    [SETTING_GSO_MAX_SEGS] = "gso-max-segs",
    [SETTING_QUEUES] = "queues",
    [SETTING_MAX_PEERS] = "max-peers",
    [SETTING_VNET_HEADER] = "vnet-header",
    [SETTING_OFFLOAD] = "offload",
    [SETTING_ROUTES] = "routes",
    [SETTING_SOCKET_BUFFER] = "socket-buffer",
    [SETTING_SCHED_POLICY] = "sched-policy",
    [SETTING_CPUS] = "cpus",
    [SETTING_LISTEN4] = "listen on an IPv4 address",
    [SETTING_LISTEN6] = "listen on an IPv6 address",
    [SETTING_MARK] = "mark",
    [SETTING_BIND_DEVICE] = "bind-device",
    [SETTING_ENDPOINT] = "endpoint",
};

const char *
setting_name(enum conf_setting setting)
{
	return setting_names[setting];
}
