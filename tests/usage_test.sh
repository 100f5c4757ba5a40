#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Command lines and settings that the programs refuse: the exit status, and a message that names what
# is wrong. No root, no board. $BPFD_BUILD is the build directory; prints TAP.
set -u
: "${BPFD_BUILD:?is not set}"
PATH=$BPFD_BUILD:$PATH
export LC_ALL=C
unset BPFD_SERIAL BPFD_KEY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TESTS=0 FAILED=0

# expect STATUS TEXT COMMAND...: the command ends with the status and prints the text.
expect()
{
	local wanted=$1 text=$2 status output
	shift 2
	output=$("$@" 2>&1 </dev/null)
	status=$?
	TESTS=$((TESTS + 1))
	if [ "$status" = "$wanted" ] && [[ $output == *"$text"* ]]; then
		echo "ok $TESTS - ${*//$work/DIR}"
	else
		FAILED=$((FAILED + 1))
		echo "not ok $TESTS - ${*//$work/DIR}"
		printf 'status %s and not %s, or no "%s" in:\n%s\n' "$status" "$wanted" "$text" "$output" |
			sed 's/^/# /'
	fi
}

# full COMMAND...: its output goes to a full disk.
full()
{
	"$@" >/dev/full
}
# settings LINE...: bpfd-gadget with a configuration file of these lines.
settings()
{
	printf '%s\n' "$@" >"$work/conf"
	bpfd-gadget --config "$work/conf" --remove --ffs-dir "$work"
}

for program in bpfd bpfd-gadget bpfd-usb bpfd-run; do
	case $program in
	bpfd | bpfd-gadget) usage=2 ;;
	bpfd-usb) usage=250 ;;
	bpfd-run) usage=125 ;;
	esac
	expect 0 "$program " $program --version
	expect 0 'Options:' $program --help
	expect $usage "unrecognized option '--none'" $program --none
	expect $((usage == 2 ? 1 : usage == 250 ? 255 : 125)) 'stdout: No space left' full $program --help
done

# bpfd
expect 0 'BPF_CREATE_MAP' bpfd --commands
expect 1 'stdout: No space left' full bpfd --commands
expect 2 'word: unexpected argument' bpfd word
expect 2 '--profile none: not trace or minimal' bpfd --profile none
for option in max-line=255 max-handles=0 max-memory=-1 max-poll-bytes=0 max-log-bytes=1 chunk-bytes=1 \
	max-file-bytes=x max-ring-pages=1048577 max-heap=1; do
	expect 2 "--${option/=/ }: not a number from" bpfd "--$option"
done
expect 0 'Without, in profile minimal:' bpfd --profile minimal --help
expect 0 '' bpfd --read-only --proc "$work" --sysfs "$work" --tracefs "$work"
# stopped SIGNAL: a session that waits for commands ends by this signal.
stopped()
{
	timeout --preserve-status --signal "$1" 0.2 bpfd --profile minimal <>"$work/commands"
}
mkfifo "$work/commands"
expect 143 '' stopped TERM
expect 129 '' stopped HUP

# bpfd-gadget
for option in lanes=0 lanes=9 lanes=one vendor-id=0 vendor-id=0x10000 product-id=x; do
	expect 2 "--${option/=/: }: not a number from" bpfd-gadget "--$option"
done
expect 2 '--serial: : not 1 to 126 printable' bpfd-gadget --serial ''
expect 2 '--require-key: maybe: neither yes nor no' bpfd-gadget --require-key=maybe
expect 2 '--read-only: 1: neither yes nor no' bpfd-gadget --read-only=1
expect 2 '--join: a/b/c: not GADGET or GADGET/CONFIGURATION' bpfd-gadget --join a/b/c
expect 2 '--join: .: not GADGET' bpfd-gadget --join .
expect 2 'too long' bpfd-gadget --join "$(printf 'x%.0s' $(seq 600))"
# shellcheck disable=SC2046 # options are words
expect 2 'too many lanes' bpfd-gadget $(printf -- '--ffs-dir=%s ' 1 2 3 4 5 6 7 8 9)
expect 2 '--join, --ffs-dir: give one of them, not both' bpfd-gadget --join a --ffs-dir b
expect 2 'word: unexpected argument' bpfd-gadget --check word
expect 2 "$work/none: No such file" bpfd-gadget --config "$work/none"
expect 2 "$work: Is a directory" bpfd-gadget --config "$work"
expect 0 '' settings '# a comment' '' 'lanes = 2' 'read-only = yes' 'require-key = no' 'serial = x' \
	'udc = u' 'bpfd = b' 'bpfd-args = -v' 'authorized-keys = k' 'vendor-id = 1' 'join = other' 'configfs = c'
expect 2 'conf:2: not NAME = VALUE' settings '# a comment' 'lanes 2'
expect 2 'conf:1: no such setting' settings 'lane = 2'
expect 2 'conf:1: no value' settings 'lanes ='
expect 2 'conf:1: bad value' settings 'lanes = 20'
expect 2 'not in a configuration file' settings 'config = other'
expect 1 'authorized-keys' bpfd-gadget --require-key --authorized-keys "$work/authorized-keys" \
	--configfs "$work" --udc none
