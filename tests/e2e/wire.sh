#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the bridge shows of the cable: round trips (--ping), throughput (--bench), each frame
# (--trace); of a board that answers, one that is no bpfd, one that goes, and one that means harm.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

# bridge OPTION...: leaves status, $work/out, $work/err. A terminal is not needed: input is empty.
bridge()
{
	env --default-signal=INT bpfd-usb "$@" </dev/null >"$work/out" 2>"$work/err"
	status=$?
}
# out and err PATTERN: that stdout, or stderr, has such a line.
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
# start_ping OPTION...: PING_PID, that has printed a round trip.
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
	check "ping: says whom it asks" \
		out '^PING testboard at [0-9.-]+, lane [0-9]+, [0-9]+ Mb/s: link 1\.1, version [0-9.]+$'
	check "ping: three rounds, of the link and of bpfd" \
		test "$(grep -cE "^testboard: seq=[123] link=$ms ms bpfd=$ms ms\$" "$work/out")" = 3
	check "ping: counts" out '^3 sent, 3 answered by the link, 3 by bpfd$'
	check "ping: a summary for the link" out "^link min/median/max = $ms/$ms/$ms ms\$"
	check "ping: a summary for bpfd" out "^bpfd min/median/max = $ms/$ms/$ms ms\$"
	check "ping: the median is in between" awk -F'[=/ ]+' '
		/^(link|bpfd) min/ { n++; if ($5 > $6 || $6 > $7) bad++ }
		END { exit !(n == 2 && !bad) }' "$work/out"
	check "ping: nothing on stderr" quiet
	bridge --ping=1 -s testboard
	check "ping: a count behind =" test "$status $(grep -c seq= "$work/out")" = "0 1"
	bridge --ping 1 --stats
	check "ping: options behind the count" err 'sent [0-9]+ bytes'

	start_ping
	kill -INT $PING_PID
	wait $PING_PID
	check "ping, Ctrl-C: status 0" test $? = 0
	check "ping, Ctrl-C: the summary" out '^link min/median/max'
	start_ping
	kill -TERM $PING_PID
	wait $PING_PID 2>/dev/null
	check "ping, SIGTERM: dies of it" test $? = 143
	check "ping, SIGTERM: the summary" out '^link min/median/max'
	start_ping --lease 1
	check "ping: a short lease is kept" until_true 20 grep -q 'seq=4 ' "$work/out"
	kill -INT $PING_PID
	wait $PING_PID

	bpfd-usb --ping 2>"$work/err" | head -n 2 >"$work/out"
	check "ping, stdout closed: dies of SIGPIPE" test "${PIPESTATUS[0]}" = 141
	bpfd-usb --ping 1 >/dev/full 2>"$work/err"
	check "ping, stdout full: 255" test $? = 255

	start_ping
	pkill -STOP -x bpfd
	check "ping: a bpfd that hangs is told from a link that does" \
		until_true 20 out "link=$ms ms bpfd: no answer"
	check "ping: it is not asked again" until_true 20 out "link=$ms ms bpfd: still no answer"
	pkill -CONT -x bpfd
	check "ping: it is back" until_true 20 sh -c "tail -n 1 '$work/out' | grep -q bpfd="
	pkill -KILL -x bpfd
	wait $PING_PID
	check "ping: bpfd ends: 255" test $? = 255
	check "ping: bpfd ends: says so" err 'process of the session has ended'

	start_ping
	unplug
	wait $PING_PID
	check "ping, unplugged: 255" test $? = 255
	check "ping, unplugged: says so" err 'unplugged|went away'
	check "ping, unplugged: no account of bytes that nobody sent" sh -c "! grep -q consumed '$work/err'"
	check "ping, unplugged: the summary" out '^link min/median/max'
	plug
}

