#include <sys/stat.h>

#include <err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/msg.h"
#include "privsep/conf.h"

#define TEXT_MAX 32768

static char folder[] = "/tmp/test_conf.XXXXXX";
static char errors[8192]; /* of the last parse, one a line */

/* helpers */

static int
enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) == -1 ? -1 : 0;
}

static int
leave_folder(void **state)
{
	(void)state;
	return chdir("/") == -1 || rmdir(folder) == -1 ? -1 : 0;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f;

	if ((f = fopen(name, "w")) == NULL || fputs(text, f) == EOF ||
	    fclose(f) != 0 || chmod(name, 0600) == -1)
		err(1, "%s", name);
}

static void
keep_error(const char *message, void *arg)
{
	assert_ptr_equal(arg, folder);
	strlcat(errors, message, sizeof(errors));
	strlcat(errors, "\n", sizeof(errors));
}

static struct conf *
parse_with(const char *text, const struct conf_macro *macros, size_t count)
{
	struct conf *conf;

	errors[0] = '\0';
	write_file("t.conf", text);
	conf = conf_parse("t.conf", macros, count, keep_error, folder);
	unlink("t.conf");
	assert_true((conf == NULL) == (errors[0] != '\0'));
	return conf;
}

/* Parses what must be right. */
static struct conf *
parse(const char *text)
{
	struct conf *conf = parse_with(text, NULL, 0);

	if (conf == NULL)
		print_message("# %s", errors);
	assert_non_null(conf);
	return conf;
}

static void
assert_errors(const char *text, const char *expected)
{
	assert_null(parse_with(text, NULL, 0));
	assert_string_equal(errors, expected);
}

static char *
print(const struct conf *conf)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		err(1, "open_memstream");
	conf_print(conf, f);
	if (fclose(f) != 0)
		err(1, "open_memstream");
	return text;
}

static bool
peers_equal(const struct conf_interface *a, const struct conf_interface *b)
{
	const struct conf_peer *p, *q = TAILQ_FIRST(&b->peers);
	char names[CONF_NAMES_MAX];

	TAILQ_FOREACH (p, &a->peers, entry) {
		if (q == NULL || strcmp(p->name, q->name) != 0 ||
		    !conf_peer_compare(p, q, names))
			return false;
		q = TAILQ_NEXT(q, entry);
	}
	return q == NULL;
}

static bool
interface_equal(const struct conf_interface *a, const struct conf_interface *b)
{
	char names[CONF_NAMES_MAX];

	return strcmp(a->name, b->name) == 0 &&
	       conf_interface_compare(a, b, names) == CONF_SAME &&
	       names[0] == '\0';
}

static bool
conf_equal(const struct conf *a, const struct conf *b)
{
	const struct conf_interface *i, *j = TAILQ_FIRST(&b->interfaces);

	TAILQ_FOREACH (i, &a->interfaces, entry) {
		if (j == NULL || !interface_equal(i, j) || !peers_equal(i, j))
			return false;
		j = TAILQ_NEXT(j, entry);
	}
	return j == NULL && conf_global_equal(a, b);
}

/* Prints, parses the print, compares, prints again, compares the texts. */
static void
assert_round_trip(const char *text)
{
	struct conf *a, *b;
	char *first, *second;

	a = parse(text);
	first = print(a);
	b = parse(first);
	second = print(b);
	if (!conf_equal(a, b) || strcmp(first, second) != 0)
		print_message("# from:\n%s# to:\n%s", text, first);
	assert_true(conf_equal(a, b));
	assert_string_equal(first, second);
	free(first);
	free(second);
	conf_free(a);
	conf_free(b);
}

static void
assert_prefixes(const struct conf_prefixes *p, const char *expected)
{
	char all[1024] = "", text[PREFIX_STRLEN];
	size_t n;

	for (n = 0; n < p->count; n++) {
		strlcat(all, n == 0 ? "" : " ", sizeof(all));
		strlcat(all, prefix_format(&p->list[n], text), sizeof(all));
	}
	assert_string_equal(all, expected);
}

static void
assert_endpoint(const struct endpoint *e, const char *expected)
{
	char text[ENDPOINT_STRLEN];

	assert_string_equal(endpoint_format(e, text), expected);
}

/* values */

static void
defaults_are_those_of_the_header(void **state)
{
	struct conf *conf = parse("interface tun0 {\n}\n");
	const struct conf_interface *i = conf_find_interface(conf, "tun0");

	(void)state;
	assert_string_equal(conf->user, CONF_USER_DEFAULT);
	assert_string_equal(conf->control_user, CONF_CONTROL_USER_DEFAULT);
	assert_string_equal(conf->control_path, CONF_SOCKET_DEFAULT);
	assert_string_equal(conf->control_rpath, CONF_RSOCKET_DEFAULT);
	assert_false(conf->sandbox_strict);
	assert_non_null(i);
	assert_int_equal(i->device, CONF_DEVICE_CREATE);
	assert_int_equal(i->fd, -1);
	assert_true(i->monitored);
	assert_true(i->vnet_hdr);
	assert_int_equal(i->mtu, 0);
	assert_int_equal(i->txqueuelen, CONF_TXQUEUELEN_DEFAULT);
	assert_int_equal(i->gso_max_segs, CONF_GSO_MAX_SEGS_DEFAULT);
	assert_int_equal(i->queues, 1);
	assert_int_equal(i->sched_policy, SCHED_POLICY_BATCH);
	assert_int_equal(i->cpu_count, 0);
	assert_int_equal(i->max_peers, CONF_MAX_PEERS_DEFAULT);
	assert_int_equal(i->socket_buffer, CONF_SOCKET_BUFFER_DEFAULT);
	assert_int_equal(i->offloads, OFFLOAD_ALL);
	assert_false(i->routes);
	assert_int_equal(i->addresses.count, 0);
	assert_int_equal(i->listen4.port, 0);
	assert_int_equal(i->listen6.port, 0);
	assert_int_equal(i->mark, 0);
	assert_string_equal(i->bind_device, "");
	assert_true(TAILQ_EMPTY(&i->peers));
	assert_int_equal(i->line, 1);
	conf_free(conf);
}

