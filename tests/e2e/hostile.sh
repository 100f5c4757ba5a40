#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lines that crashed, hung or corrupted other daemons: each gets an error reply and the session goes
# on. $BPFD_SAN_BUILD is a build directory with a bpfd for ASan and UBSan, which is preferred.
# after: build with ASan and UBSan
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=halt_on_error=1
bpfd=${BPFD_SAN_BUILD:-$BPFD_BUILD}/bpfd
client_open 1 "$bpfd" --max-line 16777216 || { not_ok "open a session"; finish; }
client_command 1 "BPF_CREATE_MAP 1 m 8 8 16 0"
check "start: a map for the tests" test "$(result)" = 3
client_command 1 "BPF_CREATE_MAP 4 e 4 4 2 0"
client_command 1 "BPF_OPEN_PERF_BUFFER -1 0 8"
check "start: a ring for the tests" test "$(result)" = 5

# error_reply LINE: checks that the line gets an error reply and the next command works.
error_reply()
{
	local name=${1:0:70}
	if ! client_command 1 "$1"; then
		not_ok "error reply: $name: no reply"
		return
	fi
	if [[ ${BODY[0]:-} != "Command not recognized"* && ${BODY[0]:-} != *ret=-* &&
		${BODY[0]:-} != "Open failed"* ]]; then
		not_ok "error reply: $name: another reply" "${BODY[*]:0:3}"
		return
	fi
	client_command 1 "BPF_CLEAR_MAP 3 8"
	check "error reply: $name" test "$(result)" = 0
}

client_send 1 "      "
client_command 1 "BPF_CLEAR_MAP 3 8"
check "a line of spaces gets no reply" test "$(result)" = 0
client_send 1 $'\r'
client_command 1 "BPF_CLEAR_MAP 3 8"
check "a line with only a carriage return gets no reply" test "$(result)" = 0

for number in -1 -2147483648 2147483648 4294967296 18446744073709551615 18446744073709551616 \
	99999999999999999999999 0x 1e9 '' ' ' %n 0xffffffffffffffff; do
	error_reply "BPF_LOOKUP_ELEM $number AAAAAAAAAAA= 8 8"
	error_reply "BPF_LOOKUP_ELEM 3 AAAAAAAAAAA= $number 8"
	error_reply "BPF_UPDATE_ELEM 3 AAAAAAAAAAA= 8 AAAAAAAAAAA= $number 0"
	error_reply "BPF_GET_FIRST_KEY 3 $number 8 1"
	error_reply "BPF_CREATE_MAP $number 8 8 16 $number"
	error_reply "BPF_CREATE_MAP 1 m $number $number $number 0"
	error_reply "BPF_PROG_LOAD 2 p $number GPL 0 lQAAAAAAAAA="
	error_reply "PERF_READER_POLL 0 $number 5"
	error_reply "PERF_READER_POLL 0 1 $number x"
	error_reply "BPF_OPEN_PERF_BUFFER $number 9999 8"
	error_reply "BPF_OPEN_PERF_BUFFER -1 0 $number"
	error_reply "COMM_FOR_PID $number"
	error_reply "GET_USYM_NAME $number 4096 0"
done
for fd in 0 1 2 99 3 4; do
	error_reply "BPF_CLOSE_PERF_EVENT_FD $fd"
