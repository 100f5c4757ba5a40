#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An x86-64 workstation with an ARM board: suites of tests/e2e, and unmodified tools of BCC and
# bpftrace under bpfd-run. Started by tests/crossing/run; the arguments are the parts to run.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/../e2e/client.sh"
# shellcheck source=tests/e2e/events.sh
. "$here/../e2e/events.sh"
: "${BPFD_BOARD_SHELL:?is not set}"
work=$(mktemp -d)
busybox=/run/vm/busybox
marker=/etc/armboard-marker
# Timeout for a tool's first line. On emulated processors BCC compiles for half a minute, and for
# three minutes or more if the host is busy.
tool_seconds=480
export PYTHONUNBUFFERED=1

modprobe virtio_net && modprobe vhci-hcd && until_true 10 test -e /sys/class/net/eth0 &&
	$busybox ip addr add 10.0.2.15/24 dev eth0 && $busybox ip link set eth0 up
if ! until_true 120 on_board true; then
	not_ok "the $BPFD_BOARD_ARCH board answers"
	finish
fi
ok "the $BPFD_BOARD_ARCH board answers"

# part_suite NAME: runs a suite of tests/e2e, which starts its own daemon on the board.
part_suite()
{
	local line tests=$TESTS
	while IFS= read -r line; do
		case $line in
		"ok "*" # SKIP "*) skip "$1: $(sed 's/^ok [0-9]* - //; s/ # SKIP .*//' <<<"$line")" "${line##* # SKIP }" ;;
		"ok "*) ok "$1: ${line#ok * - }" ;;
		"not ok "*) not_ok "$1: ${line#not ok * - }" ;;
		1..*) [ "${line#1..}" = $((TESTS - tests)) ] && tests=whole ;;
		*) echo "# $line" ;;
		esac
	done < <("$here/../e2e/$1.sh" 2>&1)
	[ $tests = whole ] || not_ok "$1 runs to its end"
}

link=(bpfd-usb -s testboard)
board_is_clean()
{
	no_probes && ! on_board bpftool prog show | grep -q -E ' (kprobe|tracepoint|perf_event|tracing|raw_tracepoint) '
}

# run_start OPTION... -- TOOL...: starts bpfd-run in its own process group, as a terminal's shell
# does. Its output is in $work/out and $work/err, its trace in $work/trace for failures.
run_start()
{
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# bash makes background processes ignore SIGINT.
	env --default-signal=INT,QUIT setsid bpfd-run --via "${link[*]}" --trace "$work/trace" \
		"${options[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null &
	RUN_PID=$!
}
# run_end SECONDS: waits for bpfd-run and returns its status; kills it after SECONDS and returns 124.
run_end()
{
	if until_true "$1" run_over; then
		wait $RUN_PID
	else
		kill -9 -- -$RUN_PID
		wait $RUN_PID
		return 124
	fi
}
run_over()
{
	! kill -0 $RUN_PID 2>/dev/null
}
run_matches()
{
	grep -qE -- "$1" "$work/out" || run_over
}
# explain NAME: prints the end of the last run's output and trace as comments, and keeps the files.
explain()
{
	local kind
	for kind in out err trace; do
		cp "$work/$kind" "$BPFD_BOARD_SHARE/$1.$kind"
	done
	{
		echo "out: $(wc -l <"$work/out") lines"
		tail -n 12 "$work/out"
		echo "err:"
		tail -n 12 "$work/err"
		echo "trace:"
		tail -n 25 "$work/trace"
	} 2>&1 | cut -c 1-300 | sed 's/^/# /'
}

# run_interrupt: sends Ctrl-C until bpfd-run ends, and returns its status. bpftrace loses a signal between
# two of its waits, BCC within a callback; both also without bpfd-run. The busier the machine, the more
# often.
run_interrupt()
{
	for _ in 1 2 3 4 5; do
		kill -INT -- -$RUN_PID 2>/dev/null
		until_true 12 run_over && break
	done
	run_end 0
}

