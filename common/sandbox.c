#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "common/idmap.h"
#include "common/log.h"
#include "common/sandbox.h"

/*
 * Theory of operation.  The child arrives as root with every descriptor that
 * it will ever need.  It becomes its user for good, keeping over that change
 * one capability, CAP_SYS_CHROOT, for the case that user namespaces are off.
 * As that user it makes a user namespace, where it may pivot into an empty
 * root without the parent needing CAP_SYS_ADMIN; failing that it spends the
 * capability on an empty chroot.  Everything after only takes away.
 */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#ifndef PR_MDWE_REFUSE_EXEC_GAIN
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#define STACK_MAX ((rlim_t)8 << 20)
/* MiB of addresses beside its own memory: libraries, and what is mapped. */
#define MAPPED_MIB 256

static int
capabilities_set(uint64_t permitted)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	int i;

	for (i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].effective = data[i].permitted;
	}
	return (int)syscall(SYS_capset, &head, data);
}

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/*
 * The bounding set: as root, who has CAP_SETPCAP, and once more in the new
 * user namespace, which begins with a full one.
 */
static int
bounding_empty(void)
{
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap) == -1)
			return -1;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int
layer_user(const struct sandbox *s)
{
	if (bounding_empty() == -1 || prctl(PR_SET_KEEPCAPS, 1) == -1 ||
	    setgroups(0, NULL) == -1 ||
	    setresgid(s->gid, s->gid, s->gid) == -1 ||
	    setresuid(s->uid, s->uid, s->uid) == -1 ||
	    capabilities_set(1u << CAP_SYS_CHROOT) == -1)
		return -1;
	/* proof that there is no way back */
	if (setresuid(0, 0, 0) == 0 || setuid(0) == 0 || setgid(0) == 0 ||
	    getuid() != s->uid || geteuid() != s->uid || getgid() != s->gid ||
	    getegid() != s->gid) {
		errno = EPERM;
		return -1;
	}
	/* setresuid cleared it, and /proc/self must be ours for the map */
	return prctl(PR_SET_DUMPABLE, 1);
}

static struct idmap idmap = {.helper = -1};

/* The map is written by the helper from outside, or shows us alone. */
static int
map_users(const struct sandbox *s)
{
	char map[64];

	if (s->see_users) {
		if (idmap_finish(&idmap) == 0)
			return 0;
		log_warnx("users cannot be told apart, so nobody is root: "
			  "CAP_SETUID or CAP_SETFCAP is missing");
	}
	snprintf(map, sizeof(map), "%u %u 1", s->uid, s->uid);
	return write_file("/proc/self/uid_map", map);
}

static bool in_namespaces;

static int
make_namespaces(const struct sandbox *s)
{
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
		    CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP) == -1)
		return -1;
	if (map_users(s) == -1 ||
	    write_file("/proc/self/setgroups", "deny") == -1)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", s->gid, s->gid);
	return write_file("/proc/self/gid_map", map);
}

/* In our own mount namespace: a tmpfs with nothing in it becomes the root. */
static int
root_pivot(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"size=4k,nr_inodes=2,mode=0555") == -1 ||
	    chdir("/tmp") == -1 || syscall(SYS_pivot_root, ".", ".") == -1 ||
	    umount2(".", MNT_DETACH) == -1 || chdir("/") == -1)
		return -1;
	return mount(NULL, "/", NULL,
	    MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/*
 * Tried by a child first: some systems let anybody make them and then nothing
 * in them (AppArmor of Ubuntu), and who has begun has lost the capability that
 * a chroot needs.
 */
static bool
namespaces_work(const struct sandbox *s)
{
	struct sandbox alone = *s;
	int status;
	pid_t pid;

	alone.see_users = false;
	pid = fork();
	if (pid == 0)
		_exit(make_namespaces(&alone) == 0 && root_pivot() == 0
			  ? 0
			  : errno);
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFEXITED(status))
		errno = WEXITSTATUS(status);
	return status == 0;
}

