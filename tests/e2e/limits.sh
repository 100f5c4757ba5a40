#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The limits of a session: memory, handles, sizes; and lanes that stop reading.
#
# A command that exceeds a limit gets an error reply, and the session continues. A host or a session
# that stops reading does not affect other sessions.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"
work=$(mktemp -d)
bpfd=$BPFD_BUILD/bpfd
object=$BPFD_BUILD/tools/probe.bpf.o

# gives NAME RESULT LINE: session 1 answers the command with that result.
gives()
{
	client_command 1 "$3"
	if [ "$(result)" = "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "${3:0:80} -> ${BODY[*]:0:2}, not $2"
	fi
}
session()
{
	client_open 1 "$@" || { not_ok "open a session: $*"; finish; }
}
session_ends()
{
	client_close 1
	check "$1: the session exits with status 0" test $? = 0
}

session "$bpfd" --max-line 256
client_command 1 "$(printf 'x%.0s' {1..300})"
check "max-line: a longer line is refused" \
	test "${BODY[*]}" = "Command not recognized: the line is too long"
gives "max-line: the session continues" 3 "BPF_CREATE_MAP 1 m 4 4 4 0"
session_ends max-line

session "$bpfd" --max-handles 2
gives "max-handles: the first map is made" 3 "BPF_CREATE_MAP 1 m 4 4 4 0"
gives "max-handles: the second map is made" 4 "BPF_CREATE_MAP 4 e 4 4 2 0"
gives "max-handles: a third map gets EMFILE" -24 "BPF_CREATE_MAP 1 m 4 4 4 0"
gives "max-handles: a ring gets EMFILE" -24 "BPF_OPEN_PERF_BUFFER -1 0 8"
gives "max-handles: the session continues" 0 "BPF_UPDATE_ELEM 3 $(le 4 1) 4 $(le 4 1) 4 0"
session_ends max-handles

# The process may have been started with a limit that allows fewer descriptors than handles.
session bash -c 'ulimit -n 12; exec "$@"' - "$bpfd"
for _ in {1..12}; do
	client_command 1 "BPF_CREATE_MAP 1 m 4 4 4 0"
done
check "descriptors: without a free one a map gets EMFILE" test "$(result)" = -24
gives "descriptors: the session continues" 0 "BPF_UPDATE_ELEM 3 $(le 4 1) 4 $(le 4 1) 4 0"
session_ends descriptors

session "$bpfd" --max-memory 1000000
gives "max-memory: a map that is too large gets ENOMEM" -12 "BPF_CREATE_MAP 1 m 4 1000 1000 0"
gives "max-memory: a ring that is too large gets ENOMEM" -12 "BPF_OPEN_PERF_BUFFER -1 0 256"
gives "max-memory: a smaller ring is made" 3 "BPF_OPEN_PERF_BUFFER -1 0 128"
gives "max-memory: a second ring gets ENOMEM" -12 "BPF_OPEN_PERF_BUFFER -1 0 128"
gives "max-memory: the first ring is closed" 0 "BPF_CLOSE_PERF_EVENT_FD 3"
gives "max-memory: its memory can be used again" 3 "BPF_OPEN_PERF_BUFFER -1 0 128"
client_command 1 "$("$BPFD_BUILD/tools/bpf_line" -p 100000 "$object" test/count0 2 GPL 0 counts=3)"
check "max-memory: a program that is too large is refused" test "$(result)" -lt 0
session_ends max-memory

session "$bpfd" --max-ring-pages 8
gives "max-ring-pages: a ring that is too large gets ENOMEM" -12 "BPF_OPEN_PERF_BUFFER -1 0 16"
gives "max-ring-pages: a smaller ring is made" 3 "BPF_OPEN_PERF_BUFFER -1 0 8"
session_ends max-ring-pages
# rpc_rings uses the rings of CPU 0 and works with binary messages.
taskset -c 0 "$BPFD_BUILD/tools/rpc_rings" ring - - "$bpfd" --max-ring-pages 1 >"$work/rings" 2>&1
check "max-ring-pages: binary messages have the same limit" test $? != 0
check "max-ring-pages: the default is enough for them" \
	taskset -c 0 "$BPFD_BUILD/tools/rpc_rings" ring - - "$bpfd"

# Only the end of a longer log is kept, or nothing. The program gets the same error as with the
# whole log.
session "$bpfd" --max-log-bytes 4096
gives "max-log-bytes: a bad program gets EACCES" -13 "BPF_PROG_LOAD 2 bad 8 GPL 0 lQAAAAAAAAA="
session_ends max-log-bytes

# Binary messages, made with Python.
cat >"$work/messages.py" <<'PY'
import os, struct, subprocess, sys

HELLO, BPF, CLOSE, FILE_READ = 1, 2, 4, 15
MAP_CREATE, MAP_UPDATE_ELEM, MAP_DELETE_ELEM = 0, 2, 3
ARRAY, ARRAY_OF_MAPS = 2, 12

def message(tag, op, payload):
    return struct.pack("<IIHH", len(payload), tag, op, 0) + payload

def read(tag, path):
    return message(tag, FILE_READ, struct.pack("<I", len(path)) + path + struct.pack("<Q", 0))

def bpf(tag, command, attr, *given):
    values = [struct.pack("<BII", 1, 0, len(data)) + data for data in given]
    return message(tag, BPF, struct.pack("<II", command, len(attr)) + attr + b"".join(values))

def array(tag):
    return bpf(tag, MAP_CREATE, struct.pack("<5I", ARRAY, 4, 600000, 1, 0))

def replies(options, data):
    """Runs bpfd with the options on the messages. Returns the last status and the number of payload
    bytes of each tag."""
    run = subprocess.run([os.environ["BPFD_BUILD"] + "/bpfd", *options], stdout=subprocess.PIPE,
        input=b"BPFD_RPC 1\n" + data, check=True)
    at = run.stdout.index(b"END_BPFD_OUTPUT\n") + 16
    status, size = {}, {}
    while at < len(run.stdout):
        length, tag, _, _ = struct.unpack("<IIHH", run.stdout[at:at + 12])
        status[tag] = struct.unpack("<i", run.stdout[at + 12:at + 16])[0]
        size[tag] = size.get(tag, 0) + length - 4
        at += 12 + length
    return status, size

hello = struct.pack("<HH", 1, 0)
if sys.argv[1] == "heap":
    status, _ = replies(["--max-heap", "3000000"],
        message(1, HELLO, hello) + message(2, BPF, bytes(16 << 20)) + message(3, HELLO, hello))
    assert status == {1: 0, 2: -12, 3: 0}, status
elif sys.argv[1] == "held":
    # The second map holds the first one, although its handle is closed, until the element is deleted.
    key, element = bytes(4), struct.pack("<IIQQQ", 4, 0, 0, 0, 0)
    status, _ = replies(["--max-memory", "2000000"],
        array(1) + bpf(2, MAP_CREATE, struct.pack("<6I", ARRAY_OF_MAPS, 4, 4, 1, 0, 3))
        + bpf(3, MAP_UPDATE_ELEM, element, key, struct.pack("<I", 3))
        + message(4, CLOSE, struct.pack("<I", 3)) + array(5)
        + bpf(6, MAP_DELETE_ELEM, element, key) + array(7))
    assert status == {1: 3, 2: 4, 3: 0, 5: -12, 6: 0, 7: 3}, status
elif sys.argv[1] == "file":
    status, size = replies(["--max-file-bytes", "100000"],
        read(1, b"/proc/kallsyms") + read(2, b"/proc/version") + read(3, b"/sys/kernel/btf/vmlinux"))
    assert status == {1: -27, 2: 0, 3: -27}, status
    assert size[1] < 200000 and size[3] < 200000, size
PY
check "max-memory: a closed map counts while another map holds it" python3 "$work/messages.py" held
check "max-file-bytes: a larger file gets EFBIG and is not read further" \
	python3 "$work/messages.py" file
check "max-heap: a large message gets ENOMEM, and the next one is answered" \
	python3 "$work/messages.py" heap
session "$bpfd" --max-heap 3000000
{
	head -c 8000000 /dev/zero | tr '\0' 'A'
	printf '\n'
} >"$work/long"
client_send_file 1 "$work/long"
client_reply 1
check "max-heap: a line that needs more memory is refused" test "${BODY[*]}" = \
	"Command not recognized: the line is too long"
gives "max-heap: the session continues" 3 "BPF_CREATE_MAP 1 m 4 4 4 0"
check "max-heap: the kernel enforces it" grep -q 'Max data size *3000000 *3000000' "/proc/${CLIENT_PID[1]}/limits"
# The symbols of the kernel take megabytes.
client_command 1 "GET_KSYM_ADDR schedule"
check "max-heap: without memory for the symbols there is a reply" test "$(result)" -le 0
gives "max-heap: the session continues after that" 0 "BPF_UPDATE_ELEM 3 $(le 4 1) 4 $(le 4 1) 4 0"
session_ends max-heap
for option in max-heap=1000 max-file-bytes=0 max-ring-pages=0 max-ring-pages=x; do
	"$bpfd" --$option </dev/null >/dev/null 2>"$work/err"
	check "$option: status 2" test $? = 2
	check "$option: the message says why" grep -q 'not a number from' "$work/err"
done

# Three lanes: two are stuck, each in a different way, and the third must not notice.
load_udc is_super_speed=1 && gadget_start --lanes 3 || { not_ok "start the gadget"; finish; }
check "three lanes: the host sees them" until_true 10 device_present 3
{
	echo "BPF_CREATE_MAP 2 big 4 200 20000 0"
	for _ in {1..2}; do
		echo "BPF_GET_FIRST_KEY 3 4 200 1"
	done
} >"$work/script"
"$bpfd" <"$work/script" >"$work/right"
# stopped PID: stops the process, and waits until it no longer runs.
stopped()
{
	kill -STOP "$1" && until_true 5 grep -q '^State:.*T' "/proc/$1/status"
}
# First lane: the host does not read. Its lease is long.
bpfd-usb --lease 300 <"$work/script" >"$work/out.1" 2>"$work/err.1" &
host=$!
until_true 20 test -s "$work/out.1"
check "first lane: the host is stopped" stopped $host
# Second lane: the session does not read what the host sends.
mkfifo "$work/in"
bpfd-usb --lease 300 <"$work/in" >"$work/out.2" 2>"$work/err.2" &
flood=$!
exec 9>"$work/in"
echo "BPF_CREATE_MAP 1 m 4 4 4 0" >&9
until_true 20 grep -q bpf_create_map "$work/out.2"
stuck=$(pgrep -n -x bpfd)
check "second lane: the session is stopped" stopped "$stuck"
(yes 'BPF_UPDATE_ELEM 3 AQAAAA== 4 AQAAAA== 4 0' | head -n 20000 >&9) &
sender=$!
exec 9>&-
for round in 1 2; do
	timeout 120 bpfd-usb <"$work/script" >"$work/out.3" 2>"$work/err.3"
	check "third lane, round $round: the session exits with status 0" test $? = 0
	check "third lane, round $round: the output is complete" cmp "$work/out.3" "$work/right"
done
check "first lane: the output is still incomplete" \
	test "$(stat -c %s "$work/out.1")" -lt "$(stat -c %s "$work/right")"
check "the worker uses less than 8 MB" test "$(awk '/^VmRSS/ {print $2}' "/proc/$(worker_pid)/status")" -lt 8000
kill -CONT $host "$stuck"
wait $host
check "first lane, continued: the session exits with status 0" test $? = 0
check "first lane, continued: the output is complete" cmp "$work/out.1" "$work/right"
wait $sender
wait $flood
check "second lane, continued: the session exits with status 0" test $? = 0
check "second lane, continued: all commands are answered" \
	test "$(grep -c 'bpf_update_elem: ret=0' "$work/out.2")" = 20000
gadget_stop
check "the daemon exits with status 0" test $? = 0
check_no_leftovers
finish
