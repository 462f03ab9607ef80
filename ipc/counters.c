#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/counters.h"

const struct counter_info counter_info[COUNTER_COUNT] = {
#define X(c, json, unit, help) [COUNTER_##c] = {json, unit, help},
    COUNTERS_TABLE(X)
#undef X
};

int
counters_write_head(int fd, uint32_t slots)
{
	struct counters head = {.magic = COUNTERS_MAGIC,
	    .version = COUNTERS_VERSION,
	    .slots = slots};

	return pwrite(fd, &head, offsetof(struct counters, c), 0) == -1 ? -1
									: 0;
}

int
counters_create(uint32_t slots)
{
	int fd, saved;

	if (slots > LIMIT_SLOTS) {
		errno = EINVAL;
		return -1;
	}
	fd = memfd_create("tund-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, sizeof(struct counters)) == -1 ||
	    counters_write_head(fd, slots) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		-1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
counters_reopen_readonly(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void *
counters_map_prot(int fd, int prot)
{
	struct counters *page;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (st.st_size != sizeof(*page)) {
		errno = EINVAL;
		return NULL;
	}
	page = mmap(NULL, sizeof(*page), prot, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (page->magic == COUNTERS_MAGIC &&
	    page->version == COUNTERS_VERSION && page->slots <= LIMIT_SLOTS)
		return page;
	munmap(page, sizeof(*page));
	errno = EBADMSG;
	return NULL;
}

struct counters *
counters_map(int fd)
{
	return counters_map_prot(fd, PROT_READ | PROT_WRITE);
}

const struct counters *
counters_map_readonly(int fd)
{
	return counters_map_prot(fd, PROT_READ);
}

void
counters_unmap(const struct counters *page)
{
	/* munmap takes no const pointer and does not write */
	munmap((void *)(uintptr_t)page, sizeof(*page));
}

int
counters_zero_peer(int fd, size_t slot)
{
	static const struct peer_counters counters;
	static const struct peer_heard heard;
	size_t at =
	    offsetof(struct counters, peers[0]) + slot * sizeof(counters);

	if (pwrite(fd, &counters, sizeof(counters), (off_t)at) == -1)
		return -1;
	at = offsetof(struct counters, heard[0]) + slot * sizeof(heard);
	return pwrite(fd, &heard, sizeof(heard), (off_t)at) == -1 ? -1 : 0;
}
