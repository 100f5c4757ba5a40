#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rights of the board's processes: capabilities, no new privileges, system calls, and files.
#
# A process has exactly the capabilities of its profile. Profile minimal loses some operations and
# reports them. No link leads out of the trees that a client may read. All other suites show that
# sessions work with the default profile.
# vm: --cpus 1 --mem 1536
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 8 'CAP_BPF'
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
# shellcheck source=tests/e2e/events.sh
. "$here/events.sh"

bpfd=$BPFD_BUILD/bpfd
# trace: DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, SYSLOG, PERFMON, BPF. minimal: PERFMON, BPF.
trace=000000c400280004
minimal=000000c000000000
# worker: those of trace, SETPCAP and SYS_RESOURCE. daemon: those of worker and DAC_OVERRIDE.
worker=000000c401280104
daemon=000000c401280106
none=0000000000000000

# field PID NAME: prints the field of /proc/PID/status.
field()
{
	awk -v name="$2:" '$1 == name {print $2}' "/proc/$1/status"
}
# has PID NAME VALUE: the field of /proc/PID/status has the value.
has()
{
	[ "$(field "$1" "$2")" = "$3" ] || { echo "$2: $(field "$1" "$2") instead of $3"; return 1; }
}
# confined NAME PID CAPABILITIES: the process has exactly these capabilities.
confined()
{
	check "$1: permitted capabilities are exact" has "$2" CapPrm "$3"
	check "$1: effective capabilities are exact" has "$2" CapEff "$3"
	check "$1: no inheritable capabilities" has "$2" CapInh $none
	check "$1: no ambient capabilities" has "$2" CapAmb $none
	check "$1: no new privileges" has "$2" NoNewPrivs 1
}
# refused COMMAND...: the command fails.
refused()
{
	! "$@"
}

# One session of each profile, on a pipe.
for profile in trace minimal; do
	client_open 1 "$bpfd" --profile $profile || { not_ok "$profile: open a session"; finish; }
	client_command 1 "BPF_CREATE_MAP 1 m 4 4 4 0"
	check "$profile: a map can be made" test "$(result)" = 3
	confined $profile "${CLIENT_PID[1]}" "${!profile}"
	check "$profile: execve() cannot give capabilities" has "${CLIENT_PID[1]}" CapBnd $none
	check "$profile: system calls are filtered" has "${CLIENT_PID[1]}" Seccomp 2
	client_close 1
	check "$profile: the session exits with status 0" test $? = 0
done
client_open 1 "$bpfd" || { not_ok "open a session"; finish; }
check "trace is the default" has "${CLIENT_PID[1]}" CapEff $trace
client_close 1
check "trace: no warnings" test ! -s "$CLIENT_DIR/err.1"
"$bpfd" --profile all </dev/null >/run/out 2>/run/err
check "unknown profile: status 2" test $? = 2
check "unknown profile: the message names the known ones" \
	grep -q 'profile all: not trace or minimal' /run/err
# A service manager may start bpfd with fewer capabilities than the profile has.
client_open 1 setpriv --bounding-set -syslog,-sys_ptrace "$bpfd" ||
	not_ok "fewer capabilities: open a session"
check "fewer capabilities: the profile adds none" has "${CLIENT_PID[1]}" CapEff 000000c000200004
client_close 1

# What profile minimal loses. The same operations work with trace, so the profile is the cause.
echo 1 >/proc/sys/kernel/kptr_restrict
start_wait "$trigger"
symbol="GET_USYM_ADDR $WAIT_PID trigger_wait $trigger"
mkdir -p /run/private
cp /bin/true /run/private/program
chown -R nobody /run/private
chmod 700 /run/private
cat_file()
{
	"$BPFD_BUILD/tools/rpc_client" cat /run/private/program - "$bpfd" --profile "$1" | cmp - /run/private/program
}
# answers PROFILE LINE RESULT: a session of that profile answers the command with that result.
answers()
{
	client_open 1 "$bpfd" --profile "$1" && client_command 1 "$2"
	local got
	got=$(result) text=${BODY[*]}
	client_close 1
	[ "$got" = "$3" ] || { echo "$text"; return 1; }
}
check "trace: gives the address of a kernel symbol" answers trace "GET_KSYM_ADDR schedule" 0
check "trace: gives the symbols of a process" answers trace "$symbol" 0
check "trace: reads the private program of another user" cat_file trace
check "trace: finds programs by id" bpfd-run --via "$bpfd" bpftool prog list
check "minimal: gives no address of a kernel symbol" answers minimal "GET_KSYM_ADDR schedule" -1
check "minimal: gives no symbols of a process with more rights" answers minimal "$symbol" -13
check "minimal: does not read the private program of another user" refused cat_file minimal
check "minimal: finds no programs by id" refused bpfd-run --via "$bpfd --profile minimal" bpftool prog list
end_wait
"$bpfd" --profile minimal </dev/null >/run/out 2>/run/err
for lost in CAP_SYS_ADMIN CAP_SYSLOG CAP_SYS_PTRACE CAP_DAC_READ_SEARCH; do
	check "minimal: warns that $lost is missing" \
		grep -q "bpfd: profile minimal: without $lost: no " /run/err
	check "minimal: --help lists $lost" sh -c "$bpfd --profile minimal --help | grep -q '^  $lost '"
done
check "trace: --help lists no capability" refused sh -c "$bpfd --help | grep CAP_"

