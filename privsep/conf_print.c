#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipc/msg.h"
#include "privsep/conf.h"

static const char *
on_off(bool on)
{
	return on ? "on" : "off";
}

static void
print_quoted(const char *before, const char *text, FILE *f)
{
	const char *p;

	fprintf(f, "%s \"", before);
	for (p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			putc('\\', f);
		putc(*p, f);
	}
	fputs("\"", f);
}

/* The zone as a name where it has one: indexes change at every boot. */
static void
print_endpoint(const char *before, const struct endpoint *e, FILE *f)
{
	char address[ADDR_STRLEN], name[IFNAMSIZ];
	char text[ADDR_STRLEN + 1 + IFNAMSIZ];

	addr_format(&e->addr, address);
	if (e->scope == 0)
		fprintf(f, "%s %s", before, address);
	else {
		/* the kernel takes any bytes for a name */
		if (e->zone[0] != '\0')
			strlcpy(name, e->zone, sizeof(name));
		else if (if_indextoname(e->scope, name) == NULL)
			snprintf(name, sizeof(name), "%" PRIu32, e->scope);
		snprintf(text, sizeof(text), "%s%%%s", address, name);
		print_quoted(before, text, f);
	}
	fprintf(f, " port %u\n", (unsigned int)e->port);
}

static void
print_peer(const struct conf_interface *i, const struct conf_peer *p, FILE *f)
{
	char text[PREFIX_STRLEN];
	size_t n;

	print_quoted("\n\tpeer", p->name, f);
	fputs(" {\n", f);
	print_endpoint("\t\tendpoint", &p->endpoint, f);
	if (p->allow.count > 0) {
		fputs("\t\tallow {\n", f);
		for (n = 0; n < p->allow.count; n++)
			fprintf(f, "\t\t\t%s\n",
			    prefix_format(&p->allow.list[n], text));
		fputs("\t\t}\n", f);
	}
	/* a peer may have none where its interface has one */
	if (p->mark != 0 || i->mark != 0)
		fprintf(f, "\t\tmark %" PRIu32 "\n", p->mark);
	if (p->bind_device[0] != '\0') {
		print_quoted("\t\tbind-device", p->bind_device, f);
		fputs("\n", f);
	}
	fputs("\t}\n", f);
}

static void
print_device(const struct conf_interface *i, FILE *f)
{
	switch (i->device) {
	case CONF_DEVICE_CREATE:
		fputs("\tdevice create\n", f);
		break;
	case CONF_DEVICE_ADOPT:
		fputs("\tdevice adopt\n", f);
		break;
	case CONF_DEVICE_FD:
		fprintf(f, "\tdevice fd %d%s\n", i->fd,
		    i->monitored ? "" : " unmonitored");
		break;
	}
}

/* What is set on the link, through netlink. */
static void
print_link(const struct conf_interface *i, FILE *f)
{
	char text[PREFIX_STRLEN];
	size_t n;

	if (!i->monitored)
		return;
	if (i->mtu == 0)
		fputs("\tmtu auto\n", f);
	else
		fprintf(f, "\tmtu %" PRIu32 "\n", i->mtu);
	for (n = 0; n < i->addresses.count; n++)
		fprintf(f, "\taddress %s\n",
		    prefix_format(&i->addresses.list[n], text));
	fprintf(f, "\ttxqueuelen %" PRIu32 "\n", i->txqueuelen);
	fprintf(f, "\tgso-max-segs %" PRIu32 "\n", i->gso_max_segs);
	fprintf(f, "\troutes %s\n", on_off(i->routes));
}

static void
print_cpus(const struct conf_interface *i, FILE *f)
{
	uint32_t n;

	if (i->cpu_count == 0)
		return;
	fputs("\tcpus {", f);
	for (n = 0; n < i->cpu_count; n++)
		fprintf(f, " %" PRIu32, i->cpus[n]);
	fputs(" }\n", f);
}

static void
print_offloads(const struct conf_interface *i, FILE *f)
{
	/* without the header they are off, and "on" would be an error */
	uint32_t show = i->vnet_hdr ? OFFLOAD_ALL : OFFLOAD_ALL & ~OFFLOADS_TUN;
	enum offload o;

	fprintf(f, "\tvnet-header %s\n\toffload {\n", on_off(i->vnet_hdr));
	for (o = 0; o < OFFLOAD_COUNT; o++) {
		if ((show & OFFLOAD_BIT(o)) != 0)
			fprintf(f, "\t\t%s %s\n", offload_name(o),
			    on_off((i->offloads & OFFLOAD_BIT(o)) != 0));
	}
	fputs("\t}\n", f);
}

static void
print_sockets(const struct conf_interface *i, FILE *f)
{
	fprintf(f, "\tmax-peers %" PRIu32 "\n", i->max_peers);
	if (i->listen4.port != 0)
		print_endpoint("\tlisten udp on", &i->listen4, f);
	if (i->listen6.port != 0)
		print_endpoint("\tlisten udp on", &i->listen6, f);
	fprintf(f, "\tsocket-buffer %" PRIu32 "\n", i->socket_buffer);
	if (i->mark != 0)
		fprintf(f, "\tmark %" PRIu32 "\n", i->mark);
	if (i->bind_device[0] != '\0') {
		print_quoted("\tbind-device", i->bind_device, f);
		fputs("\n", f);
	}
}

static void
print_interface(const struct conf_interface *i, FILE *f)
{
	const struct conf_peer *p;

	print_quoted("\ninterface", i->name, f);
	fputs(" {\n", f);
	print_device(i, f);
	print_link(i, f);
	fprintf(f, "\tqueues %" PRIu32 "\n", i->queues);
	fprintf(f, "\tsched-policy %s\n", sched_policy_name(i->sched_policy));
	print_cpus(i, f);
	print_offloads(i, f);
	print_sockets(i, f);
	TAILQ_FOREACH (p, &i->peers, entry)
		print_peer(i, p, f);
	fputs("}\n", f);
}

void
conf_print(const struct conf *conf, FILE *f)
{
	static const char *const names[] = {
	    "user", "control-user", "control", "control read-only"};
	const char *const values[] = {conf->user, conf->control_user,
	    conf->control_path, conf->control_rpath};
	const struct conf_interface *i;
	size_t n;

	for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		print_quoted(names[n], values[n], f);
		fputs("\n", f);
	}
	fprintf(f, "sandbox %s\n", conf->sandbox_strict ? "strict" : "relaxed");
	TAILQ_FOREACH (i, &conf->interfaces, entry)
		print_interface(i, f);
}