static int
layer_namespaces(const struct sandbox *s)
{
	int saved;

	in_namespaces = namespaces_work(s) && make_namespaces(s) == 0;
	if (in_namespaces)
		return 0;
	saved = errno;
	idmap_finish(&idmap); /* ends the helper */
	errno = saved;
	return -1;
}

/* The parent made the directory, empty and not writable by anyone but root. */
static int
root_chroot(void)
{
	struct stat st;

	if (chdir(SANDBOX_CHROOT) == -1 || stat(".", &st) == -1)
		return -1;
	/* no directories in it; btrfs counts none at all */
	if (st.st_uid != 0 || (st.st_mode & 022) != 0 || st.st_nlink > 2) {
		errno = EPERM;
		return -1;
	}
	if (chroot(".") == -1)
		return -1;
	return chdir("/");
}

static int
layer_root(const struct sandbox *s)
{
	(void)s;
	return in_namespaces ? root_pivot() : root_chroot();
}

static int
layer_capabilities(const struct sandbox *s)
{
	int r = bounding_empty();

	(void)s;
	return capabilities_set(0) == -1 ? -1 : r;
}

static int
layer_pdeathsig(const struct sandbox *s)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return -1;
	/*
	 * Had the parent gone before, nobody would send the signal.  A new
	 * pid namespace changes nothing here: only children would be in it.
	 */
	if (getppid() != s->parent)
		_exit(1);
	return 0;
}

/* Rights that each ABI of landlock added; a newer kernel takes them all. */
static const struct {
	int abi;
	uint64_t rights;
} landlock_rights[] = {
    {1, (1ULL << 13) - 1}, /* execute ... make_sym */
    {2, 1ULL << 13},	   /* refer */
    {3, 1ULL << 14},	   /* truncate */
    {5, 1ULL << 15},	   /* ioctl_dev */
};

static int
layer_landlock(const struct sandbox *s)
{
	struct {
		uint64_t fs;
		uint64_t net;
		uint64_t scoped;
	} attr = {0};
	size_t i, size = sizeof(attr.fs);
	int fd;
	long abi, r;

	(void)s;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0)
		return -1;
	for (i = 0; i < sizeof(landlock_rights) / sizeof(*landlock_rights); i++)
		if (abi >= landlock_rights[i].abi)
			attr.fs |= landlock_rights[i].rights;
	if (abi >= 4) {
		attr.net = 3; /* bind and connect, TCP */
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 6) {
		attr.scoped = 3; /* abstract sockets, signals */
		size = 3 * sizeof(uint64_t);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd == -1)
		return -1;
	r = syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return (int)r;
}

/* One that is lower already stays. */
static int
limit_to(int resource, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(resource, &r) == -1)
		return -1;
	if (r.rlim_max < most)
		most = r.rlim_max;
	r.rlim_cur = r.rlim_max = most;
	return setrlimit(resource, &r);
}

/*
 * RLIMIT_DATA counts what is private and writable.  What is shared, or only
 * read, is an address all the same, and the stack grows without a call.
 */
static int
limit_memory(unsigned int mib)
{
	if (limit_to(RLIMIT_STACK, STACK_MAX) == -1)
		return -1;
#ifdef SANITIZERS /* whose shadow of the memory is counted */
	mib = 0;
#endif
	if (mib == 0)
		return 0;
	if (limit_to(RLIMIT_DATA, (rlim_t)mib << 20) == -1)
		return -1;
	return limit_to(RLIMIT_AS, (rlim_t)(mib + MAPPED_MIB) << 20);
}

static int
layer_rlimits(const struct sandbox *s)
{
	struct rlimit none = {0, 0}, files = {s->nofile, s->nofile};

	if (setrlimit(RLIMIT_NPROC, &none) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1 ||
	    setrlimit(RLIMIT_MEMLOCK, &none) == -1 ||
	    setrlimit(RLIMIT_MSGQUEUE, &none) == -1 ||
	    setrlimit(RLIMIT_RTPRIO, &none) == -1 ||
	    setrlimit(RLIMIT_NICE, &none) == -1)
		return -1;
	/* Standard error is /dev/null or a terminal, never a file to grow. */
	if (setrlimit(RLIMIT_FSIZE, &none) == -1)
		return -1;
	if (limit_memory(s->data) == -1)
		return -1;
	return setrlimit(RLIMIT_NOFILE, &files);
}