static void
every_global_keyword_sets_its_value(void **state)
{
	struct conf *conf;

	(void)state;
	conf = parse("user nobody\n"
		     "control-user \"con\"\n"
		     "control \"/run/a\"\n"
		     "control read-only '/run/b c'\n"
		     "sandbox strict\n"
		     "interface tun0 { }\n");
	assert_string_equal(conf->user, "nobody");
	assert_string_equal(conf->control_user, "con");
	assert_string_equal(conf->control_path, "/run/a");
	assert_string_equal(conf->control_rpath, "/run/b c");
	assert_true(conf->sandbox_strict);
	conf_free(conf);
}

static void
every_interface_keyword_sets_its_value(void **state)
{
	struct conf *conf;
	const struct conf_interface *i;

	(void)state;
	conf = parse("interface \"tun7\" {\n"
		     "	device adopt\n"
		     "	mtu 1400\n"
		     "	address 10.1.2.3/24\n"
		     "	address fd00::5/64\n"
		     "	address 10.9.9.9\n"
		     "	txqueuelen 50\n"
		     "	gso-max-segs 7\n"
		     "	queues 3\n"
		     "	sched-policy rr\n"
		     "	cpus { 2, 0\n 1023 }\n"
		     "	max-peers 9\n"
		     "	vnet-header on\n"
		     "	routes on\n"
		     "	listen udp on 127.0.0.1 port 6080\n"
		     "	listen udp on :: port 6080\n"
		     "	mark 0x10\n"
		     "	bind-device lo\n"
		     "	socket-buffer 4m\n"
		     "}\n");
	i = conf_find_interface(conf, "tun7");
	assert_non_null(i);
	assert_int_equal(i->device, CONF_DEVICE_ADOPT);
	assert_int_equal(i->mtu, 1400);
	assert_prefixes(&i->addresses, "10.1.2.3/24 fd00::5/64 10.9.9.9/32");
	assert_int_equal(i->txqueuelen, 50);
	assert_int_equal(i->gso_max_segs, 7);
	assert_int_equal(i->queues, 3);
	assert_int_equal(i->sched_policy, SCHED_POLICY_RR);
	assert_int_equal(i->cpu_count, 3);
	assert_int_equal(i->cpus[0], 2);
	assert_int_equal(i->cpus[1], 0);
	assert_int_equal(i->cpus[2], 1023);
	assert_int_equal(i->max_peers, 9);
	assert_true(i->vnet_hdr);
	assert_true(i->routes);
	assert_endpoint(&i->listen4, "127.0.0.1:6080");
	assert_endpoint(&i->listen6, "[::]:6080");
	assert_int_equal(i->mark, 16);
	assert_string_equal(i->bind_device, "lo");
	assert_int_equal(i->socket_buffer, 4 << 20);
	conf_free(conf);
}

static void
an_inherited_descriptor_may_be_unmonitored(void **state)
{
	struct conf *conf =
	    parse("interface a { device fd 7 }\n"
		  "interface b { device fd 8 unmonitored; routes off }\n");
	const struct conf_interface *i = conf_find_interface(conf, "a");

	(void)state;
	assert_int_equal(i->device, CONF_DEVICE_FD);
	assert_int_equal(i->fd, 7);
	assert_true(i->monitored);
	i = conf_find_interface(conf, "b");
	assert_int_equal(i->device, CONF_DEVICE_FD);
	assert_int_equal(i->fd, 8);
	assert_false(i->monitored);
	conf_free(conf);
}

static void
offload_words_switch_their_bits(void **state)
{
	const struct offload_word *word;
	char text[128];
	struct conf *conf;
	size_t n;

	(void)state;
	for (n = 0; n < OFFLOAD_WORDS; n++) {
		word = offload_word(n);
		snprintf(text, sizeof(text),
		    "interface tun0 { offload { %s off } }\n", word->name);
		conf = parse(text);
		assert_int_equal(TAILQ_FIRST(&conf->interfaces)->offloads,
		    OFFLOAD_ALL & ~word->bits);
		conf_free(conf);
	}
}

static void
a_later_offload_word_overrides_an_earlier_one(void **state)
{
	struct conf *conf;

	(void)state;
	conf = parse("interface tun0 { offload { gro off, tso-rx on } }\n");
	assert_int_equal(TAILQ_FIRST(&conf->interfaces)->offloads,
	    OFFLOAD_ALL & ~OFFLOAD_BIT(OFFLOAD_USO_RX));
	conf_free(conf);
}

static void
without_the_header_the_tun_offloads_are_off(void **state)
{
	struct conf *conf;

	(void)state;
	conf = parse("interface tun0 { vnet-header off }\n");
	assert_int_equal(TAILQ_FIRST(&conf->interfaces)->offloads,
	    OFFLOAD_BIT(OFFLOAD_UDP_GSO) | OFFLOAD_BIT(OFFLOAD_UDP_GRO));
	conf_free(conf);
}

