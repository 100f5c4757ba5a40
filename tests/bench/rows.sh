# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Prints rows and points of benchmarks for tests/bench/report, a JSON object a line.

clock=${BPFD_BENCH_CLOCK:+, $BPFD_BENCH_CLOCK}

# median: reads numbers, one a line, and prints median, lowest and highest.
median()
{
	sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR] }'
}

# row NAME UNIT VALUE LOW HIGH [BASE BASE-VALUE [AIM [COMMAND]]]: prints a row. An empty BASE means
# no comparison.
row()
{
	awk -v row="$1$clock" -v unit="$2" -v value="$3" -v low="$4" -v high="$5" -v base="${6:-}" \
		-v base_value="${7:-}" -v aim="${8:-}" -v command="${9:-}" 'BEGIN {
		printf "{\"row\":\"%s\",\"unit\":\"%s\",\"value\":%.6g,\"low\":%.6g,\"high\":%.6g", row, unit, value, low, high
		if (base != "")
			printf ",\"base\":\"%s\",\"base_value\":%.6g,\"ratio\":%.3f", base, base_value, value / base_value
		printf ",\"aim\":\"%s\",\"command\":\"%s\"}\n", aim, command }'
}
# point SERIES X Y UNIT: prints a point.
point()
{
	awk -v series="$1$clock" -v x="$2" -v y="$3" -v unit="$4" 'BEGIN {
		printf "{\"series\":\"%s\",\"x\":%s,\"y\":%.6g,\"unit\":\"%s\"}\n", series, x, y, unit }'
}
