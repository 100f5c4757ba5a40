#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests `make install` and `make uninstall` with stand-ins for the programs: what goes where, and what
# the unit names. Nothing is built.
set -u
cd "$(dirname "$0")/.." || exit 1
unset PREFIX BINDIR SBINDIR MANDIR DOCDIR UDEVDIR BASHDIR ZSHDIR SYSTEMDUNITDIR DESTDIR STATIC MULTICALL SAN MAKEFLAGS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs="$work/build/bpfd $work/build/bpfd-gadget $work/build/bpfd-usb $work/build/bpfd-run"
mkdir "$work/build"
# shellcheck disable=SC2086 # a list of words
touch $programs

n=0
check() { # check NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/check" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$work/check" "$work/log"
	fi
}
# run TARGET VARIABLE=VALUE...: the programs count as built.
run() {
	# shellcheck disable=SC2046,SC2086 # a list of words
	"${MAKE:-make}" $(printf ' -o %s' $programs) BUILD="$work/build" DESTDIR="$work/root" "$@" >"$work/log" 2>&1
}
fresh() {
	rm -rf "$work/root"
	run "$@"
}
unit() { # unit DIRECTORY TEXT...: the unit there has these lines
	file=$work/root$1/bpfd-gadget.service
	shift
	for text; do
		grep -qxF -- "$text" "$file" || return 1
	done
}
has() { # has FILE...
	for file; do
		[ -f "$work/root$file" ] || {
			echo "no $file"
			return 1
		}
	done
}
none() { # none DIRECTORY: no file is below it
	[ -z "$(find "$work/root$1" ! -type d 2>/dev/null)" ]
}
files() {
	(cd "$work/root" && find . ! -type d | sort)
}
all_gone() {
	run uninstall "$@" && none "/"
}

check 'install' fresh install
check 'below /usr/local' has /usr/local/sbin/bpfd /usr/local/sbin/bpfd-gadget /usr/local/bin/bpfd-usb \
	/usr/local/bin/bpfd-run /usr/local/share/man/man8/bpfd-gadget.8 /usr/local/share/man/man1/bpfd-run.1 \
	/usr/local/lib/udev/rules.d/70-bpfd-usb.rules /usr/local/share/doc/bpfd-usb/gadget.conf \
	/usr/local/share/doc/bpfd-usb/PROTOCOL.md /usr/local/share/bash-completion/completions/bpfd-run \
	/usr/local/share/zsh/site-functions/_bpfd-usb
check 'and nowhere else' none /etc
check 'the unit names these programs' unit /usr/local/lib/systemd/system \
	'ExecStart=/usr/local/sbin/bpfd-gadget' 'ExecStopPost=/usr/local/sbin/bpfd-gadget --remove'
check 'and needs no PATH' sh -c "! grep -q PATH= '$work'/root/usr/local/lib/systemd/system/*"
mkdir -p "$work/root/usr/local/share/man/man8"
touch "$work/root/usr/local/share/man/man8/other.8"
check 'uninstall' run uninstall
check 'leaves what is not ours' test "$(files)" = ./usr/local/share/man/man8/other.8
check 'PREFIX=/usr' fresh install PREFIX=/usr
check 'PREFIX=/usr: the unit' unit /usr/lib/systemd/system ExecStart=/usr/sbin/bpfd-gadget
check 'uninstall PREFIX=/usr' all_gone PREFIX=/usr
check 'a prefix that no service looks into' fresh install PREFIX=/opt/b
check 'is in the PATH of the unit' unit /opt/b/lib/systemd/system ExecStart=/opt/b/sbin/bpfd-gadget \
	Environment=PATH=/opt/b/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
check 'directories one by one' fresh install PREFIX=/usr SBINDIR=/usr/bin SYSTEMDUNITDIR=/etc/systemd/system
check 'the unit follows' unit /etc/systemd/system ExecStart=/usr/bin/bpfd-gadget
check 'no unit' fresh install-board PREFIX=/usr SYSTEMDUNITDIR=
check 'is there' none /usr/lib
check 'only the board' none /usr/bin
check 'the workstation' fresh install-host PREFIX=/usr
check 'alone' none /usr/sbin
check 'static programs' fresh install STATIC=1
check 'are those of the board' none /usr/local/bin
check 'both in one file' fresh install-board MULTICALL=1
check 'are one and a link' test "$(readlink "$work/root/usr/local/sbin/bpfd-gadget")" = bpfd
echo "1..$n"