static void
socket_buffers_take_suffixes(void **state)
{
	static const struct {
		const char *text;
		uint32_t bytes;
	} rows[] = {{"4096", 4096}, {"8k", 8192}, {"16K", 16384},
	    {"1m", 1 << 20}, {"1023M", 1023u << 20}};
	char text[128];
	struct conf *conf;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		snprintf(text, sizeof(text),
		    "interface tun0 { socket-buffer %s }\n", rows[n].text);
		conf = parse(text);
		assert_int_equal(TAILQ_FIRST(&conf->interfaces)->socket_buffer,
		    rows[n].bytes);
		conf_free(conf);
	}
}

/* peers */

static void
peers_inherit_unless_they_have_their_own(void **state)
{
	struct conf *conf;
	const struct conf_interface *i;
	const struct conf_peer *p;

	(void)state;
	conf = parse("interface tun0 {\n"
		     "listen udp on 0.0.0.0 port 1\n"
		     "peer a { endpoint 192.0.2.1 port 1 }\n"
		     "peer b { endpoint 192.0.2.2 port 1; mark 0\n"
		     "bind-device lo }\n"
		     "mark 5\n"
		     "bind-device eth0\n"
		     "peer c { endpoint 192.0.2.3 port 1; mark 4294967295 }\n"
		     "}\n");
	i = conf_find_interface(conf, "tun0");
	p = conf_find_peer(i, "a");
	assert_int_equal(p->mark, 5);
	assert_string_equal(p->bind_device, "eth0");
	p = conf_find_peer(i, "b");
	assert_int_equal(p->mark, 0);
	assert_string_equal(p->bind_device, "lo");
	p = conf_find_peer(i, "c");
	assert_true(p->mark == UINT32_MAX);
	assert_string_equal(p->bind_device, "eth0");
	conf_free(conf);
}

static void
allowed_prefixes_are_masked_and_sorted(void **state)
{
	struct conf *conf;
	const struct conf_peer *p;

	(void)state;
	conf = parse("interface tun0 {\n"
		     "	listen udp on 0.0.0.0 port 1\n"
		     "	peer a {\n"
		     "		endpoint 192.0.2.1 port 6080\n"
		     "		allow { fd00::1:2/112, 10.1.2.3/8\n"
		     "		10.0.0.0/16 , \n 10.0.0.1\n }\n"
		     "		allow 0.0.0.0/0\n"
		     "		allow { }\n"
		     "	}\n"
		     "}\n");
	p = conf_find_peer(TAILQ_FIRST(&conf->interfaces), "a");
	assert_prefixes(&p->allow, "0.0.0.0/0 10.0.0.0/8 10.0.0.0/16 "
				   "10.0.0.1/32 fd00::1:0/112");
	assert_endpoint(&p->endpoint, "192.0.2.1:6080");
	conf_free(conf);
}

static void
a_link_local_endpoint_has_a_scope(void **state)
{
	struct conf *conf;
	const struct conf_peer *p;
	char *text;

	(void)state;
	conf = parse("interface tun0 { listen udp on :: port 1\n"
		     "peer a { endpoint fe80::1%lo port 2 }\n"
		     "peer b { endpoint fe80::1%2147483647 port 2 } }\n");
	p = conf_find_peer(TAILQ_FIRST(&conf->interfaces), "a");
	assert_int_equal(p->endpoint.scope, if_nametoindex("lo"));
	assert_endpoint(&p->endpoint, "[fe80::1%lo]:2");
	text = print(conf);
	assert_non_null(strstr(text, "endpoint \"fe80::1%lo\" port 2\n"));
	assert_non_null(
	    strstr(text, "endpoint \"fe80::1%2147483647\" port 2\n"));
	free(text);
	conf_free(conf);
	/* which is part of the address: these two are not the same */
	conf_free(
	    parse("interface a { queues 2 listen udp on fe80::1%lo port 8 }\n"
		  "interface b { listen udp on fe80::1%2147483647 port 9 }\n"));
}

static void
the_families_may_listen_on_one_port(void **state)
{
	(void)state;
	conf_free(parse("interface tun0 {\n"
			"	listen udp on 0.0.0.0 port 6080\n"
			"	listen udp on :: port 6080\n"
			"}\n"
			"interface tun1 {\n"
			"	listen udp on 0.0.0.0 port 6081\n"
			"	listen udp on ::1 port 6081\n"
			"}\n"));
}

static void
the_same_prefix_may_stand_in_two_interfaces(void **state)
{
	(void)state;
	conf_free(parse(
	    "interface tun0 { listen udp on :: port 1\n"
	    "	peer a { endpoint ::2 port 1; allow { 10.0.0.0/8 } } }\n"
	    "interface tun1 { listen udp on :: port 2\n"
	    "	peer a { endpoint ::2 port 1; allow { 10.0.0.0/8 } } }\n"));
}

/* words, macros, files */

static void
statements_need_no_newlines_in_blocks(void **state)
{
	(void)state;
	conf_free(parse("interface tun0{mtu 1400 routes on listen udp on ::1 "
			"port 5 peer a{endpoint ::2 port 1 allow{::/0}}}"));
	conf_free(parse("\n\n# one\r\n;interface \\\n tun0 {# two \\\n still\n"
			";;\nmtu \\\n 1400\n}\n# \xc3\xa9"));
}

