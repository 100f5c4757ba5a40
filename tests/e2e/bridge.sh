#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The bridge: finding and choosing a board, lanes, blocked and closed outputs, signals, unplugging,
# and a silent board. The process behind each session is a shell that runs what it is sent.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

# session COMMAND [OPTION]...: the board runs it; leaves status, $work/out, $work/err.
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
# running NAME: a process of that exact name. The board's programs are copies with such names.
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
	check "no board: 253" test "$status" = 253
	check "no board: says what to do" says "none found.*bpfd-gadget"
	bpfd-usb -l >"$work/out" 2>&1
	check "no board: -l says so" test $? = 253
	SECONDS=0
	session true -w=2
	check "a wait for nothing ends" test "$status" = 253 -a $SECONDS -ge 2 -a $SECONDS -le 6
	bpfd-usb --lease 0 2>/dev/null
	check "usage: 250" test $? = 250
	bpfd-usb extra 2>/dev/null
	check "usage: an argument too many" test $? = 250
}

check_choice()
{
	local list
	list=$(bpfd-usb -l)
	check "-l: serial, path, speed, lanes" \
		grep -qE '^testboard +[0-9]+-[0-9.]+ +[0-9]+ Mb/s +2 +2 ' <<<"$list"
	path=$(awk 'NR == 2 {print $2}' <<<"$list")
	check "--json: the same" test "$(bpfd-usb --json | /usr/bin/python3 -c 'import json, sys
[board] = json.load(sys.stdin)
print(board["serial"], board["path"], board["lanes"], board["free"], board["speed"] >= 480)')" = \
		"testboard $path 2 2 True"
	session "exit 5" -s testboard
	check "chosen by serial" test "$status" = 5
	session "exit 6" -s "$path"
	check "chosen by path" test "$status" = 6
	BPFD_SERIAL=testboard session "exit 7"
	check "chosen by \$BPFD_SERIAL" test "$status" = 7
	session true -s other
	check "another serial: 253" test "$status" = 253
	check "another serial: named" says "board other: not found"

	mkdir -p "$work/sys/bus/usb/devices"
	for copy in 8-1 8-2; do
		mkdir "$work/sys/bus/usb/devices/$copy" "$work/sys/bus/usb/devices/$copy:1.0"
		for name in busnum devnum serial speed bcdDevice; do
			cp "/sys/bus/usb/devices/$path/$name" "$work/sys/bus/usb/devices/$copy"
		done
		cp "/sys/bus/usb/devices/$path:1.0/bInterface"* "$work/sys/bus/usb/devices/$copy:1.0"
	done
	session true --sysfs "$work/sys"
	check "two boards: 252" test "$status" = 252
	check "two boards: both are listed" test "$(grep -cE '8-[12]  testboard' "$work/err")" = 2
	setpriv --reuid 65534 --clear-groups "$(command -v bpfd-usb)" </dev/null >/dev/null 2>"$work/err"
	check "no permission: 251" test $? = 251
	check "no permission: names the udev rules" says 70-bpfd-usb.rules
}

check_lanes()
{
	local first second i failed=0
	(echo "exec /run/boardcat"; sleep 4) | bpfd-usb >/dev/null &
	first=$!
	(echo "exec /run/boardcat"; sleep 4) | bpfd-usb >/dev/null &
	second=$!
	check "two sessions have a lane each" until_true 3 free_lanes 0
	session true
	check "a third: 254" test "$status" = 254
	check "a third: says what to do" says "lanes are in use.*--lanes"
	wait "$first"
	check "the first ends well" test $? = 0
	wait "$second"
	check "the second ends well" test $? = 0
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
	check "two that start together get a lane each, $failed of 20 failed" test $failed = 0
}

