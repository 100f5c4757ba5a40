#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tracing of events that the test causes: kprobes, kretprobes, uprobes, uretprobes, tracepoints,
# sampling perf events and perf rings. Probes use the kernel's probe PMUs first, then tracefs with
# the PMUs hidden. Usage: tracing.sh [COMMAND...]
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
# shellcheck source=tests/e2e/events.sh
. "$here/events.sh"

if [ $# -eq 0 ]; then
	set -- "$BPFD_BUILD/bpfd"
	# Programs at random addresses, as on a real machine: see vm/run.
	echo 2 >/proc/sys/kernel/randomize_va_space
fi
transport=("$@")
probes PMU
on_board mkdir -p /run/empty
on_board mount -o bind /run/empty /sys/bus/event_source/devices/kprobe
on_board mount -o bind /run/empty /sys/bus/event_source/devices/uprobe
probes tracefs

# is_bpfd: the sessions run bpfd itself, without a cable.
is_bpfd()
{
	[ "${transport[*]}" = "$BPFD_BUILD/bpfd" ]
}
our_probe()
{
	on_board grep -q p_getpgid $tracefs/kprobe_events
}
no_probe_of_ours()
{
	! our_probe
}

# A killed bpfd cannot remove its probes. The next bpfd or the daemon removes them.
client_open 1 "${transport[@]}"
want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "program" 4 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
want "kprobe" 5 "BPF_ATTACH_KPROBE 4 0 p_getpgid ${SYSCALL}getpgid"
on_board sh -c "echo 'p:mine/not_ours do_exit' >>$tracefs/kprobe_events"
on_board pkill -9 -x bpfd
client_close 1
check "bpfd killed: the session's status is 137" test $? = 137
if is_bpfd; then
	check "bpfd killed: its probe in tracefs is left" our_probe
	"$@" </dev/null >/dev/null
fi
check "bpfd killed: its probe is removed later" until_true 10 no_probe_of_ours
check "bpfd killed: another program's probe stays" on_board grep -q not_ours $tracefs/kprobe_events
on_board sh -c "echo '-:mine/not_ours' >>$tracefs/kprobe_events"
on_board umount /sys/bus/event_source/devices/kprobe
on_board umount /sys/bus/event_source/devices/uprobe

# CPU 0 may be offline, so probes are opened on the first online CPU.
first_cpu()
{
	local cpu
	mkdir -p /run/sysfs/devices/system/cpu
	for cpu in 1 99; do
		echo $cpu >/run/sysfs/devices/system/cpu/online
		client_open 1 "$BPFD_BUILD/bpfd" --sysfs /run/sysfs
		want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
		want "program" 4 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
		client_command 1 "BPF_ATTACH_KPROBE 4 0 p_getpgid ${SYSCALL}getpgid"
		if [ $cpu = 1 ]; then
			count_events "first online CPU is 1: a probe counts on all CPUs" 100 taskset -c 0 "$trigger" syscall 100
		else
			check "first online CPU does not exist: a probe fails" test "$(result)" -lt 0
		fi
		client_close 1
	done
}
# This needs an option of bpfd, which a host cannot set over a cable.
if is_bpfd; then
	first_cpu
fi

# Tracepoints, perf events, rings.
client_open 1 "${transport[@]}" || not_ok "open a session"
cpus=$(on_board nproc)
want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "events" 4 "BPF_CREATE_MAP 4 events 4 4 $cpus 0"
want "tracepoint program" 5 "$(line_of "$object" test/count0 5 GPL 0 counts=3)"
want "tracepoint" 6 "BPF_ATTACH_TRACEPOINT 5 syscalls sys_enter_getpgid"
count_events "tracepoint: counts" 1000 "$trigger" syscall 1000
want "detach" 0 "BPF_DETACH_TRACEPOINT syscalls sys_enter_getpgid"
count_events "tracepoint: does not count after it is detached" 0 "$trigger" syscall 10

want "perf event program" ok "$(line_of "$object" test/count1 7 GPL 0 counts=3)"
program=$(result)
for ((cpu = 0; cpu < cpus; cpu++)); do
	want "sampling perf event" ok "BPF_ATTACH_PERF_EVENT $program 1 0 1000000 0 -1 $cpu -1"
done
before=$(count_of 1 3 1)
on_board "$trigger" spin 500
after=$(count_of 1 3 1)
check "sampling perf event: a busy CPU has samples ($((after - before)))" test $((after - before)) -ge 20

open_rings
check_records

# A line ends a poll without a timeout, also if both are written at once.
client_send 1 "PERF_READER_POLL -1 $cpus$rings"
sleep 1
client_send 1 ""
client_reply 1
check "poll: an empty line ends it" test "${#BODY[@]}" = 0
client_send 1 "PERF_READER_POLL -1 $cpus$rings
"
client_reply 1
check "poll: an empty line in the same write ends it" test "${#BODY[@]}" = 0
client_send 1 "PERF_READER_POLL -1 $cpus$rings"
sleep 0.5
on_board "$trigger" syscall 1
client_reply 1
check "poll: a record ends it" test "${#BODY[@]}" -ge 1

check_losses

# Stacks.
want "stack map" ok "BPF_CREATE_MAP 7 stacks 4 1016 1024 0"
stacks=$(result)
want "stack program" ok "$(line_of "$object" test/stack 2 GPL 0 counts=3 stacks="$stacks")"
want "kprobe" ok "BPF_ATTACH_KPROBE $(result) 0 p_stack ${SYSCALL}getpgid"
on_board "$trigger" syscall 10
id=$(count_of 1 3 3)
client_command 1 "BPF_LOOKUP_ELEM $stacks $(le 4 "$id") 4 1016"
top=$(number "$(printf '%s' "${BODY[0]:-}" | base64 -d 2>/dev/null | head -c 8 | base64 -w 0)")
client_command 1 "GET_KSYM_NAME $(printf '%u' "$top")"
check "stack: the top address has a symbol: ${BODY[1]:-}" test "$(result)" = 0
client_close 1
check "tracing: the session ends with status 0" test $? = 0

# A CPU that goes offline and online again: its ring is dead, which the kernel does not report.
switch=/sys/devices/system/cpu/cpu1/online
if is_bpfd && [ -w $switch ]; then
	client_open 1 "${transport[@]}" || { not_ok "offline CPU: open a session"; finish; }
	want "offline CPU: ring" ok "BPF_OPEN_PERF_BUFFER -1 1 8"
	dead=$(result)
	client_command 1 "PERF_READER_POLL 0 1 $dead"
	sleep 3
	client_command 1 "PERF_READER_POLL 0 1 $dead"
	check "offline CPU: no warning before" sh -c "! grep offline $CLIENT_DIR/err.1"
	echo 0 >$switch
	echo 1 >$switch
	sleep 3
	client_command 1 "PERF_READER_POLL 0 1 $dead"
	check "offline CPU: a warning" until_true 5 grep -q 'bpfd: CPU 1: it was offline' "$CLIENT_DIR/err.1"
	want "offline CPU: a new ring" ok "BPF_OPEN_PERF_BUFFER -1 1 8"
	client_close 1
fi
check_no_leftovers
finish