# What profile minimal is for: programs, kprobes, uprobes, tracepoints, rings. With a value above 2
# of perf_event_paranoid, Debian's kernels require CAP_SYS_ADMIN.
paranoid=/proc/sys/kernel/perf_event_paranoid
transport=("$bpfd" --profile minimal)
echo 3 >$paranoid
"${transport[@]}" </dev/null >/run/out 2>/run/err
check "minimal: warns that the kernel may refuse perf events" grep -q 'perf_event_paranoid is 3' /run/err
echo 2 >$paranoid
"${transport[@]}" </dev/null >/run/out 2>/run/err
check "minimal: does not warn with perf_event_paranoid at 2" refused grep -q perf_event_paranoid /run/err
probes PMU
client_open 1 "${transport[@]}" || not_ok "open a session"
cpus=$(nproc)
want "minimal: a map can be made" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
want "minimal: a map for events can be made" 4 "BPF_CREATE_MAP 4 events 4 4 $cpus 0"
open_rings
check_records
client_close 1
check "minimal: the session exits with status 0" test $? = 0
# The same through tracefs, whose files are opened before the session is confined.
mkdir -p /run/empty
mount --bind /run/empty /sys/bus/event_source/devices/kprobe
mount --bind /run/empty /sys/bus/event_source/devices/uprobe
probes tracefs
umount /sys/bus/event_source/devices/kprobe /sys/bus/event_source/devices/uprobe

# A user of the board has made links for a client to follow. They lead out of a process's root
# directory, to a program that may be read by its own name.
secret=/etc/shadow outside=/run/outside
client=$BPFD_BUILD/tools/rpc_client
mkdir -p /run/jail/tmp /run/jail/proc /run/jail/deep/er
cp "$(command -v busybox)" /run/jail/busybox
cp /bin/true $outside
mount --bind /proc /run/jail/proc
chroot /run/jail /busybox sleep 1000 &
jailed=$!
ln -s $secret /run/link
ln -s ../../../../../../../../../../..$outside /run/jail/up
ln -s $outside /run/jail/absolute
ln -s loop /run/jail/loop
ln -s /proc/1/root$outside /run/jail/magic
ln -s /proc/self/root/busybox /run/jail/own
ln -s ../../busybox /run/jail/deep/er/busybox
ln -s /deep/er /run/jail/directory
in_jail()
{
	[ "$(readlink "/proc/$jailed/root")" = /run/jail ]
}
until_true 10 in_jail
root=/proc/$jailed/root
check "links: the program outside can be read by its name" sh -c "$client cat $outside - $bpfd | cmp - $outside"
for path in $secret /run/link /proc/self/root$secret /proc/1/root$secret /proc/1/cwd$secret \
	$root/up $root/absolute $root/loop $root/magic $root/proc/1/root$outside $root/proc/kcore $root/own \
	$root/../../../..$outside /sys/kernel/../..$secret /sys/kernel/tracing/../../..$secret; do
	check "links: a client cannot read $path" refused "$client" cat "$path" - "$bpfd"
done
check "links: links within a root are followed" sh -c \
	"$client cat $root/directory/busybox - $bpfd | cmp - /run/jail/busybox"
kill $jailed
wait $jailed 2>/dev/null
umount /run/jail/proc

# The symbol file of a just-in-time compiler, and a file of root's that a user mounts over it.
setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user --mount sh -c "
	echo symbols >/tmp/perf-1.map
	echo >/tmp/perf-2.map
	mount --bind $secret /tmp/perf-2.map
	exec sleep 1000" &
user=$!
check "perf map: a user has mounted a file of root's" until_true 10 grep -q /tmp/perf-2.map /proc/$user/mountinfo
root=/proc/$user/root
check "perf map: the user's symbols are read" sh -c "$client cat $root/tmp/perf-1.map - $bpfd | grep -qx symbols"
check "perf map: root's file is not read" refused "$client" cat $root/tmp/perf-2.map - "$bpfd"
kill $user
wait $user 2>/dev/null
rm -f /tmp/perf-[12].map

# The daemon, its worker, and a session over USB.
load_udc is_super_speed=1 && gadget_start || { not_ok "start the gadget"; finish; }
client_open 1 bpfd-usb || { not_ok "a session over USB"; finish; }
session=$(pgrep -x bpfd)
confined "daemon" "$GADGET_PID" $daemon
check "daemon: execve() cannot give more" has "$GADGET_PID" CapBnd $daemon
confined "worker" "$(worker_pid)" $worker
check "worker: execve() cannot give more" has "$(worker_pid)" CapBnd $worker
confined "session" "$session" $trace
check "session: execve() cannot give capabilities" has "$session" CapBnd $none
check "session: system calls are filtered" has "$session" Seccomp 2
client_close 1
check "session: it exits with status 0" test $? = 0
# The daemon has the rights to replace a worker and to remove the gadget.
pid=$(worker_pid)
kill -9 "$pid"
check "worker killed: a new worker runs" until_true 20 sh -c "pgrep -P $GADGET_PID -x bpfd-worker | grep -vqx $pid"
client_open 1 bpfd-usb -w=20 || { not_ok "worker killed: open a session"; finish; }
check "worker killed: a session has the same capabilities" has "$(pgrep -x bpfd)" CapEff $trace
client_close 1
gadget_stop
check "trace: the daemon exits with status 0" test $? = 0
check_no_leftovers

gadget_start --bpfd-args '--profile minimal' || { not_ok "start the gadget"; finish; }
client_open 1 bpfd-usb || { not_ok "a session over USB"; finish; }
check "minimal over USB: capabilities are exact" has "$(pgrep -x bpfd)" CapEff $minimal
client_command 1 "BPF_CREATE_MAP 1 m 4 4 4 0"
check "minimal over USB: a map can be made" test "$(result)" = 3
client_close 1
check "minimal over USB: the client receives the warnings" \
	grep -q 'profile minimal: without CAP_SYSLOG' "$CLIENT_DIR/err.1"
gadget_stop
check "minimal over USB: the daemon exits with status 0" test $? = 0
check_no_leftovers
finish
