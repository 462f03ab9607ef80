# shellcheck shell=sh
# What ./dev needs before it can build, show or test anything.  Each need_*
# returns when it is there, and otherwise says in one line what is missing
# and how to get it, and exits 1.

# Debian 12; for others, these are the names to look for.
packages_build="gcc libc6-dev make autoconf automake bison pkg-config
	libevent-dev libbsd-dev libjansson-dev libcmocka-dev libseccomp-dev
	libmnl-dev"
packages_demo="iproute2 iputils-ping iperf3 jq"
packages_check="binutils clang libclang-rt-dev clang-format cppcheck shellcheck
	ethtool mandoc python3 socat netcat-openbsd xz-utils
	gcc-aarch64-linux-gnu gcc-s390x-linux-gnu qemu-user qemu-system-x86
	qemu-system-arm kmod cpio"
export packages_build packages_demo packages_check

fail()
{
	echo "dev: $*" >&2
	exit 1
}

need_machine() # command
{
	[ "$(id -u)" -eq 0 ] ||
		fail "root is missing; run: sudo ./dev $1"
	[ -e /dev/net/tun ] || fail "/dev/net/tun is missing; run" \
		"\"modprobe tun\", or give the container --device /dev/net/tun"
	(: <>/dev/net/tun) 2>/dev/null || fail "/dev/net/tun cannot be opened;" \
		"run \"modprobe tun\", or let the container use the device"
	unshare --net --mount --propagation unchanged true 2>/dev/null ||
		fail "network namespaces are missing; use a kernel with" \
			"CONFIG_NET_NS, and in a container CAP_SYS_ADMIN" \
			"(--privileged)"
}

# The words of $1 that are no installed package.
missing_packages()
{
	for p in $1; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>&1) in
		installed) ;;
		*) printf '%s ' "$p" ;;
		esac
	done
}

apt()
{
	DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null
}

need_packages()
{
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
		return 0	# not Debian; configure says what is missing
	missing=$(missing_packages "$1")
	[ -n "$missing" ] || return 0
	echo "installing packages: $missing"
	# shellcheck disable=SC2086 # one argument a package
	{ apt install -y --no-install-recommends $missing ||
		{ apt update &&
		apt install -y --no-install-recommends $missing; }
	} >/dev/null 2>&1 || fail "packages cannot be installed; see why with:" \
		"apt-get update && apt-get install $missing"
}

# The workers and tund-control run as these.
need_users()
{
	for u in _tund _tundctl; do
		getent passwd $u >/dev/null || useradd --system --user-group \
			--no-create-home --home-dir / --shell /usr/sbin/nologin $u ||
			fail "user $u cannot be made; run: useradd --system $u"
	done
}

need_configure()
{
	[ -x configure ] && return 0
	echo "making configure"
	quietly autogen.log ./autogen.sh
}

# log command ...: shows the log, in build/, only where the command fails.
quietly()
{
	mkdir -p build
	log=build/$1
	shift
	"$@" >"$log" 2>&1 && return 0
	tail -n 20 "$log" >&2
	fail "\"$*\" failed; the whole of it is in $log"
}

# name [configure argument ...]: builds in build/name.
build()
{
	name=$1
	shift
	mkdir -p "build/$name"
	exec 9>"build/$name.lock"
	flock 9
	need_configure
	[ -f "build/$name/Makefile" ] ||
		quietly "$name.log" configure_in "build/$name" "$@"
	echo "building in build/$name"
	quietly "$name.log" make -C "build/$name" -j"$(nproc)"
	exec 9>&-
}

configure_in()
{
	(cd "$1" && shift && ../../configure "$@")
}
