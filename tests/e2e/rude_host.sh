#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A rude host sends floods of sessions, garbage, resets and requests, and sessions that it never
# reads. The daemon stays small and idle. The other lane works throughout, the same lane afterwards.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
gadget_start || { not_ok "start the gadget"; finish; }

session()
{
	echo 'BPF_CREATE_MAP 1 count 8 40 10240 0' | bpfd-usb >"$work/out" 2>"$work/err"
	grep -q 'bpf_create_map: ret=3' "$work/out"
}
worker=$(worker_pid)
descriptors()
{
	find /proc/"$worker"/fd -type l | wc -l
}
ticks()
{
	awk '{print $14 + $15}' /proc/"$worker"/stat
}
# A loop that spins takes 100 ticks a second.
is_idle()
{
	local before
	before=$(ticks)
	sleep 1
	[ $(($(ticks) - before)) -lt 20 ]
}
few_processes()
{
	[ "$(pgrep -c -P "$worker")" -le 64 ]
}

interface=$(dirname "$(grep -l '^b7$' /sys/bus/usb/devices/*:1.0/bInterfaceSubClass | head -n 1)")
device=${interface%:*}
node=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$device/busnum")" "$(cat "$device/devnum")")
out=$(grep -h '^0' "$interface"/ep_*/bEndpointAddress)
before=$(descriptors)
for mode in hello garbage long commands reset request; do
	"$BPFD_BUILD/tools/rude_host" "$node" 0 "$out" $mode 4 >"$work/count" 2>&1 &
	pid=$!
	sleep 2
	check "$mode: the other lane works" session
	check "$mode: the worker has at most 64 processes" few_processes
	wait $pid
	check "$mode: the board accepts transfers" test "$(cat "$work/count")" -gt 0
	check "$mode: the open sessions end with their lease" until_true 5 no_process
	check "$mode: the worker is idle afterwards" is_idle
	check "$mode: the worker is the same process" test "$(worker_pid)" = "$worker"
	check "$mode: the worker's number of descriptors is unchanged" test "$(descriptors)" = "$before"
	check "$mode: the same lane works afterwards" session
done
gadget_stop
check "the daemon ends with status 0" test $? = 0
check_no_leftovers
finish
