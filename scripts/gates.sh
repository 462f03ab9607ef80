#!/bin/sh
# Gates of quality, each to be had alone:
#   scripts/gates.sh build name compiler [configure argument ...]
#   scripts/gates.sh cross arm64|armhf|s390x
#   scripts/gates.sh kernels name ...
#   scripts/gates.sh distcheck name
#   scripts/gates.sh fuzz name fuzzer [seconds]
#   scripts/gates.sh format | cppcheck | shellcheck | mandoc | demo
# where name is a directory in build/.  ./dev check runs them all.
set -eu
cd "$(dirname "$0")/.."

folders="common ipc privsep worker control ctl tests bench"

# Ours; a release holds what bison made of parse.y, too.
c_files()
{
	# shellcheck disable=SC2086 # a list
	find $folders -name '*.[ch]' ! -name 'parse.[ch]' | sort
}

shell_files()
{
	find dev autogen.sh .ci scripts tests -type f | while read -r f; do
		! head -n 1 "$f" |
			grep -qE '^#(!/bin/(ba)?sh| shellcheck shell=)' ||
			echo "$f"
	done
}

# Every program and every test, without a warning.
gate_build() # name compiler [configure argument ...]
{
	mkdir -p "build/$1"
	cd "build/$1"
	cc=$2
	shift 2
	[ -f Makefile ] || ../../configure --quiet --enable-werror CC="$cc" "$@"
	make -j"$(nproc)"
	make -j"$(nproc)" check TESTS=
}

# What a build needs of another machine, and is not of this one.
libraries()
{
	# shellcheck source=scripts/setup.sh
	. scripts/setup.sh
	# shellcheck disable=SC2154 # of setup.sh
	for p in $packages_build; do
		case $p in
		lib*) printf '%s ' "$p" ;;
		esac
	done
}

# The programs for another machine; make check-portable then runs, under
# qemu-user, the tests that can.
gate_cross() # architecture, Debian's name
{
	case $1 in
	arm64) cpu=aarch64 host=aarch64-linux-gnu ;;
	armhf) cpu=arm host=arm-linux-gnueabihf ;;
	s390x) cpu=s390x host=s390x-linux-gnu ;;
	*) echo "no such architecture: $1" >&2 && exit 1 ;;
	esac
	# shellcheck disable=SC2046 # a list
	scripts/sysroot.sh "$1" "build/$1" $(libraries)
	cd "build/$1"
	root=$PWD/root
	export PKG_CONFIG_SYSROOT_DIR="$root"
	[ -f Makefile ] || ../../configure --quiet --enable-werror \
		--host="$host" CC="$host-gcc --sysroot=$root" \
		LOG_COMPILER="qemu-$cpu -L $root" PKG_CONFIG=pkg-config \
		PKG_CONFIG_LIBDIR="$root/usr/lib/$host/pkgconfig"
	make -j"$(nproc)"
}

# What is about the kernel, on the one that Debian has for each build's
# processor, all at once: an emulator takes its time.
gate_kernels() # name ...
{
	for b; do
		make -C "build/$b" -j"$(nproc)" check-kernel \
			>"build/$b/kernel.log" 2>&1 &
		running="${running-} $!"
	done
	ok=0
	for p in $running; do
		wait "$p" || ok=1
	done
	for b; do
		cat "build/$b/kernel.log"
	done
	return "$ok"
}

# What `make dist` packs builds elsewhere, installs, and leaves nothing
# behind; its tests are those that have run here.
gate_distcheck() # name
{
	make -C "build/$1" -j"$(nproc)" distcheck TESTS=
}

# Beside what it finds by itself, which stays in build/, a fuzzer starts from
# the texts that we have.
gate_fuzz() # name fuzzer [seconds]
{
	found=$PWD/build/$1/corpus/$2
	mkdir -p "$found"
	case $2 in
	fuzz_conf) texts=$PWD/etc ;;
	fuzz_jsonrpc) texts=$PWD/control/schema ;;
	*) texts= ;;
	esac
	cd "build/$1"
	# shellcheck disable=SC2086 # texts may be none
	"tests/$2" -max_total_time="${3:-15}" -timeout=10 \
		-print_final_stats=1 "$found" $texts
}

gate_format()
{
	c_files | xargs clang-format --dry-run -Werror
}

# Macros that make loops have to be known.  Prototypes of ours leave some
# arguments without a name, which that version takes for another order.
gate_cppcheck()
{
	c_files | xargs cppcheck --quiet --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability --std=c11 \
		--library=scripts/cppcheck.cfg \
		--include=/usr/include/bsd/sys/queue.h \
		--suppress=funcArgOrderDifferent -j"$(nproc)" -I.
}

gate_shellcheck()
{
	shell_files | xargs shellcheck
}

gate_mandoc()
{
	mandoc -T lint -W warning man/*.[1-8]
}

gate_demo()
{
	out=$(./dev demo 2>&1) && ok=$? || ok=$?
	echo "$out"
	[ "$ok" -eq 0 ] && [ "$(echo "$out" | tail -n 1)" = "demo: ok" ]
}

gate=$1
shift
"gate_$gate" "$@"
