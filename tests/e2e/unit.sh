#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the unit tests that need BPF or the kernel's file systems. On a developer's machine some of
# them are skipped.
set -u
if [ -z "${BPFD_IN_VM:-}" ]; then
	echo "1..0 # SKIP only inside the VM"
	exit 0
fi
status=0
for name in test_probe test_map test_prog test_ksym test_usym test_tree test_bpffs; do
	echo "# $name"
	CMOCKA_MESSAGE_OUTPUT=TAP "$BPFD_BUILD/unit/$name" || status=$?
done
exit $status
