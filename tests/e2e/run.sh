#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpfd-run: stock tools on this machine, their kernel through the USB link. The load that they see is
# named so that nothing else looks like it.
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

# The marker: opens that only this load makes. cat is told by its pid file when to end.
(while :; do cat /etc/hostname >/dev/null; cat /no/such/marker 2>/dev/null; sleep 0.2; done) &
load=$!

# run [OPTION]... TOOL [ARGUMENT]...: through the link; output in $out and $err.
run()
{
	timeout -k 5 120 bpfd-run --via "$via" "$@" >$out 2>$err
}
status()
{
	local wanted=$1
	shift
	run "$@"
	local got=$?
	[ $got = "$wanted" ] || { echo "status $got"; cat $out $err; return 1; }
}
says()
{
	grep -q -- "$1" $err $out || { echo "not said: $1"; cat $out $err; return 1; }
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

# start_tool: opensnoop that has begun to print; its supervisor is $supervisor.
start_tool()
{
	bpfd-run --via "$via" opensnoop >$out 2>$err &
	supervisor=$!
	until_true 60 grep -qE 'cat +-1 +2 /no/such/marker' $out &&
		tool=$(pgrep -P $supervisor -x opensnoop)
}
# The tool's own life.
check "the tool's status is passed on" status 7 sh -c 'exit 7'
check "a signal that kills it as well" status 143 sh -c 'kill -TERM $$'
# ignoring COMMAND...: started by somebody who ignores children and broken pipes.
ignoring()
{
	timeout -k 5 60 bash -c 'trap "" CHLD PIPE; exec "$@"' bash "$@"
}
ignoring grep SigIgn /proc/self/status >/run/ignored
ignoring bpfd-run --via "$via" grep SigIgn /proc/self/status >$out 2>$err
check "it ends where children are ignored" test $? = 0
check "and ignores what it would by itself" cmp $out /run/ignored
check "its input and output are its own" sh -c \
	"[ \"\$(echo hello | bpfd-run --via '$via' tr a-z A-Z 2>/dev/null)\" = HELLO ]"
check "a tool that is not there" status 127 no-such-tool
check "and is named" says 'no-such-tool: No such file'
check "a file that is no program" status 126 /etc/passwd
check "no tool" status 125
check "an unknown option" status 125 --no-such-option true
check "--help" status 0 --help
check "a way that ends at once" status 125 --via false true
check "says so" says 'false: ended before bpfd answered'
printf '#!/bin/sh\necho STARTED_BPFD\nwhile read -r line; do printf "START_BPFD_OUTPUT\\nCommand not recognized\\nEND_BPFD_OUTPUT\\n"; done\n' >/run/old
chmod +x /run/old
check "a bpfd that is too old" status 125 --via /run/old true
check "is told with both versions" says "version unknown, older than 0.1.0.*bpfd-run $(bpfd-run -V | cut -d' ' -f2) "
check "a directory of headers that is not there" status 125 --headers /no/such true

# The board's answers.
check "uname" status 0 uname -srm
check "is the board's" grep -qx "$(uname -srm)" $out
check "kallsyms" status 0 cat /proc/kallsyms
grep -v '\[bpf\]$' /proc/kallsyms >/run/kallsyms
check "is the kernel's" cmp $out /run/kallsyms
check "a second time from the copy" sh -c "bpfd-run --trace /run/trace --via '$via' cat /proc/kallsyms | cmp - /run/kallsyms"
check "which is not fetched again" sh -c '! grep -q "FILE_READ /proc/kallsyms" /run/trace'
check "the list of tracepoints" status 0 ls $tracefs/events/syscalls
check "is complete" sh -c "ls $tracefs/events/syscalls | cmp - $out"
check "a directory of a relative name" status 0 sh -c "cd $tracefs/events && cat sched/sched_switch/id"
check "is the board's" cmp $out $tracefs/events/sched/sched_switch/id
check "relative names from the root and by .." status 0 --trace /run/trace sh -c \
	"cd / && cat proc/version; cd /run && cat ../proc/version"
check "are the board's" test "$(grep -c 'FILE_READ /proc/version' /run/trace)" = 2
check "a directory by its descriptor, twice" status 0 /usr/bin/python3 -c \
	"import os; fd = os.open('$tracefs/events', os.O_RDONLY); print(*os.listdir(fd), *os.listdir(fd))"
check "is complete" test "$(tr ' ' '\n' <$out | sort | uniq -c | grep -c '^ *2 ')" = \
	"$(find $tracefs/events -mindepth 1 -maxdepth 1 | wc -l)"
check "a file that is not there" status 1 cat $tracefs/no_such_file
check "CPUs" status 0 getconf _NPROCESSORS_ONLN
check "a secret of the board's processes stays there" status 1 cat /proc/1/environ
check "a program of the board's processes is read" status 0 cmp /proc/1/root/bin/bash /bin/bash
check "without being fetched, as it is the same here" sh -c \
	"bpfd-run --via '$via --stats' cmp /proc/1/root/bin/bash /bin/bash 2>&1 |
	grep -oE 'received [0-9]+' | { read -r _ n && test \$n -lt 100000; }"
check "the workstation's files are its own" status 0 cat /proc/self/comm /etc/debian_version
check "a kprobe in tracefs" status 0 sh -c \
	"echo 'p:runtest/marked do_sys_openat2' >>$tracefs/kprobe_events && cat $tracefs/kprobe_events"
check "is made" grep -q 'p:runtest/marked do_sys_openat2' $out
check "and gone with the session" until_true 5 no_probes
check "a wrong one is refused" status 1 sh -c "echo 'p:runtest/bad no_such_function' | tee -a $tracefs/kprobe_events"
# Which of two errors it is depends on the kernel's version. By itself tee -a does not come as far: the
# kernel does not let it seek to the end.
bad=$( (echo 'p:runtest/bad no_such_function' >>$tracefs/kprobe_events) 2>&1)
check "with the board's error" says "${bad##*: }"
# A shell writes through a duplicate of the descriptor that it has opened.
check "one that a shell writes" status 0 sh -c "echo 'p:runtest/worse no_such_function' >>$tracefs/kprobe_events"
check "is refused later, and said" says 'the board refuses "p:runtest/worse no_such_function"'
check "other files are not written" status 2 sh -c "echo 1 >$tracefs/tracing_on"
check "what happens in tracefs streams" sh -c \
	"(sleep 3; echo streamed >$tracefs/trace_marker) & timeout 60 bpfd-run --via '$via' head -n 1 $tracefs/trace_pipe | grep -q streamed"

# bpftool: maps and programs by number and by name in bpffs.
check "bpftool makes a map" status 0 sh -c \
	'bpftool map create /sys/fs/bpf/runtest type hash key 4 value 8 entries 64 name runtest &&
	for i in 1 2 3; do bpftool map update pinned /sys/fs/bpf/runtest key $i 0 0 0 value $i 0 0 0 0 0 0 9; done'
check "in the board's kernel" sh -c 'bpftool map dump name runtest | grep -q "Found 3 elements"'
check "and dumps it" status 0 bpftool map dump pinned /sys/fs/bpf/runtest
check "as without the link" sh -c "bpftool map dump name runtest | cmp - $out"
rm -f /sys/fs/bpf/runtest
check "types of the kernel" status 0 bpftool btf dump file /sys/kernel/btf/vmlinux
check "are the board's" sh -c "bpftool btf dump file /sys/kernel/btf/vmlinux | cmp - $out"
# Of programs it says who has them, so only the names and sizes.
check "all types of the kernel" status 0 --trace /run/trace bpftool btf list
check "and of its modules are listed" sh -c "bpftool btf list | grep -o 'name .*B' | grep -v anon |
	sort >/run/btf.local; grep -o 'name .*B' $out | grep -v anon | sort | cmp - /run/btf.local"
check "in one round trip" \
	test "$(grep -c ' BTF_LIST' /run/trace) $(grep -c 'BTF_GET_NEXT_ID' /run/trace)" = "1 0"

# bpftrace: rings by epoll, maps, stacks, BEGIN and END.
check "bpftrace prints from BEGIN and END" status 0 bpftrace -e \
	'BEGIN { printf("first\n"); exit(); } END { printf("last\n"); }'
check "both" sh -c "grep -qx first $out && grep -qx last $out"
check "bpftrace counts, draws and takes stacks" status 0 bpftrace -e \
	'kprobe:do_sys_openat2 { @count = count(); @h = hist(nsecs % 1000); @s[kstack(3)] = count(); }
	interval:s:2 { exit(); }'
check "counts" grep -q '^@count: [1-9]' $out
check "a histogram" grep -q '@@@' $out
check "stacks with the kernel's names" grep -q 'do_sys_openat2+' $out

# libbpf-tools: links, rings, mapped memory.
check "vfsstat" status 0 vfsstat 1 3
check "reads counters out of mapped memory" sh -c "awk 'NR > 1 && \$2 > 0 { n++ } END { exit n < 2 }' $out"
check "opensnoop sees the load" start_tool
kill -INT $supervisor
check "and ends" wait $supervisor
check "a uprobe on the board's file" status 0 bpftrace -e \
	"uprobe:$trigger:trigger_point { @hits = count(); } interval:s:4 { exit(); }" \
	-c "$trigger call 50"
check "counts each call" grep -qx '@hits: 50' $out
mkdir -p "/run/root$(dirname "$trigger")"
cp "$trigger" "/run/root$trigger"
check "and named by its copy in a sysroot" status 0 --sysroot /run/root bpftrace -e \
	"uprobe:/run/root$trigger:trigger_point { @hits = count(); } interval:s:4 { exit(); }" \
	-c "$trigger call 50"
check "as well" grep -qx '@hits: 50' $out

# A USDT probe that its program passes only while somebody traces it.
probed=$BPFD_BUILD/tools/usdt
"$probed" >/run/usdt.out &
usdt=$!
trace_usdt()
{
	run bpftrace -p $usdt -e \
		"usdt:$probed:bpfd_test:guarded { @passed = count(); } interval:s:$1 { exit(); }"
}
counted()
{
	[ "$(tr '\n' ' ' </run/usdt.out)" = "$1 " ]
}
check "a guarded USDT probe" trace_usdt 3
check "is passed" grep -q '^@passed: [1-9]' $out
check "and its semaphore is as before" until_true 5 counted "0 1 0"
trace_usdt 60 &
traced=$!
check "it is counted up again" until_true 60 counted "0 1 0 1"
kill -9 "$(pgrep -x bpfd)"
check "and down, whatever ends the session" until_true 10 counted "0 1 0 1 0"
wait $traced
kill $usdt

# A user of no rights.
chmod 666 /dev/bus/usb/*/*
cp "$BPFD_BUILD/bpfd-run" "$BPFD_BUILD/bpfd-usb" /run/
chmod 755 /run/bpfd-run /run/bpfd-usb
check "an ordinary user" timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups \
	env HOME=/nonexistent sh -c "/run/bpfd-run --via '/run/$via' bpftrace -e \
	'tracepoint:syscalls:sys_enter_openat { @opens = count(); } interval:s:2 { exit(); }'"
cp /run/check.out /run/user.out
check "traces the board" grep -q '^@opens: [1-9]' /run/user.out
check "nothing is left so far" nothing_left

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
check "all at the terminal" test $passed = 4
check "Ctrl-C leaves nothing" nothing_left

# Deaths.
gone()
{
	! kill -0 "$1" 2>/dev/null
}
check "a tool that runs" start_tool
kill -9 "$tool"
wait $supervisor
check "killed with -9, ends bpfd-run in the same way" test $? = 137
check "and leaves nothing" nothing_left
check "another one" start_tool
kill -9 $supervisor
wait $supervisor 2>/dev/null
check "ends with its supervisor" until_true 10 gone "$tool"
check "and leaves nothing on the board" nothing_left
# Some tools lose signals: many of them are no reason to give the board up.
bpfd-run --via "$via" bash -c 'trap "" INT
	for _ in {1..30}; do cat /proc/version >/dev/null; done; echo went on' >$out 2>$err &
supervisor=$!
for _ in 1 2 3 4 5; do
	sleep 0.3
	kill -INT $supervisor 2>/dev/null
done
wait $supervisor
check "a tool that ignores signals" test $? = 0
check "keeps the board" says "went on"
check "a third one" start_tool
kill -INT "$supervisor"
wait $supervisor
check "gets a signal that bpfd-run gets" until_true 10 gone "$tool"
check "leaving nothing" nothing_left
check "one whose board goes away" start_tool
gadget_kill
# shellcheck disable=SC2016
check "does not hang" until_true 20 gone $supervisor
wait $supervisor
check "but fails" test $? = 125
check "saying why" says 'the link to the board is lost'
check "without the tool" gone "$tool"

kill $load
# A daemon that was killed leaves its gadget to the next one.
gadget_start && gadget_stop
check_no_leftovers
finish
