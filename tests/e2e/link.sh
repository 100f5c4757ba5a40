#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The USB link is transparent: it carries the same bytes as a pipe, also large amounts.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)

load_udc || { not_ok "load dummy_hcd"; finish; }

gadget_start || { not_ok "start the gadget"; finish; }
# bulk_updates COUNT: prints updates of map 3 with 8-byte keys 0 … COUNT-1 and 40-byte values. Only
# the low 24 bits of a key vary, which are its first four base64 digits.
bulk_updates()
{
	awk -v count="$1" 'BEGIN {
		d = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		for (i = 0; i < 53; i++) zeros = zeros "A"
		for (n = 0; n < count; n++) {
			v = (n % 256) * 65536 + int(n / 256) % 256 * 256 + int(n / 65536)
			key = substr(d, int(v / 262144) + 1, 1) substr(d, int(v / 4096) % 64 + 1, 1) \
				substr(d, int(v / 64) % 64 + 1, 1) substr(d, v % 64 + 1, 1)
			print "BPF_UPDATE_ELEM 3", key "AAAAAAA=", 8, zeros "=" substr(zeros, 1, 0), 40, 0
		}
	}'
}
value=$(head -c 40 /dev/zero | base64 -w 0)
{
	echo "BPF_CREATE_MAP 1 count 8 40 65536 0"
	bulk_updates 65536 | sed "s#A\{53\}=#$value#"
	echo "BPF_GET_FIRST_KEY 3 8 40 1"
	echo "GET_KALLSYMS"
	echo "BPF_CLEAR_MAP 3 8"
	echo "no such command"
	echo "GET_KSYM_ADDR schedule"
	echo "exit"
} >"$work/script"
bpfd <"$work/script" >"$work/pipe"
check "large script: status 0 on a pipe" test $? = 0
bpfd-usb <"$work/script" >"$work/usb"
check "large script: status 0 through the link" test $? = 0
check "large script: 65,536 updates succeed" test "$(grep -c 'bpf_update_elem: ret=0' "$work/pipe")" = 65536
check "large script: 65,536 elements are deleted" grep -q '^bpf_clear_map: ret=65536$' "$work/usb"
# The kernel seeds each hash map differently, so the order of a dump varies.
check "large script: both give the same lines" cmp <(sort "$work/pipe") <(sort "$work/usb")
check "large script: the dump has 65,536 keys and values" grep -q -x 131073 \
	<(awk '/^START/ {n = 0; next} /^END/ {print n} {n++}' "$work/usb")
awk '/^END_BPFD/ {on = 0} on {print} /^START_BPFD/ {on = 1}' "$work/usb" | grep -E '^[0-9a-f]{8,} . ' >"$work/kallsyms"
check "large script: GET_KALLSYMS is complete" cmp "$work/kallsyms" /proc/kallsyms
printf 'BPF_CREATE_MAP 2 a 4 8 16 0\nBPF_LOOKUP_ELEM 3 AAAAAA== 4 8\nGET_KSYM_NAME 0\nbad line\n\n\nBPF_CLEAR_MAP 9 4' >"$work/script"
bpfd <"$work/script" >"$work/pipe"
bpfd-usb <"$work/script" >"$work/usb"
check "small script: both give the same bytes" cmp "$work/pipe" "$work/usb"
bpfd-usb </dev/null >"$work/usb"
check "no input: banner and status 0" test "$? $(cat "$work/usb")" = "0 STARTED_BPFD"
check "bpfd: the daemon ends with status 0" gadget_stop

gadget_start --bpfd /bin/cat || { not_ok "start the gadget with cat"; finish; }
head -c 100000000 /dev/urandom >"$work/random"
bpfd-usb --stats <"$work/random" 2>"$work/stats" | cmp - "$work/random"
check "cat: 100 MB come back unchanged" test "${PIPESTATUS[*]}" = "0 0"
sed 's/^/# /' "$work/stats"
for size in 1 23 24 55 56 57 63 64 65 511 512 513 1023 1024 4096 16320 16351 16352 16353 16359 16360 16384 \
	32704 32735 32736 32737 32743 32744 32768 65535 65536; do
	head -c "$size" "$work/random" >"$work/part"
	bpfd-usb <"$work/part" >"$work/back" || { not_ok "cat: $size bytes: status 0"; continue; }
	cmp -s "$work/part" "$work/back" || not_ok "cat: $size bytes come back"
done
ok "cat: sizes next to the limits of frames and transfers come back"
check "cat: the daemon ends with status 0" gadget_stop

gadget_start --bpfd /bin/sh || { not_ok "start the gadget with sh"; finish; }
# status_of COMMAND: runs the command in a session's shell; sets status, $work/out, $work/err.
status_of()
{
	echo "$1" | bpfd-usb >"$work/out" 2>"$work/err"
	status=$?
}
status_of 'echo out; echo err >&2; exit 37'
check "sh: the board's exit status is that of bpfd-usb" test "$status $(cat "$work/out")" = "37 out"
check "sh: the board's stderr is that of bpfd-usb" grep -q '^err$' "$work/err"
status_of 'kill -9 $$'
check "sh: status 128 + N if signal N kills the board's process" test "$status" = 137
status_of 'exec >&-; sleep 1; exit 3'
check "sh: the board's process may close stdout early" test "$status" = 3
status_of 'exec <&-; sleep 1; echo done'
check "sh: the board's process may close stdin early" test "$status $(cat "$work/out")" = "0 done"
check "sh: the daemon ends with status 0" gadget_stop
check_no_leftovers
finish
