#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpfd-run: unmodified tools on this machine trace the board's kernel through the USB link.
# vm: --mem 1536
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 14 'bpfd-run'

load_udc is_super_speed=1 && gadget_start || { not_ok "start the gadget"; finish; }
export HOME=/run/home
mkdir -p $HOME
out=/run/run.out
err=/run/run.err
trigger=$BPFD_BUILD/tools/trigger
tracefs=/sys/kernel/tracing
via='bpfd-usb -s testboard'

# The load: it opens a file, /no/such/marker, that nothing else opens.
(while :; do cat /etc/hostname >/dev/null; cat /no/such/marker 2>/dev/null; sleep 0.2; done) &
load=$!

# run [OPTION]... TOOL [ARGUMENT]...: runs the tool under bpfd-run; output in $out and $err.
run()
{
	timeout -k 5 120 bpfd-run --via "$via" "$@" >$out 2>$err
}
# status STATUS [OPTION]... TOOL [ARGUMENT]...: bpfd-run exits with that status.
status()
{
	local wanted=$1
	shift
	run "$@"
	local got=$?
	[ $got = "$wanted" ] || { echo "status $got"; cat $out $err; return 1; }
}
# says PATTERN: stderr or stdout of the last run has a matching line.
says()
{
	grep -q -- "$1" $err $out || { echo "not found: $1"; cat $out $err; return 1; }
}
no_session()
{
	! pgrep -x bpfd >/dev/null && ! pgrep -x bpfd-usb >/dev/null
}
nothing_left()
{
	until_true 10 no_session && until_true 5 no_probes && until_true 5 no_programs_at_all
}
no_programs_at_all()
{
	[ "$(bpftool prog list | grep -c -E '^[0-9]+: (kprobe|tracepoint|perf_event|tracing|raw_tracepoint)')" = 0 ]
}

# start_tool: starts opensnoop, $tool, under its supervisor, $supervisor, and waits until it has
# printed an open of the load.
start_tool()
{
	bpfd-run --via "$via" opensnoop >$out 2>$err &
	supervisor=$!
	until_true 60 grep -qE 'cat +-1 +2 /no/such/marker' $out &&
		tool=$(pgrep -P $supervisor -x opensnoop)
}

# The tool's exit status, signals, input and output.
check "status: bpfd-run exits like the tool" status 7 sh -c 'exit 7'
check "status: a signal that kills the tool is 128 + N" status 143 sh -c 'kill -TERM $$'
# ignoring COMMAND...: runs the command with SIGCHLD and SIGPIPE ignored.
ignoring()
{
	timeout -k 5 60 bash -c 'trap "" CHLD PIPE; exec "$@"' bash "$@"
}
ignoring grep SigIgn /proc/self/status >/run/ignored
ignoring bpfd-run --via "$via" grep SigIgn /proc/self/status >$out 2>$err
check "ignored SIGCHLD: bpfd-run notices the end of the tool" test $? = 0
check "ignored SIGCHLD: the tool ignores the same signals as without bpfd-run" cmp $out /run/ignored
check "the tool's stdin and stdout are those of bpfd-run" sh -c \
	"[ \"\$(echo hello | bpfd-run --via '$via' tr a-z A-Z 2>/dev/null)\" = HELLO ]"
check "missing tool: status 127" status 127 no-such-tool
check "missing tool: the message names it" says 'no-such-tool: No such file'
check "a file that is not executable: status 126" status 126 /etc/passwd
check "usage: no tool has status 125" status 125
check "usage: an unknown option has status 125" status 125 --no-such-option true
check "usage: --help has status 0" status 0 --help
check "--via, command ends at once: status 125" status 125 --via false true
check "--via, command ends at once: the message says so" says 'false: ended before bpfd answered'
printf '#!/bin/sh\necho STARTED_BPFD\nwhile read -r line; do printf "START_BPFD_OUTPUT\\nCommand not recognized\\nEND_BPFD_OUTPUT\\n"; done\n' >/run/old
chmod +x /run/old
check "old bpfd: status 125" status 125 --via /run/old true
check "old bpfd: the message has both versions" says "version unknown, older than 0.1.0.*bpfd-run $(bpfd-run -V | cut -d' ' -f2) "
check "--headers: a missing directory has status 125" status 125 --headers /no/such true

