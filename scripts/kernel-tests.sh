#!/bin/sh
# What runs in the machine that scripts/kernel.sh makes: the tests, each with
# what it said if it failed, or skipped something.  Then the machine ends.
export PATH=/usr/sbin:/usr/bin
# an emulator is slow
export TUND_TEST_PATIENCE=8
export top_srcdir="$1" top_builddir="$2"
shift 2

# A test, or some of its cases, as "tests/x.test,word,word".
run()
{
	began=$(date +%s)
	# shellcheck disable=SC2046 # the words
	set -- $(echo "$1" | tr , ' ')
	case $1 in
	*.test) program=$top_srcdir/$1 ;;
	*) program=$top_builddir/$1 ;;
	esac
	name=$*
	shift
	if "$program" "$@" >/tmp/out 2>/tmp/err &&
		! grep -qi '# skip' /tmp/out; then
		echo "passed: $(grep -c '^ok ' /tmp/out) of $name," \
			"$(($(date +%s) - began)) s"
	else
		cat /tmp/out /tmp/err
		echo "failed: $name"
		false
	fi
}

uname -srvm
modprobe tun
ip link set lo up
cd "$top_builddir" && result="all tests passed"
for t; do
	run "$t" || result="not all tests passed"
done
echo "$result"
echo o >/proc/sysrq-trigger
while :; do :; done
