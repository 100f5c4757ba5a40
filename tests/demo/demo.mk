# SPDX-License-Identifier: Apache-2.0
# The demo: a client in C, and BPF programs in C that clang compiles.

DEMO_OBJ := $(call obj,$(wildcard tests/demo/*.c))
DEMO_OBJ := $(filter-out %.bpf.o,$(DEMO_OBJ)) $(BUILD)/obj/core/base/base64.o

$(BUILD)/demo/demo: $(DEMO_OBJ)
	$(link)
$(BUILD)/demo/opens.bpf.o: tests/demo/opens.bpf.c tests/demo/opens.h
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) -target bpf -O2 -g -Wall -I. $(BPF_INCLUDES) -c -o $@ $<
demo-programs: $(BUILD)/demo/demo $(BUILD)/demo/opens.bpf.o $(TOOLS_DIR)/bpf_line
.PHONY: demo-programs
