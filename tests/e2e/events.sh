# shellcheck shell=bash disable=SC2154 # sourced after lib.sh and client.sh
# SPDX-License-Identifier: Apache-2.0
# Library of the tracing suites: the programs of tests/bpf/probe.bpf.c count events that a test
# causes. $transport is the command of session 1.

object=$BPFD_BUILD/tools/probe.bpf.o
trigger=$TRIGGER
tracefs=/sys/kernel/tracing

# want NAME RET LINE: fails the test NAME unless the reply has ret=RET; "ok" stands for any RET >= 0.
# Returns 1 then. Success prints nothing.
want()
{
	client_command 1 "$3" || { not_ok "$1: no reply"; return 1; }
	[ "$(result)" = "$2" ] && return 0
	[ "$2" = ok ] && [ "$(result)" != none ] && [ "$(result)" -ge 0 ] && return 0
	not_ok "$1" "${3:0:100} -> ${BODY[*]:0:3}"
	return 1
}

line_of()
{
	"$BPFD_BUILD/tools/bpf_line" "$@"
}

# counted NAME BEFORE AFTER N: checks that two readings of a counter differ by exactly N.
counted()
{
	if [ $(($3 - $2)) = "$4" ]; then
		ok "$1"
	else
		not_ok "$1" "$(($3 - $2)) events instead of $4"
	fi
}

# count_events NAME N COMMAND...: checks that slot 0 grows by exactly N while the board runs the
# command.
count_events()
{
	local name=$1 wanted=$2 before after
	shift 2
	before=$(count_of 1 3 0)
	on_board "$@"
	after=$(count_of 1 3 0)
	counted "$name" "$before" "$after" "$wanted"
}

# probes MECHANISM: checks kprobes and uprobes, and that they use the mechanism, PMU or tracefs.
probes()
{
	local offset address
	client_open 1 "${transport[@]}" || { not_ok "$1: open a session"; return; }
	want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
	want "program" 4 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
	want "kprobe" 5 "BPF_ATTACH_KPROBE 4 0 p_getpgid ${SYSCALL}getpgid"
	if [ "$1" = tracefs ]; then
		check "$1: the probe is in kprobe_events" on_board grep -q p_getpgid $tracefs/kprobe_events
	else
		check "$1: kprobe_events is empty" on_board sh -c "! grep -q . $tracefs/kprobe_events"
	fi
	count_events "$1: a kprobe counts" 1000 "$trigger" syscall 1000
	want "close" 0 "BPF_CLOSE_PERF_EVENT_FD 5"
	want "detach" 0 "BPF_DETACH_KPROBE p_getpgid"
	count_events "$1: no event after the kprobe is detached" 0 "$trigger" syscall 100
	want "kretprobe" 5 "BPF_ATTACH_KPROBE 4 1 r_getpgid ${SYSCALL}getpgid"
	count_events "$1: a kretprobe counts" 1000 "$trigger" syscall 1000
	want "detach" 0 "BPF_DETACH_KPROBE r_getpgid"

	address=$(nm "$TRIGGER_FILE" | awk '$3 == "trigger_point" {print "0x" $1}')
	offset=$(elf_offset "$TRIGGER_FILE" "$address")
	want "uprobe" 5 "BPF_ATTACH_UPROBE 4 0 p_point $trigger $offset -1"
	count_events "$1: a uprobe counts" 500 "$trigger" call 500
	want "detach" 0 "BPF_DETACH_UPROBE p_point"
	count_events "$1: no event after the uprobe is detached" 0 "$trigger" call 10
	want "uretprobe" 5 "BPF_ATTACH_UPROBE 4 1 r_point $trigger $offset -1"
	count_events "$1: a uretprobe counts" 500 "$trigger" call 500
	want "detach" 0 "BPF_DETACH_UPROBE r_point"
	start_wait "$trigger"
	want "uprobe of a process" 5 "BPF_ATTACH_UPROBE 4 0 p_point $trigger $offset $WAIT_PID"
	count_events "$1: a uprobe of one process does not count others" 0 "$trigger" call 10
	end_wait
	want "attach for the end" ok "BPF_ATTACH_KPROBE 4 0 p_last ${SYSCALL}getpgid"
	client_close 1
	check "$1: the session ends with status 0" test $? = 0
	check "$1: no kprobe is left" on_board sh -c "! grep -q . $tracefs/kprobe_events"
	check "$1: no uprobe is left" on_board sh -c "! grep -q . $tracefs/uprobe_events"
}

# open_rings: opens a ring for each of $cpus processors and puts it into map 4 of session 1. From then
# on each getpgid(2) makes a record with its sequence number.
open_rings()
{
	local cpu program
	want "emitting program" ok "$(line_of "$object" test/emit 5 GPL 0 counts=3 events=4)"
	program=$(result)
	rings=''
	for ((cpu = 0; cpu < cpus; cpu++)); do
		want "ring" ok "BPF_OPEN_PERF_BUFFER -1 $cpu 8"
		rings="$rings $(result)"
		want "ring into the map" 0 "BPF_UPDATE_ELEM 4 $(le 4 "$cpu") 4 $(le 4 "$(result)") 4 0"
	done
	want "tracepoint" ok "BPF_ATTACH_TRACEPOINT $program syscalls sys_enter_getpgid"
}

# drain: polls the rings until three polls in a row are empty, and prints the records.
drain()
{
	local line empty=0
	while [ "$empty" -lt 3 ]; do
		client_command 1 "PERF_READER_POLL 500 $cpus$rings" || return
		[ "${#BODY[@]}" -gt 0 ] || { empty=$((empty + 1)); continue; }
		for line in "${BODY[@]}"; do
			[[ $line =~ ^[0-9]+\ [0-9]+\ [A-Za-z0-9+/=]+$ ]] && echo "$line"
		done
	done
}

# check_records: checks that new rings deliver every record.
check_records()
{
	on_board "$trigger" syscall 300
	drain >"$CLIENT_DIR/records"
	check "perf ring: all 300 records arrive" test "$(wc -l <"$CLIENT_DIR/records")" = 300
	check "perf ring: each record arrives once, with its sequence number" test "$(while read -r _ _ data; do
		printf '%s' "$data" | base64 -d | head -c 8 | od -An -v -tu8
	done <"$CLIENT_DIR/records" | sort -n | uniq | awk '{s += $1} END {print NR, s}')" = "300 44850"
}

# check_losses: makes more records than a ring holds and checks that sent = delivered + lost.
check_losses()
{
	local before after delivered lost=0 ring
	drain >/dev/null
	before=$(count_of 1 3 2)
	on_board "$trigger" syscall 20000
	after=$(count_of 1 3 2)
	delivered=$(drain | wc -l)
	for ring in $rings; do
		client_command 1 "PERF_READER_LOST $ring"
		lost=$((lost + $(result)))
	done
	check "perf ring full: $((after - before)) sent = $delivered delivered + $lost lost" \
		test $((after - before)) = $((delivered + lost))
	check "perf ring full: records are lost" test "$lost" -gt 0
}
