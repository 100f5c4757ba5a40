#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A laboratory: twenty boards on one host, with one lane each. Lists boards, chooses one, waits for
# one, runs twenty sessions at once whose bytes must not cross, and unplugs one board. Each session
# runs a shell on the board that knows the board's name.
# vm: --cpus 1 --mem 1024
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/boards.sh
. "$here/boards.sh"
work=$(mktemp -d)

BOARDS=20   # dummy_hcd allows 32, or 31 at super speed, because a host has at most 63 buses
LINES=20000 # of data that each board sends, 420 kB
LAST=$((BOARDS - 1))
ALL=$(seq 0 $LAST)
declare -a BRIDGE PORT
for i in $ALL; do
	SERIAL[i]=board-$((i + 1)) # board-1 is a prefix of board-10
done

# bridge N [OPTION]...: starts a session in the background that asks the board for its name; output
# in out.N and err.N.
bridge()
{
	local n=$1
	shift
	# shellcheck disable=SC2016 # for the board's shell
	echo 'echo "I am $BOARD"; exit 7' | bpfd-usb "$@" >"$work/out.$n" 2>"$work/err.$n" &
	BRIDGE[n]=$!
}
# answered N...: waits for these sessions. True if each ended with its board's name and status;
# prints the others.
answered()
{
	local n status bad=0
	for n; do
		wait "${BRIDGE[n]}"
		status=$?
		[ "$status $(cat "$work/out.$n")" = "7 I am ${SERIAL[n]}" ] && continue
		echo "${SERIAL[n]}: status $status: $(head -c 100 "$work/out.$n" "$work/err.$n")"
		bad=1
	done
	return $bad
}
# waiting N...: these sessions still wait and have no output.
waiting()
{
	local n
	for n; do
		kill -0 "${BRIDGE[n]}" && ! test -s "$work/out.$n" || return 1
	done
}
all_wait()
{
	[ "$(cat "$work"/err.* | grep -c 'waiting for it')" = $BOARDS ]
}
# seconds COMMAND...: runs the command and prints how long it took.
seconds()
{
	local begin=$EPOCHREALTIME
	"$@" >/run/seconds.out || echo "# $* failed"
	awk "BEGIN { printf \"%.2f\", $EPOCHREALTIME - $begin }"
}

check_waiting()
{
	local early late
	for i in $ALL; do
		bridge "$i" -w -s "${SERIAL[i]}"
	done
	check "wait: twenty sessions wait, each for its board" until_true 30 all_wait
	early=(9 10 11 12 13 14 15 16 17 18)
	late=(1 2 3 4 5 6 7 8 19)
	# board-1 comes first: its name is a prefix of ten others.
	plug 0
	check "wait, board-1 comes: its session runs" answered 0
	sleep 1
	check "wait, board-1 comes: the others still wait" waiting "${early[@]}" "${late[@]}"
	for i in "${early[@]}"; do
		plug "$i"
	done
	check "wait, half of them come: each has its own session" answered "${early[@]}"
	check "wait, half of them come: the others still wait" waiting "${late[@]}"
	for i in "${late[@]}"; do
		plug "$i"
	done
	check "wait, the rest comes: each has its own session" answered "${late[@]}"
}

