#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests the test runner: what it must count as failed, above all a program that dies or says nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export logs

n=0
# counts NAME EXPECTED CALL: the totals that a call of the harness leads to.
counts() {
	n=$((n + 1))
	got=$(sh -c ". '$here/harness.sh'; suite_seconds=2; V=0; $3 >/dev/null; totals" | tail -n 1)
	if [ "$got" = "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# $got instead of $2"
	fi
}

echo 1..13
counts 'passed' '2 passed, 0 failed, 0 skipped' \
	"suite a printf '1..2\nok 1 - a\nok 2 - b\n'"
counts 'skipped, the usual way' '1 passed, 0 failed, 1 skipped' \
	"suite a printf '1..2\nok 1 - a\nok 2 - b # SKIP why\n'"
counts 'skipped, the way of cmocka 1.1' '1 passed, 0 failed, 1 skipped' \
	"suite a printf '1..2\nok 1 - a\nnot ok 2 # SKIP b\n'"
counts 'skipped as a whole' '0 passed, 0 failed, 1 skipped' \
	"suite a printf '1..0 # SKIP why\n'"
counts 'failed' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..2\nok 1 - a\nnot ok 2 - b\n'"
counts 'two plans in one output' '2 passed, 0 failed, 0 skipped' \
	"suite a printf '1..1\nok 1 - a\n1..1\nok 1 - b\n'"
counts 'no plan' '1 passed, 1 failed, 0 skipped' \
	"suite a printf 'ok 1 - a\n'"
counts 'fewer tests than planned' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..3\nok 1 - a\n'"
counts 'a crash after the last test' '1 passed, 1 failed, 0 skipped' \
	"suite a sh -c 'echo 1..1; echo ok 1 - a; kill -KILL \$\$'"
counts 'silence' '0 passed, 1 failed, 0 skipped' \
	"suite a true"
counts 'a program that hangs' '0 passed, 1 failed, 0 skipped' \
	"suite a sh -c 'echo 1..1; exec sleep 60'"
counts 'bailing out' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..1\nok 1 - a\nBail out! no board\n'"
counts 'steps' '1 passed, 1 failed, 1 skipped' \
	"step yes true; step no false; skip maybe why"
