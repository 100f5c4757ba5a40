#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The programs of `board/build riscv64` under user-mode emulation: they start, and answer commands
# that do not need bpf(2), which the emulator lacks.
set -u
cd "$(dirname "$0")/.." || exit 1
programs=${BPFD_BUILD:-build}/boards/riscv64
emulator=qemu-riscv64-static
command -v $emulator >/dev/null || {
	echo "1..0 # SKIP no $emulator (run tests/deps riscv64)"
	exit 0
}

n=0
check() { # check NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$programs/check" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$programs/check" "$programs/replies"
	fi
}
replies() { # replies LINE...
	printf '%s\n' "$@" | $emulator "$programs/bpfd" >"$programs/replies"
}

replies BPFD_VERSION "COMM_FOR_PID $$" 'BPF_CREATE_MAP 1 count 8 40 16 0' '  ' 'no command'
check "bpfd: status 0" test $? = 0
check "bpfd: the version has the machine" grep -q "^[0-9.]* [0-9]* $(uname -r) riscv64 " "$programs/replies"
check "bpfd: a file of procfs is read" grep -qx "$(cat /proc/$$/comm)" "$programs/replies"
check "bpfd: a missing system call is an error" grep -q '^bpf_create_map: ret=-' "$programs/replies"
check "bpfd: an unknown command is an error" grep -q '^Command not recognized' "$programs/replies"
check "bpfd-gadget: is in the same file" sh -c "$emulator $programs/bpfd-gadget --version | grep '^bpfd-gadget '"
echo "1..$n"
