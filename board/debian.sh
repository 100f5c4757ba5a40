# shellcheck shell=sh disable=SC2154 # sourced; the caller defines $arch, $cache and say()
# SPDX-License-Identifier: Apache-2.0
# Functions that fetch and unpack Debian packages of another architecture.
#
# Sourced by scripts that define $arch, $cache and say(), and $suite for another release of Debian
# than this machine's. The functions work in the current directory $work, which cached() makes.
# Nothing is installed, and root is not needed.

# Runs an apt tool with state of its own, so that this machine stays single-architecture.
foreign() { # foreign TOOL ARGUMENT...
	tool=$1
	shift
	"$tool" -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" \
		-o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources.list" \
		-o Dir::Etc::sourceparts=- -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" \
		-o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Install-Recommends=0 "$@"
}

codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# Tries the command three times, because a mirror may be in the middle of an update.
retry() { # retry COMMAND...
	for try in 1 2 3; do
		"$@" >command.log 2>&1 && return 0
		say "$* failed (try $try)"
		sleep $((try * 2))
	done
	cat command.log >&2
	return 1
}

# Writes apt's state and fetches the package lists. Uses the main suite only: updates appear later
# for other architectures than for ours, so their packages may not fit together. Another release
# comes from the mirror that this machine uses.
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

# Prints $cache/$arch. If it does not exist yet, or was made of another list of packages, runs the
# command in a new, empty $work; the command fills the directory out, which becomes $cache/$arch.
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
