#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several sessions at once: each uses its own lane and does not depend on the others. When a host is
# killed, its board's session ends within the lease.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
work=$(mktemp -d)
object=$BPFD_BUILD/tools/probe.bpf.o

# in_time COMMAND...: runs the command for at most 60 s, so a hang does not stop the suite.
in_time()
{
	timeout -k 1 60 "$@"
}

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
gadget_start || { not_ok "start the gadget"; finish; }
check "two sessions: two lanes by default" until_true 10 device_present 2
bpfd-usb -l >"$work/list"
check "two sessions: -l shows two free lanes before" grep -E -q 'testboard +[0-9.-]+ +5000 Mb/s +2 +2 ' "$work/list"

client_open 1 bpfd-usb --lease 2 || not_ok "first session"
client_open 2 bpfd-usb || not_ok "second session"
for n in 1 2; do
	client_command $n "BPF_CREATE_MAP 2 counts 4 8 8 0"
	check "two sessions: session $n has its own handles" test "$(result)" = 3
	client_command $n "BPF_UPDATE_ELEM 3 $(le 4 7) 4 $(le 8 $((n * 1000))) 8 0"
done
for n in 1 2; do
	check "two sessions: session $n has its own map" test "$(count_of $n 3 7)" = $((n * 1000))
done
bpfd-usb -l >"$work/list"
check "two sessions: -l shows no free lane" grep -E -q 'testboard .* 2 +0 ' "$work/list"
in_time bpfd-usb </dev/null >"$work/out" 2>"$work/err"
check "third session: status 254" test $? = 254
check "third session: a message" grep -q 'bpfd-usb: .*lane' "$work/err"

# A bpfd-usb with an attached probe is killed. The board notices it only by the lease.
client_command 1 "$("$BPFD_BUILD/tools/bpf_line" "$object" test/count0 2 GPL 0 counts=3)"
client_command 1 "BPF_ATTACH_KPROBE $(result) 0 p_mine ${SYSCALL}getpgid"
check "killed: it had a probe" test "$(result)" -ge 0
programs()
{
	on_board bpftool prog show | grep -c 'name test'
}
no_program()
{
	[ "$(programs)" = 0 ]
}
check "killed: it had a program" test "$(programs)" = 1
kill -9 "${CLIENT_PID[1]}"
client_close 1
start=$SECONDS
check "killed: its program is gone within the lease" until_true 6 no_program
echo "# after $((SECONDS - start)) s, lease 2 s"
check "killed: the other session goes on" test "$(count_of 2 3 7)" = 2000
client_open 3 bpfd-usb || not_ok "a new session"
client_command 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
check "killed: the next session on the lane starts clean" test "$(result)" = 3
client_close 3
check "killed: the next session ends with status 0" test $? = 0
client_close 2
check "killed: the other session ends with status 0" test $? = 0

# The next host does not need to wait for the lease.
client_open 1 bpfd-usb --lease 60 || not_ok "a session with a long lease"
client_command 1 "BPF_CREATE_MAP 2 counts 4 8 8 0"
client_command 1 "$("$BPFD_BUILD/tools/bpf_line" "$object" test/count0 2 GPL 0 counts=3)"
kill -9 "${CLIENT_PID[1]}"
client_close 1
check "killed, long lease: its program is still there" test "$(programs)" = 1
check "killed, long lease: a new session works" test "$(in_time bpfd-usb </dev/null)" = STARTED_BPFD
check "killed, long lease: the new session ends the old one" until_true 3 no_program

# A bpfd-usb that is stopped loses its session and reports that when it continues.
client_open 1 bpfd-usb --lease 2 || not_ok "a session to stop"
client_command 1 "BPF_CREATE_MAP 2 counts 4 8 8 0"
kill -STOP "${CLIENT_PID[1]}"
sleep 4
kill -CONT "${CLIENT_PID[1]}"
client_close 1
check "stopped longer than the lease: status 255" test $? = 255
check "stopped longer than the lease: the message gives the cause" grep -q -i lease "$CLIENT_DIR/err.1"
check "two lanes: the daemon ends with status 0" gadget_stop

# Four lanes carry streams at once, each with its own bytes.
gadget_start --lanes 4 --bpfd /bin/cat || { not_ok "start the gadget with four lanes"; finish; }
check "four streams: four lanes" until_true 10 device_present 4
pattern()
{
	seq -f "lane $1 line %.0f" 1 150000
}
for n in 1 2 3 4; do
	pattern $n >"$work/pattern.$n"
	in_time bpfd-usb <"$work/pattern.$n" >"$work/back.$n" 2>"$work/err.$n" &
	pids[$n]=$!
done
for n in 1 2 3 4; do
	wait "${pids[$n]}"
	check "four streams: stream $n has status 0" test $? = 0
	check "four streams: stream $n is complete and not mixed" cmp "$work/pattern.$n" "$work/back.$n"
done
# kill -9 of one bpfd-usb does not affect the other streams.
for n in 1 2 3 4; do
	in_time bpfd-usb <"$work/pattern.$n" >"$work/back.$n" 2>"$work/err.$n" &
	pids[$n]=$!
done
sleep 0.5
pkill -9 -P "${pids[2]}" bpfd-usb
wait "${pids[2]}" 2>/dev/null
check "one stream killed: its output is a prefix" cmp -n "$(stat -c %s "$work/back.2")" "$work/back.2" "$work/pattern.2"
for n in 1 3 4; do
	wait "${pids[$n]}"
	check "one stream killed: stream $n has status 0" test $? = 0
	check "one stream killed: stream $n is complete" cmp "$work/pattern.$n" "$work/back.$n"
done
check "four lanes: the daemon ends with status 0" gadget_stop

# settled LANES: the gadget is bound with fewer than LANES lanes, and the host sees them.
settled()
{
	local given
	given=$(sed -n 's/.*bound to .*, \([0-9]*\) lanes$/\1/p' $GADGET_LOG | tail -n 1)
	[ "${given:-$1}" -lt "$1" ] && device_present "$given" && ! device_present $((given + 1))
}

# More lanes than the controller has endpoints for: the daemon makes fewer and logs it, and no two
# lanes share an endpoint.
too_many_lanes()
{
	local lanes got addresses n
	for lanes in 5 6 8; do
		: >$GADGET_LOG
		gadget_start --lanes $lanes --bpfd /bin/cat || { not_ok "start the gadget with $lanes lanes"; continue; }
		until_true 20 settled $lanes
		got=$(cat /sys/bus/usb/devices/*/bInterfaceSubClass | grep -c '^b7$')
		check "$lanes lanes: at most 4 are made ($got)" test "$got" -ge 1 -a "$got" -le 4
		check "$lanes lanes: the daemon logs the number" grep -q "going on with $got lanes" $GADGET_LOG
		addresses=$(lsusb -v -d 1d6b:0104 2>/dev/null | awk '/bEndpointAddress/ {print $2}')
		check "$lanes lanes: no two endpoints have the same address" test -z "$(echo "$addresses" | sort | uniq -d)"
		for n in 1 2; do
			in_time bpfd-usb <"$work/pattern.$n" >"$work/back.$n" &
			pids[$n]=$!
		done
		for n in 1 2; do
			wait "${pids[$n]}"
			check "$lanes lanes: stream $n is complete" cmp "$work/pattern.$n" "$work/back.$n"
		done
		check "$lanes lanes: the daemon ends with status 0" gadget_stop
	done
}
# USB/IP cannot follow a device that disappears and returns at once.
[ -n "${BPFD_BOARD_SHELL:-}" ] || too_many_lanes
check_no_leftovers
finish
