# SPDX-License-Identifier: Apache-2.0
# Programs of the benchmarks.

BENCH_DIR := $(BUILD)/bench

$(BENCH_DIR)/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BENCH_DIR)/micro $(BENCH_DIR)/rings: %: %.o $(BENCH_DIR)/bench.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

bench-build: $(BENCH_DIR)/micro $(BENCH_DIR)/rings
# "+": the script runs this make for what it needs built.
bench:
	+@MAKE="$(MAKE)" tests/bench/run
.PHONY: bench bench-build
-include $(wildcard $(BENCH_DIR)/*.d)