static void
quotes_make_words_of_keywords(void **state)
{
	struct conf *conf;

	(void)state;
	conf = parse("interface \"mtu\" { listen udp on ::1 port 5\n"
		     "peer 'a#;{}$' { endpoint ::2 port 1 } }\n"
		     "control \"/a\\\"b\\\\c\\d\"\n");
	assert_non_null(conf_find_interface(conf, "mtu"));
	assert_non_null(
	    conf_find_peer(TAILQ_FIRST(&conf->interfaces), "a#;{}$"));
	assert_string_equal(conf->control_path, "/a\"b\\c\\d");
	conf_free(conf);
}

static void
macros_stand_for_words_and_lists(void **state)
{
	struct conf *conf;
	const struct conf_interface *i;
	const struct conf_peer *p;

	(void)state;
	conf = parse("port = 6080\n"
		     "host = 192.0.2.1\n"
		     "name = 'not used'\n"
		     "name = '\"mtu\"' # a later one holds\n"
		     "there = $host \"port\" $port\n"
		     "nets = \"{ 10.0.0.0/8, fd00::/8 }\"\n"
		     "none = \"\"\n"
		     "interface tun0 {\n"
		     "	listen udp on 0.0.0.0 port $port\n"
		     "	$none\n"
		     "	peer $name { endpoint $there allow $nets }\n"
		     "	peer \"$name\" { endpoint $host port 1 } }\n");
	i = TAILQ_FIRST(&conf->interfaces);
	assert_endpoint(&i->listen4, "0.0.0.0:6080");
	assert_non_null(conf_find_peer(i, "$name"));
	assert_non_null(p = conf_find_peer(i, "mtu"));
	assert_endpoint(&p->endpoint, "192.0.2.1:6080");
	assert_prefixes(&p->allow, "10.0.0.0/8 fd00::/8");
	conf_free(conf);
}

static void
a_command_line_macro_overrides_the_file(void **state)
{
	const struct conf_macro macros[] = {
	    {"m", "1400"}, {"n", "1"}, {"n", "2"}};
	struct conf *conf;

	(void)state;
	conf = parse_with("m = 1300\nm = 1301\no = 3\no = 4\n"
			  "interface tun0 { mtu $m queues $n mark $o }\n",
	    macros, 3);
	assert_non_null(conf);
	assert_int_equal(TAILQ_FIRST(&conf->interfaces)->mtu, 1400);
	assert_int_equal(TAILQ_FIRST(&conf->interfaces)->queues, 2);
	assert_int_equal(TAILQ_FIRST(&conf->interfaces)->mark, 4);
	conf_free(conf);
}

static void
includes_are_read_in_place(void **state)
{
	struct conf *conf;
	const struct conf_interface *i;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	write_file("sub/macros", "m = 1400\ninclude 'more'");
	write_file("sub/more", "n = 3");
	write_file("sub/peers", "peer a { endpoint ::2 port 1 }\n"
				"peer b { endpoint ::3 port 1 }");
	conf = parse("include \"sub/macros\"\n"
		     "interface tun0 {\n"
		     "	listen udp on :: port $n\n"
		     "	include \"sub/peers\"\n"
		     "	mtu $m\n"
		     "}\n");
	i = TAILQ_FIRST(&conf->interfaces);
	assert_int_equal(i->mtu, 1400);
	assert_int_equal(i->listen6.port, 3);
	assert_non_null(conf_find_peer(i, "a"));
	conf_free(conf);
	unlink("sub/macros");
	unlink("sub/more");
	unlink("sub/peers");
	assert_int_equal(rmdir("sub"), 0);
}

static void
errors_in_an_included_file_name_it(void **state)
{
	(void)state;
	write_file("inc", "mtu 3\n\tpeer a { endpoint ::2 port 1\n"
			  "allow 10.0.0.0/8\n}\n");
	assert_errors("interface tun0 {\n"
		      "	listen udp on :: port 1\n"
		      "	include \"inc\"\n"
		      "	peer b { endpoint ::3 port 1 allow 10.0.0.0/8 }\n"
		      "	mtu 4\n"
		      "}\n",
	    "inc:1: mtu 3 is outside 68..65535\n"
	    "t.conf:4: prefix 10.0.0.0/8 is already allowed to peer \"a\" "
	    "(inc:3)\n"
	    "t.conf:5: mtu is set already (inc:1)\n");
	unlink("inc");
}

static void
an_included_file_closes_its_own_blocks(void **state)
{
	(void)state;
	write_file("inc", "peer a {\nendpoint ::2 port 1\n");
	assert_errors("interface tun0 {\ninclude \"inc\"\n}\n}\n",
	    "inc:2: missing \"}\": the block that begins on line 1 is not "
	    "closed\n");
	write_file("inc", "mtu 1400 }\n");
	assert_errors("interface tun0 {\ninclude \"inc\"\n}\n",
	    "inc:1: \"}\" without a \"{\" before it\n");
	unlink("inc");
}

static void
files_may_nest_sixteen_deep(void **state)
{
	char name[32], text[64];
	int n;

	(void)state;
	for (n = 1; n <= 16; n++) {
		snprintf(name, sizeof(name), "f%d", n);
		snprintf(text, sizeof(text), "include \"f%d\"\n", n + 1);
		write_file(name, n < 16 ? text : "interface tun0 { }\n");
	}
	assert_errors("include \"f1\"\n", "f15:1: more than 16 files included "
					  "within each other\n");
	conf_free(parse("include \"f2\"\n"));
	for (n = 1; n <= 16; n++) {
		snprintf(name, sizeof(name), "f%d", n);
		unlink(name);
	}
}

