#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests `make install` and `make uninstall`: paths of the files, and the unit's contents. Empty
# files stand in for the programs, so that nothing is built.
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
# run TARGET VARIABLE=VALUE...: runs make with -o, so that the programs count as built.
run() {
	# shellcheck disable=SC2046,SC2086 # a list of words
	"${MAKE:-make}" $(printf ' -o %s' $programs) BUILD="$work/build" DESTDIR="$work/root" "$@" >"$work/log" 2>&1
}
fresh() {
	rm -rf "$work/root"
	run "$@"
}
unit() { # unit DIRECTORY TEXT...: the unit in that directory has these lines
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
none() { # none DIRECTORY: it contains no file
	[ -z "$(find "$work/root$1" ! -type d 2>/dev/null)" ]
}
files() {
	(cd "$work/root" && find . ! -type d | sort)
}
all_gone() {
	run uninstall "$@" && none "/"
}

check 'install succeeds' fresh install
check 'install: files are below /usr/local' has \
	/usr/local/sbin/bpfd /usr/local/sbin/bpfd-gadget /usr/local/bin/bpfd-usb \
	/usr/local/bin/bpfd-run /usr/local/share/man/man8/bpfd-gadget.8 /usr/local/share/man/man1/bpfd-run.1 \
	/usr/local/lib/udev/rules.d/70-bpfd-usb.rules /usr/local/share/doc/bpfd-usb/gadget.conf \
	/usr/local/share/doc/bpfd-usb/PROTOCOL.md /usr/local/share/bash-completion/completions/bpfd-run \
	/usr/local/share/zsh/site-functions/_bpfd-usb
check 'install: nothing is in /etc' none /etc
check 'install: the unit runs the programs of /usr/local/sbin' unit /usr/local/lib/systemd/system \
	'ExecStart=/usr/local/sbin/bpfd-gadget' 'ExecStopPost=/usr/local/sbin/bpfd-gadget --remove'
check 'install: the unit sets no PATH' \
	sh -c "! grep -q PATH= '$work'/root/usr/local/lib/systemd/system/*"
mkdir -p "$work/root/usr/local/share/man/man8"
touch "$work/root/usr/local/share/man/man8/other.8"
check 'uninstall succeeds' run uninstall
check 'uninstall leaves files of others' test "$(files)" = ./usr/local/share/man/man8/other.8
check 'PREFIX=/usr: install succeeds' fresh install PREFIX=/usr
check 'PREFIX=/usr: the unit runs the programs of /usr/sbin' unit /usr/lib/systemd/system ExecStart=/usr/sbin/bpfd-gadget
check 'PREFIX=/usr: uninstall removes all files' all_gone PREFIX=/usr
check 'PREFIX=/opt/b: install succeeds' fresh install PREFIX=/opt/b
check 'PREFIX=/opt/b: the unit has its sbin in PATH' unit /opt/b/lib/systemd/system ExecStart=/opt/b/sbin/bpfd-gadget \
	Environment=PATH=/opt/b/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
check 'SBINDIR and SYSTEMDUNITDIR: install succeeds' fresh install \
	PREFIX=/usr SBINDIR=/usr/bin SYSTEMDUNITDIR=/etc/systemd/system
check 'SBINDIR and SYSTEMDUNITDIR: the unit runs the programs of SBINDIR' \
	unit /etc/systemd/system ExecStart=/usr/bin/bpfd-gadget
check 'SYSTEMDUNITDIR is empty: install-board succeeds' \
	fresh install-board PREFIX=/usr SYSTEMDUNITDIR=
check 'SYSTEMDUNITDIR is empty: no unit is installed' none /usr/lib
check 'install-board installs no programs of the workstation' none /usr/bin
check 'install-host succeeds' fresh install-host PREFIX=/usr
check 'install-host installs no programs of the board' none /usr/sbin
check 'STATIC=1: install succeeds' fresh install STATIC=1
check 'STATIC=1: no programs of the workstation are installed' none /usr/local/bin
check 'MULTICALL=1: install-board succeeds' fresh install-board MULTICALL=1
check 'MULTICALL=1: bpfd-gadget is a link to bpfd' \
	test "$(readlink "$work/root/usr/local/sbin/bpfd-gadget")" = bpfd

# Boards' libraries come from a directory that has no others: a question for another library would be
# answered with "Package ... not found".
printf '#!/bin/sh\necho "$@" >>%s/asked\n' "$work" >"$work/pkg-config"
chmod +x "$work/pkg-config"
asks_for_its_own() {
	"${MAKE:-make}" -n BUILD="$work/other" PKG_CONFIG="$work/pkg-config" board-programs >/dev/null 2>"$work/log"
	grep -q libbpf "$work/asked" && ! grep -E 'libusb-1.0|libseccomp|cmocka' "$work/asked"
}
check 'board-programs asks pkg-config only for libraries of the board' asks_for_its_own
# systemd drops a line of rules whose group the machine lacks.
permits_without_the_group() {
	sed '/GROUP=/d' board/70-bpfd-usb.rules | grep -q 'MODE="0660", TAG+="uaccess"$'
}
check 'udev: rules without a group permit users at the machine' permits_without_the_group
if udevadm verify --help >/dev/null 2>&1; then
	# Late: this machine may have no group plugdev.
	check 'udev: the rules are valid' udevadm verify --resolve-names=late board/70-bpfd-usb.rules
else
	n=$((n + 1))
	echo "ok $n - udev: the rules are valid # SKIP this udevadm has no verify"
fi
echo "1..$n"