# traces NAME PATTERN COMMAND...: checks that the tool prints an event of the board's load, and that
# Ctrl-C ends it.
traces()
{
	local name=$1 pattern=$2 status failed=$FAILED
	SECONDS=0
	shift 2
	rm -f "$work/trace"
	run_start --headers "$BPFD_BOARD_HEADERS" -- "$@"
	until_true $tool_seconds run_matches "$pattern"
	check "$name: prints events of the board ($SECONDS s): $(grep -E -m 1 "$pattern" "$work/out")" \
		grep -qE "$pattern" "$work/out"
	run_interrupt
	status=$?
	check "$name: Ctrl-C ends it with status 0 or 130: $status" grep -qx '0\|130' <<<"$status"
	check "$name: nothing is left on the board" until_true 10 board_is_clean
	[ "$FAILED" = "$failed" ] || explain "$name"
}

part_kernel_name()
{
	local status failed=$FAILED
	run_start -- uname -a
	run_end 60
	status=$?
	check "uname: is the board's: $(cat "$work/out")" \
		grep -q "^Linux armboard $BPFD_BOARD_RELEASE .* $BPFD_BOARD_MACHINE" "$work/out"
	check "uname: status 0" test $status = 0
	[ "$FAILED" = "$failed" ] || explain uname
}