# System calls that the board answers.
check "uname: status 0" status 0 uname -srm
check "uname: has the board's answer" grep -qx "$(uname -srm)" $out
check "kallsyms: status 0" status 0 cat /proc/kallsyms
grep -v '\[bpf\]$' /proc/kallsyms >/run/kallsyms
check "kallsyms: is the board's" cmp $out /run/kallsyms
check "kallsyms: a second time it is the same" sh -c "bpfd-run --trace /run/trace --via '$via' cat /proc/kallsyms | cmp - /run/kallsyms"
check "kallsyms: a second time it comes from the cache" sh -c '! grep -q "FILE_READ /proc/kallsyms" /run/trace'
check "tracepoints: ls has status 0" status 0 ls $tracefs/events/syscalls
check "tracepoints: the list is complete" sh -c "ls $tracefs/events/syscalls | cmp - $out"
check "tracepoints: a relative name can be read" status 0 sh -c "cd $tracefs/events && cat sched/sched_switch/id"
check "tracepoints: a relative name is the board's file" cmp $out $tracefs/events/sched/sched_switch/id
check "relative names from / and with ..: can be read" status 0 --trace /run/trace sh -c \
	"cd / && cat proc/version; cd /run && cat ../proc/version"
check "relative names from / and with ..: are the board's files" test "$(grep -c 'FILE_READ /proc/version' /run/trace)" = 2
check "a directory read twice by descriptor: status 0" status 0 /usr/bin/python3 -c \
	"import os; fd = os.open('$tracefs/events', os.O_RDONLY); print(*os.listdir(fd), *os.listdir(fd))"
check "a directory read twice by descriptor: both are complete" test "$(tr ' ' '\n' <$out | sort | uniq -c | grep -c '^ *2 ')" = \
	"$(find $tracefs/events -mindepth 1 -maxdepth 1 | wc -l)"
check "a file that the board does not have is missing" status 1 cat $tracefs/no_such_file
check "the number of CPUs can be read" status 0 getconf _NPROCESSORS_ONLN
check "the environment of a board's process cannot be read" status 1 cat /proc/1/environ
check "the program of a board's process can be read" status 0 cmp /proc/1/root/bin/bash /bin/bash
check "the program of a board's process is not fetched if the host has the same" sh -c \
	"bpfd-run --via '$via --stats' cmp /proc/1/root/bin/bash /bin/bash 2>&1 |
	grep -oE 'received [0-9]+' | { read -r _ n && test \$n -lt 100000; }"
check "other files of the workstation can be read" status 0 cat /proc/self/comm /etc/debian_version
check "kprobe_events: a probe can be added" status 0 sh -c \
	"echo 'p:runtest/marked do_sys_openat2' >>$tracefs/kprobe_events && cat $tracefs/kprobe_events"
check "kprobe_events: the probe is listed" grep -q 'p:runtest/marked do_sys_openat2' $out
check "kprobe_events: the probe is removed with the session" until_true 5 no_probes
check "kprobe_events: a bad probe fails" status 1 sh -c "echo 'p:runtest/bad no_such_function' | tee -a $tracefs/kprobe_events"
# The error depends on the kernel's version, so the shell gets it from this kernel. tee -a cannot: on
# the real file the kernel refuses its seek to the end.
bad=$( (echo 'p:runtest/bad no_such_function' >>$tracefs/kprobe_events) 2>&1)
check "kprobe_events: a bad probe fails with the board's error" says "${bad##*: }"
# A shell writes through a duplicate of the descriptor that it opened.
check "kprobe_events: a bad probe that a shell writes has status 0" status 0 sh -c "echo 'p:runtest/worse no_such_function' >>$tracefs/kprobe_events"
check "kprobe_events: a bad probe that a shell writes is reported" says 'the board refuses "p:runtest/worse no_such_function"'
check "tracefs: other files cannot be written" status 2 sh -c "echo 1 >$tracefs/tracing_on"
check "tracefs: trace_pipe streams" sh -c \
	"(sleep 3; echo streamed >$tracefs/trace_marker) & timeout 60 bpfd-run --via '$via' head -n 1 $tracefs/trace_pipe | grep -q streamed"

# Processes: those of the board are traced but not changed, and the tool's own run here.
sleep 1000 &
sleeper=$!
check "processes: kill of one of the board fails" status 1 /bin/kill $sleeper
check "processes: kill names the process" says "process $sleeper: kill is not supported for processes of the board"
check "processes: renice of one of the board fails" status 1 renice -n 5 -p $sleeper
check "processes: taskset of one of the board fails" status 1 taskset -p 1 $sleeper
check "processes: it is unchanged" sh -c "kill -0 $sleeper && [ \$(ps -o ni= -p $sleeper) = 0 ]"
check "processes: the tool's child can be killed" status 137 sh -c 'sleep 1000 & kill -KILL $! && wait $!'
check "processes: an event of a process on the workstation fails" status 3 /usr/bin/python3 -c '
import ctypes, os, sys
attr = (ctypes.c_uint32 * 32)(1, 128)
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall({"x86_64": 298}.get(os.uname().machine, 241), attr, os.getpid(), -1, -1, 0)
sys.exit(ctypes.get_errno())'
check "processes: the message gives the reason" says 'it runs on this workstation, so the board'
kill $sleeper

