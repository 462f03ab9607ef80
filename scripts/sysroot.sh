#!/bin/sh
# scripts/sysroot.sh architecture directory [package ...]
# Fills directory/root with what Debian has in these packages, and in those
# that they need, for that architecture.  apt works on lists and packages of
# its own in there, from the sources and with the keys of this machine, so that
# dpkg learns of no other architecture and nothing is installed.  No package's
# scripts are run.
set -eu
arch=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
wanted=$*

# The parent of the directory may be closed to the user of apt's sandbox.
write_configuration()
{
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
	: >"$dir/apt/status"
	cat >"$dir/apt/apt.conf" <<-END
		#clear APT::Architectures;
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "root";
		Dir::State "$dir/apt";
		Dir::State::status "$dir/apt/status";
		Dir::State::lists "$dir/apt/lists";
		Dir::Cache "$dir/apt/cache";
	END
}

own_apt()
{
	DEBIAN_FRONTEND=noninteractive apt-get -qq -c "$dir/apt/apt.conf" "$@"
}

# As an installed Debian has it: /bin is /usr/bin.
make_root()
{
	for d in bin sbin lib lib64; do
		mkdir -p "$dir/root/usr/$d"
		ln -s "usr/$d" "$dir/root/$d"
	done
}

[ "$(cat "$dir/filled" 2>&1)" != "$wanted" ] || exit 0
rm -rf "$dir/apt" "$dir/root" "$dir/filled"
write_configuration
# a source that has nothing for that architecture is no fault
own_apt update || :
own_apt install -y --no-install-recommends --download-only "$@"
make_root
for deb in "$dir"/apt/cache/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" >"$dir/apt/tar"
	tar -xf "$dir/apt/tar" -C "$dir/root" --keep-directory-symlink
done
rm -rf "$dir/apt"
echo "$wanted" >"$dir/filled"
