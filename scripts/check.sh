#!/bin/sh
# The whole test suite; ./dev check has prepared the machine.  Every TAP test
# of every `make check` counts, and every gate (scripts/gates.sh) as one; one
# that was skipped counts as failed.  The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
logs=$PWD/build/logs
began=$(date +%s)
passed=0
failed=0
running=
mkdir -p "$logs"

stop()
{
	[ -z "$running" ] || kill "$running" 2>/dev/null
	wait
	exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM HUP

say() # result, name, what more there is to say
{
	printf '%-4s  %-36s %s\n' "$1" "$2" "$3"
}

# What failed and why; what a test or a step printed at its end, else.
quote() # log
{
	if ! grep -A 12 '^not ok ' "$1"; then
		grep -vE '^(ok |PASS:)' "$1" | tail -n 25
	fi | sed 's/^/      | /'
}

# seconds log command ...: sets $took.  timeout makes a process group, so
# that nothing which a step started outlives it.
run()
{
	limit=$1
	log=$2
	start=$(date +%s)
	shift 2
	timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null &
	running=$!
	wait "$running"
	status=$?
	running=
	took=$(($(date +%s) - start))
	[ "$status" -ne 124 ] || echo "no end within $limit seconds" >>"$log"
	return "$status"
}

# name seconds command ...: one test
gate()
{
	name=$1
	log=$logs/$(echo "$1" | tr -cs 'a-z0-9\n' -).log
	limit=$2
	shift 2
	if run "$limit" "$log" "$@"; then
		passed=$((passed + 1))
		say ok "$name" "$took s"
	else
		failed=$((failed + 1))
		say FAIL "$name" "$took s, $log"
		quote "$log"
		return 1
	fi
}

# make check in build/$1, where each line of TAP is a test
suite() # build [target [jobs]]
{
	before=$failed
	find "build/$1/tests" -name '*.trs' -exec rm -f {} +
	run 1200 "$logs/$1-tests.log" \
		make -k -j"${3-1}" -C "build/$1" "${2-check}"
	status=$?
	for trs in "build/$1"/tests/*.trs; do
		[ ! -e "$trs" ] || count "$1" "$trs"
	done
	if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then
		failed=$((failed + 1))
		say FAIL "$1: make check" "$took s, $logs/$1-tests.log"
		quote "$logs/$1-tests.log"
	else
		say "" "$1: make check" "$took s"
	fi
}

# build, what automake's driver wrote about one file of tests
count()
{
	good=$(grep -Ec '^:test-result: (PASS|XFAIL)' "$2")
	bad=$(grep -Ec '^:test-result: (FAIL|SKIP|XPASS|ERROR)' "$2")
	[ $((good + bad)) -gt 0 ] || bad=1
	passed=$((passed + good))
	failed=$((failed + bad))
	name="$1: $(basename "$2" .trs)"
	if [ "$bad" -eq 0 ]; then
		say ok "$name" "$good passed"
	else
		say FAIL "$name" "$good passed, $bad failed, ${2%.trs}.log"
		quote "${2%.trs}.log"
	fi
}

for g in format cppcheck shellcheck mandoc; do
	gate "$g" 300 scripts/gates.sh "$g"
done
gate "gcc: build" 600 scripts/gates.sh build gcc gcc && suite gcc
gate "clang: build" 600 scripts/gates.sh build clang clang
gate "sanitizers: build" 600 \
	scripts/gates.sh build sanitizers gcc --enable-sanitizers &&
	suite sanitizers
for a in arm64 s390x; do
	gate "$a: build" 600 scripts/gates.sh cross "$a" &&
		suite "$a" check-portable "$(nproc)"
done
gate "kernels: amd64, arm64" 1800 scripts/gates.sh kernels gcc arm64
gate "distcheck" 900 scripts/gates.sh distcheck gcc
gate "fuzzers: build" 600 scripts/gates.sh build fuzz clang \
	--enable-fuzzing --enable-sanitizers &&
	for f in tests/fuzz_*.c; do
		gate "fuzz: $(basename "$f" .c)" 120 \
			scripts/gates.sh fuzz fuzz "$(basename "$f" .c)"
	done
gate "demo" 300 scripts/gates.sh demo

echo "time: $(($(date +%s) - began)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
