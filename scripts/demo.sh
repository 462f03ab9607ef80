#!/bin/sh
# Two network namespaces joined by a veth are two hosts on an ordinary
# network; a tund in each makes a tunnel between them.  Every step is checked:
# the demo ends with "demo: ok", or with one line that says what went wrong.
# usage: scripts/demo.sh build-directory
# shellcheck disable=SC2015 # a && b || die: that is what is meant
set -eu
build=$(cd "$1" && pwd)
dir=$(mktemp -d /tmp/tund-demo.XXXXXX)
net=tund-demo-$$	# the namespaces are $net-a and $net-b
pids=	# of all that was started
tund_a=
tund_b=

cleanup()
{
	trap '' INT TERM HUP
	trap - EXIT
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	for pid in $pids; do
		gone "$pid" || kill -9 "$pid" 2>/dev/null || :
	done
	wait
	for h in a b; do
		[ ! -e "/run/netns/$net-$h" ] || ip netns del "$net-$h"
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

die()
{
	cp "$dir"/*.log "$build" 2>/dev/null || :
	echo "demo: failed: $* (logs: $build/[ab].log)" >&2
	exit 1
}

heading()
{
	printf '\n== %s\n' "$*"
}

# Whether the process ends within two seconds.
gone()
{
	n=0
	while [ -e "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status"; do
		n=$((n + 1))
		[ $n -le 40 ] || return 1
		sleep 0.05
	done 2>/dev/null
}

on() # host command ...
{
	ns=$net-$1
	shift
	ip netns exec "$ns" "$@"
}

tundctl() # host argument ...
{
	socket=$dir/$1.sock
	shift
	"$build/tundctl" -s "$socket" "$@"
}

# What both ends of the "internet" have is set before either is up.
make_hosts()
{
	ip netns add "$net-a" && ip netns add "$net-b" &&
		ip link add eth0 mtu 1500 netns "$net-a" type veth \
			peer name eth0 mtu 1500 netns "$net-b" &&
		for h in a b; do
			on $h ip link set lo up
		done &&
		on a ip address add 192.0.2.1/24 dev eth0 &&
		on b ip address add 192.0.2.2/24 dev eth0 &&
		on a ip link set eth0 up &&
		on b ip link set eth0 up ||
		die "two namespaces with a veth cannot be made"
}

# host number, peer's host number
write_conf()
{
	cat >"$dir/$1.conf" <<END
control "$dir/$1.sock"
control read-only "$dir/$1.rsock"

interface "tun0" {
	address 10.9.0.$2/24
	address fd09::$2/64
	listen udp on 0.0.0.0 port 6080

	peer "$3" {
		endpoint 192.0.2.$4 port 6080
		allow { 10.9.0.$4/32, fd09::$4/128 }
	}
}
END
	chmod 600 "$dir/$1.conf"
}

start_tund() # host
{
	"$build/tund" -n -f "$dir/$1.conf" 2>"$dir/$1.log" ||
		die "$(head -n 1 "$dir/$1.log")"
	# not on(), for $! has to be tund and not a shell that waits for it
	ip netns exec "$net-$1" "$build/tund" -d -x "$build" -f "$dir/$1.conf" \
		</dev/null >"$dir/$1.log" 2>&1 &
	pids="$pids $!"
	case $1 in
	a) tund_a=$! ;;
	b) tund_b=$! ;;
	esac
	n=0
	until tundctl "$1" -j status 2>/dev/null |
		jq '[.processes[].state == "running"] == [true, true, true]
			and .interfaces[0].running' | grep -q true; do
		n=$((n + 1))
		[ $n -le 100 ] && kill -0 $! 2>/dev/null ||
			die "tund on $1: $(tail -n 1 "$dir/$1.log")"
		sleep 0.05
	done
}

show_processes() # host
{
	tundctl "$1" -j status >"$dir/status"
	jq -r '.processes[] | "\(.pid) \(.name)"' "$dir/status" |
		while read -r pid name; do
			uid=$(sed -n 's/^Uid:.\([0-9]*\).*/\1/p' "/proc/$pid/status")
			printf '  %s: %-13s runs as %s\n' "$1" "$name" \
				"$(getent passwd "$uid" | cut -d : -f 1)"
		done
}

try_ping() # from, to, address
{
	on "$1" ping -q -n -c 3 -i 0.2 -W 1 "$3" >"$dir/ping" 2>&1 ||
		die "no ping from $1 to $2 ($3)"
	printf '  %s to %s  %-9s  3 of 3, %s ms\n' "$1" "$2" "$3" \
		"$(sed -n 's|^rtt.*= [^/]*/\([^/]*\)/.*|\1|p' "$dir/ping")"
}

start_iperf() # host
{
	ip netns exec "$net-$1" iperf3 -s </dev/null >"$dir/iperf3-$1" 2>&1 &
	pids="$pids $!"
	n=0
	until on "$1" ss -Hltn sport = :5201 | grep -q .; do
		n=$((n + 1))
		[ $n -le 100 ] || die "iperf3 does not listen on $1"
		sleep 0.05
	done
}

bulk() # from, address, streams: prints Gbit/s received
{
	on "$1" iperf3 -J -t 2 -P "$3" -c "$2" >"$dir/iperf3" 2>/dev/null &&
		jq '.end.sum_received.bits_per_second | select(. > 1e6)
			/ 1e7 | round / 100' "$dir/iperf3" | grep .
}

show_bulk() # label, from, to, address
{
	one=$(bulk "$2" "$4" 1) && four=$(bulk "$2" "$4" 4) ||
		die "no TCP transfer from $2 to $3 ($4)"
	printf '  %-18s %6s Gbit/s   %6s Gbit/s\n' "$1 $2 to $3" "$one" "$four"
}

# Each change is made when the events of the one before have been shown.
watch_events()
{
	"$build/tundctl" -s "$dir/a.sock" -j events </dev/null >"$dir/events" &
	watcher=$!
	pids="$pids $watcher"
	sleep 1
	shown=0
	show_events down link.down '.up == false'
	show_events up link.up '.up == true'
	show_events "mtu 1400" link.mtu '.mtu_bytes == 1400'
	kill "$watcher"
}

show_events() # change, event, what must be true of it
{
	echo "  # ip link set tun0 $1"
	# shellcheck disable=SC2086 # two words
	on a ip link set tun0 $1 || die "tun0 cannot be set $1"
	n=0
	until jq -e "select(.event == \"$2\") | $3" "$dir/events" |
		grep -q true; do
		n=$((n + 1))
		[ $n -le 60 ] || die "no event $2 with $3 within 3 seconds"
		sleep 0.05
	done
	sed -n "$((shown + 1)),\$ s/^/  /p" "$dir/events"
	shown=$(wc -l <"$dir/events")
}

# In order, and without leaving the interface behind.
end_tund() # host, pid
{
	kill "$2" && gone "$2" && wait "$2" ||
		die "tund on $1 did not end in order"
	on "$1" test ! -e /sys/class/net/tun0 || die "tund on $1 left its tun0"
	echo "  $1: $(tail -n 1 "$dir/$1.log")"
}

heading "Two hosts, a and b, on a network with an MTU of 1500"
make_hosts
write_conf a 1 b 2
write_conf b 2 a 1
echo "  a is 192.0.2.1, b is 192.0.2.2; the configuration of a:"
sed 's/^/    /' "$dir/a.conf"

heading "A tund on each"
start_tund a
start_tund b
show_processes a
show_processes b

heading "Ping through the tunnel, IPv4 and IPv6, both ways"
try_ping a b 10.9.0.2
try_ping b a 10.9.0.1
try_ping a b fd09::2
try_ping b a fd09::1

heading "Bulk TCP (iperf3, two seconds each)"
start_iperf a
start_iperf b
printf '  %-18s %13s   %13s\n' "" "one stream" "four streams"
show_bulk tunnel a b 10.9.0.2
show_bulk tunnel b a 10.9.0.1
show_bulk "plain veth" a b 192.0.2.2
show_bulk "plain veth" b a 192.0.2.1

for h in a b; do
	heading "tundctl status on $h"
	tundctl $h status | sed 's/^/  /'
done

heading "Link events on a, as JSON"
watch_events

heading "The end"
end_tund a "$tund_a"
end_tund b "$tund_b"

cleanup
echo
echo "demo: ok"
