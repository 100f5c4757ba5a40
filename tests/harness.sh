# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Runs test programs, counts their results, and prints the one line of totals. Sourced.
#
# suite NAME COMMAND...   a program that prints TAP, as the Test Anything Protocol has it, and as
#                         cmocka 1.1 prints it (a skipped test is "not ok N # SKIP name")
# step NAME COMMAND...    a command that counts as one test: its exit status
# skip NAME REASON        one test that cannot run here
# totals                  the last line, also into $logs/totals; fails if anything failed or
#                         nothing was run
#
# A program's output goes to $logs and is shown if something in it failed; V=1 shows it always.

passed=0
failed=0
skipped=0
: "${logs:?is not set}"
: "${suite_seconds:=300}"
mkdir -p "$logs"

# Prints "passed failed skipped" and after them the reasons of what failed or was skipped.
tap_count() { # tap_count EXIT_STATUS < OUTPUT
	awk -v status="$1" '
	function note(text) { notes = notes text "\n" }
	/^1\.\.[0-9]+/ {
		plan += substr($1, 4)
		plans++
		if ($1 == "1..0") {
			skipped++
			note("skipped: " $0)
		}
		next
	}
	/^(not )?ok( |$)/ {
		ran++
		if (toupper($0) ~ /# SKIP/) {
			skipped++
			note("skipped: " $0 (last ~ /^#/ ? " (" last ")" : ""))
		} else if ($1 == "ok") {
			passed++
		} else {
			failed++
			note("failed: " $0)
		}
	}
	/^Bail out!/ {
		failed++
		note("failed: " $0)
	}
	{ last = $0 }
	END {
		if (!plans || plan != ran) {
			failed++
			note("failed: " (plans ? plan : "no number of") " tests planned, " ran + 0 " run")
		} else if (status != 0 && !failed) {
			failed++
			note("failed: every test passed and yet the exit status is " status)
		}
		printf "%d %d %d\n%s", passed, failed, skipped, notes
	}'
}

# report NAME LOG SECONDS PASSED FAILED SKIPPED
report() {
	passed=$((passed + $4))
	failed=$((failed + $5))
	skipped=$((skipped + $6))
	if [ "$5" -gt 0 ]; then
		printf 'FAILED  %s: %d of %d (%d s)\n' "$1" "$5" "$(($4 + $5))" "$3"
	else
		printf 'ok      %s: %d (%d s)\n' "$1" "$4" "$3"
	fi
	if [ "$5" -gt 0 ] || [ "${V:-0}" = 1 ]; then
		tail -n 400 "$2" | sed 's/^/    | /'
	fi
}

# The log's name of a suite: no separators, no blanks.
log_of() {
	printf '%s/%s.log' "$logs" "$(printf '%s' "$1" | tr -c 'A-Za-z0-9_.-' '-')"
}

# suite_run and suite_report are the halves of suite, for suites that run beside others.
suite_run() { # suite_run NAME COMMAND...
	log=$(log_of "$1")
	shift
	begin=$(date +%s)
	status=0
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$suite_seconds" "$@" \
		</dev/null >"$log" 2>&1 || status=$?
	echo "$status $(($(date +%s) - begin))" >"$log.status"
}

suite_report() { # suite_report NAME
	log=$(log_of "$1")
	read -r status seconds <"$log.status"
	rm "$log.status"
	counted=$(tap_count "$status" <"$log")
	# shellcheck disable=SC2046 # three numbers
	report "$1" "$log" "$seconds" $(printf '%s\n' "$counted" | head -n 1)
	printf '%s\n' "$counted" | sed -n '2,$s/^/        /p'
}

suite() {
	suite_run "$@"
	suite_report "$1"
}

step() {
	name=$1
	shift
	log=$(log_of "$name")
	begin=$(date +%s)
	if "$@" </dev/null >"$log" 2>&1; then
		report "$name" "$log" $(($(date +%s) - begin)) 1 0 0
	else
		report "$name" "$log" $(($(date +%s) - begin)) 0 1 0
		return 1
	fi
}

skip() {
	skipped=$((skipped + 1))
	printf 'skipped %s: %s\n' "$1" "$2"
}

totals() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped" |
		tee "$logs/totals"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
