#!/bin/sh
# Tries the unit with a real systemd: boots one in a container whose tree is
# this host's, under an overlay, and there starts, reloads, hurts and stops
# tund.  By hand, after a change of etc/tund.service.in or of how tund starts,
# for it takes root, systemd-container and a kernel with overlayfs.
# usage: scripts/unit.sh
set -eu

# -- in the container -------------------------------------------------------

failed=0

check() # what is true, command ...
{
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		echo "ok   $what"
	else
		echo "FAIL $what"
		failed=1
	fi
}

mtu()
{
	ip -o link show tun0 | grep -o 'mtu [0-9]*'
}

write_conf() # mtu
{
	cat >/etc/tund/tund.conf <<-END
		interface "tun0" {
			listen udp on 127.0.0.1 port 6080
			mtu $1
			queues 2
			peer "far" { endpoint 127.0.0.2 port 6080 allow 10.9.0.2/32 }
		}
	END
}

of_unit() # property
{
	systemctl show --property "$1" --value tund
}

in_container()
{
	set +e
	ip link set lo up
	mkdir -p /etc/tund
	write_conf 1400
	check "it starts" systemctl start tund
	check "it is ready then" tundctl status
	check "every process runs" sh -c '! tundctl status | grep -w waiting'
	check "its program chooses the queues" \
		sh -c 'tundctl interfaces | grep "STEERING *ebpf"'
	write_conf 1380
	check "it is reloaded" systemctl reload tund
	sleep 1
	check "with what is new" [ "$(mtu)" = "mtu 1380" ]
	write_conf none
	check "a bad file fails the reload" sh -c '! systemctl reload tund'
	check "and changes nothing" [ "$(mtu)" = "mtu 1380" ]
	check "a bad file fails the start" sh -c '! systemctl restart tund'
	check "the journal knows an error" sh -c \
		"journalctl -u tund -p err -o cat | grep 'mtu \"none\"'"
	sleep 20
	check "and is tried again, more often than systemd's limit" \
		[ "$(of_unit NRestarts)" -gt 5 ]
	write_conf 1400
	sleep 5
	check "until the file is mended" systemctl is-active tund
	old=$(of_unit MainPID)
	kill -9 "$old"
	sleep 5
	check "killed, it is back" systemctl is-active tund
	check "as another process" [ "$(of_unit MainPID)" != "$old" ]
	check "it stops" systemctl stop tund
	check "its interface is gone" sh -c '! ip link show tun0'
	check "its sockets are gone" [ ! -e /run/tund ]
	[ "$failed" -eq 0 ] && echo "unit: ok"
	systemctl poweroff
}

# -- outside ----------------------------------------------------------------

clean_up()
{
	umount "$dir/root" 2>/dev/null || :
	umount "$dir" 2>/dev/null || :
	rmdir "$dir"
}

# With the paths of a distribution: systemd looks for the unit there.
prepare()
{
	. scripts/setup.sh
	need_packages "$packages_build systemd-container"
	build unit --prefix=/usr --sysconfdir=/etc
	mount -t tmpfs tmpfs "$dir"
	mkdir "$dir/upper" "$dir/work" "$dir/root"
	mount -t overlay overlay "$dir/root" \
		-o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work"
	make -C build/unit install DESTDIR="$dir/root" >/dev/null
	cp scripts/unit.sh "$dir/root/root/unit.sh"
	units=$dir/root/etc/systemd/system
	cat >"$units/tund-try.service" <<-END
		[Service]
		Type=oneshot
		ExecStart=/root/unit.sh in-container
		StandardOutput=file:/root/out
	END
	mkdir -p "$units/multi-user.target.wants"
	ln -s ../tund-try.service "$units/multi-user.target.wants/"
}

if [ "${1-}" = in-container ]; then
	in_container
	exit 0
fi
cd "$(dirname "$0")/.."
dir=$(mktemp -d /tmp/tund-unit.XXXXXX)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
prepare
timeout 120 systemd-nspawn --quiet --directory="$dir/root" --boot \
	--private-network --register=no --keep-unit --bind=/dev/net/tun \
	--capability=all --system-call-filter=bpf >"$dir/boot" 2>&1 || :
cat "$dir/root/root/out" || tail -n 20 "$dir/boot"
[ "$(tail -n 1 "$dir/root/root/out")" = "unit: ok" ]
