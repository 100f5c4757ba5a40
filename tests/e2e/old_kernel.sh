#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Old kernels: tools/oldkernel.c hides from bpfd and bpfd-gadget what the kernel got after 4.9, then
# after 4.19. Their fallbacks must work.
# vm: --cpus 1 --mem 1536
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 14 'bpfd-run'
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
# shellcheck source=tests/e2e/events.sh
. "$here/events.sh"

old=$BPFD_BUILD/tools/oldkernel
offset=$(elf_offset "$trigger" "$(nm "$trigger" | awk '$3 == "trigger_point" {print "0x" $1}')")
bpfd=$BPFD_BUILD/bpfd
out=/run/old.out
err=/run/old.err

# rpc CHECK [ARGUMENT...]: runs a check of rpc_client on the old kernel.
rpc()
{
	"$BPFD_BUILD/tools/rpc_client" "$1" "${2:--}" "${3:--}" "${transport[@]}"
}
rings()
{
	taskset -c 0 "$BPFD_BUILD/tools/rpc_rings" "$1" - - "${transport[@]}"
}
# refused COMMAND...: the command fails.
refused()
{
	! "$@"
}
# features: prints the features of the kernel and bpfd in the reply to BPFD_VERSION, without the
# number of CPUs.
features()
{
	client_command 1 BPFD_VERSION
	echo "${BODY[0]}" | cut -d' ' -f6- | sed 's/possible_cpus=[0-9]* //'
}
# replies NAME LINE REPLY: checks that the line gets that reply.
replies()
{
	client_command 1 "$2"
	check "$1: ${BODY[*]}" test "${BODY[*]}" = "$3"
}

# Check oldkernel itself first: otherwise the checks below prove nothing.
check "oldkernel: this kernel lists programs" bpftool prog list
check "oldkernel: 4.9 does not list programs" refused "$old" 4.9 bpftool prog list
check "oldkernel: 4.9 has no PMU for kprobes" refused "$old" 4.9 test -e /sys/bus/event_source/devices/kprobe/type
check "oldkernel: 4.9 has no types of the kernel" refused "$old" 4.9 test -e /sys/kernel/btf/vmlinux
check "oldkernel: 4.9 has no statx(2)" sh -c "$old 4.9 python3 -c 'import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(332, -100, b\"/\", 0, 0, None), ctypes.get_errno())' | grep -qx -- '-1 38'"
check "oldkernel: 4.19 has a PMU for kprobes" "$old" 4.19 test -e /sys/bus/event_source/devices/kprobe/type

for version in 4.9 4.19; do
	transport=("$old" "$version" "$bpfd")
	echo "# $version"
	client_open 1 "${transport[@]}" || { not_ok "$version: open a session"; continue; }
	case $version in
	4.9) wanted='tracefs rpc' mechanism=tracefs ;;
	*) wanted='kprobe_pmu uprobe_pmu tracefs rpc' mechanism=PMU ;;
	esac
	check "$version: features" test "$(features)" = "$wanted"
	# Maps, without batch calls and, on 4.9, without a call for the first key.
	replies "$version: a map with a name" "BPF_CREATE_MAP 1 named 4 8 64 0" 'bpf_create_map: ret=3'
	replies "$version: first key of an empty map" "BPF_GET_FIRST_KEY 3 4 8 0" 'bpf_get_first_key: ret=-2'
	for key in 1 2 3; do
		client_command 1 "BPF_UPDATE_ELEM 3 $(le 4 $key) 4 $(le 8 $key) 8 0"
	done
	client_command 1 "BPF_GET_FIRST_KEY 3 4 8 1"
	check "$version: a dump is complete" test "$(printf '%s\n' "${BODY[@]}" | grep -c .)" = 6
	replies "$version: a map is cleared" "BPF_CLEAR_MAP 3 4" 'bpf_clear_map: ret=3'
	replies "$version: a map type that the kernel lacks" "BPF_CREATE_MAP 27 ringbuf 0 0 4096 0" \
		'bpf_create_map: ret=-22'
	client_command 1 "BPF_PROG_LOAD 2 bad 8 GPL 0 lQAAAAAAAAA="
	check "$version: a rejected program has the verifier's log" sh -c "echo '${BODY[*]}' | grep -q 'ret=-.*R0'"
	client_close 1
	probes $mechanism

	client_open 1 "${transport[@]}" || { not_ok "$version: open a session"; continue; }
	cpus=$(nproc)
	want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
	want "events" 4 "BPF_CREATE_MAP 4 events 4 4 $cpus 0"
	want "program" 5 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
	want "kretprobe, 16 pending returns" 6 "BPF_ATTACH_KPROBE 5 1 r_max __x64_sys_getpgid 0 16"
	# On 4.9 bpfd must not ask for 16; this kernel then lists its own default.
	case $version in
	4.9) wanted=0 ;;
	*) wanted=1 ;;
	esac
	check "$version: pending returns are requested only if the kernel can limit them" \
		test "$(grep -c '^r16:bpfd_.*r_max' $tracefs/kprobe_events)" = $wanted
	count_events "$version: a kretprobe with a limit counts" 100 "$trigger" syscall 100
	if [ $version = 4.9 ]; then
		open_rings
		check_records
		check_losses
	fi
	client_close 1
	check "$version: nothing is left in kprobe_events" no_probes