# Network interfaces: their names are the board's, and rtnetlink is refused.
check "network: bpftool does not list this machine's interfaces" status 255 bpftool net list
check "network: the message names rtnetlink" says 'socket: not supported: rtnetlink'
check "network: host names can be looked up" status 0 getent ahosts localhost
check "network: names of interfaces have indexes" status 0 /usr/bin/python3 -c \
	'import socket; print(socket.if_nametoindex("lo"), socket.if_indextoname(1))'
check "network: the indexes are the board's" says '^1 lo$'

# The kernel's log. The tool sees records of all priorities, and it waits for new ones.
echo "<5>runtest first" >/dev/kmsg
check "dmesg: status 0" status 0 --trace /run/trace dmesg
dmesg >/run/dmesg
check "dmesg: is the board's log" sh -c "head -n \$(wc -l <$out) /run/dmesg | cmp - $out"
check "dmesg: the board was asked" grep -q 'FILE_FOLLOW /dev/kmsg = ' /run/trace
check "dmesg -S: status 0" status 0 dmesg -S
check "dmesg -S: has the same lines" sh -c "dmesg -S | head -n \$(wc -l <$out) | cmp - $out"
check "busybox dmesg: status 0" status 0 busybox dmesg
check "busybox dmesg: has the last line" says 'runtest first'
bpfd-run --via "$via" dmesg -w >$out 2>$err &
follower=$!
check "dmesg -w: prints the log" until_true 60 grep -q 'runtest first' $out
echo "<5>runtest second" >/dev/kmsg
check "dmesg -w: prints a line that is logged meanwhile" until_true 30 grep -q 'runtest second' $out
kill $follower
wait $follower
bpfd-run --trace /run/trace.new --via "$via" dmesg -W >$out 2>$err &
follower=$!
until_true 60 grep -q RING_SYNC /run/trace.new
echo "<5>runtest third" >/dev/kmsg
check "dmesg -W: prints a line that is logged meanwhile" until_true 30 grep -q 'runtest third' $out
check "dmesg -W: prints new lines only" sh -c "! grep -q 'runtest [fs]' $out"
kill $follower
wait $follower
check "dmesg -C: status 1" status 1 dmesg -C
check "dmesg -C: has not cleared the log" sh -c "dmesg | grep -q 'runtest first'"
check "/dev/kmsg: cannot be written" status 2 sh -c 'echo runtest written >/dev/kmsg'
check "/dev/kmsg: was not written" sh -c "! dmesg | grep -q 'runtest written'"
check "/proc/kcore: status 1" status 1 cat /proc/kcore
check "/proc/kcore: is refused with a message" says '/proc/kcore: openat is not supported for files of the board'

# bpftool: maps by name and by path in bpffs, and types.
check "bpftool: creates a map" status 0 sh -c \
	'bpftool map create /sys/fs/bpf/runtest type hash key 4 value 8 entries 64 name runtest &&
	for i in 1 2 3; do bpftool map update pinned /sys/fs/bpf/runtest key $i 0 0 0 value $i 0 0 0 0 0 0 9; done'
check "bpftool: the map is in the board's kernel" sh -c 'bpftool map dump name runtest | grep -q "Found 3 elements"'
check "bpftool: dumps the map" status 0 bpftool map dump pinned /sys/fs/bpf/runtest
check "bpftool: the dump is the same without bpfd-run" sh -c "bpftool map dump name runtest | cmp - $out"
rm -f /sys/fs/bpf/runtest

# Names in bpffs. The tool cannot change names in other trees of the board.
check "bpffs: mkdir, mv and rm have status 0" status 0 --trace /run/trace sh -c \
	'mkdir -p /sys/fs/bpf/names/sub && cd /sys/fs/bpf/names &&
	bpftool map create /sys/fs/bpf/names/sub/m type array key 4 value 4 entries 1 name m &&
	test -f sub/m && mv sub moved && ls moved && rm moved/m && test ! -e moved/m && rm -rf /sys/fs/bpf/names'
