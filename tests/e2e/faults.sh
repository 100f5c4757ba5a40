#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unclean ends: bpfd-usb, bpfd or the daemon is killed in a transfer, the gadget is unbound, the bus
# is reset. The output is an exact prefix, the status is right, the next session starts clean, and
# nothing is left on the board.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
object=$BPFD_BUILD/tools/probe.bpf.o
gadget=$CONFIGFS/bpfd

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
# Without the probe PMUs probes are made in kprobe_events, which shows those that are left.
mkdir -p /run/empty
mount --bind /run/empty /sys/bus/event_source/devices/kprobe
mount --bind /run/empty /sys/bus/event_source/devices/uprobe

head -c 60000000 /dev/urandom >"$work/random"
# The script of a session: a map, a program and a probe, then eight dumps of a large map as traffic.
{
	echo "BPF_CREATE_MAP 2 counts 4 8 8 0"
	"$BPFD_BUILD/tools/bpf_line" "$object" test/count0 2 GPL 0 counts=3
	echo "BPF_ATTACH_KPROBE 4 0 p_fault __x64_sys_getpgid"
} >"$work/setup"
{
	cat "$work/setup"
	echo "BPF_CREATE_MAP 2 big 4 200 20000 0"
	for _ in 1 2 3 4 5 6 7 8; do
		echo "BPF_GET_FIRST_KEY 6 4 200 1"
	done
} >"$work/script"

start_gadget()
{
	: >$GADGET_LOG
	gadget_start "$@" || { not_ok "start the gadget: $*"; finish; }
}

# session_start: runs the script in a session in the background, SESSION, and waits for its output.
# Its input stays open.
session_start()
{
	rm -f "$work/in"
	mkfifo "$work/in"
	bpfd-usb --lease 3 <"$work/in" >"$work/out" 2>"$work/err" &
	SESSION=$!
	exec 9>"$work/in"
	cat "$work/script" >&9
	until_true 20 grep -q attach_kprobe "$work/out" || echo "# no output: $(cat "$work/err")"
}
# session_end NAME STATUS: checks that the session ends within 20 s with that status.
session_end()
{
	local status=0
	if ! timeout $((20 * PATIENCE)) tail --pid="$SESSION" -f /dev/null; then
		not_ok "$1: bpfd-usb ends" "$(cat "$work/err")"
		kill -9 "$SESSION"
	fi
	wait "$SESSION" || status=$?
	exec 9>&-
	check "$1: status $2 ($status)" test "$status" = "$2"
	check "$1: the output is a prefix" is_prefix
}
# The expected output: bpfd runs the same script without the cable.
bpfd <"$work/script" >"$work/right" 2>/dev/null
is_prefix()
{
	cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/right"
}
# clean_after NAME: checks that the next session's output is exact, and that the previous session's
# probe and program are gone.
clean_after()
{
	local try
	printf 'BPF_CREATE_MAP 1 count 8 40 10240 0\nGET_KSYM_ADDR schedule\nBPF_CREATE_MAP 2 b 4 200 20000 0\nBPF_GET_FIRST_KEY 4 4 200 1\n' >"$work/next"
	bpfd <"$work/next" >"$work/next.right"
	bpfd-usb -w=20 <"$work/next" >"$work/next.out" 2>"$work/next.err"
	try=$?
	check "$1: the next session starts clean ($try)" cmp "$work/next.out" "$work/next.right"
	check "$1: no probe is left" until_true 8 no_probes
	check "$1: no program is left" until_true 8 no_programs
}

start_gadget
session_start
kill -9 "$SESSION"
wait "$SESSION" 2>/dev/null
exec 9>&-
check "bpfd-usb killed: the output is a prefix" is_prefix
clean_after "bpfd-usb killed"

session_start
pkill -9 -P "$(worker_pid)" -x bpfd
session_end "bpfd killed" 137
clean_after "bpfd killed"

session_start
echo '' >$gadget/UDC
session_end "UDC unbound" 255
check "UDC unbound: bpfd-usb prints a message" grep -q 'bpfd-usb: ' "$work/err"
check "UDC unbound: no probe is left before it is bound again" until_true 8 no_probes
echo dummy_udc.0 >$gadget/UDC
until_true 10 device_present
clean_after "UDC unbound and bound"

session_start
usbreset 1d6b:0104 >/dev/null
session_end "bus reset" 255
clean_after "bus reset"

