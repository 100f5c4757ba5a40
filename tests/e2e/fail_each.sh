#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every call fails once: bpfd with probes, bpfd-usb and bpfd-gadget with a board. $BPFD_FAIL has options
# for tests/fail/run (default: a short part by seed, without bpfd-gadget: it starts again for each call).
# vm: --cpus 1 --mem 1536
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
load_udc is_super_speed=1 || { echo "Bail out! no dummy_hcd"; exit 1; }
# shellcheck disable=SC2086 # options are words
set -- --guest ${BPFD_FAIL:---seed 29932250 --seconds 20}
gadget_start || { echo "Bail out! no gadget"; exit 1; }
"$here/../fail/run" "$@" --session bpfd-usb
status=$?
gadget_stop
GADGET_PID=''
[ -n "${BPFD_FAIL:-}" ] || set -- "$@" --seconds 5
"$here/../fail/run" "$@" --session probes || status=1
[ -z "${BPFD_FAIL:-}" ] || "$here/../fail/run" "$@" --session bpfd-gadget || status=1
exit $status
