#!/bin/sh
# scripts/kernel.sh x86_64|aarch64 directory test ...
# Runs tests on the kernel that Debian has for that processor, in a machine that
# qemu emulates, with nothing but Debian's packages and this checkout, which it
# can read but not change.  Its root, kernel included, is kept in the directory.
# The tests are those of the build in the current directory.
set -eu
cpu=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
top=$(cd "$(dirname "$0")/.." && pwd)

case $cpu in
x86_64) arch=amd64 machine=pc model=max console=ttyS0 ;;
# an emulator takes long to authenticate pointers
aarch64) arch=arm64 machine=virt model=max,pauth=off console=ttyAMA0 ;;
*) echo "no such processor: $cpu; take x86_64 or aarch64" >&2 && exit 1 ;;
esac

# What the tests use, and the libraries of what they test.
packages="busybox-static coreutils dash diffutils ethtool findutils grep
	iproute2 libbsd0 libcmocka0 libevent-core-2.1-7 libjansson4 libmnl0
	libseccomp2 linux-image-$arch mawk mount procps python3 sed socat util-linux"

# What a package's scripts would have made, and the users, who are the last.
finish_root()
{
	depmod -b "$dir/root" "$version"
	ln -sf mawk "$dir/root/usr/bin/awk"
	cat >"$dir/root/etc/group" <<-END
		root:x:0:
		nogroup:x:65534:
		_tund:x:990:
		_tundctl:x:991:
	END
	cat >"$dir/root/etc/passwd" <<-END
		root:x:0:0:root:/root:/bin/sh
		nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
		_tund:x:990:990::/:/usr/sbin/nologin
		_tundctl:x:991:991::/:/usr/sbin/nologin
	END
}

# The kernel loads the rest itself, from its root.
copy_modules()
{
	for m in virtio_pci 9pnet_virtio 9p overlay; do
		modprobe -d "$dir/root" -S "$version" --show-depends "$m"
	done | while read -r what file; do
		[ "$what" = insmod ] || continue
		[ -e "$dir/first/modules/${file##*/}" ] ||
			echo "${file##*/}" >>"$dir/first/modules/order"
		cp "$file" "$dir/first/modules/"
	done
}

# What runs first, from memory: it mounts the rest and runs the tests.
make_first()
{
	rm -rf "$dir/first"
	mkdir -p "$dir/first/bin" "$dir/first/modules"
	cp "$dir/root/usr/bin/busybox" "$dir/first/bin/"
	cp "$top/scripts/kernel-init.sh" "$dir/first/init"
	copy_modules
	{
		echo "$top"
		echo "$PWD"
		echo "$*"
	} >"$dir/first/work"
	(cd "$dir/first" && find . | cpio --quiet -o -H newc) >"$dir/first.cpio"
}

# shellcheck disable=SC2086 # a list
"$top/scripts/sysroot.sh" "$arch" "$dir" $packages
version=$(ls "$dir/root/lib/modules")
[ -e "$dir/root/etc/passwd" ] || finish_root
make_first "$@"
# one CPU: to emulate several takes longer
shared="security_model=none,readonly=on,multidevs=remap"
"qemu-system-$cpu" -machine "$machine" -accel tcg -cpu "$model" \
	-smp 1 -m 2048 -display none -serial stdio -monitor none -nic none \
	-no-reboot -kernel "$dir/root/boot/vmlinuz-$version" \
	-initrd "$dir/first.cpio" -append "console=$console quiet panic=-1" \
	-virtfs "local,mount_tag=root,path=$dir/root,$shared" \
	-virtfs "local,mount_tag=checkout,path=$top,$shared" </dev/null |
	sed -u 's/\r$//' | tee "$dir/console"
grep -q '^all tests passed$' "$dir/console"