session_start
echo disconnect >/sys/class/udc/dummy_udc.0/soft_connect
session_end "cable unplugged" 255
check "cable unplugged: no probe is left before it is plugged in" until_true 8 no_probes
# dummy_hcd does not answer after "connect", because the kernel does not enable its callbacks again
# (seen on 6.1). Binding the gadget again helps.
echo '' >$gadget/UDC
echo dummy_udc.0 >$gadget/UDC
until_true 10 device_present
clean_after "cable unplugged and plugged in"

device=$(dirname "$(grep -l '^b7$' /sys/bus/usb/devices/*/bInterfaceSubClass | head -n 1)")
device=${device%:*}
session_start
echo 0 >"$device/authorized"
session_end "device deauthorized" 255
echo 1 >"$device/authorized"
until_true 10 device_present
clean_after "device deauthorized and authorized"

session_start
gadget_stop
check "daemon ended: the daemon has status 0" test $? = 0
session_end "daemon ended" 255
check "daemon ended: the message gives the cause" grep -q -E 'daemon exits|taken away|transfer failed|stalled the endpoint' "$work/err"
check_no_leftovers

# The worker's parent keeps the gadget, so the device stays on the bus.
start_gadget
device=$(grep -l '^testboard$' /sys/bus/usb/devices/*/serial)
device=${device%/serial}
number=$(cat "$device/devnum")
session_start
kill -9 "$(worker_pid)"
session_end "worker killed" 255
clean_after "worker killed"
check "worker killed: the device keeps its number" test "$(cat "$device/devnum")" = "$number"
check "worker killed: the daemon logs it" grep -q 'worker: ended by signal 9' $GADGET_LOG
kill -9 "$(worker_pid)"
check "worker killed again: a new one starts" until_true 5 worker_pid
clean_after "worker killed again"
gadget_stop
check "worker killed: the daemon ends with status 0" test $? = 0
check_no_leftovers

start_gadget
session_start
gadget_kill
session_end "daemon killed" 255
check "daemon killed: its sessions end" until_true 5 sh -c '! pgrep -x bpfd'
check "daemon killed: no probe is left" until_true 5 no_probes
start_gadget
clean_after "daemon killed and started"
gadget_stop
check_no_leftovers
start_gadget
gadget_kill
bpfd-gadget --remove
check "daemon killed: --remove removes its gadget" test $? = 0
check_no_leftovers

# Random bytes in both directions: the daemon runs cat instead of bpfd.
start_gadget --bpfd /bin/cat
for round in 1 2 3 4 5; do
	rm "$work/out"
	bpfd-usb <"$work/random" >"$work/out" 2>"$work/err" &
	pid=$!
	until_true 10 test -s "$work/out"
	sleep 0.$round
	kill -9 $pid
	wait $pid 2>/dev/null
	check "stream killed, round $round: the output is a prefix" cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/random"
	head -c 100000 "$work/random" | bpfd-usb >"$work/out" 2>"$work/err"
	check "stream killed, round $round: the next one is exact" cmp "$work/out" <(head -c 100000 "$work/random")
done
rm "$work/out"
bpfd-usb <"$work/random" >"$work/out" 2>"$work/err" &
pid=$!
until_true 10 test -s "$work/out"
gadget_kill
wait $pid
check "stream, daemon killed: status 255" test $? = 255
check "stream, daemon killed: the output is a prefix" cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/random"
check "stream, daemon killed: the message counts bytes sent and consumed" grep -q -E '[0-9]+ bytes sent, [0-9]+ of them consumed' "$work/err"
start_gadget --bpfd /bin/cat
head -c 100000 "$work/random" | bpfd-usb >"$work/out"
check "stream, daemon started: the next one is exact" cmp "$work/out" <(head -c 100000 "$work/random")
: >"$work/empty"
worker=$(worker_pid)
before=$(ls /proc/"$GADGET_PID"/fd /proc/"$worker"/fd | wc -l)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	bpfd-usb <"$work/empty" >/dev/null
done
check "ten sessions: the daemon's number of descriptors is unchanged" test \
	"$(ls /proc/"$GADGET_PID"/fd /proc/"$worker"/fd | wc -l)" = "$before"
check "ten sessions: the daemon ends with status 0" gadget_stop
umount /sys/bus/event_source/devices/kprobe /sys/bus/event_source/devices/uprobe
check_no_leftovers
finish
