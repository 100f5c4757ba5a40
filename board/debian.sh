# shellcheck shell=sh disable=SC2154 # sourced; $arch, $cache and say() are its user's
# SPDX-License-Identifier: Apache-2.0
# Packages of Debian for another architecture: fetched and unpacked in $work, nothing is installed, no
# root is needed. Sourced by scripts that run in $work and define $arch, $cache and say(), and $suite for
# another release of Debian than this machine's.

# A root of apt's own: this machine does not become a multi-architecture one.
foreign() { # foreign TOOL ARGUMENT...
	tool=$1
	shift
	"$tool" -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" \
		-o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources.list" \
		-o Dir::Etc::sourceparts=- -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" \
		-o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Install-Recommends=0 "$@"
}
codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }
retry() { # retry COMMAND...: a mirror may be in the middle of a change
	for try in 1 2 3; do
		"$@" >command.log 2>&1 && return 0
		say "$* failed (try $try)"
		sleep $((try * 2))
	done
	cat command.log >&2
	return 1
}
# The main suite alone: packages of its updates for other architectures come later than for ours,
# and then do not fit together. A release has the same mirror as the one that this machine has.
prepare() {
	mkdir -p state/lists/partial cache/archives/partial
	: >status
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u |
		awk -v arch="$arch" -v suite="${suite:-}" -v ours="$(codename)" '
			$2 !~ /-/ && (!suite || $2 == ours || $2 == "stable") {
				print "deb [arch=" arch "]", $1, suite ? suite : $2, $3
			}' >sources.list
	[ -s sources.list ] || {
		say "apt has no sources (this needs Debian)"
		return 1
	}
	retry foreign apt-get -q update
}
unpack() { # unpack DIR PACKAGE...
	mkdir -p "$1" debs
	target=$1
	shift
	(cd debs && retry foreign apt-get -q download "$@") || return 1
	for deb in debs/*.deb; do
		dpkg -x "$deb" "$target"
	done
	rm -r debs
}
# Prints $cache/$arch, which is made once, and again when the list of packages is another: by the
# command, as the directory out in an empty $work.
cached() { # cached PACKAGES COMMAND
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	if [ "$(cat "$cache/$arch/packages" 2>/dev/null)" != "$1" ]; then
		work=$(mktemp -d "$cache/fetch.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		trap 'exit 130' INT TERM HUP
		cd "$work" || exit
		mkdir out
		"$2"
		echo "$1" >out/packages
		rm -rf "${cache:?}/$arch"
		mv out "$cache/$arch"
	fi
	echo "$cache/$arch"
}