static void
files_are_counted(void **state)
{
	char text[8192] = "";
	int n;

	(void)state;
	write_file("inc", "# nothing\n");
	for (n = 0; n < 256; n++)
		strlcat(text, "include \"inc\"\n", sizeof(text));
	assert_errors(text, "t.conf:256: more than 256 files\n");
	unlink("inc");
}

static void
every_error_is_reported_up_to_twenty(void **state)
{
	char text[4096] = "", expected[4096] = "", line[64];
	int n;

	(void)state;
	strlcat(text, "interface tun0 {\n", sizeof(text));
	for (n = 2; n < 40; n++) {
		snprintf(line, sizeof(line), "bad%d 1 { x\n } y\n", n);
		strlcat(text, line, sizeof(text));
		if (n >= 23)
			continue;
		if (n < 22)
			snprintf(line, sizeof(line),
			    "t.conf:%d: unknown keyword \"bad%d\"; see "
			    "tund.conf(5)\n",
			    2 * n - 2, n);
		else
			snprintf(line, sizeof(line),
			    "t.conf:%d: too many errors; the rest was not "
			    "read\n",
			    2 * n - 2);
		strlcat(expected, line, sizeof(expected));
	}
	assert_errors(text, expected);
}

static void
a_nul_byte_is_an_error_even_in_a_comment(void **state)
{
	static const char text[] = "interface tun0 { } # \0 x\nmtu 3\n";
	FILE *f;

	(void)state;
	errors[0] = '\0';
	f = fopen("nul.conf", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, sizeof(text) - 1, 1, f), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("nul.conf", 0600), 0);
	assert_null(conf_parse("nul.conf", NULL, 0, keep_error, folder));
	assert_string_equal(errors,
	    "nul.conf:1: NUL byte; is this a text file?\n"
	    "nul.conf:2: \"mtu\" belongs into the block of an interface\n");
	unlink("nul.conf");
}

/* comparisons */

#define LISTEN "listen udp on 0.0.0.0 port 1\n"
#define PEER_A "peer a { endpoint 192.0.2.1 port 1\n"

static void
global_comparison_sees_every_field(void **state)
{
	static const char *const rows[] = {"user x\n", "control-user x\n",
	    "control /x\n", "control read-only /x\n", "sandbox strict\n"};
	struct conf *base = parse("interface tun0 { }\n"), *other;
	char text[128];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		snprintf(text, sizeof(text), "%sinterface tun0 { }\n", rows[n]);
		other = parse(text);
		assert_false(conf_global_equal(base, other));
		assert_true(conf_global_equal(other, other));
		conf_free(other);
	}
	other = parse("interface tun1 { mtu 1400 }\n");
	assert_true(conf_global_equal(base, other));
	conf_free(other);
	conf_free(base);
}

/* conf_errors.test has those that are longer by one. */
static void
names_may_be_as_long_as_they_can(void **state)
{
	char peer[CONF_NAME_SIZE] = "", text[256];
	struct conf *conf;

	(void)state;
	memset(peer, 'p', sizeof(peer) - 1);
	snprintf(text, sizeof(text),
	    "interface i23456789012345 { " LISTEN
	    "peer %s { endpoint 192.0.2.1 port 1 } }\n",
	    peer);
	conf = parse(text);
	assert_non_null(
	    conf_find_peer(conf_find_interface(conf, "i23456789012345"), peer));
	conf_free(conf);
}

/* Of UDP in IPv4 and in IPv6; conf_errors.test has one byte more. */
static void
an_mtu_may_be_all_that_a_datagram_carries(void **state)
{
	(void)state;
	conf_free(parse("interface tun0 { mtu 65507 listen udp on 0.0.0.0 "
			"port 1\npeer a { endpoint 192.0.2.1 port 1 } }\n"));
	conf_free(parse("interface tun0 { mtu 65527 listen udp on :: port 1\n"
			"peer a { endpoint ::2 port 1 } }\n"));
}

