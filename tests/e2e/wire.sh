#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpfd-usb measures and traces the cable: round trips (--ping), throughput (--bench), each frame
# (--trace); also with other programs than bpfd, an unplugged board, and hostile output.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

# bridge OPTION...: runs bpfd-usb with empty input; sets status, $work/out, $work/err.
bridge()
{
	env --default-signal=INT bpfd-usb "$@" </dev/null >"$work/out" 2>"$work/err"
	status=$?
}
# out PATTERN, err PATTERN: a line of stdout, or of stderr, matches.
out()
{
	grep -qE -- "$1" "$work/out" || { cat "$work/out"; return 1; }
}
err()
{
	grep -qE -- "$1" "$work/err" || { cat "$work/err"; return 1; }
}
quiet()
{
	[ ! -s "$work/err" ] || { cat "$work/err"; return 1; }
}
unplug()
{
	echo '' >"$(echo "$CONFIGFS"/*/UDC)"
}
plug()
{
	echo dummy_udc.0 >"$(echo "$CONFIGFS"/*/UDC)"
	until_true 10 device_present
}
# start_ping OPTION...: starts a ping, PING_PID, and waits until it has printed a round trip.
start_ping()
{
	env --default-signal=INT bpfd-usb --ping "$@" >"$work/out" 2>"$work/err" &
	PING_PID=$!
	until_true 20 grep -q 'seq=1 ' "$work/out"
}
ms='[0-9]+\.[0-9]{3}'

check_ping()
{
	bridge --ping 3
	check "ping: status 0" test "$status" = 0
	check "ping: the header has board, lane, speed and versions" \
		out '^PING testboard at [0-9.-]+, lane [0-9]+, [0-9]+ Mb/s: link 1\.1, version [0-9.]+$'
	check "ping: three rounds have times of link and bpfd" \
		test "$(grep -cE "^testboard: seq=[123] link=$ms ms bpfd=$ms ms\$" "$work/out")" = 3
	check "ping: a summary counts the rounds" out '^3 sent, 3 answered by the link, 3 by bpfd$'
	check "ping: a summary has the times of the link" out "^link min/median/max = $ms/$ms/$ms ms\$"
	check "ping: a summary has the times of bpfd" out "^bpfd min/median/max = $ms/$ms/$ms ms\$"
	check "ping: the median is between minimum and maximum" awk -F'[=/ ]+' '
		/^(link|bpfd) min/ { n++; if ($5 > $6 || $6 > $7) bad++ }
		END { exit !(n == 2 && !bad) }' "$work/out"
	check "ping: stderr is empty" quiet
	bridge --ping=1 -s testboard
	check "ping: the count may follow =" test "$status $(grep -c seq= "$work/out")" = "0 1"
	bridge --ping 1 --stats
	check "ping: options may follow the count" err 'sent [0-9]+ bytes'

	start_ping
	kill -INT $PING_PID
	wait $PING_PID
	check "ping, Ctrl-C: status 0" test $? = 0
	check "ping, Ctrl-C: prints the summary" out '^link min/median/max'
	start_ping
	kill -TERM $PING_PID
	wait $PING_PID 2>/dev/null
	check "ping, SIGTERM: the signal kills it" test $? = 143
	check "ping, SIGTERM: prints the summary" out '^link min/median/max'
	start_ping --lease 1
	check "ping: a lease of one second is renewed" until_true 20 grep -q 'seq=4 ' "$work/out"
	kill -INT $PING_PID
	wait $PING_PID

	bpfd-usb --ping 2>"$work/err" | head -n 2 >"$work/out"
	check "ping, stdout closed: SIGPIPE kills it" test "${PIPESTATUS[0]}" = 141
	bpfd-usb --ping 1 >/dev/full 2>"$work/err"
	check "ping, stdout full: status 255" test $? = 255

	start_ping
	pkill -STOP -x bpfd
	check "ping, bpfd hangs: the link still answers" \
		until_true 20 out "link=$ms ms bpfd: no answer"
	check "ping, bpfd hangs: it gets no second request" until_true 20 out "link=$ms ms bpfd: still no answer"
	pkill -CONT -x bpfd
	check "ping, bpfd hangs: its time is back when it continues" until_true 20 sh -c "tail -n 1 '$work/out' | grep -q bpfd="
	pkill -KILL -x bpfd
	wait $PING_PID
	check "ping, bpfd killed: status 255" test $? = 255
	check "ping, bpfd killed: the message names the process" err 'process of the session has ended'

	start_ping
	unplug
	wait $PING_PID
	check "ping, unplugged: status 255" test $? = 255
	check "ping, unplugged: the message gives the cause" err 'unplugged|went away'
	check "ping, unplugged: the message counts no bytes" sh -c "! grep -q consumed '$work/err'"
	check "ping, unplugged: prints the summary" out '^link min/median/max'
	plug
}