done
error_reply "PERF_READER_POLL 0 7 5 5 5 5 5 5"
error_reply "PERF_READER_POLL 0 8 0 1 2 3 4 6 7 8"
error_reply "PERF_READER_POLL 0 1000000 5"
error_reply "BPF_UPDATE_ELEM 3 AAAAAAAAAAA= 8 $(head -c 100000 /dev/zero | base64 -w 0) 8 0"
error_reply "BPF_UPDATE_ELEM 3 $(head -c 100000 /dev/zero | base64 -w 0) 8 AAAAAAAAAAA= 8 0"
error_reply "BPF_UPDATE_ELEM 3 AAAA 8 AAAAAAAAAAA= 8 0"
error_reply "BPF_UPDATE_ELEM 3 A 8 AAAAAAAAAAA= 8 0"
error_reply "BPF_UPDATE_ELEM 3 ==== 8 AAAAAAAAAAA= 8 0"
error_reply "BPF_UPDATE_ELEM 3 AAAAAAAAAA=A 8 AAAAAAAAAAA= 8 0"
error_reply "GET_TRACE_EVENTS /sys/kernel/tracing ../../../proc/self"
error_reply "GET_TRACE_EVENTS /sys/kernel/tracing/../../../etc ."
error_reply "GET_TRACE_EVENTS_CATEGORIES ../../etc"
error_reply "GET_KPROBES_BLACKLIST /sys/kernel/tracing/../../../etc"
error_reply "GET_USYM_NAME 1/../self 4096 0"
error_reply "BPF_ATTACH_KPROBE 3 0 p_x do_exit"
error_reply "BPF_ATTACH_TRACEPOINT 3 ../sched x"
error_reply "BPF_ATTACH_UPROBE 3 0 e /../../etc/passwd 0 -1"
error_reply "$(printf 'x%.0s' {1..5000})"
error_reply "BPF_LOOKUP_ELEM$(printf ' 1%.0s' {1..3000})"
error_reply "$(printf '\001\002\377\376 \033[31m')"

# A line above the limit gets one error reply, and its end is not read as a command.
{
	printf 'BPF_PROG_LOAD 2 p 8 GPL 0 '
	head -c 18000000 /dev/zero | tr '\0' 'A'
	printf ' \nBPF_CLEAR_MAP 3 8\n'
} >"$CLIENT_DIR/long"
client_send_file 1 "$CLIENT_DIR/long"
client_reply 1
check "a line longer than the limit: one error reply" test "${BODY[0]:0:22}" = "Command not recognized"
client_reply 1
check "a line longer than the limit: the next command works" test "$(result)" = 0
# A long line within the limit.
{
	printf 'BPF_PROG_LOAD 2 p 8 GPL 0 '
	head -c 16000000 /dev/zero | tr '\0' 'A'
	printf '\nBPF_CLEAR_MAP 3 8\n'
} >"$CLIENT_DIR/long"
client_send_file 1 "$CLIENT_DIR/long"
client_reply 1
check "a line of 16 MB: one reply" test -n "${BODY[0]}"
client_reply 1
check "a line of 16 MB: the next command works" test "$(result)" = 0
# A NUL byte in a line.
printf 'BPF_CLEAR_MAP\0 3 8\nBPF_CLEAR_MAP 3 8\n' >"$CLIENT_DIR/nul"
client_send_file 1 "$CLIENT_DIR/nul"
client_reply 1
check "a line with a NUL byte: an error reply" test "${BODY[0]:0:22}" = "Command not recognized"
client_reply 1
check "a line with a NUL byte: the next command works" test "$(result)" = 0
client_close 1
check "end: status 0, so no sanitizer has found an error or a leak" test $? = 0
sed 's/^/# /' "$CLIENT_DIR/err.1" | head -n 40

# 300 kB of random bytes.
head -c 300000 /dev/urandom | "$bpfd" >"$CLIENT_DIR/noise" 2>"$CLIENT_DIR/err"
check "noise: status 0" test $? = 0
check "noise: every reply is an error" test "$(grep -a -v -c -E '^(STARTED_BPFD|START_BPFD_OUTPUT|END_BPFD_OUTPUT|Command not recognized)' "$CLIENT_DIR/noise")" = 0

# stderr is a full pipe that nobody reads.
mkfifo "$CLIENT_DIR/full"
exec 8<>"$CLIENT_DIR/full"
dd if=/dev/zero of="$CLIENT_DIR/full" bs=64k count=1 oflag=nonblock 2>/dev/null
dd if=/dev/zero of="$CLIENT_DIR/full" bs=1 count=65536 oflag=nonblock 2>/dev/null
printf 'BPF_CREATE_MAP 1 a-name-that-is-much-too-long 8 8 1 0\nBPF_ATTACH_KPROBE 9 0 a b\n' |
	timeout $((20 * PATIENCE)) "$bpfd" -v -v 2>&8 >"$CLIENT_DIR/quiet"
check "stderr full: bpfd does not hang" test $? = 0
check_no_leftovers
finish