check_outputs()
{
	echo "exec head -c 5000000 /dev/zero" | bpfd-usb --lease 2 | (sleep 5; wc -c) >"$work/count"
	check "stdout blocked for longer than the lease: nothing is lost" \
		test "${PIPESTATUS[*]} $(cat "$work/count")" = "0 0 0 5000000"

	echo "exec /run/boardyes" | bpfd-usb 2>"$work/err" | head -c 1000000 >/dev/null
	check "stdout closed: dies of SIGPIPE" test "${PIPESTATUS[1]}" = 141
	check "stdout closed: says so" says "stdout: closed by its reader"
	check "stdout closed: the board's process is gone" until_true 3 gone boardyes

	SECONDS=0
	echo "exec /run/boardsleep 30" | bpfd-usb 2>/dev/null | bash -c 'sleep 1'
	check "stdout closed with nothing to write: noticed" test $SECONDS -lt 10
	check "and the board's process is gone" until_true 3 gone boardsleep

	echo "exec head -c 100000 /dev/zero" | bpfd-usb >/dev/full 2>"$work/err"
	check "no space left: 255" test $? = 255
	check "no space left: exact count" says "0 written to stdout"

	# A reader that never empties stderr, for as long as the session runs.
	mkfifo "$work/fifo"
	exec 9<>"$work/fifo"
	SECONDS=0
	echo "head -c 300000 /dev/zero >&2; echo out; exit 4" | bpfd-usb >"$work/out" 2>"$work/fifo"
	check "stderr full: the session goes on" test "$? $(cat "$work/out")" = "4 out"
	check "stderr full: held for a moment only" test $SECONDS -lt 10
	exec 9>&-

	bpfd-usb <&- >"$work/out" 2>"$work/err"
	check "stdin closed is an empty one" test $? = 0
	echo "echo text" | bpfd-usb >&- 2>"$work/err"
	check "stdout closed from the start: 255" test $? = 255
	{ echo "exit 3"; head -c 3000000 /dev/zero; } | bpfd-usb -v 2>"$work/err"
	check "input that is not read does not matter" test "${PIPESTATUS[1]}" = 3
}

STREAM=3000000 # lines, 23 MB: not through before the next step of a test

# start_stream: a session that does not end, BRIDGE_PID, of which output has arrived.
start_stream()
{
	rm -f "$work/stream.in" "$work/stream"
	mkfifo "$work/stream.in"
	exec 8<>"$work/stream.in" # for both: an open of one end would wait for the other
	# A shell without job control has its background jobs ignore SIGINT.
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
# exact: what came is the beginning of what was sent.
exact()
{
	local size
	size=$(stat -c %s "$work/stream")
	[ "$size" -gt 0 ] && seq 1 "$STREAM" 2>/dev/null | head -c "$size" | cmp - "$work/stream"
}
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
		check "SIG$name: dies of it" test "$status" = $((128 + number))
		check "SIG$name: the board's process is gone at once" until_true 2 gone boardcat
	done
	start_stream
	kill -9 "$BRIDGE_PID"
	end_stream
	check "kill -9: what came is exact" exact
	works_again "kill -9"
	start_stream --lease 1
	kill -9 "$BRIDGE_PID"
	end_stream
	check "kill -9: the board's process is gone after the lease" until_true 5 gone boardcat

	start_stream --lease 1
	kill -STOP "$BRIDGE_PID"
	until_true 5 gone boardcat
	kill -CONT "$BRIDGE_PID"
	end_stream
	check "stopped for longer than the lease: 255" test "$status" = 255
	check "stopped: says why" says "heard nothing from the host"
	check "stopped: what came is exact" exact
}

check_lost()
{
	local node
	start_stream
	cable_unplug
	end_stream
	check "unplugged: 255" test "$status" = 255
	check "unplugged: says so, and how far it came" says "unplugged\|went away"
	check "unplugged: counts" says "bytes sent, .* consumed by the board, .* received"
	check "unplugged: what came is exact" exact
	check "unplugged: no board" until_true 5 device_absent
	(sleep 2; cable_plug) &
	works_again "-w waits until it is plugged in"
	wait $!

	start_stream
	node=$(bpfd-usb -l | awk 'NR == 2 {print $2}')
	usbreset "$(printf '%03d/%03d' "$(cat "/sys/bus/usb/devices/$node/busnum")" \
		"$(cat "/sys/bus/usb/devices/$node/devnum")")" >/dev/null
	end_stream
	check "USB reset: 255" test "$status" = 255
	check "USB reset: what came is exact" exact
	works_again "USB reset"
}

check_silence()
{
	start_stream --lease 2
	on_board kill -STOP "$(worker_pid)"
	end_stream
	check "the board falls silent: 255" test "$status" = 255
	check "the board falls silent: says so" says "silent for the whole lease of 2 s"
	SECONDS=0
	session true
	check "the board does not answer: 255" test "$status" = 255
	check "the board does not answer: says so" says "does not answer"
	check "the board does not answer: ends soon" test $SECONDS -lt 15
	on_board kill -CONT "$(worker_pid)"
	works_again "the board woke up"

	start_stream
	gadget_kill
	end_stream
	check "the daemon is killed: 255" test "$status" = 255
	check "the daemon is killed: what came is exact" exact
	on_board bpfd-gadget --remove 2>/dev/null
}

# A terminal: lines of any length, and its settings afterwards.
check_terminal()
{
	timeout 120 python3 "$here/bridge_tty.py" "$(command -v bpfd-usb)" >"$work/tty" 2>&1
	check "the terminal's tests ran" test $? = 0
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