# The two machines have not started at the same time. A tool gets /proc/uptime and CLOCK_BOOTTIME of
# the board, also if an unprivileged user runs it.
part_clocks()
{
	local off='import time
print(time.clock_gettime(time.CLOCK_BOOTTIME) - float(open("/proc/uptime").read().split()[0]))'
	local here difference user up board
	here=$(/usr/bin/python3 -c "$off")
	difference=$(timeout 120 bpfd-run --via "${link[*]}" /usr/bin/python3 -c "$off")
	check "CLOCK_BOOTTIME: is the board's ($difference s off)" near_zero "$difference"
	cp "$BPFD_BUILD/bpfd-run" "$BPFD_BUILD/bpfd-usb" /run/
	chmod 755 /run/bpfd-run /run/bpfd-usb
	chmod 666 /dev/bus/usb/*/*
	user=$(timeout 120 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent \
		/run/bpfd-run --via '/run/bpfd-usb -s testboard' /usr/bin/python3 -c "$off")
	check "CLOCK_BOOTTIME: is the board's for an unprivileged user ($user s off)" near_zero "$user"
	echo 0 >/proc/sys/user/max_time_namespaces
	timeout 120 bpfd-run --via "${link[*]}" true 2>"$work/err"
	check "CLOCK_BOOTTIME: without a time namespace a warning says so" \
		grep -q 'no time namespace: No space left on device' "$work/err"
	echo 1000 >/proc/sys/user/max_time_namespaces
	check "CLOCK_BOOTTIME: without bpfd-run is the workstation's ($here s off)" near_zero "$here"
	up=$(cut -d. -f1 /proc/uptime)
	board=$(timeout 120 bpfd-run --via "${link[*]}" cut -d. -f1 /proc/uptime)
	if [ $((up - board)) -gt 2 ] || [ $((board - up)) -gt 2 ]; then
		ok "CLOCK_BOOTTIME: differs between the two (started $up s and $board s ago)"
	else
		skip "CLOCK_BOOTTIME: differs between the two" "they started $up s and $board s ago"
	fi
}
# memory_of NAME: prints the resident memory of the board's process with that name, and the part of
# it that is not from files, both in KiB. The least if there are several processes.
memory_of()
{
	awk -v name="$1" '$1 == name { print $2, $3 }' "$work/out" | sort -n | head -n 1
}
# The board's programs and an idle session must not use much memory of a small board.
part_memory()
{
	# shellcheck disable=SC2016 # the inner shell's
	local each='cd /proc && for pid in [0-9]*; do
		read -r name <$pid/comm && case $name in
		bpfd*) echo $name $(sed -n "s/^\(VmRSS\|RssAnon\):[^0-9]*\([0-9]*\) kB/\2/p" $pid/status) ;;
		esac
	done' name resident anonymous failed=$FAILED
	client_open 1 "${link[@]}" || { not_ok "open a session"; return; }
	run_start -- sh -c "$each"
	run_end 60
	client_close 1
	for name in bpfd bpfd-gadget bpfd-worker; do
		read -r resident anonymous < <(memory_of "$name")
		check "$name: idle it uses at most 700 KiB ($resident, $anonymous of them anonymous)" test "$resident" -le 700
	done
	[ "$FAILED" = "$failed" ] || explain memory
}

near_zero()
{
	awk -v difference="$1" 'BEGIN { exit !(difference > -1.5 && difference < 1.5) }'
}

part_opensnoop()
{
	traces opensnoop "$marker" opensnoop-bpfcc
}

part_execsnoop()
{
	traces execsnoop "/bin/cat $marker" execsnoop-bpfcc
}

part_bpftrace()
{
	traces bpftrace "^cat $marker" bpftrace -B line \
		-e 'tracepoint:syscalls:sys_enter_openat { printf("%s %s\n", comm, str(args->filename)); }'
}

# A tool that prints stacks and ends by itself. The load sleeps in the arm64 kernel.
part_offcputime()
{
	local status failed=$FAILED
	SECONDS=0
	run_start --headers "$BPFD_BOARD_HEADERS" -- offcputime-bpfcc 5
	run_end $tool_seconds
	status=$?
	check "offcputime: status 0 ($SECONDS s)" test $status = 0
	check "offcputime: prints the load" grep -q armload "$work/out"
	check "offcputime: prints stacks of an arm64 kernel" grep -q 'el0_svc\|__arm64_sys_' "$work/out"
	check "offcputime: nothing is left on the board" until_true 10 board_is_clean
	[ "$FAILED" = "$failed" ] || explain offcputime
}

# bpftool lists the program of another session, and no longer when that session has ended.
part_program_list()
{
	local status failed=$FAILED
	client_open 1 "${link[@]}"
	want "a map for a program to be listed" 3 "BPF_CREATE_MAP 2 counts 4 8 8 0"
	want "a program to be listed" 4 "$(line_of "$object" test/count0 5 GPL 0 counts=3)"
	run_start -- bpftool prog list
	run_end 120
	check "bpftool: status 0" test $? = 0
	check "bpftool: lists the program: $(head -n 1 "$work/out")" \
		grep -q '^[0-9]*: tracepoint' "$work/out"
	[ "$FAILED" = "$failed" ] || explain bpftool
	client_close 1
	failed=$FAILED
	run_start -- bpftool prog list
	run_end 120
	status=$?
	check "bpftool: status 0 without a program" test $status = 0
	check "bpftool: lists no program" sh -c "! grep -q '^[0-9]*: ' '$work/out'"
	[ "$FAILED" = "$failed" ] || explain bpftool-empty
}

# The board loses power while a tool traces it.
part_power_cut()
{
	local status failed=$FAILED
	run_start --headers "$BPFD_BOARD_HEADERS" -- opensnoop-bpfcc
	until_true $tool_seconds run_matches "$marker"
	check "power cut: the tool prints events before" grep -q "$marker" "$work/out"
	: >"$BPFD_BOARD_SHARE/kill-board"
	SECONDS=0
	run_end 60
	status=$?
	check "power cut: bpfd-run ends ($SECONDS s) with status 125: $status" test $status = 125
	check "power cut: a message: $(grep -m 1 '^bpfd-run: ' "$work/err")" \
		grep -q '^bpfd-run: ' "$work/err"
	[ "$FAILED" = "$failed" ] || explain power-cut
}

# have PROGRAM...: all of them are installed.
have()
{
	local program
	for program; do
		command -v "$program" >/dev/null || return 1
	done
}

for part in "$@"; do
	if [ -x "$here/../e2e/$part.sh" ]; then
		part_suite "$part"
		continue
	fi
	if ! declare -F "part_$part" >/dev/null; then
		not_ok "$part: is a part"
		continue
	fi
	[ -n "$GADGET_PID" ] || gadget_start || { not_ok "start the daemon"; break; }
	if have bpfd-run opensnoop-bpfcc bpftrace bpftool; then
		"part_$part"
	else
		skip "$part" "bpfd-run, or a tool of tests/deps arm64, is missing"
	fi
done
[ -e "$BPFD_BOARD_SHARE/kill-board" ] || [ -z "$GADGET_PID" ] || check "the daemon ends with status 0" gadget_stop
GADGET_PID=''
finish