static int
layer_no_new_privs(const struct sandbox *s)
{
	(void)s;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int
layer_not_dumpable(const struct sandbox *s)
{
	(void)s;
	return prctl(PR_SET_DUMPABLE, 0);
}

static int
layer_mdwe(const struct sandbox *s)
{
	(void)s;
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
}

static int
layer_seccomp(const struct sandbox *s)
{
	return s->seccomp();
}

/* In the order in which they are applied: each needs those before it. */
static const struct {
	const char *name;
	int (*apply)(const struct sandbox *);
	const char *remedy; /* of one that no sandbox does without */
} layers[SANDBOX_COUNT] = {
    [SANDBOX_USER] = {"user", layer_user,
	"; let tund have CAP_SETUID and CAP_SETGID"},
    [SANDBOX_NAMESPACES] = {"namespaces", layer_namespaces, NULL},
    [SANDBOX_ROOT] = {"root", layer_root,
	"; " SANDBOX_CHROOT " must be empty, root's, and not writable by "
	"others"},
    [SANDBOX_CAPABILITIES] = {"capabilities", layer_capabilities, NULL},
    [SANDBOX_PDEATHSIG] = {"pdeathsig", layer_pdeathsig, NULL},
    [SANDBOX_NO_NEW_PRIVS] = {"no-new-privs", layer_no_new_privs, NULL},
    [SANDBOX_NOT_DUMPABLE] = {"not-dumpable", layer_not_dumpable, NULL},
    [SANDBOX_MDWE] = {"mdwe", layer_mdwe, NULL},
    [SANDBOX_LANDLOCK] = {"landlock", layer_landlock, NULL},
    [SANDBOX_RLIMITS] = {"rlimits", layer_rlimits, NULL},
    [SANDBOX_SECCOMP] = {"seccomp", layer_seccomp,
	"; the kernel needs CONFIG_SECCOMP_FILTER, and who started tund must "
	"allow seccomp"},
};

const char *
sandbox_layer_name(enum sandbox_layer l)
{
	return l < SANDBOX_COUNT ? layers[l].name : "?";
}

static const char *
remedy_of(int layer)
{
	if (layers[layer].remedy != NULL)
		return layers[layer].remedy;
	return SANDBOX_REQUIRED & SANDBOX_BIT(layer)
		   ? ""
		   : "; \"sandbox relaxed\" goes on without it";
}

const char *
sandbox_without(uint32_t missing, char buf[SANDBOX_WITHOUT_STRLEN])
{
	int layer;

	buf[0] = '\0';
	for (layer = 0; layer < SANDBOX_COUNT; layer++) {
		if (!(missing & SANDBOX_BIT(layer)))
			continue;
		strlcat(buf, buf[0] == '\0' ? " without sandbox layer " : ", ",
		    SANDBOX_WITHOUT_STRLEN);
		strlcat(buf, layers[layer].name, SANDBOX_WITHOUT_STRLEN);
	}
	return buf;
}

void
sandbox_enter(const struct sandbox *s, uint32_t *applied, uint32_t *missing)
{
	uint32_t required = s->strict ? SANDBOX_ALL : SANDBOX_REQUIRED;
	int layer;

	*applied = *missing = 0;
	if (s->see_users && idmap_start(&idmap, s->uid) == -1)
		log_warn("no helper for the user map");
	for (layer = 0; layer < SANDBOX_COUNT; layer++) {
		if (layers[layer].apply(s) == 0) {
			*applied |= SANDBOX_BIT(layer);
			continue;
		}
		*missing |= SANDBOX_BIT(layer);
		if (required & SANDBOX_BIT(layer))
			fatalx("sandbox layer \"%s\" cannot be had: %s%s",
			    layers[layer].name, strerror(errno),
			    remedy_of(layer));
	}
}
