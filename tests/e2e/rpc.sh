#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The binary protocol with a real kernel: maps, programs, probes, rings, files. Nothing is left when
# its session ends or is killed. Usage: rpc.sh [COMMAND...]
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

[ $# -gt 0 ] || set -- "$BPFD_BUILD/bpfd"
client=$BPFD_BUILD/tools/rpc_client
trigger=$BPFD_BUILD/tools/trigger
tracefs=/sys/kernel/tracing
session=("$@")

rpc()
{
	"$client" "$1" "${2:--}" "${3:--}" "${session[@]}"
}

for name in maps programs test_run info kprobe tracepoint sync; do
	check "$name" rpc $name
done
# Their rings are those of CPU 0, so they run there.
for name in ring lost ringbuf follow; do
	check "$name" taskset -c 0 "$BPFD_BUILD/tools/rpc_rings" $name - - "${session[@]}"
done
address=$(nm "$trigger" | awk '$3 == "trigger_point" {print "0x" $1}')
check "uprobe" rpc uprobe "$trigger" "$(elf_offset "$trigger" "$address")"

# kallsyms does not change while no program is loaded.
rpc cat /proc/kallsyms >/run/kallsyms
check "kallsyms: the content of the file" cmp /run/kallsyms /proc/kallsyms
rpc cat /sys/kernel/btf/vmlinux >/run/btf
check "BTF of the kernel: the content of the file" cmp /run/btf /sys/kernel/btf/vmlinux
rpc cat $tracefs/events/sched/sched_switch/format >/run/format
check "format of a tracepoint: the content of the file" cmp /run/format $tracefs/events/sched/sched_switch/format
rpc cat /sys/kernel/debug/kprobes/blacklist >/run/blacklist
check "kprobe blacklist: the content of the file" cmp /run/blacklist /sys/kernel/debug/kprobes/blacklist
rpc cat /proc/1/root/bin/true >/run/true
check "program in a process's root: the content of the file" cmp /run/true /bin/true
rpc list $tracefs/events/syscalls >/run/list
ls -A $tracefs/events/syscalls | LC_ALL=C sort >/run/ls
check "list of tracepoints: complete" cmp /run/list /run/ls

check "events" rpc events
check "events: removed at the end of the session" no_probes

# A session that is killed.
rpc sleep >/run/pid &
until_true 10 test -s /run/pid
kill -9 "$(cat /run/pid)"
until_true 10 sh -c "! kill -0 $(cat /run/pid) 2>/dev/null || grep -q Z /proc/$(cat /run/pid)/stat"
check "a killed session leaves no program" until_true 5 sh -c '! bpftool prog show | grep -q "name test_rpc"'
kill %1
wait 2>/dev/null
check_no_leftovers
finish