check_bench()
{
	bridge --bench
	check "bench: status 0" test "$status" = 0
	sed 's/^/# /' "$work/out"
	check "bench: says what is measured" \
		out '^testboard at [0-9.-]+, lane [0-9]+, [0-9]+ Mb/s: version .*, transfers below 32768 bytes to the board and 32768 from it'
	for way in 'to the board  ' 'from the board'; do
		check "bench: $way: five rounds of a second" awk -v way="$way" '
			index($0, way "  round") == 1 {
				n++
				sub(/.*: /, "")
				# bytes, transfers, seconds, MB/s must agree
				rate = $1 / $6 / 1e6
				if ($6 < 1 || $4 < 1 || rate < $8 * 0.98 || rate > $8 * 1.02) bad++
			}
			END { exit !(n == 5 && !bad) }' FS='[ ,]+' "$work/out"
		check "bench: $way: the median" out "^$way  min/median/max = [0-9.]+/[0-9.]+/[0-9.]+ MB/s\$"
	done
	check "bench: nothing on stderr" quiet
	bridge --bench --transfer 4096 --trace "$work/trace"
	check "bench: the totals of the trace are those of the rounds" awk '
		FILENAME ~ /trace$/ {
			if ($3 == "DATA") moved[$2] += substr($7, 1, length($7) - 1)
			next
		}
		/round/ { told[/^to/ ? ">" : "<"] += $6 }
		# Besides: the banner, replies that end the rounds to the board, and commands.
		END { exit !(told[">"] > 100000 && told["<"] > 100000 && moved[">"] - told[">"] < 200000 &&
			moved[">"] >= told[">"] && moved["<"] >= told["<"] && moved["<"] - told["<"] < 2000) }
		' "$work/trace" "$work/out"
	bridge --bench --ping
	check "bench and ping exclude one another" test "$status" = 250
	env --default-signal=INT bpfd-usb --bench >"$work/out" 2>"$work/err" &
	pid=$!
	until_true 20 grep -q 'round 1' "$work/out"
	kill -INT $pid
	wait $pid
	check "bench, Ctrl-C: dies of it" test $? = 130
	check "bench, Ctrl-C: what was measured" out '^to the board .* min/median/max'
}

# What is behind the link, and what a measurement says of it.
check_others()
{
	gadget_start --bpfd /bin/cat || { not_ok "start the gadget with cat"; return; }
	bridge --bench
	check "bench: not a bpfd: 255" test "$status" = 255
	check "bench: not a bpfd: says so" err 'is not bpfd; nothing more'
	bridge --ping 2
	check "ping: not a bpfd: the link" test "$status $(grep -cE "seq=[12] link=$ms ms\$" "$work/out")" = "0 2"
	check "ping: not a bpfd: says so" err 'is not bpfd; measuring only the link'
	check "ping: not a bpfd: nothing was sent to it" sh -c "! grep -q VERSION '$work/out' '$work/err'"
	gadget_stop

	printf '#!/bin/sh\necho hello\nexec cat >%s\n' "$work/got" >"$work/greeter"
	chmod +x "$work/greeter"
	gadget_start --bpfd "$work/greeter" || { not_ok "start the gadget with a greeter"; return; }
	SECONDS=0
	bridge --bench
	check "bench: a greeting of its own: refused at once" test "$status" = 255 -a $SECONDS -lt 4
	check "bench: and nothing was sent to it" test ! -s "$work/got"
	gadget_stop

	gadget_start --bpfd-args '--max-memory 0' || { not_ok "start the gadget without memory"; return; }
	bridge --bench
	check "bench: a bpfd that makes no map: 255, and why" err 'cannot create the map.*root'
	gadget_stop
}