done

# The binary protocol. Some checks need calls that 4.9 lacks; they run on 4.19.
transport=("$old" 4.9 "$bpfd")
check "4.9: rpc: ring" rings ring
check "4.9: rpc: losses" rings lost
check "4.9: rpc: tracepoint" rpc tracepoint
check "4.9: rpc: events in tracefs" rpc events
transport=("$old" 4.19 "$bpfd")
for name in programs info kprobe uprobe; do
	check "4.19: rpc: $name" rpc $name "$trigger" "$offset"
done

# A process with another root directory: bpfd opens its files without openat2(2).
mkdir -p /run/jail/tmp
cp "$(command -v busybox)" /run/jail/busybox
chroot /run/jail /busybox sleep 1000 &
jailed=$!
ln -s /etc/shadow /run/jail/link
check "4.9: a file in a process's root can be read" sh -c \
	"$BPFD_BUILD/tools/rpc_client cat /proc/$jailed/root/busybox - $old 4.9 $bpfd | cmp - /run/jail/busybox"
check "4.9: a symlink in a process's root does not leave it" refused \
	"$BPFD_BUILD/tools/rpc_client" cat /proc/$jailed/root/link - "$old" 4.9 "$bpfd"
kill $jailed

# Kernels before 5.11 count maps as locked memory, so bpfd removes the limit.
(ulimit -l 64 && exec "$old" 4.9 "$bpfd") < <(sleep 1000) >/run/memlock &
limited=$!
until_true 10 test -s /run/memlock
check "4.9: bpfd removes the limit of locked memory" grep -q 'Max locked memory *unlimited' /proc/$limited/limits
kill $limited

# Over USB: bpfd-gadget runs on 4.9 as well.
mkdir -p /run/old
printf '#!/bin/sh\nexec %s 4.9 %s "$@"\n' "$old" "$BPFD_BUILD/bpfd-gadget" >/run/old/bpfd-gadget
chmod +x /run/old/bpfd-gadget
PATH=/run/old:$PATH
load_udc && gadget_start || { not_ok "start the gadget"; finish; }
export HOME=/run/home
via='bpfd-usb -s testboard'
run()
{
	timeout -k 5 120 bpfd-run --via "$via" "$@" >$out 2>$err
}
says()
{
	grep -q -- "$1" $err $out || { echo "not found: $1"; cat $out $err; return 1; }
}
# shellcheck disable=SC2034 # for client_open
transport=(bpfd-usb -s testboard)
client_open 1 "${transport[@]}" || not_ok "a session over USB"
check "USB: features" test "$(features)" = 'tracefs rpc'
want "map" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "program" 4 "$(line_of "$object" test/count0 2 GPL 0 counts=3)"
want "kprobe" 5 "BPF_ATTACH_KPROBE 4 0 p_getpgid __x64_sys_getpgid"
count_events "USB: a kprobe counts" 100 "$trigger" syscall 100
client_close 1

check "bpfd-run: bpftrace has status 0" run bpftrace -e \
	'kprobe:__x64_sys_getpgid { @calls = count(); } interval:s:4 { exit(); }' -c "$trigger syscall 70"
check "bpfd-run: bpftrace counts with a kprobe in tracefs" says '^@calls: 70$'
check "bpfd-run: bpftool cannot list programs" refused run bpftool prog list
check "bpfd-run: bpftool prints the error" says "can't get next program: Invalid argument"
check "bpfd-run: a tool that needs the kernel's types fails" refused run opensnoop
check "bpfd-run: a tool that needs the kernel's types prints the error" says 'BTF'
check "bpfd-run: no probe is left" until_true 5 no_probes
gadget_stop
check_no_leftovers
finish