# Also sets PORT[N], the port path of each board.
check_list()
{
	local serials ports
	bpfd-usb -l >"$work/list"
	serials=$(awk 'NR > 1 {print $1}' "$work/list" | sort)
	ports=$(awk 'NR > 1 {print $2}' "$work/list")
	check "-l: lists each of the twenty boards once" test "$serials" = "$(printf '%s\n' "${SERIAL[@]}" | sort)"
	check "-l: no two boards have the same path" test "$(sort -u <<<"$ports" | wc -l)" = $BOARDS
	check "-l: sorted by path" test "$ports" = "$(sort -V <<<"$ports")"
	check "--json: serial, bus and address are those of sysfs" sh -c \
		"bpfd-usb --json | /usr/bin/python3 -c 'import json, sys
for b in json.load(sys.stdin):
	device = \"/sys/bus/usb/devices/\" + b[\"path\"]
	assert b[\"serial\"] == open(device + \"/serial\").read().strip()
	assert [b[\"bus\"], b[\"address\"]] == [int(open(device + name).read()) for name in (\"/busnum\", \"/devnum\")]
	print(b[\"serial\"], b[\"path\"], b[\"lanes\"], b[\"free\"])' >$work/json"
	check "--json: lists the same boards as -l" diff <(awk 'NR > 1 {print $1, $2, $5, $6}' "$work/list") "$work/json"
	for i in $ALL; do
		PORT[i]=$(awk -v serial="${SERIAL[i]}" '$1 == serial {print $2}' "$work/list")
	done
	# Only root can open the device nodes in the VM, so -l works without opening them.
	check "-l: needs no permission" sh -c \
		"setpriv --reuid 65534 --clear-groups '$(command -v bpfd-usb)' -l | cmp - '$work/list'"
}

check_choice()
{
	local status
	for i in $ALL; do
		bridge "$i" -s "${SERIAL[i]}"
	done
	# shellcheck disable=SC2086 # numbers
	check "choice: twenty at once by serial" answered $ALL
	for i in $ALL; do
		bridge "$i" -s "${PORT[i]}"
	done
	# shellcheck disable=SC2086
	check "choice: twenty at once by port path" answered $ALL
	for i in $ALL; do
		BPFD_SERIAL=${SERIAL[i]} bridge "$i"
	done
	# shellcheck disable=SC2086
	check "choice: twenty at once by \$BPFD_SERIAL" answered $ALL

	bpfd-usb </dev/null >"$work/out" 2>"$work/err"
	status=$?
	check "choice, none: status 252" test $status = 252
	check "choice, none: the message lists all twenty" test "$(grep -c ' board-[0-9]*$' "$work/err")" = $BOARDS
	bpfd-usb -w </dev/null >"$work/out" 2>"$work/err"
	check "choice, none: -w does not wait" test $? = 252
	bpfd-usb -s board </dev/null >"$work/out" 2>"$work/err"
	check "choice: a prefix of a serial matches no board, status 253" test $? = 253
}

# stream N: starts a session in which the board sends its data and echoes the host's; output in out.N.
stream()
{
	# shellcheck disable=SC2016 # for the board's shell
	{ echo 'cat "$DATA"; exec cat'; cat "$work/payload.$1"; } |
		bpfd-usb --stats -s "${SERIAL[$1]}" >"$work/out.$1" 2>"$work/err.$1" &
	BRIDGE[$1]=$!
}
# whole N...: waits for these streams. True if each has status 0, and its board's data followed by
# the host's; prints the others.
whole()
{
	local n status bad=0
	for n; do
		wait "${BRIDGE[n]}"
		status=$?
		[ $status = 0 ] && cat "$work/data.$n" "$work/payload.$n" | cmp - "$work/out.$n" && continue
		echo "${SERIAL[n]}: status $status: $(tail -n 2 "$work/err.$n")"
		bad=1
	done
	return $bad
}
# rates NAME SECONDS N...: prints the throughput of these streams; no check uses it.
rates()
{
	local name=$1 took=$2 n
	shift 2
	for n; do
		sed -n 's/.*: sent .* \([0-9.]*\) MB\/s$/\1/p' "$work/err.$n"
	done | sort -n | awk -v name="$name" -v bytes="$(cat "${@/#/$work/out.}" "${@/#/$work/payload.}" | wc -c)" \
		-v took="$took" '{ v[NR] = $1 }
		END { printf "# bench: %s: %.2f MB/s in all; of a bridge %.2f to %.2f, median %.2f\n",
			name, bytes / took / 1e6, v[1], v[NR], v[int((NR + 1) / 2)] }'
}

all_flow()
{
	[ "$(find "$work" -name 'out.*' -size +8k | wc -l)" = $BOARDS ]
}
check_streams()
{
	local begin
	for i in $ALL; do
		seq -f "${SERIAL[i]} says %.0f" 1 $LINES >"$work/data.$i"
		seq -f "the host to ${SERIAL[i]}: %.0f" 1 $((LINES / 2)) >"$work/payload.$i"
	done
	begin=$EPOCHREALTIME
	stream 0
	check "streams: a single one is complete" whole 0
	rates "one bridge, one board" "$(awk "BEGIN { print $EPOCHREALTIME - $begin }")" 0
	begin=$EPOCHREALTIME
	rm -f "$work"/out.*
	for i in $ALL; do
		stream "$i"
	done
	until_true 60 all_flow
	echo "# -l takes $(seconds bpfd-usb -l) s during the streams, and took $ALONE s before"
	# shellcheck disable=SC2086
	check "streams: twenty at once are complete, each with its own board's data" whole $ALL
	# shellcheck disable=SC2086
	rates "twenty bridges, twenty boards" "$(awk "BEGIN { print $EPOCHREALTIME - $begin }")" $ALL
}

# Every lane of every board is in use.
lanes_busy()
{
	[ "$(bpfd-usb -l | awk 'NR > 1 && $6 == 0' | wc -l)" = $BOARDS ]
}
check_busy()
{
	local fd
	mkfifo "$work/hold"
	exec {fd}<>"$work/hold"
	for i in $ALL; do
		bpfd-usb -s "${SERIAL[i]}" <"$work/hold" >"$work/out.$i" 2>"$work/err.$i" {fd}>&- &
		BRIDGE[i]=$!
	done
	check "busy: -l shows no free lane" until_true 30 lanes_busy
	echo "# -l takes $(seconds bpfd-usb -l) s with twenty idle sessions"
	for i in 0 9 19; do
		bpfd-usb -s "${SERIAL[i]}" </dev/null >"$work/out" 2>"$work/err"
		check "busy: a second session on ${SERIAL[i]} has status 254" test $? = 254
	done
	exec {fd}>&-
	for i in $ALL; do
		wait "${BRIDGE[i]}" || echo "${SERIAL[i]}: $?: $(cat "$work/err.$i")"
	done >"$work/ends"
	check "busy: the sessions end with status 0" test ! -s "$work/ends"
}

# gone SERIAL: the list does not have the board.
gone()
{
	! bpfd-usb -l | grep -q "^$1 "
}
check_unplugged()
{
	local others status
	others=$(seq 0 $LAST | grep -vx 4)
	rm -f "$work"/out.*
	# This session would run forever. The others are still running when the board is unplugged.
	# shellcheck disable=SC2016 # for the board's shell
	echo 'while cat "$DATA"; do :; done' | bpfd-usb -s "${SERIAL[4]}" >"$work/out.4" 2>"$work/err.4" &
	BRIDGE[4]=$!
	for i in $others; do
		stream "$i"
	done
	until_true 30 test -s "$work/out.4" -a -s "$work/out.$LAST"
	unplug 4
	wait "${BRIDGE[4]}"
	status=$?
	check "unplugged: its session has status 255" test $status = 255
	check "unplugged: the output of its session is an exact prefix" cmp -n "$(stat -c %s "$work/out.4")" \
		<(while cat "$work/data.4" 2>/dev/null; do :; done) "$work/out.4"
	# shellcheck disable=SC2086
	check "unplugged: the other streams are complete" whole $others
	check "unplugged: the board is no longer in the list" gone "${SERIAL[4]}"
	check "unplugged: the list has the others" test "$(bpfd-usb -l | wc -l)" = $BOARDS
	plug 4
	bridge 4 -w=20 -s "${SERIAL[4]}"
	check "plugged in again: a session runs" answered 4
}

load_udc num=$BOARDS && modprobe libcomposite || { not_ok "load dummy_hcd"; finish; }
for i in $ALL; do
	BOARD=${SERIAL[i]} DATA=$work/data.$i board_make "$i" --bpfd /bin/bash
done
check "start: twenty daemons are ready" until_true 60 boards_ready
bpfd-usb -l >"$work/out" 2>&1
check "start: no board is on the bus, -l has status 253" test $? = 253
check_waiting
check_list
ALONE=$(seconds bpfd-usb -l)
check_choice
check_streams
check_busy
check_unplugged
for i in $ALL; do
	board_remove "$i" || echo "${SERIAL[i]}: $?: $(tail -n 3 "/run/gadget.$i")"
done >"$work/ends" 2>&1
check "end: the daemons have status 0" test ! -s "$work/ends"
check_no_leftovers
finish