static void
interface_comparison_sees_every_field(void **state)
{
	static const struct {
		const char *text;
		enum conf_change change;
	} rows[] = {{"device adopt", CONF_ANEW}, {"device fd 3", CONF_ANEW},
	    {"device fd 3 unmonitored", CONF_ANEW}, {"mtu 1400", CONF_IN_PLACE},
	    {"address 10.0.0.1/8", CONF_IN_PLACE},
	    {"txqueuelen 5", CONF_IN_PLACE}, {"gso-max-segs 5", CONF_IN_PLACE},
	    {"queues 2", CONF_ANEW}, {"sched-policy rr", CONF_IN_PLACE},
	    {"cpus 0", CONF_IN_PLACE}, {"cpus 1", CONF_IN_PLACE},
	    {"max-peers 2", CONF_ANEW}, {"vnet-header off", CONF_ANEW},
	    {"offload { udp-gso off }", CONF_IN_PLACE},
	    {"routes on", CONF_IN_PLACE}, {"socket-buffer 1m", CONF_ANEW},
	    {"listen udp on 0.0.0.0 port 5", CONF_ANEW},
	    {"listen udp on :: port 5", CONF_ANEW}, {"mark 5", CONF_IN_PLACE},
	    {"bind-device lo", CONF_IN_PLACE}};
	struct conf *base = parse("interface tun0 { }\n"), *other;
	char text[128], names[CONF_NAMES_MAX];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		snprintf(text, sizeof(text), "\ninterface tun0 { %s }\n",
		    rows[n].text);
		other = parse(text);
		assert_false(interface_equal(TAILQ_FIRST(&base->interfaces),
		    TAILQ_FIRST(&other->interfaces)));
		/* by the word that sets it; it may bring another */
		assert_int_equal(
		    conf_interface_compare(TAILQ_FIRST(&base->interfaces),
			TAILQ_FIRST(&other->interfaces), names),
		    rows[n].change);
		snprintf(text, sizeof(text), "%.*s",
		    (int)strcspn(rows[n].text, " "), rows[n].text);
		assert_non_null(strstr(names, text));
		assert_true(interface_equal(TAILQ_FIRST(&other->interfaces),
		    TAILQ_FIRST(&other->interfaces)));
		conf_free(other);
	}
	/* a descriptor is another by its number */
	conf_free(base);
	base = parse("interface tun0 { device fd 3 }\n");
	other = parse("interface tun0 { device fd 4 }\n");
	assert_int_equal(conf_interface_compare(TAILQ_FIRST(&base->interfaces),
			     TAILQ_FIRST(&other->interfaces), names),
	    CONF_ANEW);
	assert_string_equal(names, "device");
	conf_free(other);
	conf_free(base);
	/* neither peers nor the line count */
	base = parse("interface tun0 { }\n");
	other = parse("\n\n\ninterface tun0 { }\n");
	assert_true(interface_equal(
	    TAILQ_FIRST(&base->interfaces), TAILQ_FIRST(&other->interfaces)));
	conf_free(other);
	conf_free(base);
}

/* The settings in which the first peer of the one differs from the other's. */
static void
assert_differ(const char *a, const char *b, const char *want)
{
	struct conf *ca = parse(a), *cb = parse(b);
	char names[CONF_NAMES_MAX];
	bool equal =
	    conf_peer_compare(TAILQ_FIRST(&TAILQ_FIRST(&ca->interfaces)->peers),
		TAILQ_FIRST(&TAILQ_FIRST(&cb->interfaces)->peers), names);

	assert_string_equal(names, want);
	assert_int_equal(equal, want[0] == '\0');
	conf_free(ca);
	conf_free(cb);
}

