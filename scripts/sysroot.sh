#!/bin/sh
# scripts/sysroot.sh architecture directory
# Fills directory/root with the libraries that a build for another
# architecture of Debian needs.  apt works on lists and packages of its own in
# there, from the sources and with the keys of this machine, so that dpkg
# learns of no other architecture and nothing is installed.
set -eu
arch=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"

# What a build needs of the other machine, and is not of this one.
libraries()
{
	# shellcheck disable=SC2154 # of setup.sh
	for p in $packages_build; do
		case $p in
		lib*) printf '%s ' "$p" ;;
		esac
	done
}

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
	apt -c "$dir/apt/apt.conf" "$@"
}

wanted=$(libraries)
[ "$(cat "$dir/filled" 2>&1)" != "$wanted" ] || exit 0
rm -rf "$dir/apt" "$dir/root" "$dir/filled"
write_configuration
# a source that has nothing for that architecture is no fault
own_apt update || :
# shellcheck disable=SC2086 # one argument a package
own_apt install -y --no-install-recommends --download-only $wanted
mkdir "$dir/root"
for deb in "$dir"/apt/cache/archives/*.deb; do
	dpkg-deb -x "$deb" "$dir/root"
done
rm -rf "$dir/apt"
echo "$wanted" >"$dir/filled"
