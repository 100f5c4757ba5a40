#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every text command: success, failure and malformed lines, the three dialects, and the quirks that
# clients rely on. Usage: commands.sh [COMMAND...]   (default: bpfd of $BPFD_BUILD)
# Another command, bpfd-usb, must give the same results.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"

[ $# -gt 0 ] || set -- "$BPFD_BUILD/bpfd"
transport=("$@")
tracefs=/sys/kernel/tracing
refused='Command not recognized.*'

# expect NAME LINE REGEX: sends the line. The lines of the reply's body, joined by "|", must match
# the regex as a whole.
expect()
{
	local name=$1 line=$2 regex=$3 text
	if ! client_command 1 "$line"; then
		not_ok "$name: no reply"
		return
	fi
	printf -v text '%s|' "${BODY[@]}"
	text=${text%|}
	if [[ $text =~ ^($regex)$ ]]; then
		ok "$name"
	else
		not_ok "$name" "$line -> ${text:0:300}, not $regex"
	fi
}

line_of()
{
	"$BPFD_BUILD/tools/bpf_line" "$@"
}
object=$BPFD_BUILD/tools/probe.bpf.o

# The documented example in a new session.
printf 'BPF_CREATE_MAP 1 count 8 40 10240 0\n' | "$@" >"$CLIENT_DIR/example"
status=$?
printf 'STARTED_BPFD\nSTART_BPFD_OUTPUT\nbpf_create_map: ret=3\nEND_BPFD_OUTPUT\n' \
	>"$CLIENT_DIR/wanted"
check "session: the documented example, byte for byte" cmp "$CLIENT_DIR/example" "$CLIENT_DIR/wanted"
check "session: status 0 at the end of input" test "$status" = 0
printf 'BPF_CREATE_MAP 1 count 8 40 10240 0' | "$@" >"$CLIENT_DIR/example"
check "session: a last line without newline is executed" cmp "$CLIENT_DIR/example" "$CLIENT_DIR/wanted"
printf '\n   \n\r\n  BPF_CREATE_MAP   1  count 8 40 10240 0  \r\nexit\nBPF_CREATE_MAP 1 a 8 40 1 0\n' |
	"$@" >"$CLIENT_DIR/example"
check "session: empty lines, spaces and carriage returns are ignored; exit ends it" cmp "$CLIENT_DIR/example" "$CLIENT_DIR/wanted"

client_open 1 "$@" || { not_ok "open a session"; finish; }

# Maps. 3 is the hash of the tests below; 4 and 5 come from the other dialects.
expect "create a map: dialect of 2018" "BPF_CREATE_MAP 1 count 8 16 64 0" 'bpf_create_map: ret=3'
expect "create a map: dialect of 2017" "BPF_CREATE_MAP 1 8 16 64 0" 'bpf_create_map: ret=4'
expect "create a map: dialect of 2019" "BPF_CREATE_MAP 1 count 8 16 64 0 1" 'bpf_create_map: ret=5'
expect "create a map: without a name" "BPF_CREATE_MAP 1 __none__ 8 16 64 0" 'bpf_create_map: ret=6'
expect "create a map: a name that the kernel rejects is omitted" \
	"BPF_CREATE_MAP 1 a-name-that-is-much-too-long-for-the-kernel 8 16 64 0" 'bpf_create_map: ret=7'
expect "create a map: key size 0" "BPF_CREATE_MAP 1 x 0 16 64 0" 'bpf_create_map: ret=-22'
expect "create a map: unknown type" "BPF_CREATE_MAP 9999 x 8 16 64 0" 'bpf_create_map: ret=-22'
expect "create a map: missing field" "BPF_CREATE_MAP 1 8 16" "$refused"
expect "create a map: not a number" "BPF_CREATE_MAP 1 x 8 y 64 0" "$refused"
for fd in 4 5 6 7; do
	expect "close a perf event: handle $fd is a map" "BPF_CLOSE_PERF_EVENT_FD $fd" \
		'bpf_close_perf_event_fd: ret=-9'
done

key=$(le 8 42) value=AAECAwQFBgcICQoLDA0ODw==
expect "update an element" "BPF_UPDATE_ELEM 3 $key 8 $value 16 0" 'bpf_update_elem: ret=0'
expect "update: BPF_NOEXIST and the key exists" "BPF_UPDATE_ELEM 3 $key 8 $value 16 1" 'bpf_update_elem: ret=-17'
expect "update: bad base64" "BPF_UPDATE_ELEM 3 !!!! 8 $value 16 0" "$refused"
expect "update: key longer than stated" "BPF_UPDATE_ELEM 3 $key 4 $value 16 0" '.*(ret=-22|not recognized).*'
expect "update: value longer than stated" "BPF_UPDATE_ELEM 3 $key 8 $value 8 0" '.*(ret=-22|not recognized).*'
expect "update: not a handle" "BPF_UPDATE_ELEM 0 $key 8 $value 16 0" 'bpf_update_elem: ret=-9'
expect "update: missing field" "BPF_UPDATE_ELEM 3 $key 8" "$refused"
expect "look up an element" "BPF_LOOKUP_ELEM 3 $key 8 16" "$value"
expect "lookup: no such key" "BPF_LOOKUP_ELEM 3 $(le 8 43) 8 16" 'bpf_lookup_elem: ret=-2'
expect "lookup: no such handle" "BPF_LOOKUP_ELEM 99 $key 8 16" 'bpf_lookup_elem: ret=-9'
expect "lookup: wrong value length" "BPF_LOOKUP_ELEM 3 $key 8 1000000" '.*(ret=-22|not recognized).*'
expect "lookup: missing field" "BPF_LOOKUP_ELEM 3" "$refused"
expect "update a second element" "BPF_UPDATE_ELEM 3 $(le 8 44) 8 $value 16 0" 'bpf_update_elem: ret=0'
expect "first key" "BPF_GET_FIRST_KEY 3 8 16 0" "($key|$(le 8 44))"
first=${BODY[0]}
expect "next key" "BPF_GET_NEXT_KEY 3 $first 8" "($key|$(le 8 44))"
second=${BODY[0]}
check "next key: differs from the first" test "$first" != "$second"
expect "next key: after the last" "BPF_GET_NEXT_KEY 3 $second 8" 'bpf_get_next_key: ret=-2'
expect "next key: missing field" "BPF_GET_NEXT_KEY 3" "$refused"
expect "dump a map" "BPF_GET_FIRST_KEY 3 8 16 1" "$first\|$value\|$second\|$value\|"
expect "dump: wrong key length" "BPF_GET_FIRST_KEY 3 4 16 1" '.*(ret=-22|not recognized).*'
expect "dump: not a handle" "BPF_GET_FIRST_KEY 1 8 16 1" 'bpf_get_first_key: ret=-9'
expect "delete an element" "BPF_DELETE_ELEM 3 $key 8" 'bpf_delete_elem: ret=0'
expect "delete: no such key" "BPF_DELETE_ELEM 3 $key 8" 'bpf_delete_elem: ret=-2'
expect "delete: missing field" "BPF_DELETE_ELEM 3" "$refused"
expect "clear a map" "BPF_CLEAR_MAP 3 8" 'bpf_clear_map: ret=1'
expect "clear: empty map" "BPF_CLEAR_MAP 3 8" 'bpf_clear_map: ret=0'
expect "clear: missing field" "BPF_CLEAR_MAP" "$refused"
expect "first key: empty map" "BPF_GET_FIRST_KEY 3 8 16 0" 'bpf_get_first_key: ret=-2'
expect "dump: empty map" "BPF_GET_FIRST_KEY 3 8 16 1" 'bpf_get_first_key: ret=-2'
expect "first key: missing field" "BPF_GET_FIRST_KEY 3 8" "$refused"

# Keys and values of one byte.
expect "one byte: create a map" "BPF_CREATE_MAP 1 tiny 1 1 16 0" 'bpf_create_map: ret=8'
expect "one byte: update" "BPF_UPDATE_ELEM 8 QQ== 1 Qg== 1 0" 'bpf_update_elem: ret=0'
expect "one byte: lookup" "BPF_LOOKUP_ELEM 8 QQ== 1 1" 'Qg=='
expect "one byte: dump" "BPF_GET_FIRST_KEY 8 1 1 1" 'QQ==\|Qg==\|'

# Per-CPU maps. An element has a value for each possible CPU, each padded to a multiple of 8 bytes.
cpus=$(on_board cat /sys/devices/system/cpu/possible | awk -F'[-,]' '{print $NF + 1}')
expect "per-CPU: create a map" "BPF_CREATE_MAP 5 percpu 4 4 16 0" 'bpf_create_map: ret=9'
per_cpu=$(head -c $((8 * cpus)) /dev/zero | base64 -w 0)
expect "per-CPU: update" "BPF_UPDATE_ELEM 9 $(le 4 1) 4 $per_cpu $((8 * cpus)) 0" 'bpf_update_elem: ret=0'
expect "per-CPU: lookup" "BPF_LOOKUP_ELEM 9 $(le 4 1) 4 $((8 * cpus))" "$per_cpu"
expect "per-CPU: update with the size of one value" "BPF_UPDATE_ELEM 9 $(le 4 1) 4 AAAAAA== 4 0" \
	'.*(ret=-22|not recognized).*'

# Programs and their attachments. 10 is the map counts, 11 the map events, 12 a program.
expect "create an array" "BPF_CREATE_MAP 2 counts 4 8 8 0" 'bpf_create_map: ret=10'
expect "create a perf event array" "BPF_CREATE_MAP 4 events 4 4 $cpus 0" 'bpf_create_map: ret=11'
expect "load a program: dialect of 2018" "$(line_of "$object" test/count0 2 GPL 0 counts=10)" 'bpf_prog_load: ret=12'
expect "load a program: dialect of 2017" "$(line_of -d 2017 "$object" test/count0 2 GPL 0 counts=10)" 'bpf_prog_load: ret=13'
expect "load a program: license with a space" "$(line_of "$object" test/count1 2 'GPL v2' 0 counts=10)" 'bpf_prog_load: ret=14'
expect "load a program: license with a space, dialect of 2017" "$(line_of -d 2017 "$object" test/count1 2 'GPL v2' 0 counts=10)" \
	'bpf_prog_load: ret=15'
expect "load a program: its map is not a handle" "$(line_of "$object" test/count0 2 GPL 0 counts=1)" 'bpf_prog_load: ret=-9.*'
expect "load a program: rejected by the verifier, with its log" "BPF_PROG_LOAD 2 bad 8 GPL 0 lQAAAAAAAAA=" \
	'bpf_prog_load: ret=-(13|22)\|.*R0.*'
expect "load a program: wrong length" "BPF_PROG_LOAD 2 bad 16 GPL 0 lQAAAAAAAAA=" '.*(ret=-22|not recognized).*'
expect "load a program: missing field" "BPF_PROG_LOAD 2 bad" "$refused"
expect "attach a kprobe" "BPF_ATTACH_KPROBE 12 0 p_test_getpgid ${SYSCALL}getpgid" 'bpf_attach_kprobe: ret=16'
expect "attach a kretprobe: dialect of 2019" "BPF_ATTACH_KPROBE 13 1 r_test_getpgid ${SYSCALL}getpgid 0 0" \
	'bpf_attach_kprobe: ret=17'
expect "attach a kprobe: no such function" "BPF_ATTACH_KPROBE 12 0 p_none no_such_function" \
	'bpf_attach_kprobe: ret=-(2|22)'
expect "attach a kprobe: not a program" "BPF_ATTACH_KPROBE 10 0 p_x do_exit" 'bpf_attach_kprobe: ret=-9'
expect "attach a kprobe: unknown kind" "BPF_ATTACH_KPROBE 12 7 p_x do_exit" "$refused"
expect "attach a kprobe: missing field" "BPF_ATTACH_KPROBE 12" "$refused"
expect "close an attachment" "BPF_CLOSE_PERF_EVENT_FD 16" 'bpf_close_perf_event_fd: ret=0'
expect "close an attachment: already closed" "BPF_CLOSE_PERF_EVENT_FD 16" 'bpf_close_perf_event_fd: ret=-9'
expect "close a perf event: -1" "BPF_CLOSE_PERF_EVENT_FD -1" 'bpf_close_perf_event_fd: ret=0'
expect "close a perf event: missing field" "BPF_CLOSE_PERF_EVENT_FD" "$refused"
for fd in 0 1 2; do
	expect "close a perf event: $fd is not a handle" "BPF_CLOSE_PERF_EVENT_FD $fd" 'bpf_close_perf_event_fd: ret=-9'
done
expect "detach a kprobe" "BPF_DETACH_KPROBE p_test_getpgid" 'bpf_detach_kprobe: ret=0'
expect "detach a kretprobe: its handle is open" "BPF_DETACH_KPROBE r_test_getpgid" 'bpf_detach_kprobe: ret=0'
expect "detach a kprobe: never attached" "BPF_DETACH_KPROBE p_never" 'bpf_detach_kprobe: ret=0'
expect "detach a kprobe: missing field" "BPF_DETACH_KPROBE" "$refused"

trigger=$TRIGGER
address=$(nm "$TRIGGER_FILE" | awk '$3 == "trigger_point" {print "0x" $1}')
offset=$(elf_offset "$TRIGGER_FILE" "$address")
expect "attach a uprobe" "BPF_ATTACH_UPROBE 12 0 p_test_uprobe $trigger $offset -1" 'bpf_attach_uprobe: ret=16'
expect "attach a uretprobe" "BPF_ATTACH_UPROBE 13 1 r_test_uprobe $trigger $offset -1" 'bpf_attach_uprobe: ret=17'
expect "attach a uprobe: no such file" "BPF_ATTACH_UPROBE 12 0 p_x /no/such/file 0 -1" 'bpf_attach_uprobe: ret=-2'
expect "attach a uprobe: missing field" "BPF_ATTACH_UPROBE 12 0 p_x" "$refused"
expect "detach a uprobe" "BPF_DETACH_UPROBE p_test_uprobe" 'bpf_detach_uprobe: ret=0'
expect "detach a uretprobe" "BPF_DETACH_UPROBE r_test_uprobe" 'bpf_detach_uprobe: ret=0'
expect "detach a uprobe: missing field" "BPF_DETACH_UPROBE" "$refused"

expect "load a tracepoint program" "$(line_of "$object" test/count1 5 GPL 0 counts=10)" 'bpf_prog_load: ret=16'
expect "attach a tracepoint" "BPF_ATTACH_TRACEPOINT 16 sched sched_switch" 'bpf_attach_tracepoint: ret=17'
expect "attach a tracepoint: no such event" "BPF_ATTACH_TRACEPOINT 16 sched no_such_event" 'bpf_attach_tracepoint: ret=-2'
expect "attach a tracepoint: the category is a path" "BPF_ATTACH_TRACEPOINT 16 ../../events/sched sched_switch" \
	'(bpf_attach_tracepoint: ret=-.*|Command not recognized.*)'
expect "attach a tracepoint: missing field" "BPF_ATTACH_TRACEPOINT 16" "$refused"
expect "detach a tracepoint" "BPF_DETACH_TRACEPOINT sched sched_switch" 'bpf_detach_tracepoint: ret=0'
expect "detach a tracepoint: missing field" "BPF_DETACH_TRACEPOINT" "$refused"
expect "load a perf event program" "$(line_of "$object" test/count1 7 GPL 0 counts=10)" 'bpf_prog_load: ret=1[78]'
perf=$(result)
expect "attach a perf event" "BPF_ATTACH_PERF_EVENT $perf 1 0 0 99 -1 0 -1" 'bpf_attach_perf_event: ret=1[789]'
expect "attach a perf event: unknown type" "BPF_ATTACH_PERF_EVENT $perf 9999 0 0 99 -1 0 -1" 'bpf_attach_perf_event: ret=-.*'
expect "attach a perf event: missing field" "BPF_ATTACH_PERF_EVENT $perf 1" "$refused"

# Rings.
expect "open a ring" "BPF_OPEN_PERF_BUFFER -1 0 8" 'bpf_open_perf_buffer: ret=[0-9]+'
ring=$(result)
expect "open a ring: the number of pages is no power of two" "BPF_OPEN_PERF_BUFFER -1 0 3" 'bpf_open_perf_buffer: ret=-.*'
expect "open a ring: no such CPU" "BPF_OPEN_PERF_BUFFER -1 9999 8" 'bpf_open_perf_buffer: ret=-.*'
expect "open a ring: too many pages" "BPF_OPEN_PERF_BUFFER -1 0 1073741824" '.*(ret=-|not recognized).*'
expect "open a ring: missing field" "BPF_OPEN_PERF_BUFFER" "$refused"
expect "update a perf event array: with a ring" "BPF_UPDATE_ELEM 11 $(le 4 0) 4 $(le 4 "$ring") 4 0" 'bpf_update_elem: ret=0'
expect "update a perf event array: not a ring" "BPF_UPDATE_ELEM 11 $(le 4 0) 4 $(le 4 1) 4 0" \
	'bpf_update_elem: ret=-9'
expect "poll: no data" "PERF_READER_POLL 0 1 $ring" ''
expect "poll: not a ring" "PERF_READER_POLL 0 1 10" 'perf_reader_poll: ret=-9'
expect "poll: the same ring ten times" "PERF_READER_POLL 0 10$(printf " $ring%.0s" 1 2 3 4 5 6 7 8 9 10)" '.*'
expect "poll: fewer rings than stated" "PERF_READER_POLL 0 3 $ring" "$refused"
expect "poll: a negative number of rings" "PERF_READER_POLL 0 -1" "$refused"
expect "poll: a huge number of rings" "PERF_READER_POLL 0 4294967297 $ring" "$refused"
expect "poll: missing field" "PERF_READER_POLL" "$refused"
expect "lost: none" "PERF_READER_LOST $ring" 'perf_reader_lost: ret=0'
expect "lost: not a ring" "PERF_READER_LOST 3" 'perf_reader_lost: ret=-9'
expect "close a ring" "BPF_CLOSE_PERF_EVENT_FD $ring" 'bpf_close_perf_event_fd: ret=0'

# Symbols.
symbols=$CLIENT_DIR/kallsyms
on_board cat /proc/kallsyms >"$symbols"
address=$(awk '$3 == "schedule" {print $1; exit}' "$symbols")
expect "kernel symbol by address" "GET_KSYM_NAME 0x$address" 'GET_KSYM_NAME: ret=0\|schedule;0x?0*;kernel'
expect "kernel symbol by address: decimal" "GET_KSYM_NAME $(printf '%u' $((16#$address + 1)))" \
	'GET_KSYM_NAME: ret=0\|schedule;(0x)?1;kernel'
expect "kernel symbol by address: no such symbol" "GET_KSYM_NAME 0x10" 'GET_KSYM_NAME: ret=-.*'
expect "kernel symbol by address: not a number" "GET_KSYM_NAME x" "$refused"
expect "kernel symbol by name" "GET_KSYM_ADDR schedule" "GET_KSYM_ADDR: ret=0\|$(printf '%u' "0x$address")"
expect "kernel symbol by name: no such symbol" "GET_KSYM_ADDR no_such_symbol" 'GET_KSYM_ADDR: ret=-.*'
expect "kernel symbol by name: missing field" "GET_KSYM_ADDR" "$refused"
# Names that begin with $, .L or L0 are mapping symbols of the assembler, which no lookup finds.
read -r address _ name _ < <(awk -v module="[$MODULE]" \
	'$4 == module && $2 == "t" && $3 !~ /^([$]|[.]L|L0)/ {print; exit}' "$symbols")
expect "kernel symbol by address: in a module" "GET_KSYM_NAME 0x$address" "GET_KSYM_NAME: ret=0\|${name//./\\.};(0x)?0;$MODULE"

start_wait "$trigger"
maps=$(on_board cat "/proc/$WAIT_PID/maps")
base=$(awk -v f="$trigger" '$6 == f && $3 == "00000000" {sub("-.*", "", $1); print "0x" $1; exit}' <<<"$maps")
address=$(nm "$TRIGGER_FILE" | awk '$3 == "trigger_wait" {print "0x" $1}')
expect "user symbol by address" "GET_USYM_NAME $WAIT_PID $(printf '%u' $((base + address))) 1" \
	"GET_USYM_NAME: ret=0\|trigger_wait;(0x)?0;$trigger"
expect "user symbol by name" "GET_USYM_ADDR $WAIT_PID trigger_wait $trigger" \
	"GET_USYM_ADDR: ret=0\|$(printf '%u' $((base + address)))"
expect "user symbol by name: in a library" "GET_USYM_ADDR $WAIT_PID read $(awk '/libc\.so/ {print $6; exit}' <<<"$maps")" \
	'GET_USYM_ADDR: ret=0\|[0-9]+'
libc_read=${BODY[1]:-0}
expect "user symbol by address: in a library" "GET_USYM_NAME $WAIT_PID $libc_read 0" 'GET_USYM_NAME: ret=0\|[_a-z]*read;(0x)?0;.*libc\.so.*'
expect "user symbol by address: not mapped" "GET_USYM_NAME $WAIT_PID 16 0" 'GET_USYM_NAME: ret=-.*'
expect "user symbol by address: no such process" "GET_USYM_NAME 999999 4096 0" 'GET_USYM_NAME: ret=-.*'
expect "user symbol by address: missing field" "GET_USYM_NAME $WAIT_PID" "$refused"
expect "user symbol by name: no such symbol" "GET_USYM_ADDR $WAIT_PID no_such_name $trigger" 'GET_USYM_ADDR: ret=-.*'
expect "user symbol by name: missing field" "GET_USYM_ADDR $WAIT_PID" "$refused"
expect "name of a process" "COMM_FOR_PID $WAIT_PID" 'trigger'
end_wait
expect "name of a process: no such process" "COMM_FOR_PID 999999" 'Open failed, ignoring'
expect "name of a process: not a number" "COMM_FOR_PID ../1" "$refused"

# Files.
# body COMMAND-LINE: prints the body of the reply. It uses a new session, because bash reads a reply
# byte by byte, which is slow for a large file.
body()
{
	printf '%s\n' "$1" | "${transport[@]}" | sed '1,/^START_BPFD_OUTPUT$/d; /^END_BPFD_OUTPUT$/d'
}
check "GET_KALLSYMS: the content of the file" cmp <(body GET_KALLSYMS) <(on_board cat /proc/kallsyms)
check "GET_KPROBES_BLACKLIST: the content of the file" \
	cmp <(body "GET_KPROBES_BLACKLIST /sys/kernel/debug/tracing") \
	<(on_board cat /sys/kernel/debug/kprobes/blacklist)
expect "GET_KPROBES_BLACKLIST: the directory is not tracefs" "GET_KPROBES_BLACKLIST /etc" 'Open failed, ignoring.*'
expect "GET_KPROBES_BLACKLIST: missing field" "GET_KPROBES_BLACKLIST" "$refused"
# directories PATH: prints the names of the directories in a directory.
directories()
{
	on_board ls -p "$1" | sed -n 's|/$||p'
}
client_command 1 "GET_TRACE_EVENTS_CATEGORIES $tracefs"
check "categories: complete" test "$(printf '%s\n' "${BODY[@]}" | sort | cksum)" = \
	"$(directories $tracefs/events | sort | cksum)"
client_command 1 "GET_TRACE_EVENTS $tracefs sched"
check "events: complete" test "$(printf '%s\n' "${BODY[@]}" | sort | cksum)" = \
	"$(directories $tracefs/events/sched | sort | cksum)"
expect "events: no such category" "GET_TRACE_EVENTS $tracefs nonesuch" "$refused"
expect "events: the category is a path" "GET_TRACE_EVENTS $tracefs ../../../../etc" "$refused"
expect "events: not tracefs" "GET_TRACE_EVENTS /etc sched" "$refused"
expect "categories: not tracefs" "GET_TRACE_EVENTS_CATEGORIES /etc/../etc" "$refused"
expect "categories: missing field" "GET_TRACE_EVENTS_CATEGORIES" "$refused"

release=$(on_board uname -r) # the '+' of Debian 13's must be escaped
expect "version of bpfd, kernel and machine" "BPFD_VERSION" ".*${release//+/\\+}.*$(on_board uname -m).*"
expect "unknown command" "BPF_NO_SUCH" "$refused"
expect "unknown command: a known one with a suffix" "BPF_CREATE_MAPX 1 x 8 8 8 0" "$refused"
client_close 1
check "session: status 0" test $? = 0
check_no_leftovers
finish
