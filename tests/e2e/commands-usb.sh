#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the suite "commands" through the USB link.
# vm: --cpus 1
# long: in `make test` the board of arm64 runs it
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

load_udc && gadget_start || { not_ok "start the gadget"; finish; }
export GADGET_PID
exec "$here/commands.sh" bpfd-usb --serial testboard
