#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpfd-usb: finding and choosing a board, lanes, blocked and closed outputs, signals, unplugging, and
# a silent board. Each session runs a shell on the board, which executes the input.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

# session COMMAND [OPTION]...: runs the command on the board; sets status, $work/out, $work/err.
session()
{
	local command=$1
	shift
	echo "$command" | bpfd-usb "$@" >"$work/out" 2>"$work/err"
	status=$?
}
says()
{
	grep -q -- "$1" "$work/err" || { cat "$work/err"; return 1; }
}
# running NAME: the board has a process with that exact name. Sessions run copies of its programs
# with names of their own, so nothing else matches.
running()
{
	on_board pgrep -x "$1" >/dev/null
}
gone()
{
	! running "$1"
}
free_lanes()
{
	[ "$(bpfd-usb -l | awk 'NR == 2 {print $6}')" = "$1" ]
}
for program in cat sleep yes; do
	on_board cp /usr/bin/$program /run/board$program
done

check_no_board()
{
	session true
	check "no board: status 253" test "$status" = 253
	check "no board: the message says what to do" says "none found.*bpfd-gadget"
	bpfd-usb -l >"$work/out" 2>&1
	check "no board: -l has status 253" test $? = 253
	SECONDS=0
	session true -w=2
	check "no board: -w=2 ends after two seconds" test "$status" = 253 -a $SECONDS -ge 2 -a $SECONDS -le 15
	bpfd-usb --lease 0 2>/dev/null
	check "usage: a bad option value has status 250" test $? = 250
	bpfd-usb extra 2>/dev/null
	check "usage: an extra argument has status 250" test $? = 250
}

check_choice()
{
	local list
	list=$(bpfd-usb -l)
	check "-l: has serial, path, speed and lanes" \
		grep -qE '^testboard +[0-9]+-[0-9.]+ +[0-9]+ Mb/s +2 +2 ' <<<"$list"
	path=$(awk 'NR == 2 {print $2}' <<<"$list")
	check "--json: has the same values" test "$(bpfd-usb --json | /usr/bin/python3 -c 'import json, sys
[board] = json.load(sys.stdin)
print(board["serial"], board["path"], board["lanes"], board["free"], board["speed"] >= 480)')" = \
		"testboard $path 2 2 True"
	session "exit 5" -s testboard
	check "choice: by serial" test "$status" = 5
	BPFD_BOARD_FD=9 session "exit 0" 9<>"$work/board"
	check "bpfd-run learns the serial number, for its cache" test "$(cat "$work/board")" = testboard
	session "exit 6" -s "$path"
	check "choice: by path" test "$status" = 6
	BPFD_SERIAL=testboard session "exit 7"
	check "choice: by \$BPFD_SERIAL" test "$status" = 7
	session true -s other
	check "choice, unknown serial: status 253" test "$status" = 253
	check "choice, unknown serial: the message names it" says "board other: not found"

	mkdir -p "$work/sys/bus/usb/devices"
	for copy in 8-1 8-2; do
		mkdir "$work/sys/bus/usb/devices/$copy" "$work/sys/bus/usb/devices/$copy:1.0"
		for name in busnum devnum serial speed bcdDevice; do
			cp "/sys/bus/usb/devices/$path/$name" "$work/sys/bus/usb/devices/$copy"
		done
		cp "/sys/bus/usb/devices/$path:1.0/bInterface"* "$work/sys/bus/usb/devices/$copy:1.0"
	done
	session true --sysfs "$work/sys"
	check "choice, two boards: status 252" test "$status" = 252
	check "choice, two boards: the message lists both" test "$(grep -cE '8-[12]  testboard' "$work/err")" = 2
	setpriv --reuid 65534 --clear-groups "$(command -v bpfd-usb)" </dev/null >/dev/null 2>"$work/err"
	check "no permission: status 251" test $? = 251
	check "no permission: the message names the udev rules" says 70-bpfd-usb.rules

	# As in a container: the board is in sysfs and its node is not there.
	local device=/sys/bus/usb/devices/$path limit=/sys/module/usbcore/parameters/usbfs_memory_mb node
	node=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$device/busnum")" "$(cat "$device/devnum")")
	mv "$node" "$node.away"
	session true
	check "no node: status 253" test "$status" = 253
	check "no node: the message names it and its board" says "$node: missing, although board $path"
	session true -w=100
	check "no node: -w does not wait for it" says "$node: missing, although board $path"
	mv "$node.away" "$node"

	echo 1 >"$limit"
	# As another program's transfers: 992 of 1024 KiB.
	coproc /usr/bin/python3 -c 'import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
