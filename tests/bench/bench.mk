# SPDX-License-Identifier: Apache-2.0
# Programs of the benchmarks.

BENCH_DIR := $(BUILD)/bench
# Benchmarks of the link, which link.sh runs in the VM.
LINK_BENCH := $(patsubst %,$(BENCH_DIR)/%,event_load ffs_raw session_load usb_raw)

$(BENCH_DIR)/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
$(BENCH_DIR)/growth $(BENCH_DIR)/micro $(BENCH_DIR)/rings: %: %.o $(BENCH_DIR)/bench.o $(LIBBPFD) $(LIBSHARED)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

$(LINK_BENCH): $(BENCH_DIR)/%: $(BENCH_DIR)/%.o $(LIBSHARED)
	$(link)
$(BENCH_DIR)/ffs_raw: $(LIBGADGET) $(LIBCONFIGFS) $(LIBSHARED)
$(BENCH_DIR)/ffs_raw: LIBS = $(LIBSHARED) $(call pkg,--libs,libusbgx zlib)
$(BENCH_DIR)/usb_raw.o: PKG_CFLAGS = $(call pkg,--cflags,libusb-1.0)
$(BENCH_DIR)/usb_raw: LIBS = $(call pkg,--libs,libusb-1.0)

bench-build: $(BENCH_DIR)/growth $(BENCH_DIR)/micro $(BENCH_DIR)/rings $(LINK_BENCH)
# "+": the script calls make to build what it needs.
bench:
	+@MAKE="$(MAKE)" tests/bench/run
.PHONY: bench bench-build
-include $(wildcard $(BENCH_DIR)/*.d)
