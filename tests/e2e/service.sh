#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon as a service: its configuration file, the init script, the systemd unit.
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
# refused STATUS WORDS COMMAND...: it ends with that status and says that.
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
check "a file that is not there" refused 2 "/no/such/file: No such file" \
	bpfd-gadget --config /no/such/file
printf '# lanes\nlanes = 2\nlanes = many\n' >$conf
check "a wrong value" refused 2 "$conf:3: bad value" bpfd-gadget
check "says what is wrong with it" grep -q 'lanes: many: not a number from 1 to 8' /run/refused
printf 'lane = 2\n' >$conf
check "a wrong name" refused 2 "$conf:1: no such setting" bpfd-gadget --check
printf 'config = /etc/passwd\n' >$conf
check "a file that names another" refused 2 "$conf:1: bad value" bpfd-gadget
check "--help reads no file" status_of 0 bpfd-gadget --help
check "nothing was made" no_gadget
cat >$conf <<-CONF
	serial = from the file
	lanes = 1
	bpfd = /run/sbin/bpfd
	bpfd-args = --max-line 100000 	 --max-handles 1
CONF
bpfd-gadget -q &
daemon=$!
check "settings are taken" until_true 20 listed 'from the file'
check "all of them" test "$(lanes)" = 1
check "bpfd works" working -s 'from the file'
printf 'BPF_CREATE_MAP 1 %s 4 4 10 0\n' a b | bpfd-usb -s 'from the file' >/run/maps 2>&1
check "and has its arguments" test "$(grep -c 'bpf_create_map: ret=-24' /run/maps)" = 1
kill $daemon
wait $daemon
check "it ends" no_gadget
bpfd-gadget -q --serial 'from the line' --lanes 2 &
daemon=$!
check "the command line counts more" until_true 20 listed 'from the line'
check "for each setting" test "$(lanes)" = 2
kill $daemon
wait $daemon
printf 'ffs-dir = /run/elsewhere\n' >$conf
check "a directory that is no FunctionFS" refused 1 "/run/elsewhere" bpfd-gadget
check "instances of the command line replace it" refused 1 "/run/another" bpfd-gadget --ffs-dir /run/another
check "so it is not looked at" sh -c '! grep -q elsewhere /run/refused'
check "the sample is one" status_of 0 bpfd-gadget --config "$top/board/gadget.conf" --check

# The init script.
printf 'serial = a service\nbpfd = /run/sbin/bpfd\n' >$conf
check "it does not run" refused 3 "is not running" "$init" status
check "stop does nothing" status_of 0 "$init" stop
check "start" status_of 0 "$init" start
check "makes the gadget" until_true 20 listed 'a service'
check "which works" working -s 'a service'
pid=$(cat $BPFD_GADGET_PID_FILE)
check "status" refused 0 "is running (pid $pid)" "$init" status
check "the number is the daemon's" test "$(cat "/proc/$pid/comm")" = bpfd-gadget
check "start again" refused 0 "is already running" "$init" start
check "is the same daemon" test "$(pgrep -x bpfd-gadget)" = "$pid"
check "restart" status_of 0 "$init" restart
check "is another daemon" test "$(cat $BPFD_GADGET_PID_FILE)" != "$pid"
check "which works as well" until_true 20 working -s 'a service'
kill -9 "$(cat $BPFD_GADGET_PID_FILE)"
check "a killed one" until_true 5 refused 3 "is not running" "$init" status
check "is started" status_of 0 "$init" start
check "and works" until_true 20 working -s 'a service'
check "stop" status_of 0 "$init" stop
check "ends it" sh -c '! pgrep -x bpfd-gadget'
check "and leaves nothing" no_gadget
printf 'lanes = 0\n' >$conf
check "a wrong setting" refused 1 "exited; see syslog" "$init" start
check "leaves nothing either" test ! -e $BPFD_GADGET_PID_FILE
rm $conf
check "no daemon" refused 1 "/no/such: not found" env BPFD_GADGET=/no/such "$init" start
check "no command" refused 2 "Usage" "$init"

# The unit. Its programs have to be where it says.
if command -v systemd-analyze >/dev/null; then
	cp "$BPFD_BUILD/bpfd-gadget" /usr/sbin/
	mkdir -p /etc/systemd/system
	cp "$top/board/bpfd-gadget.service" /etc/systemd/system/
	check "the unit" refused 0 "" systemd-analyze verify --man=no /etc/systemd/system/bpfd-gadget.service
	check "of which systemd understands all" sh -c "! grep -i 'bpfd-gadget.service:.*\(unknown\|invalid\|fail\)' /run/refused"
else
	skip "the unit" "no systemd-analyze"
fi
finish
