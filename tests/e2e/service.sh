#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon as a service: its configuration file, the init script, the systemd unit.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

top=$BPFD_VM_DIR
init=$top/board/bpfd-gadget.init
conf=/etc/bpfd/gadget.conf
export BPFD_GADGET=/run/sbin/bpfd-gadget BPFD_GADGET_PID_FILE=/run/test-gadget.pid
load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
mkdir -p /run/sbin /etc/bpfd
cp "$BPFD_BUILD/bpfd" "$BPFD_BUILD/bpfd-gadget" /run/sbin/

listed()
{
	bpfd-usb -l | grep -q -- "$1"
}
no_gadget()
{
	[ -z "$(ls -A /sys/kernel/config/usb_gadget 2>/dev/null)" ]
}
lanes()
{
	find /sys/kernel/config/usb_gadget/*/functions -name 'ffs.*' | wc -l
}
# refused STATUS WORDS COMMAND...: the command exits with that status and prints the words.
refused()
{
	local wanted=$1 words=$2
	shift 2
	"$@" >/run/refused 2>&1
	local got=$?
	[ $got = "$wanted" ] && { [ -z "$words" ] || grep -qF -- "$words" /run/refused; } && return
	echo "status $got"
	cat /run/refused
	return 1
}
status_of()
{
	refused "$1" "" "${@:2}"
}
working()
{
	[ "$(printf 'BPFD_VERSION\n' | bpfd-usb "$@" | grep -c uprobe)" = 1 ]
}

# The configuration file.
check "file: a missing file is an error" refused 2 "/no/such/file: No such file" \
	bpfd-gadget --config /no/such/file
printf '# lanes\nlanes = 2\nlanes = many\n' >$conf
check "file: a bad value is an error" refused 2 "$conf:3: bad value" bpfd-gadget
check "file: the message says what a good value is" grep -q 'lanes: many: not a number from 1 to 8' /run/refused
printf 'lane = 2\n' >$conf
check "file: an unknown setting is an error" refused 2 "$conf:1: no such setting" bpfd-gadget --check
printf 'config = /etc/passwd\n' >$conf
check "file: it cannot include another file" refused 2 "$conf:1: bad value" bpfd-gadget
check "file: --help does not read it" status_of 0 bpfd-gadget --help
check "file: none of these makes a gadget" no_gadget
cat >$conf <<-CONF
	serial = from the file
	lanes = 1
	bpfd = /run/sbin/bpfd
	bpfd-args = --max-line 100000 	 --max-handles 1
CONF
bpfd-gadget -q &
daemon=$!
check "file: serial is used" until_true 20 listed 'from the file'
check "file: lanes is used" test "$(lanes)" = 1
check "file: bpfd works" working -s 'from the file'
printf 'BPF_CREATE_MAP 1 %s 4 4 10 0\n' a b | bpfd-usb -s 'from the file' >/run/maps 2>&1
check "file: bpfd has its arguments" test "$(grep -c 'bpf_create_map: ret=-24' /run/maps)" = 1
kill $daemon
wait $daemon
check "file: no gadget is left at the end" no_gadget
bpfd-gadget -q --serial 'from the line' --lanes 2 &
daemon=$!
check "command line: --serial overrides the file" until_true 20 listed 'from the line'
check "command line: --lanes overrides the file" test "$(lanes)" = 2
kill $daemon
wait $daemon
printf 'ffs-dir = /run/elsewhere\n' >$conf
check "file: a directory without FunctionFS is an error" refused 1 "/run/elsewhere" bpfd-gadget
check "command line: --ffs-dir replaces those of the file" \
	refused 1 "/run/another" bpfd-gadget --ffs-dir /run/another
check "command line: the replaced directory is not used" sh -c '! grep -q elsewhere /run/refused'
check "file: the sample is valid" status_of 0 bpfd-gadget --config "$top/board/gadget.conf" --check

# The init script.
printf 'serial = a service\nbpfd = /run/sbin/bpfd\n' >$conf
check "init: status reports that nothing runs" refused 3 "is not running" "$init" status
check "init: stop succeeds if nothing runs" status_of 0 "$init" stop
check "init: start succeeds" status_of 0 "$init" start
check "init: start makes the gadget" until_true 20 listed 'a service'
check "init: a session works" working -s 'a service'
pid=$(cat $BPFD_GADGET_PID_FILE)
check "init: status reports the pid" refused 0 "is running (pid $pid)" "$init" status
check "init: the pid is the daemon's" test "$(cat "/proc/$pid/comm")" = bpfd-gadget
check "init: a second start reports that it runs" refused 0 "is already running" "$init" start
check "init: a second start keeps the daemon" test "$(pgrep -x bpfd-gadget)" = "$pid"
check "init: restart succeeds" status_of 0 "$init" restart
check "init: restart starts a new daemon" test "$(cat $BPFD_GADGET_PID_FILE)" != "$pid"
check "init: a session works after a restart" until_true 20 working -s 'a service'
kill -9 "$(cat $BPFD_GADGET_PID_FILE)"
check "init, killed daemon: status reports it" \
	until_true 5 refused 3 "is not running" "$init" status
check "init, killed daemon: start succeeds" status_of 0 "$init" start
check "init, killed daemon: a session works" until_true 20 working -s 'a service'
check "init: stop succeeds" status_of 0 "$init" stop
check "init: stop ends the daemon" sh -c '! pgrep -x bpfd-gadget'
check "init: stop leaves no gadget" no_gadget
printf 'lanes = 0\n' >$conf
check "init, bad setting: start fails" refused 1 "exited; see syslog" "$init" start
check "init, bad setting: no pid file is left" test ! -e $BPFD_GADGET_PID_FILE
rm $conf
check "init: start fails without a daemon" \
	refused 1 "/no/such: not found" env BPFD_GADGET=/no/such "$init" start
check "init: no command is an error" refused 2 "Usage" "$init"

# The systemd unit. Verifying it needs the programs at the paths that it names.
if command -v systemd-analyze >/dev/null; then
	cp "$BPFD_BUILD/bpfd-gadget" /usr/sbin/
	mkdir -p /etc/systemd/system
	cp "$top/board/bpfd-gadget.service" /etc/systemd/system/
	check "unit: systemd accepts it" \
		refused 0 "" systemd-analyze verify --man=no /etc/systemd/system/bpfd-gadget.service
	check "unit: systemd knows all its settings" sh -c "! grep -i 'bpfd-gadget.service:.*\(unknown\|invalid\|fail\)' /run/refused"
else
	skip "unit: systemd accepts it" "no systemd-analyze"
fi
finish