check_bench()
{
	bridge --bench
	check "bench: status 0" test "$status" = 0
	sed 's/^/# /' "$work/out"
	check "bench: the header has board, lane, speed and transfer sizes" \
		out '^testboard at [0-9.-]+, lane [0-9]+, [0-9]+ Mb/s: version .*, transfers below 32768 bytes to the board and 32768 from it'
	for way in 'to the board  ' 'from the board'; do
		check "bench: $way: five rounds of one second" awk -v way="$way" '
			index($0, way "  round") == 1 {
				n++
				sub(/.*: /, "")
				# Bytes, seconds and MB/s must agree.
				rate = $1 / $6 / 1e6
				if ($6 < 1 || $4 < 1 || rate < $8 * 0.98 || rate > $8 * 1.02) bad++
			}
			END { exit !(n == 5 && !bad) }' FS='[ ,]+' "$work/out"
		check "bench: $way: a summary has the median" out "^$way  min/median/max = [0-9.]+/[0-9.]+/[0-9.]+ MB/s\$"
	done
	check "bench: stderr is empty" quiet
	bridge --bench --transfer 4096 --trace "$work/trace"
	check "bench: trace and rounds have the same totals" awk '
		FILENAME ~ /trace$/ {
			if ($3 == "DATA") moved[$2] += substr($7, 1, length($7) - 1)
			next
		}
		/round/ { printed[/^to/ ? ">" : "<"] += $6 }
		# The trace also has the banner, commands, and the replies that end the rounds to the board.
		END { exit !(printed[">"] > 100000 && printed["<"] > 100000 && moved[">"] - printed[">"] < 200000 &&
			moved[">"] >= printed[">"] && moved["<"] >= printed["<"] && moved["<"] - printed["<"] < 2000) }
		' "$work/trace" "$work/out"
	bridge --bench --ping
	check "bench: excludes --ping" test "$status" = 250
	env --default-signal=INT bpfd-usb --bench >"$work/out" 2>"$work/err" &
	pid=$!
	until_true 20 grep -q 'round 1' "$work/out"
	kill -INT $pid
	wait $pid
	check "bench, Ctrl-C: the signal kills it" test $? = 130
	check "bench, Ctrl-C: prints the result so far" out '^to the board .* min/median/max'
}

# Measurements of boards that run something else than bpfd, or a bpfd that cannot make maps.
check_others()
{
	gadget_start --bpfd /bin/cat || { not_ok "start the gadget with cat"; return; }
	bridge --bench
	check "bench, cat: status 255" test "$status" = 255
	check "bench, cat: the message says that it is not bpfd" err 'is not bpfd; nothing more'
	bridge --ping 2
	check "ping, cat: times of the link only" test "$status $(grep -cE "seq=[12] link=$ms ms\$" "$work/out")" = "0 2"
	check "ping, cat: the message says that it is not bpfd" err 'is not bpfd; measuring only the link'
	check "ping, cat: it got no command" sh -c "! grep -q VERSION '$work/out' '$work/err'"
	gadget_stop

	printf '#!/bin/sh\necho hello\nexec cat >%s\n' "$work/got" >"$work/greeter"
	chmod +x "$work/greeter"
	gadget_start --bpfd "$work/greeter" || { not_ok "start the gadget with a greeter"; return; }
	SECONDS=0
	bridge --bench
	check "bench, wrong banner: refused at once" test "$status" = 255 -a $SECONDS -lt 8
	check "bench, wrong banner: the program got no command" test ! -s "$work/got"
	gadget_stop

	gadget_start --bpfd-args '--max-memory 0' || { not_ok "start the gadget without memory"; return; }
	bridge --bench
	check "bench, no memory for maps: the message gives the cause" err 'cannot create the map.*root'
	gadget_stop
}

