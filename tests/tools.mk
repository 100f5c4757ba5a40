# SPDX-License-Identifier: Apache-2.0
# Programs of the end-to-end tests, built from C and from BPF C.

TOOLS_DIR  := $(BUILD)/tools
TEST_TOOLS := $(TOOLS_DIR)/load $(TOOLS_DIR)/campaign $(TOOLS_DIR)/fail_nth $(TOOLS_DIR)/fail_alloc.so $(TOOLS_DIR)/fail_tool $(patsubst tests/tools/%.c,$(TOOLS_DIR)/%,$(filter-out %_calls.c %_files.c,$(wildcard tests/tools/*.c))) \
	$(patsubst tests/bpf/%.bpf.c,$(TOOLS_DIR)/%.bpf.o,$(wildcard tests/bpf/*.bpf.c))

# One program per file; rules below add libraries and files to some of them.
$(TOOLS_DIR)/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TOOL_LIBS)
$(TOOLS_DIR)/bpf_line: TOOL_LIBS = $(call pkg,--libs,libelf)
$(TOOLS_DIR)/rude_host: TOOL_LIBS = $(LIBSHARED)
$(TOOLS_DIR)/lying_board: tests/tools/lying_board_files.c
$(TOOLS_DIR)/lying_board: TOOL_LIBS = tests/tools/lying_board_files.c $(LIBSHARED)
$(TOOLS_DIR)/rude_host $(TOOLS_DIR)/lying_board: $(LIBSHARED)
$(TOOLS_DIR)/rpc_client $(TOOLS_DIR)/rpc_rings: TOOL_LIBS = $(LIBSHARED)
$(TOOLS_DIR)/rpc_client $(TOOLS_DIR)/rpc_rings: $(LIBSHARED)
$(TOOLS_DIR)/gadget_api: $(LIBGADGET) $(LIBCONFIGFS) $(LIBSHARED)
$(TOOLS_DIR)/gadget_api: TOOL_LIBS = $(LIBGADGET) $(LIBCONFIGFS) $(LIBSHARED) \
	$(call pkg,--libs,cmocka libusbgx zlib)

$(TOOLS_DIR)/oldkernel: tests/tools/oldkernel_calls.c
$(TOOLS_DIR)/oldkernel: TOOL_LIBS = tests/tools/oldkernel_calls.c $(call pkg,--libs,libseccomp)

# Debian has asm/ in a directory of the architecture, which clang -target bpf does not search.
# -mcpu=v1, because kernels before 4.14 know only the first version of the instruction set.
BPF_INCLUDES := -I/usr/include/$(shell $(CC) -dumpmachine)
$(TOOLS_DIR)/%.bpf.o: tests/bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) -target bpf -mcpu=v1 -O2 -g -Wall $(BPF_INCLUDES) -c -o $@ $<

$(TOOLS_DIR)/load: tests/tools-suite/load.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< -lpthread

# The fault campaign, a program of several files.
CAMPAIGN_OBJ := $(call obj,$(wildcard tests/campaign/*.c))
$(TOOLS_DIR)/campaign: $(CAMPAIGN_OBJ) $(LIBSHARED)
	@mkdir -p $(@D)
	$(link)

# Lets calls of our programs fail. Without sanitizers: they are in the programs under test.
$(TOOLS_DIR)/fail_nth: $(addprefix tests/fail/,fail_nth.c tracee.c tracee.h calls.c calls.h alloc.h)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out $(SAN_FLAGS),$(ALL_CFLAGS)) -o $@ $(filter %.c,$^)
$(TOOLS_DIR)/fail_alloc.so: tests/fail/alloc.c tests/fail/alloc.h
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out $(SAN_FLAGS),$(ALL_CFLAGS)) -fPIC -fno-builtin -shared -o $@ $<

$(TOOLS_DIR)/fail_tool: tests/fail/tool.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out $(SAN_FLAGS),$(ALL_CFLAGS)) -o $@ $<

-include $(wildcard $(TOOLS_DIR)/*.d)

test-tools-build: $(TEST_TOOLS)

# "+": the script calls make to build what it needs.
test-tools:
	+@MAKE="$(MAKE)" tests/tools-suite/run
.PHONY: test-tools-build test-tools
