#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real tracing: events caused by the test arrive, counted, through kprobes, kretprobes, uprobes,
# uretprobes, tracepoints, sampling perf events and perf rings; first with the kernel's probe PMUs,
# then with them hidden, through tracefs. Usage: tracing.sh [COMMAND...]
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
# shellcheck source=tests/e2e/events.sh
. "$here/events.sh"

[ $# -gt 0 ] || set -- "$BPFD_BUILD/bpfd"
transport=("$@")
probes PMU
on_board mkdir -p /run/empty
on_board mount -o bind /run/empty /sys/bus/event_source/devices/kprobe
on_board mount -o bind /run/empty /sys/bus/event_source/devices/uprobe
probes tracefs

# is_bpfd: the sessions are of bpfd itself, there is no cable.
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

# A session that is killed cannot clean up: the next one does, or the daemon.
client_open 1 "${transport[@]}"
want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "program" 4 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
want "kprobe" 5 "BPF_ATTACH_KPROBE 4 0 p_getpgid ${SYSCALL}getpgid"
on_board sh -c "echo 'p:mine/not_ours do_exit' >>$tracefs/kprobe_events"
on_board pkill -9 -x bpfd
client_close 1
check "killed: the session's status says so" test $? = 137
if is_bpfd; then
	check "tracefs: a killed session leaves its probe behind" our_probe
	"$@" </dev/null >/dev/null
fi
check "tracefs: it is removed behind a killed session" until_true 10 no_probe_of_ours
check "tracefs: somebody else's probe stays" on_board grep -q not_ours $tracefs/kprobe_events
on_board sh -c "echo '-:mine/not_ours' >>$tracefs/kprobe_events"
on_board umount /sys/bus/event_source/devices/kprobe
on_board umount /sys/bus/event_source/devices/uprobe

# CPU 0 may be offline: probes go to the first CPU that is not.
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
			count_events "a probe on CPU 1 counts on all" 100 taskset -c 0 "$trigger" syscall 100
		else
			check "a probe on a CPU that is not there is refused" test "$(result)" -lt 0
		fi
		client_close 1
	done
}
# That needs an option of bpfd, which is not changed behind a cable.
if is_bpfd; then
	first_cpu
fi

# Tracepoint, perf event, rings.
client_open 1 "${transport[@]}" || not_ok "open a session"
cpus=$(on_board nproc)
want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "events" 4 "BPF_CREATE_MAP 4 events 4 4 $cpus 0"
want "tracepoint program" 5 "$(line_of "$object" test/count0 5 GPL 0 counts=3)"
want "tracepoint" 6 "BPF_ATTACH_TRACEPOINT 5 syscalls sys_enter_getpgid"
count_events "tracepoint" 1000 "$trigger" syscall 1000
want "detach" 0 "BPF_DETACH_TRACEPOINT syscalls sys_enter_getpgid"
count_events "no event after the tracepoint is detached" 0 "$trigger" syscall 10

want "perf event program" ok "$(line_of "$object" test/count1 7 GPL 0 counts=3)"
program=$(result)
for ((cpu = 0; cpu < cpus; cpu++)); do
	want "sampling perf event" ok "BPF_ATTACH_PERF_EVENT $program 1 0 1000000 0 -1 $cpu -1"
done
before=$(count_of 1 3 1)
on_board "$trigger" spin 500
after=$(count_of 1 3 1)
check "sampling perf event: samples of a busy CPU arrive ($((after - before)))" test $((after - before)) -ge 20

open_rings
check_records

# A line interrupts a poll that would wait for ever; also one in the same write.
client_send 1 "PERF_READER_POLL -1 $cpus$rings"
sleep 1
client_send 1 ""
client_reply 1
check "an empty line breaks a poll" test "${#BODY[@]}" = 0
client_send 1 "PERF_READER_POLL -1 $cpus$rings
"
client_reply 1
check "also when it comes with the poll" test "${#BODY[@]}" = 0
client_send 1 "PERF_READER_POLL -1 $cpus$rings"
sleep 0.5
on_board "$trigger" syscall 1
client_reply 1
check "a record ends a poll" test "${#BODY[@]}" -ge 1

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
check "a kernel stack has a symbol on top: ${BODY[1]:-}" test "$(result)" = 0
client_close 1
check "the session ends with status 0" test $? = 0
check_no_leftovers
finish