check "bpffs: mv has moved the directory" grep -qx m $out
check "bpffs: the board was asked" test "$(grep -c ' FILE_MKDIR /sys/fs/bpf/names.* = 0 ' /run/trace) $(
	grep -c ' FILE_RENAME /sys/fs/bpf/names/sub to /sys/fs/bpf/names/moved = 0 ' /run/trace) $(
	grep -c ' FILE_REMOVE /sys/fs/bpf/names.* = 0 ' /run/trace)" = "2 1 3"
check "bpffs: nothing is left" test ! -e /sys/fs/bpf/names
ln -s /sys/fs/bpf /run/link
mkdir /run/elsewhere && mount -t bpf bpf /run/elsewhere
check "bpffs, by a link: mkdir" status 0 --trace /run/trace mkdir /run/link/linked
check "bpffs, by a link: the board was asked" \
	grep -q ' FILE_MKDIR /sys/fs/bpf/linked.* = 0 ' /run/trace
check "bpffs, mounted elsewhere: mkdir fails" status 1 mkdir /run/elsewhere/linked
check "bpffs, mounted elsewhere: it reports the directory" \
	says '/run/elsewhere/linked: not opened'
check "bpffs, mounted elsewhere: nothing was made" test ! -e /run/elsewhere/linked
umount /run/elsewhere
rmdir /run/elsewhere /sys/fs/bpf/linked
rm /run/link
mkdir /sys/fs/bpf/fixed
for option in '--profile minimal' --read-only; do
	timeout -k 5 60 bpfd-run --via "bpfd $option" rmdir /sys/fs/bpf/fixed >$out 2>$err
	check "bpffs, bpfd $option: rmdir fails" test $? = 1
	check "bpffs, bpfd $option: rmdir reports EPERM" says 'Operation not permitted'
done
check "bpffs: rmdir of another's directory" status 0 rmdir /sys/fs/bpf/fixed
check "tracefs: mkdir has status 1" status 1 mkdir $tracefs/instances/runtest
check "tracefs: mkdir is refused with a message" says "$tracefs/instances/runtest: mkdir.* is not supported"
check "tracefs: mkdir has made nothing" test ! -e $tracefs/instances/runtest
check "modprobe has status 1" status 1 modprobe no_such_module
check "modprobe: a warning says where it runs" says 'modprobe: runs on this workstation'

check "bpftool: dumps the kernel's types" status 0 bpftool btf dump file /sys/kernel/btf/vmlinux
check "bpftool: the kernel's types are the board's" sh -c "bpftool btf dump file /sys/kernel/btf/vmlinux | cmp - $out"
# Without bpfd-run the list also names processes that use an object, so compare names and sizes only.
check "bpftool: lists the types of kernel and modules" status 0 --trace /run/trace bpftool btf list
check "bpftool: the list is the board's" sh -c "bpftool btf list | grep -o 'name .*B' | grep -v anon |
	sort >/run/btf.local; grep -o 'name .*B' $out | grep -v anon | sort | cmp - /run/btf.local"
check "bpftool: the list takes one round trip" \
	test "$(grep -c ' BTF_LIST' /run/trace) $(grep -c 'BTF_GET_NEXT_ID' /run/trace)" = "1 0"

# bpftrace: rings with epoll, maps, stacks, BEGIN and END.
check "bpftrace, BEGIN and END: status 0" status 0 bpftrace -e \
	'BEGIN { printf("first\n"); exit(); } END { printf("last\n"); }'
check "bpftrace, BEGIN and END: both have printed" sh -c "grep -qx first $out && grep -qx last $out"
check "bpftrace, maps: status 0" status 0 bpftrace -e \
	'kprobe:do_sys_openat2 { @count = count(); @h = hist(nsecs % 1000); @s[kstack(3)] = count(); }
	interval:s:2 { exit(); }'
check "bpftrace, maps: has a count" grep -q '^@count: [1-9]' $out
check "bpftrace, maps: has a histogram" grep -q '@@@' $out
check "bpftrace, maps: has stacks with the kernel's symbols" grep -q 'do_sys_openat2+' $out

# libbpf-tools: links, rings, mapped maps.
check "vfsstat: status 0" status 0 vfsstat 1 3
check "vfsstat: reads counters from a mapped map" sh -c "awk 'NR > 1 && \$2 > 0 { n++ } END { exit n < 2 }' $out"
check "opensnoop: prints opens of the load" start_tool
kill -INT $supervisor
check "opensnoop: SIGINT ends it with status 0" wait $supervisor
check "uprobe: on the path of the board's file" status 0 bpftrace -e \
	"uprobe:$trigger:trigger_point { @hits = count(); } interval:s:4 { exit(); }" \
	-c "$trigger call 50"
