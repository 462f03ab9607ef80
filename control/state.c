#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control/limits.h"
#include "control/state.h"
#include "ipc/limits.h"

static json_t *state;
static const struct counters *pages[LIMIT_INTERFACES][LIMIT_QUEUES];
static json_int_t page_owner[LIMIT_INTERFACES]; /* interface id, by row */
static bool page_row_used[LIMIT_INTERFACES];

static bool
state_is_whole(json_t *s)
{
	json_t *interfaces = json_object_get(s, "interfaces");
	json_t *one;
	size_t i;

	if (!json_is_array(interfaces) ||
	    !json_is_array(json_object_get(s, "processes")) ||
	    !json_is_object(json_object_get(s, "config")) ||
	    !json_is_integer(json_object_get(s, "sequence")))
		return false;
	json_array_foreach (interfaces, i, one)
		if (!json_is_integer(json_object_get(one, "id")) ||
		    !json_is_string(json_object_get(one, "name")) ||
		    !json_is_array(json_object_get(one, "peers")) ||
		    !json_is_array(json_object_get(one, "offloads")))
			return false;
	return true;
}

static json_t *
state_read(int fd)
{
	struct stat st;
	json_t *s;
	void *text;

	if (fstat(fd, &st) == -1 || st.st_size <= 0 || st.st_size > STATE_MAX)
		return NULL;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return NULL;
	s = json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES, NULL);
	munmap(text, (size_t)st.st_size);
	if (s != NULL && !state_is_whole(s)) {
		json_decref(s);
		s = NULL;
	}
	return s;
}

static void
row_clear(int row)
{
	int queue;

	for (queue = 0; queue < LIMIT_QUEUES; queue++) {
		if (pages[row][queue] != NULL)
			counters_unmap(pages[row][queue]);
		pages[row][queue] = NULL;
	}
	page_row_used[row] = false;
}

/* The row of an interface, or a free one for it, or -1. */
static int
row_of(json_int_t id, bool make)
{
	int row, empty = -1;

	for (row = 0; row < LIMIT_INTERFACES; row++) {
		if (page_row_used[row] && page_owner[row] == id)
			return row;
		if (!page_row_used[row] && empty == -1)
			empty = row;
	}
	if (!make || empty == -1)
		return -1;
	page_row_used[empty] = true;
	page_owner[empty] = id;
	return empty;
}

static bool
state_has_id(json_int_t id)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(state, "interfaces"), i, one)
		if (state_id(one) == id)
			return true;
	return false;
}

bool
state_take(int fd)
{
	json_t *s = state_read(fd);
	int row;

	close(fd);
	if (s == NULL)
		return false;
	json_decref(state);
	state = s;
	for (row = 0; row < LIMIT_INTERFACES; row++)
		if (page_row_used[row] && !state_has_id(page_owner[row]))
			row_clear(row);
	return true;
}

bool
state_take_counters(uint32_t id, int fd)
{
	const struct counters *page = counters_map_readonly(fd);
	uint32_t queue = id & 0xffff;
	int row = -1, error = errno;

	close(fd);
	/* a worker writes there, and one that was taken over writes anything */
	if (page == NULL && error == EBADMSG) {
		log_warnx("the counters of queue %u are not readable", queue);
		return true;
	}
	if (page == NULL)
		return false;
	if (queue < LIMIT_QUEUES)
		row = row_of(id >> 16, true);
	if (row == -1) {
		counters_unmap(page);
		return false;
	}
	if (pages[row][queue] != NULL)
		counters_unmap(pages[row][queue]);
	pages[row][queue] = page;
	return true;
}

json_t *
state_get(void)
{
	return state;
}

json_int_t
state_sequence(void)
{
	return json_integer_value(json_object_get(state, "sequence"));
}

static bool
is_named(const json_t *interface, const char *key, const char *name)
{
	return strcmp(json_string_value(json_object_get(interface, key)),
		   name) == 0;
}

json_t *
state_interface(const char *name)
{
	json_t *one, *found = NULL;
	size_t i;

	json_array_foreach (json_object_get(state, "interfaces"), i, one)
		if (is_named(one, "name", name) &&
		    (found == NULL || is_named(one, "configured", name)))
			found = one;
	return found;
}

bool
state_shares_name(const json_t *interface)
{
	const char *name =
	    json_string_value(json_object_get(interface, "name"));
	json_t *one;
	size_t i;

	if (is_named(interface, "configured", name))
		return false;
	json_array_foreach (json_object_get(state, "interfaces"), i, one)
		if (one != interface && is_named(one, "name", name))
			return true;
	return false;
}

json_int_t
state_id(const json_t *interface)
{
	return json_integer_value(json_object_get(interface, "id"));
}

const struct counters *
state_page(json_int_t id, unsigned int queue)
{
	int row = row_of(id, false);

	return row == -1 || queue >= LIMIT_QUEUES ? NULL : pages[row][queue];
}

bool
state_has_counters(json_int_t id)
{
	return row_of(id, false) != -1;
}

uint64_t
state_counter(json_int_t id, enum counter c)
{
	const struct counters *page;
	unsigned int queue;
	uint64_t sum = 0;

	for (queue = 0; queue < LIMIT_QUEUES; queue++)
		if ((page = state_page(id, queue)) != NULL)
			sum += counter_read(&page->c[c]);
	return sum;
}

static void
peer_counters_add(struct peer_counters *sum, const struct peer_counters *p)
{
	sum->tx_packets += counter_read(&p->tx_packets);
	sum->tx_bytes += counter_read(&p->tx_bytes);
	sum->tx_dropped += counter_read(&p->tx_dropped);
	sum->rx_packets += counter_read(&p->rx_packets);
	sum->rx_bytes += counter_read(&p->rx_bytes);
	sum->rx_dropped += counter_read(&p->rx_dropped);
	sum->rx_overflow += counter_read(&p->rx_overflow);
	sum->socket_errors += counter_read(&p->socket_errors);
}

uint64_t
state_peer_heard(json_int_t id, json_int_t slot)
{
	const struct counters *page;
	uint64_t one, last = 0;
	unsigned int queue;

	for (queue = 0; queue < LIMIT_QUEUES; queue++) {
		page = state_page(id, queue);
		if (page == NULL || slot < 0 || slot >= LIMIT_SLOTS)
			continue;
		one = counter_read(&page->heard[slot].time);
		last = one > last ? one : last;
	}
	return last;
}

bool
state_peer_counters(json_int_t id, json_int_t slot, struct peer_counters *sum)
{
	const struct counters *page;
	unsigned int queue;
	bool found = false;

	memset(sum, 0, sizeof(*sum));
	for (queue = 0; queue < LIMIT_QUEUES; queue++) {
		page = state_page(id, queue);
		if (page == NULL || slot < 0 || slot >= LIMIT_SLOTS)
			continue;
		peer_counters_add(sum, &page->peers[slot]);
		found = true;
	}
	return found;
}