held = [mmap.mmap(fd, 31 * 4096) for _ in range(8)]
print("held", flush=True)
sys.stdin.read()' "$node"
	local holder=$COPROC_PID
	read -r <&"${COPROC[0]}"
	check "usbfs_memory_mb used up: another program holds the memory" test "$REPLY" = held
	session true
	check "usbfs_memory_mb used up: status 255" test "$status" = 255
	check "usbfs_memory_mb used up: the message names it" says usbfs_memory_mb
	echo 16 >"$limit"
	kill "$holder"
	wait "$holder"
}

check_lanes()
{
	local first second i failed=0
	(echo "exec /run/boardcat"; sleep 4) | bpfd-usb >/dev/null &
	first=$!
	(echo "exec /run/boardcat"; sleep 4) | bpfd-usb >/dev/null &
	second=$!
	check "lanes: two sessions use two" until_true 3 free_lanes 0
	session true
	check "lanes, a third session: status 254" test "$status" = 254
	check "lanes, a third session: the message says what to do" says "lanes are in use.*--lanes"
	wait "$first"
	check "lanes: the first session ends with status 0" test $? = 0
	wait "$second"
	check "lanes: the second session ends with status 0" test $? = 0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo "exit $i" | bpfd-usb &
		first=$!
		echo "exit $((i + 100))" | bpfd-usb &
		second=$!
		wait "$first"
		[ $? = "$i" ] || failed=$((failed + 1))
		wait "$second"
		[ $? = $((i + 100)) ] || failed=$((failed + 1))
	done
	check "lanes: sessions that start together get one each ($failed of 20 failed)" test $failed = 0
}

check_outputs()
{
	echo "exec head -c 5000000 /dev/zero" | bpfd-usb --lease 2 | (sleep 5; wc -c) >"$work/count"
	check "stdout blocked for longer than the lease: no data is lost" \
		test "${PIPESTATUS[*]} $(cat "$work/count")" = "0 0 0 5000000"

	echo "exec /run/boardyes" | bpfd-usb 2>"$work/err" | head -c 1000000 >/dev/null
	check "stdout closed: SIGPIPE kills it" test "${PIPESTATUS[1]}" = 141
	check "stdout closed: the message gives the cause" says "stdout: closed by its reader"
	check "stdout closed: the board's process has ended" until_true 3 gone boardyes

	SECONDS=0
	echo "exec /run/boardsleep 30" | bpfd-usb 2>/dev/null | bash -c 'sleep 1'
	check "stdout closed, no output: the session ends" test $SECONDS -lt 20
	check "stdout closed, no output: the board's process has ended" until_true 3 gone boardsleep

	echo "exec head -c 100000 /dev/zero" | bpfd-usb >/dev/full 2>"$work/err"
	check "stdout full: status 255" test $? = 255
	check "stdout full: the message has the number of bytes written" says "0 written to stdout"

	# stderr is a pipe that nobody reads while the session runs.
	mkfifo "$work/fifo"
	exec 9<>"$work/fifo"
	SECONDS=0
	echo "head -c 300000 /dev/zero >&2; echo out; exit 4" | bpfd-usb >"$work/out" 2>"$work/fifo"
	check "stderr full: the session goes on" test "$? $(cat "$work/out")" = "4 out"
	check "stderr full: the session ends in less than 30 s" test $SECONDS -lt 30
	exec 9>&-

	bpfd-usb <&- >"$work/out" 2>"$work/err"
	check "stdin closed: like empty input" test $? = 0
	echo "echo text" | bpfd-usb >&- 2>"$work/err"
	check "stdout closed from the start: status 255" test $? = 255
	{ echo "exit 3"; head -c 3000000 /dev/zero; } | bpfd-usb -v 2>"$work/err"
	check "stdin: input that the board does not read is no error" test "${PIPESTATUS[1]}" = 3
}

STREAM=3000000 # lines, 23 MB: more than is transferred before a check's next step