check_trace()
{
	local words
	printf 'BPFD_VERSION\n\033]0;x\007\nexit\n' >"$work/in"
	bpfd-usb --trace "$work/trace" --stats <"$work/in" >"$work/out" 2>"$work/err"
	check "trace: does not change the session" test "$? $(grep -c '^END_BPFD' "$work/out")" = "0 2"
	check "trace: each line has time, direction and text" sh -c "! grep -vE '^[0-9]+\.[0-9]{6} [<>=] .+' '$work/trace'"
	check "trace: times never decrease" sort -c -s -n -k1,1 "$work/trace"
	check "trace: times are those of CLOCK_MONOTONIC" awk '
		NR == FNR { up = $1; next } FNR == 1 { exit !($1 > 1 && $1 <= up) }' /proc/uptime "$work/trace"
	words=$(awk '$3 !~ /^(PAD|WINDOW|DATA|NOTE|PING|PONG)$/ {print $2 $3}' "$work/trace" | tr '\n' ' ')
	check "trace: a whole session in order ($words)" test "$words" = \
		'=open =claim >SET_INTERFACE >HELLO <HELLO_REPLY >EOF <EXIT =release ' -o "$words" = \
		'=open =claim >SET_INTERFACE >HELLO <HELLO_REPLY <EXIT =release '
	check "trace: seq counts from 0 in each direction" awk '
		$4 == "seq" { if ($5 != next_seq[$2]++) bad++; n++ }
		END { exit bad || n < 5 }' "$work/trace"
	check "trace: HELLO has its fields" grep -qE \
		'> HELLO seq 0 len 24: link 1\.1, flags 0, buffer 32768, nonce 0x[0-9a-f]{16}, lease 0 ms' "$work/trace"
	check "trace: HELLO_REPLY has its fields" grep -qE \
		'< HELLO_REPLY seq 0 .* lease 15000 ms, window 262144, status 0, version "[0-9.]+"' "$work/trace"
	check "trace: data is printed as text" grep -qF '"STARTED_BPFD\n"' "$work/trace"
	check "trace: EXIT, frames and --stats have the same totals" awk '
		FILENAME ~ /err$/ { sent = $3; received = $9 + 0; next }
		$3 == "DATA" { moved[$2] += substr($7, 1, length($7) - 1) }
		$3 == "EXIT" { exit_received = $13 + 0; exit_sent = $15 + 0 }
		END { exit !(sent > 0 && sent == moved[">"] && received == moved["<"] &&
			exit_sent == received && exit_received == sent) }' "$work/err" "$work/trace"
	check "trace: only printable characters" sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/trace'"
	check "trace: other characters are escaped" grep -qF '\x1b]0;x\x07\nexit\n"' "$work/trace"

	bridge --trace -
	check "trace: - is stderr" err '^[0-9.]+ < EXIT seq'
	bridge -v -v
	check "trace: -v -v writes it to stderr" err '^[0-9.]+ < EXIT seq'
	bridge --trace /dev/full
	check "trace, disk full: status 0" test "$status $(cat "$work/out")" = "0 STARTED_BPFD"
	check "trace, disk full: reported once" test "$(grep -c 'trace: /dev/full: No space left' "$work/err")" = 1
	bridge --trace "$work/none/trace"
	check "trace: a file that cannot be created: status 250" test "$status" = 250

	mkfifo "$work/fifo"
	exec 9<>"$work/fifo"
	yes BPFD_VERSION | head -n 20000 >"$work/in"
	bpfd-usb --transfer 1024 --trace "$work/fifo" <"$work/in" >"$work/out" 2>"$work/err"
	check "trace, unread pipe: the session goes on" test "$? $(grep -c '^END_' "$work/out")" = "0 20000"
	check "trace, unread pipe: reported" err 'trace: .*fifo: .*not read'
	exec 9>&-

	(sleep 2; echo exit) | bpfd-usb --trace "$work/first" >/dev/null 2>"$work/err" &
	pid=$!
	until_true 10 grep -qs STARTED_BPFD "$work/first"
	bridge -s testboard --trace "$work/second"
	check "trace: claims of a busy lane and of the next" test "$(grep -c claim "$work/second")" = 2
	wait $pid
	bpfd-usb --trace "$work/cut" >/dev/null 2>"$work/err" < <(exec sleep 20) &
	pid=$!
	until_true 10 grep -qs STARTED_BPFD "$work/cut"
	unplug
	wait $pid
	check "trace, unplugged: status 255" test $? = 255
	check "trace, unplugged: has the failed transfer" grep -qE '= transfer from the board: ' "$work/cut"
	plug
}

# The board's program writes terminal escape sequences to stdout and stderr.
check_hostile()
{
	printf '#!/bin/sh\nprintf "\\033[2J\\033]0;x\\007\\200\\377"\nprintf "\\033[31mstderr\\033" >&2\n' >"$work/hostile"
	chmod +x "$work/hostile"
	gadget_start --bpfd "$work/hostile" || { not_ok "start the gadget with a hostile program"; return; }
	bridge --trace "$work/trace"
	check "hostile: stdout is passed on unchanged" test "$status $(od -An -tx1 "$work/out" | tr -d ' \n')" = \
		"0 1b5b324a1b5d303b7807""80ff"
	check "hostile: the trace has only printable characters" \
		sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/trace'"
	check "hostile: the trace has stdout escaped" grep -qF ': "\x1b[2J\x1b]0;x\x07\x80\xff"' "$work/trace"
	check "hostile: the trace has stderr escaped" grep -qF ': "\x1b[31mstderr\x1b"' "$work/trace"
	bridge --ping 2
	check "hostile: ping prints only printable characters" sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/out'"
	gadget_stop
}

load_udc || { not_ok "load dummy_hcd"; finish; }
gadget_start || { not_ok "start the gadget"; finish; }
check_ping
check_trace
check_bench
gadget_stop
check_others
check_hostile
check_no_leftovers
finish