check "uprobe: counts each call" grep -qx '@hits: 50' $out
mkdir -p "/run/root$(dirname "$trigger")"
cp "$trigger" "/run/root$trigger"
check "uprobe, --sysroot: on the path of a copy" status 0 --sysroot /run/root bpftrace -e \
	"uprobe:/run/root$trigger:trigger_point { @hits = count(); } interval:s:4 { exit(); }" \
	-c "$trigger call 50"
check "uprobe, --sysroot: counts each call" grep -qx '@hits: 50' $out

# A USDT probe with a semaphore: the program runs it only while it is traced.
probed=$BPFD_BUILD/tools/usdt
"$probed" >/run/usdt.out &
usdt=$!
trace_usdt()
{
	run bpftrace -p $usdt -e \
		"usdt:$probed:bpfd_test:guarded { @passed = count(); } interval:s:$1 { exit(); }"
}
# counted VALUES: the program has printed these values of the semaphore.
counted()
{
	[ "$(tr '\n' ' ' </run/usdt.out)" = "$1 " ]
}
check "USDT: bpftrace has status 0" trace_usdt 3
check "USDT: the probe is hit" grep -q '^@passed: [1-9]' $out
check "USDT: the semaphore is 0 again" until_true 5 counted "0 1 0"
trace_usdt 60 &
traced=$!
check "USDT, bpfd killed: the semaphore is 1 before" until_true 60 counted "0 1 0 1"
kill -9 "$(pgrep -x bpfd)"
check "USDT, bpfd killed: the semaphore is 0 again" until_true 10 counted "0 1 0 1 0"
wait $traced
kill $usdt

# An unprivileged user.
chmod 666 /dev/bus/usb/*/*
cp "$BPFD_BUILD/bpfd-run" "$BPFD_BUILD/bpfd-usb" /run/
chmod 755 /run/bpfd-run /run/bpfd-usb
check "unprivileged user: status 0" timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups \
	env HOME=/nonexistent sh -c "/run/bpfd-run --via '/run/$via' bpftrace -e \
	'tracepoint:syscalls:sys_enter_openat { @opens = count(); } interval:s:2 { exit(); }'"
cp /run/check.out /run/user.out
check "unprivileged user: traces the board" grep -q '^@opens: [1-9]' /run/user.out
check "unprivileged user: nothing is left on the board" nothing_left

# Ctrl-C on a terminal.
passed=0
while IFS= read -r line; do
	case $line in
	"pass "*)
		ok "terminal: ${line#pass }"
		passed=$((passed + 1))
		;;
	*) not_ok "terminal: $line" ;;
	esac
done < <(/usr/bin/python3 "$here/run_tty.py" "$via" 2>&1)
check "terminal: its four checks have passed" test $passed = 4
check "terminal: nothing is left on the board" nothing_left

# The tool, its supervisor, or the board ends.
gone()
{
	! kill -0 "$1" 2>/dev/null
}
check "tool killed: it runs" start_tool
kill -9 "$tool"
wait $supervisor
check "tool killed: bpfd-run has status 137" test $? = 137
check "tool killed: nothing is left on the board" nothing_left
check "supervisor killed: the tool runs" start_tool
kill -9 $supervisor
wait $supervisor 2>/dev/null
check "supervisor killed: the tool ends" until_true 10 gone "$tool"
check "supervisor killed: nothing is left on the board" nothing_left
# Some tools lose signals. Several signals must not make bpfd-run end the session.
bpfd-run --via "$via" bash -c 'trap "" INT
	for _ in {1..30}; do cat /proc/version >/dev/null; done; echo went on' >$out 2>$err &
supervisor=$!
for _ in 1 2 3 4 5; do
	sleep 0.3
	kill -INT $supervisor 2>/dev/null
done
wait $supervisor
check "SIGINT ignored by the tool: status 0" test $? = 0
check "SIGINT ignored by the tool: it can still read from the board" says "went on"
check "SIGINT to bpfd-run: the tool runs" start_tool
kill -INT "$supervisor"
wait $supervisor
check "SIGINT to bpfd-run: the tool ends" until_true 10 gone "$tool"
check "SIGINT to bpfd-run: nothing is left on the board" nothing_left
check "board lost: the tool runs" start_tool
gadget_kill
# shellcheck disable=SC2016
check "board lost: bpfd-run ends" until_true 20 gone $supervisor
wait $supervisor
check "board lost: status 125" test $? = 125
check "board lost: the message gives the cause" says 'the link to the board is lost'
check "board lost: the tool has ended" gone "$tool"

kill $load
# The next daemon takes over the gadget of the killed one.
gadget_start && gadget_stop
check_no_leftovers
finish