# No kernel serves this ep0, so writing to it fails. The daemon ends with one message.
mkdir "$work/lane"
touch "$work/lane/ep0" "$work/lane/ep1" "$work/lane/ep2"
serve=(bpfd-gadget --ffs-dir "$work/lane")
expect 1 'lane/ep0: No such file' bpfd-gadget --ffs-dir "$work/none/lane"
# failures: the number of messages about it
failures()
{
	"${serve[@]}" 2>&1 | grep -c 'ep0: Input/output error'
}
if "${serve[@]}" 2>&1 | grep 'AIO'; then
	TESTS=$((TESTS + 1))
	echo "ok $TESTS # SKIP the kernel has no AIO, or none is left"
else
	expect 1 'ending because of the failure above' "${serve[@]}"
	expect 0 1 failures
	expect 1 'NOTIFY_SOCKET: relative: not a usable address' env NOTIFY_SOCKET=relative "${serve[@]}"
	expect 1 "NOTIFY_SOCKET: $work/none: No such file" env "NOTIFY_SOCKET=$work/none" "${serve[@]}"
	expect 1 'NOTIFY_SOCKET: @bpfd_usage_test: Connection refused' \
		env NOTIFY_SOCKET=@bpfd_usage_test "${serve[@]}"
fi

# bpfd-usb: an empty sysfs has no board; of two boards the user must choose one.
board() { # board PATH SERIAL: the board is on bus 250, which has no device files
	local device=$work/sys/bus/usb/devices/$1
	mkdir -p "$device" "$device:1.0"
	echo 250 >"$device/busnum"
	echo 99 >"$device/devnum"
	echo "$2" >"$device/serial"
	echo ff >"$device:1.0/bInterfaceClass"
	echo b7 >"$device:1.0/bInterfaceSubClass"
	echo 01 >"$device:1.0/bInterfaceProtocol"
}
usb=(bpfd-usb --sysfs "$work/sys")
expect 250 'word: unexpected argument' bpfd-usb word
expect 250 '--ping, --bench, --list and --keygen cannot be combined' bpfd-usb --ping --bench
for option in wait=0 lease=0 lease=1000000 ping=0 transfer=1; do
	expect 250 "--${option/=/: }: not a number from" bpfd-usb "--$option"
done
expect 250 '--ping: 0: not a number from' bpfd-usb --ping 0
expect 250 '--transfer: 1025: not a multiple of 1024' bpfd-usb --transfer 1025
expect 250 "--trace: $work/none/trace: No such file" bpfd-usb --trace "$work/none/trace"
expect 253 'conf: Not a directory' bpfd-usb --sysfs "$work/conf" --list
expect 255 'conf: Not a directory' bpfd-usb --sysfs "$work/conf"
mkdir -p "$work/sys/bus/usb/devices"
expect 253 'board: none found; plug it in' "${usb[@]}" --list
expect 0 '[' "${usb[@]}" --json
expect 253 'board one: not found' "${usb[@]}" --serial one
expect 253 'board one: not found' env BPFD_SERIAL=one "${usb[@]}"
expect 253 'board: waiting for it' "${usb[@]}" --wait=1
board 1-1 one
expect 0 'one' "${usb[@]}" --list
expect 253 '/dev/bus/usb/250/099: missing, although board 1-1 is on the bus' "${usb[@]}" --stats
board 1-2 two
expect 252 'board: 2 match; choose one' "${usb[@]}" --ping 5
expect 253 'board three: not found' "${usb[@]}" --bench -s three
expect 255 'stdout: No space left' full "${usb[@]}" --list
expect 0 'ssh-ed25519 ' bpfd-usb --keygen "$work/key"
expect 255 "$work/key: File exists" bpfd-usb --keygen "$work/key"
expect 255 "$work/none/key: No such file" bpfd-usb --keygen "$work/none/key"
expect 250 "$work/none" "${usb[@]}" --key "$work/none"

# bpfd-run
expect 125 'no tool given' bpfd-run
expect 125 '--serial cannot be used with --via' bpfd-run --serial x --via y true
expect 125 "--headers: $work/none: No such file" bpfd-run --headers "$work/none" true
expect 125 "--sysroot: $work/none: No such file" bpfd-run --sysroot "$work/none" true
expect 127 'none: No such file' bpfd-run "$work/none"
expect 126 "$work: Permission denied" bpfd-run "$work"
expect 125 "--trace: $work/none/trace: No such file" bpfd-run --trace "$work/none/trace" true
expect 125 'bpfd' bpfd-run --via 'exit 3' true
expect 125 "bpfd-usb --serial 'it'\\''s'" bpfd-run --serial "it's" true
if bpfd-run --via bpfd true 2>&1 | grep 'no seccomp user notifications'; then
	TESTS=$((TESTS + 1))
	echo "ok $TESTS # SKIP this kernel has no seccomp user notifications"
else
	expect 3 '' bpfd-run --via bpfd --trace "$work/trace" sh -c 'exit 3'
	expect 137 '' bpfd-run --via bpfd sh -c 'kill -9 $$'
fi

echo "1..$TESTS"
[ "$FAILED" = 0 ]