static void
peer_comparison_sees_every_setting(void **state)
{
	static const char base[] =
	    "interface tun0 {\n" LISTEN PEER_A "allow { 10.0.0.0/8 } } }\n";
	static const struct {
		const char *text, *names;
	} rows[] = {
	    {"interface tun1 {\n\n" LISTEN PEER_A "allow { 10.0.0.0/8 } } }\n",
		""},
	    {"interface tun0 {\n" LISTEN PEER_A "allow { 10.0.0.0/9 } } }\n",
		"allow"},
	    {"interface tun0 {\n" LISTEN PEER_A
	     "allow { 10.0.0.0/8, ::/0 } } }\n",
		"allow"},
	    {"interface tun0 {\n" LISTEN PEER_A
	     "mark 1 allow { 10.0.0.0/8 } } }\n",
		"mark"},
	    {"interface tun0 {\nmark 1\n" LISTEN PEER_A
	     "allow 10.0.0.0/8 } }\n",
		"mark"},
	    {"interface tun0 {\nbind-device lo\n" LISTEN PEER_A
	     "allow 10.0.0.0/8 } }\n",
		"bind-device"},
	    {"interface tun0 {\n" LISTEN "peer a { endpoint 192.0.2.1 port 2\n"
	     "allow { 10.0.0.0/8 } } }\n",
		"endpoint"},
	    {"interface tun0 {\nbind-device lo mark 1 " LISTEN
	     "peer a { endpoint 192.0.2.2 port 1 } }\n",
		"endpoint, allow, mark, bind-device"},
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		assert_differ(base, rows[n].text, rows[n].names);
	/* the order of the prefixes means nothing */
	assert_differ("interface tun0 {\n" LISTEN PEER_A
		      "allow { ::/0 1.0.0.0/8 } } }",
	    "interface tun0 {\n" LISTEN PEER_A "allow { 1.0.0.0/8 ::/0 } } }",
	    "");
}

/* the print */

static void
the_print_parses_to_the_same(void **state)
{
	static const char *const rows[] = {
	    "interface tun0 { }\n",
	    "interface \"tun%d\" { device create }\n",
	    "interface tun0 { device adopt vnet-header off }\n",
	    "interface tun0 { device fd 3 mtu 1280 address ::5/0 }\n",
	    "interface tun0 { device fd 3 unmonitored queues 4 }\n",
	    "interface tun0 { vnet-header off offload { udp-gro off } }\n",
	    "interface tun0 { offload { gro off udp-gso off } mark 0xff }\n",
	    "control '/a\"b\\\\'\ncontrol read-only \"/ '\"\n"
	    "interface tun0 { }\n",
	    "interface tun0 { mark 7 bind-device eth0 " LISTEN PEER_A
	    "mark 0 } }\n",
	    "interface tun0 { " LISTEN PEER_A "mark 3 bind-device e } }\n",
	    "interface tun0 { listen udp on fe80::1%lo port 9\n"
	    "peer '#{}' { endpoint fe80::2%lo port 65535 } }\n",
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		assert_round_trip(rows[n]);
}

static void
the_print_is_as_documented(void **state)
{
	struct conf *conf =
	    parse("interface tun0 { mtu 1400 address 10.0.0.1/24\n"
		  "listen udp on :: port 5 peer a { endpoint ::2 port 6\n"
		  "allow { 10.0.0.2 } } }\n");
	char *text = print(conf);

	(void)state;
	assert_string_equal(text, "user \"_tund\"\n"
				  "control-user \"_tundctl\"\n"
				  "control \"/run/tund/tund.sock\"\n"
				  "control read-only \"/run/tund/tund.rsock\"\n"
				  "sandbox relaxed\n"
				  "\n"
				  "interface \"tun0\" {\n"
				  "	device create\n"
				  "	mtu 1400\n"
				  "	address 10.0.0.1/24\n"
				  "	txqueuelen 1000\n"
				  "	gso-max-segs 65535\n"
				  "	routes off\n"
				  "	queues 1\n"
				  "	sched-policy batch\n"
				  "	vnet-header on\n"
				  "	offload {\n"
				  "		tso-tx on\n"
				  "		uso-tx on\n"
				  "		tso-rx on\n"
				  "		uso-rx on\n"
				  "		udp-gso on\n"
				  "		udp-gro on\n"
				  "	}\n"
				  "	max-peers 64\n"
				  "	listen udp on :: port 5\n"
				  "	socket-buffer 7340032\n"
				  "\n"
				  "	peer \"a\" {\n"
				  "		endpoint ::2 port 6\n"
				  "		allow {\n"
				  "			10.0.0.2/32\n"
				  "		}\n"
				  "	}\n"
				  "}\n");
	free(text);
	conf_free(conf);
}

/* random configurations */

struct generator {
	char text[TEXT_MAX];
	uint64_t state;
	bool monitored, vnet;
};

static uint32_t
pick(struct generator *g, uint32_t bound)
{
	/* Knuth's MMIX multiplier; the upper half is good enough */
	g->state = g->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(g->state >> 33) % bound;
}

static void add(struct generator *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct generator *g, const char *fmt, ...)
{
	size_t len = strlen(g->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->text + len, sizeof(g->text) - len, fmt, ap);
	va_end(ap);
}

static const char *
gap(struct generator *g)
{
	static const char *const gaps[] = {
	    "\n", " ", ";", "\t# x { \"\n", " \\\n\t", "\n\n"};

	return gaps[pick(g, 6)];
}

static void
add_prefix(struct generator *g, uint32_t n)
{
	if (pick(g, 2) == 0)
		add(g, "10.%u.%u.0/%u", n, pick(g, 256), 16 + pick(g, 17));
	else
		add(g, "fd%02x:%x::/%u", n, pick(g, 65536), 16 + pick(g, 113));
}

static void
add_device(struct generator *g, uint32_t n)
{
	g->monitored = true;
	switch (pick(g, 5)) {
	case 0:
		add(g, "device create%s", gap(g));
		break;
	case 1:
		add(g, "device adopt%s", gap(g));
		break;
	case 2:
		add(g, "device fd %u%s", 3 + n, gap(g));
		break;
	case 3:
		g->monitored = false;
		add(g, "device fd %u unmonitored%s", 3 + n, gap(g));
		break;
	}
}

static void
add_link(struct generator *g)
{
	if (!g->monitored)
		return;
	if (pick(g, 2) == 0)
		add(g, "mtu %u%s", 1280 + pick(g, 60000), gap(g));
	if (pick(g, 2) == 0)
		add(g, "address 10.%u.3.4/%u%s", pick(g, 256), pick(g, 33),
		    gap(g));
	if (pick(g, 2) == 0)
		add(g, "address fd00::%x/%u%s", 1 + pick(g, 65535),
		    pick(g, 129), gap(g));
	if (pick(g, 3) == 0)
		add(g, "txqueuelen %u%s", 1 + pick(g, 9999), gap(g));
	if (pick(g, 3) == 0)
		add(g, "gso-max-segs %u%s", 1 + pick(g, 999), gap(g));
	if (pick(g, 3) == 0)
		add(g, "routes %s%s", pick(g, 2) ? "on" : "off", gap(g));
}

static void
add_offloads(struct generator *g)
{
	const struct offload_word *word;
	size_t n;

	g->vnet = pick(g, 4) != 0;
	if (!g->vnet || pick(g, 2) == 0)
		add(g, "vnet-header %s%s", g->vnet ? "on" : "off", gap(g));
	if (pick(g, 2) == 0)
		return;
	add(g, "offload {%s", pick(g, 2) ? "" : "\n\n");
	for (n = 0; n < OFFLOAD_WORDS; n++) {
		word = offload_word(n);
		if (!g->vnet && (word->bits & OFFLOADS_TUN) != 0)
			continue;
		if (pick(g, 2) == 0)
			add(g, " %s %s%s", word->name,
			    pick(g, 2) ? "on" : "off", pick(g, 2) ? "," : "\n");
	}
	add(g, " }%s", gap(g));
}

static void
add_socket(struct generator *g)
{
	if (pick(g, 3) == 0)
		add(g, "mark 0x%x%s", pick(g, 1u << 31), gap(g));
	if (pick(g, 3) == 0)
		add(g, "bind-device \"eth%u\"%s", pick(g, 9), gap(g));
}

static void
add_peer(struct generator *g, uint32_t n)
{
	uint32_t k;

	add(g, "peer \"p%s%u\" {%s", pick(g, 2) ? "" : "'", n, gap(g));
	add_socket(g);
	if (pick(g, 2) == 0)
		add(g, "endpoint 192.0.2.%u port %u%s", n + 1,
		    1 + pick(g, 65536 - LIMIT_QUEUES), gap(g));
	else
		add(g, "endpoint 2001:db8::%x port %u%s", n + 1,
		    1 + pick(g, 65536 - LIMIT_QUEUES), gap(g));
	if (pick(g, 4) != 0) {
		add(g, "allow {");
		/* another first octet each: none is there twice */
		for (k = pick(g, 5); k > 0; k--) {
			add(g, "%s", pick(g, 2) ? " " : "\n");
			add_prefix(g, 5 * n + k);
			add(g, "%s", pick(g, 2) ? "," : "\n");
		}
		add(g, "}%s", gap(g));
	}
	add(g, "}%s", gap(g));
}

static void
add_interface(struct generator *g, uint32_t n)
{
	/* each queue takes a port of its own */
	uint32_t port = 5000 + n * LIMIT_QUEUES, peers = pick(g, 6), k;

	add(g, "interface \"tun%u\" {%s", n, gap(g));
	add_device(g, n);
	add_link(g);
	add_offloads(g);
	add(g, "listen udp on %s port %u%s",
	    pick(g, 2) ? "0.0.0.0" : "127.1.2.3", port, gap(g));
	for (k = 0; k < peers; k++)
		add_peer(g, k);
	add(g, "listen udp on %s port %u%s", pick(g, 2) ? "::" : "::1", port,
	    gap(g));
	add_socket(g);
	if (pick(g, 3) == 0)
		add(g, "queues %u%s", 1 + pick(g, LIMIT_QUEUES), gap(g));
	if (pick(g, 3) == 0)
		add(g, pick(g, 2) ? "cpus %u%s" : "cpus { %u }%s", pick(g, 9),
		    gap(g));
	if (pick(g, 3) == 0)
		add(g, "sched-policy %s%s", pick(g, 2) ? "rr" : "batch",
		    gap(g));
	if (pick(g, 3) == 0)
		add(g, "max-peers %u%s", peers + 1 + pick(g, 99), gap(g));
	if (pick(g, 3) == 0)
		add(g, "socket-buffer %uk%s", 4 + pick(g, 99999), gap(g));
	add(g, "}\n");
}

static void
random_configurations_survive_the_print(void **state)
{
	static struct generator g;
	uint32_t seed, n;

	(void)state;
	for (seed = 1; seed <= 1000; seed++) {
		g = (struct generator){.state = seed};
		if (pick(&g, 2) == 0)
			add(&g, "user \"u%u\"\n", pick(&g, 99));
		if (pick(&g, 2) == 0)
			add(&g, "control '/run/x y\"%u'\n", pick(&g, 99));
		if (pick(&g, 2) == 0)
			add(&g, "sandbox strict\n");
		for (n = 0; n <= pick(&g, 4); n++)
			add_interface(&g, n);
		assert_true(strlen(g.text) < TEXT_MAX - 1);
		assert_round_trip(g.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_the_header),
	    cmocka_unit_test(every_global_keyword_sets_its_value),
	    cmocka_unit_test(every_interface_keyword_sets_its_value),
	    cmocka_unit_test(an_inherited_descriptor_may_be_unmonitored),
	    cmocka_unit_test(offload_words_switch_their_bits),
	    cmocka_unit_test(a_later_offload_word_overrides_an_earlier_one),
	    cmocka_unit_test(without_the_header_the_tun_offloads_are_off),
	    cmocka_unit_test(socket_buffers_take_suffixes),
	    cmocka_unit_test(peers_inherit_unless_they_have_their_own),
	    cmocka_unit_test(allowed_prefixes_are_masked_and_sorted),
	    cmocka_unit_test(a_link_local_endpoint_has_a_scope),
	    cmocka_unit_test(the_families_may_listen_on_one_port),
	    cmocka_unit_test(the_same_prefix_may_stand_in_two_interfaces),
	    cmocka_unit_test(statements_need_no_newlines_in_blocks),
	    cmocka_unit_test(quotes_make_words_of_keywords),
	    cmocka_unit_test(macros_stand_for_words_and_lists),
	    cmocka_unit_test(a_command_line_macro_overrides_the_file),
	    cmocka_unit_test(includes_are_read_in_place),
	    cmocka_unit_test(errors_in_an_included_file_name_it),
	    cmocka_unit_test(an_included_file_closes_its_own_blocks),
	    cmocka_unit_test(files_may_nest_sixteen_deep),
	    cmocka_unit_test(files_are_counted),
	    cmocka_unit_test(every_error_is_reported_up_to_twenty),
	    cmocka_unit_test(a_nul_byte_is_an_error_even_in_a_comment),
	    cmocka_unit_test(global_comparison_sees_every_field),
	    cmocka_unit_test(names_may_be_as_long_as_they_can),
	    cmocka_unit_test(an_mtu_may_be_all_that_a_datagram_carries),
	    cmocka_unit_test(interface_comparison_sees_every_field),
	    cmocka_unit_test(peer_comparison_sees_every_setting),
	    cmocka_unit_test(the_print_parses_to_the_same),
	    cmocka_unit_test(the_print_is_as_documented),
	    cmocka_unit_test(random_configurations_survive_the_print),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name(
	    "conf", tests, enter_folder, leave_folder);
}