check_trace()
{
	local words
	printf 'BPFD_VERSION\n\033]0;x\007\nexit\n' >"$work/in"
	bpfd-usb --trace "$work/trace" --stats <"$work/in" >"$work/out" 2>"$work/err"
	check "trace: the session is as ever" test "$? $(grep -c '^END_BPFD' "$work/out")" = "0 2"
	check "trace: each line has its form" sh -c "! grep -vE '^[0-9]+\.[0-9]{6} [<>=] .+' '$work/trace'"
	check "trace: time does not run backwards" sort -c -s -n -k1,1 "$work/trace"
	check "trace: and is the monotonic clock's" awk '
		NR == FNR { up = $1; next } FNR == 1 { exit !($1 > 1 && $1 <= up) }' /proc/uptime "$work/trace"
	words=$(awk '$3 !~ /^(PAD|WINDOW|DATA|NOTE|PING|PONG)$/ {print $2 $3}' "$work/trace" | tr '\n' ' ')
	check "trace: a whole session, in order ($words)" test "$words" = \
		'=open =claim >SET_INTERFACE >HELLO <HELLO_REPLY >EOF <EXIT =release ' -o "$words" = \
		'=open =claim >SET_INTERFACE >HELLO <HELLO_REPLY <EXIT =release '
	check "trace: seq counts from 0, each way" awk '
		$4 == "seq" { if ($5 != next_seq[$2]++) bad++; n++ }
		END { exit bad || n < 5 }' "$work/trace"
	check "trace: fields of HELLO" grep -qE \
		'> HELLO seq 0 len 24: link 1\.1, flags 0, buffer 32768, nonce 0x[0-9a-f]{16}, lease 0 ms' "$work/trace"
	check "trace: fields of HELLO_REPLY" grep -qE \
		'< HELLO_REPLY seq 0 .* lease 15000 ms, window 262144, status 0, version "[0-9.]+"' "$work/trace"
	check "trace: data as text" grep -qF '"STARTED_BPFD\n"' "$work/trace"
	check "trace: the totals of EXIT, of the frames and of --stats agree" awk '
		FILENAME ~ /err$/ { sent = $3; received = $9 + 0; next }
		$3 == "DATA" { moved[$2] += substr($7, 1, length($7) - 1) }
		$3 == "EXIT" { exit_received = $13 + 0; exit_sent = $15 + 0 }
		END { exit !(sent > 0 && sent == moved[">"] && received == moved["<"] &&
			exit_sent == received && exit_received == sent) }' "$work/err" "$work/trace"
	check "trace: nothing that a terminal obeys" sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/trace'"
	check "trace: what was escaped" grep -qF '\x1b]0;x\x07\nexit\n"' "$work/trace"

	bridge --trace -
	check "trace to stderr" err '^[0-9.]+ < EXIT seq'
	bridge -v -v
	check "-v -v is that" err '^[0-9.]+ < EXIT seq'
	bridge --trace /dev/full
	check "trace on a full disk: status 0" test "$status $(cat "$work/out")" = "0 STARTED_BPFD"
	check "trace on a full disk: told once" test "$(grep -c 'trace: /dev/full: No space left' "$work/err")" = 1
	bridge --trace "$work/none/trace"
	check "trace: a file that cannot be made: 250" test "$status" = 250

	mkfifo "$work/fifo"
	exec 9<>"$work/fifo"
	yes BPFD_VERSION | head -n 20000 >"$work/in"
	bpfd-usb --transfer 1024 --trace "$work/fifo" <"$work/in" >"$work/out" 2>"$work/err"
	check "trace that nobody reads: the session goes on" test "$? $(grep -c '^END_' "$work/out")" = "0 20000"
	check "trace that nobody reads: says so" err 'trace: .*fifo: .*not read'
	exec 9>&-

	(sleep 2; echo exit) | bpfd-usb --trace "$work/first" >/dev/null 2>"$work/err" &
	pid=$!
	until_true 10 grep -qs STARTED_BPFD "$work/first"
	bridge -s testboard --trace "$work/second"
	check "trace: a lane that is taken, and the next" test "$(grep -c claim "$work/second")" = 2
	wait $pid
	bpfd-usb --trace "$work/cut" >/dev/null 2>"$work/err" < <(exec sleep 20) &
	pid=$!
	until_true 10 grep -qs STARTED_BPFD "$work/cut"
	unplug
	wait $pid
	check "trace, unplugged: 255" test $? = 255
	check "trace, unplugged: the failed transfer" grep -qE '= transfer from the board: ' "$work/cut"
	plug
}

# A board's program that writes what terminals obey, on both of its outputs.
check_hostile()
{
	printf '#!/bin/sh\nprintf "\\033[2J\\033]0;x\\007\\200\\377"\nprintf "\\033[31mstderr\\033" >&2\n' >"$work/hostile"
	chmod +x "$work/hostile"
	gadget_start --bpfd "$work/hostile" || { not_ok "start the gadget with a hostile program"; return; }
	bridge --trace "$work/trace"
	check "hostile: the output is passed on as it is" test "$status $(od -An -tx1 "$work/out" | tr -d ' \n')" = \
		"0 1b5b324a1b5d303b7807""80ff"
	check "hostile: the trace has nothing but printable characters" \
		sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/trace'"
	check "hostile: output" grep -qF ': "\x1b[2J\x1b]0;x\x07\x80\xff"' "$work/trace"
	check "hostile: messages" grep -qF ': "\x1b[31mstderr\x1b"' "$work/trace"
	bridge --ping 2
	check "hostile: ping prints none of it" sh -c "! LC_ALL=C grep -q '[^ -~]' '$work/out'"
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
