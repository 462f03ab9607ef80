#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the machine that scripts/kernel.sh makes, in memory.  It
# mounts the root that the other machine shares, with memory above it for all
# that is written, and runs the tests there.
/bin/busybox --install -s /bin
PATH=/bin

from_host() # tag, where
{
	mkdir -p "$2"
	mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 \
		-o cache=loose,ro "$1" "$2"
}

mkdir -p /upper /root
while read -r m; do
	insmod "/modules/$m"
done </modules/order
from_host root /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work \
	overlay /root
{
	read -r top
	read -r build
	read -r tests
} </work
for d in dev proc sys; do
	mkdir -p "/root/$d"
done
mount -t devtmpfs devtmpfs /root/dev
for d in dev/shm run tmp; do
	mkdir -p "/root/$d"
	mount -t tmpfs tmpfs "/root/$d"
done
# it may be in one of those
from_host checkout "/root/$top"
mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t securityfs securityfs /root/sys/kernel/security
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
ln -s /proc/self/fd /root/dev/fd
# the root of a process that makes namespaces of users has to be a mount's
cd /root && mount -o move . /
# shellcheck disable=SC2086 # a list
exec chroot . /bin/sh "$top/scripts/kernel-tests.sh" "$top" "$build" $tests