# start_stream [OPTION]...: starts a session that does not end, BRIDGE_PID, and waits for its first
# output.
start_stream()
{
	rm -f "$work/stream.in" "$work/stream"
	mkfifo "$work/stream.in"
	exec 8<>"$work/stream.in" # to read and write, because opening one end would wait for the other
	# A shell without job control makes its background jobs ignore SIGINT.
	env --default-signal=INT bpfd-usb "$@" <"$work/stream.in" >"$work/stream" 2>"$work/err" &
	BRIDGE_PID=$!
	echo "{ seq 1 $STREAM; exec sleep 1000; } | exec /run/boardcat" >&8
	until_true 10 test -s "$work/stream"
}
end_stream()
{
	wait "$BRIDGE_PID" 2>/dev/null
	status=$?
	exec 8>&-
}
# exact: the output is a prefix of the data that was sent, and not empty.
exact()
{
	local size
	size=$(stat -c %s "$work/stream")
	[ "$size" -gt 0 ] && seq 1 "$STREAM" 2>/dev/null | head -c "$size" | cmp - "$work/stream"
}
# works_again NAME: the next session runs, and its output is exact.
works_again()
{
	session "seq 1 1000; exit 9" -w=10
	check "$1: the next session starts clean" \
		test "$status $(md5sum <"$work/out")" = "9 $(seq 1 1000 | md5sum)"
}

check_signals()
{
	local name number
	for name in INT TERM HUP; do
		start_stream
		kill -$name "$BRIDGE_PID"
		end_stream
		number=$(kill -l $name)
		check "SIG$name: the signal kills it" test "$status" = $((128 + number))
		check "SIG$name: the board's process ends at once" until_true 2 gone boardcat
	done
	start_stream
	kill -9 "$BRIDGE_PID"
	end_stream
	check "kill -9: the output is an exact prefix" exact
	works_again "kill -9"
	start_stream --lease 1
	kill -9 "$BRIDGE_PID"
	end_stream
	check "kill -9: the board's process ends after the lease" until_true 5 gone boardcat

	start_stream --lease 1
	kill -STOP "$BRIDGE_PID"
	until_true 5 gone boardcat
	kill -CONT "$BRIDGE_PID"
	end_stream
	check "stopped for longer than the lease: status 255" test "$status" = 255
	check "stopped for longer than the lease: the message gives the cause" says "heard nothing from the host"
	check "stopped for longer than the lease: the output is an exact prefix" exact
}

check_lost()
{
	local node
	start_stream
	cable_unplug
	end_stream
	check "unplugged: status 255" test "$status" = 255
	check "unplugged: the message gives the cause" says "unplugged\|went away"
	check "unplugged: the message counts bytes sent, consumed and received" says "bytes sent, .* consumed by the board, .* received"
	check "unplugged: the output is an exact prefix" exact
	check "unplugged: the device is gone" until_true 5 device_absent
	(sleep 2; cable_plug) &
	works_again "plugged in while -w waits"
	wait $!

	start_stream
	node=$(bpfd-usb -l | awk 'NR == 2 {print $2}')
	usbreset "$(printf '%03d/%03d' "$(cat "/sys/bus/usb/devices/$node/busnum")" \
		"$(cat "/sys/bus/usb/devices/$node/devnum")")" >/dev/null
	end_stream
	check "USB reset: status 255" test "$status" = 255
	check "USB reset: the output is an exact prefix" exact
	works_again "USB reset"
}

check_silence()
{
	start_stream --lease 2
	on_board kill -STOP "$(worker_pid)"
	end_stream
	check "board silent in a session: status 255" test "$status" = 255
	check "board silent in a session: the message gives the cause" says "silent for the whole lease of 2 s"
	SECONDS=0
	session true
	check "board silent from the start: status 255" test "$status" = 255
	check "board silent from the start: the message gives the cause" says "does not answer"
	check "board silent from the start: ends in less than 30 s" test $SECONDS -lt 30
	on_board kill -CONT "$(worker_pid)"
	works_again "board continues"

	start_stream
	gadget_kill
	end_stream
	check "daemon killed: status 255" test "$status" = 255
	check "daemon killed: the output is an exact prefix" exact
	on_board bpfd-gadget --remove 2>/dev/null
}

# bpfd-usb on a terminal; each check is a line that bridge_tty.py prints.
check_terminal()
{
	timeout 120 python3 "$here/bridge_tty.py" "$(command -v bpfd-usb)" >"$work/tty" 2>&1
	check "terminal: its checks have run" test $? = 0
	while read -r word rest; do
		case $word in
		pass) ok "terminal: $rest" ;;
		fail) not_ok "terminal: $rest" ;;
		*) echo "# $word $rest" ;;
		esac
	done <"$work/tty"
}

load_udc || { not_ok "load dummy_hcd"; finish; }
check_no_board
gadget_start --bpfd "$BOARD_SHELL" || { not_ok "start the gadget"; finish; }
check_choice
check_lanes
check_outputs
check_signals
check_lost
check_terminal
check_silence
check_no_leftovers
finish
