#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A client on a pseudo-terminal, like BCC's remote back end: with bpfd itself and through the link.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

load_udc && gadget_start || { not_ok "start the gadget"; finish; }
for command in bpfd bpfd-usb; do
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "$command: ${line#ok }" ;;
		"not ok "*) not_ok "$command: ${line#not ok }" ;;
		*) echo "# $line" ;;
		esac
	done < <(/usr/bin/python3 "$here/pexpect_client.py" "$command" "$BPFD_BUILD" 2>&1)
	[ "$(ps -o stat= -p $$ | cut -c1)" != T ] || not_ok "$command: does not stop the shell"
done
check "the daemon ends with status 0" gadget_stop
check_no_leftovers
finish
