#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A short fault campaign: random traffic and random faults on one to four lanes. `make test-faults`
# runs a long one. $BPFD_CAMPAIGN sets other options of build/tools/campaign, optionally after
# "--super-speed". One processor, because two emulated ones wait for each other on a busy machine.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
object=$BPFD_BUILD/tools/probe.bpf.o
speed=0
# shellcheck disable=SC2086 # words
set -- ${BPFD_CAMPAIGN:---faults 150 --seconds 60 --seed "$(date +%s)"}
[ "$1" != --super-speed ] || { speed=1; shift; }

load_udc is_super_speed=$speed || { not_ok "load dummy_hcd"; finish; }
# Without the probe PMUs probes are made in kprobe_events, which shows those that are left.
mkdir -p /run/empty
mount --bind /run/empty /sys/bus/event_source/devices/kprobe
mount --bind /run/empty /sys/bus/event_source/devices/uprobe

# The commands that a session starts with and, after the empty line, those that it mixes at random.
{
	echo "BPF_CREATE_MAP 2 counts 4 8 8 0"
	"$BPFD_BUILD/tools/bpf_line" "$object" test/count0 2 GPL 0 counts=3
	echo "BPF_ATTACH_KPROBE 4 0 p_fault __x64_sys_getpgid"
	echo "BPF_CREATE_MAP 2 big 4 200 60 0"
	echo
	echo "BPFD_VERSION"
	echo "BPF_GET_FIRST_KEY 6 4 200 1"
	echo "BPF_LOOKUP_ELEM 3 AAAAAA== 4 8"
	echo "BPF_UPDATE_ELEM 6 AQAAAA== 4 $(head -c 200 /dev/zero | base64 -w 0) 200 0"
	echo "COMM_FOR_PID 1"
	echo "no such command"
} >"$work/script"
# The same for a session with a ring. The driver makes the system call that fills the ring.
{
	echo "BPF_CREATE_MAP 2 counts 4 8 8 0"
	echo "BPF_CREATE_MAP 4 events 4 4 1 0"
	"$BPFD_BUILD/tools/bpf_line" "$object" test/emit 5 GPL 0 counts=3 events=4
	echo "BPF_OPEN_PERF_BUFFER -1 0 8"
	echo "BPF_UPDATE_ELEM 4 AAAAAA== 4 BgAAAA== 4 0"
	echo "BPF_ATTACH_TRACEPOINT 5 syscalls sys_enter_getsid"
	echo
	echo "PERF_READER_POLL 0 1 6"
	echo "PERF_READER_POLL 30 1 6"
	echo "PERF_READER_LOST 6"
	echo "BPF_LOOKUP_ELEM 3 AgAAAA== 4 8"
	echo "PERF_READER_POLL 5 1 99"
} >"$work/rings"
exec "$BPFD_BUILD/tools/campaign" --build "$BPFD_BUILD" --script "$work/script" --rings "$work/rings" "$@"
