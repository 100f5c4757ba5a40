#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ends that are not clean: bridge, core or daemon killed in the middle of a transfer, the gadget
# unbound, the bus reset. Whatever was printed is an exact prefix, the status tells the truth, the
# next session starts clean, and nothing is left behind.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
object=$BPFD_BUILD/tools/probe.bpf.o
gadget=$CONFIGFS/bpfd

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
# Hide the probe PMUs: probes are then in kprobe_events, where they can be seen to be left.
mkdir -p /run/empty
mount --bind /run/empty /sys/bus/event_source/devices/kprobe
mount --bind /run/empty /sys/bus/event_source/devices/uprobe

head -c 60000000 /dev/urandom >"$work/random"
# A session with a map, a program, and a probe; then traffic: the same dump over and over.
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

# session_start: the script in the background, until data flows; its input stays open.
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
# session_end NAME STATUS: it ends by itself in bounded time, with that status.
session_end()
{
	local status=0
	if ! timeout 20 tail --pid="$SESSION" -f /dev/null; then
		not_ok "$1: the bridge ends" "$(cat "$work/err")"
		kill -9 "$SESSION"
	fi
	wait "$SESSION" || status=$?
	exec 9>&-
	check "$1: status $2 ($status)" test "$status" = "$2"
	check "$1: what was printed is a prefix" is_prefix
}
# The right output: what the same script prints on a pipe.
bpfd <"$work/script" >"$work/right" 2>/dev/null
is_prefix()
{
	cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/right"
}
# clean_after NAME: the next session works, its bytes are exact, the killed one's probe is gone.
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
check "bridge killed: what was printed is a prefix" is_prefix
clean_after "bridge killed"

session_start
pkill -9 -P "$(worker_pid)" -x bpfd
session_end "core killed" 137
clean_after "core killed"

session_start
echo '' >$gadget/UDC
session_end "UDC unbound" 255
check "UDC unbound: says that the link is lost" grep -q 'bpfd-usb: ' "$work/err"
check "UDC unbound: no probe is left while it is" until_true 8 no_probes
echo dummy_udc.0 >$gadget/UDC
until_true 10 device_present
clean_after "UDC unbound and bound"

session_start
usbreset 1d6b:0104 >/dev/null
session_end "bus reset" 255
clean_after "bus reset"

session_start
echo disconnect >/sys/class/udc/dummy_udc.0/soft_connect
session_end "cable pulled" 255
check "cable pulled: no probe is left while it is" until_true 8 no_probes
# dummy_hcd does not answer after "connect" (the kernel does not enable its callbacks again, seen on
# 6.1): binding anew does.
echo '' >$gadget/UDC
echo dummy_udc.0 >$gadget/UDC
until_true 10 device_present
clean_after "cable pulled and put back"

device=$(dirname "$(grep -l '^b7$' /sys/bus/usb/devices/*/bInterfaceSubClass | head -n 1)")
device=${device%:*}
session_start
echo 0 >"$device/authorized"
session_end "authorization taken" 255
echo 1 >"$device/authorized"
until_true 10 device_present
clean_after "authorization taken and given"

session_start
gadget_stop
check "daemon ended: status 0" test $? = 0
session_end "daemon ended" 255
check "daemon ended: the host hears why" grep -q -E 'daemon ends|taken away|transfer failed|stalled the endpoint' "$work/err"
check_no_leftovers

# The parent of the worker keeps the gadget: the host does not see the device go.
start_gadget
device=$(grep -l '^testboard$' /sys/bus/usb/devices/*/serial)
device=${device%/serial}
number=$(cat "$device/devnum")
session_start
kill -9 "$(worker_pid)"
session_end "worker killed" 255
clean_after "worker killed"
check "worker killed: the device stays" test "$(cat "$device/devnum")" = "$number"
check "worker killed: it is said" grep -q 'worker: ended by signal 9' $GADGET_LOG
kill -9 "$(worker_pid)"
check "worker killed early: another one comes" until_true 5 worker_pid
clean_after "worker killed early"
gadget_stop
check "worker killed: the daemon ends with status 0" test $? = 0
check_no_leftovers

start_gadget
session_start
gadget_kill
session_end "daemon killed" 255
check "daemon killed: its processes die with it" until_true 5 sh -c '! pgrep -x bpfd'
check "daemon killed: no probe is left" until_true 5 no_probes
start_gadget
clean_after "daemon killed and started"
gadget_stop
check_no_leftovers
start_gadget
gadget_kill
bpfd-gadget --remove
check "--remove takes a killed daemon's gadget away" test $? = 0
check_no_leftovers

# Raw bytes in the middle of a transfer each way: cat behind the gadget.
start_gadget --bpfd /bin/cat
for round in 1 2 3 4 5; do
	rm "$work/out"
	bpfd-usb <"$work/random" >"$work/out" 2>"$work/err" &
	pid=$!
	until_true 10 test -s "$work/out"
	sleep 0.$round
	kill -9 $pid
	wait $pid 2>/dev/null
	check "stream killed, round $round: a prefix" cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/random"
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
check "stream, daemon killed: a prefix" cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/random"
check "stream, daemon killed: counts are told" grep -q -E '[0-9]+ bytes sent, [0-9]+ of them consumed' "$work/err"
start_gadget --bpfd /bin/cat
head -c 100000 "$work/random" | bpfd-usb >"$work/out"
check "stream, daemon started: the next one is exact" cmp "$work/out" <(head -c 100000 "$work/random")
: >"$work/empty"
worker=$(worker_pid)
before=$(ls /proc/"$GADGET_PID"/fd /proc/"$worker"/fd | wc -l)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	bpfd-usb <"$work/empty" >/dev/null
done
check "the daemon's descriptors do not grow" test \
	"$(ls /proc/"$GADGET_PID"/fd /proc/"$worker"/fd | wc -l)" = "$before"
check "the daemon ends with status 0" gadget_stop
umount /sys/bus/event_source/devices/kprobe /sys/bus/event_source/devices/uprobe
check_no_leftovers
finish
