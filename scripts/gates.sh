#!/bin/sh
# Gates of quality, each to be had alone:
#   scripts/gates.sh build name compiler [configure argument ...]
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
