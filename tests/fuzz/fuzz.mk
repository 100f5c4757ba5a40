# SPDX-License-Identifier: Apache-2.0
# Fuzzers, built with libFuzzer to search and with a main program that replays kept inputs.

FUZZERS := text rpc board_link host_link replies elf maps kallsyms settings events device lanes banner keys
FUZZ    := $(BUILD)/fuzz
REPLAYS := $(patsubst %,$(BUILD)/replay/%,$(FUZZERS))

PROJECT_SRC  := $(BASE_SRC) $(LINK_SRC) $(MESSAGES_SRC) $(BPFD_SRC) $(CONFIGFS_SRC) $(GADGET_SRC) $(HOST_SRC) $(RUN_SRC)
FUZZ_SUPPORT := tests/fuzz/kernel.c tests/fuzz/tree.c
FUZZ_LIBS     = $(call pkg,--libs,libbpf libelf zlib libusbgx libusb-1.0 libseccomp libsodium) -lpthread \
	$(if $(IBERTY),-liberty)

OBJCOPY ?= $(CROSS_COMPILE)objcopy
NM      ?= $(CROSS_COMPILE)nm

# System functions that must not be left in the code, by all their names in C libraries.
UNSEAMED := (open|fopen|scandir|statfs|stat|setrlimit)(64)?(_time64)?|__x?stat64(_time64)?|opendir|access| \
	readlink|realpath|syscall|ioctl|bpf_(map|prog|obj|btf|link|raw)_.*

# The project's code in one library, with calls of kernel.c and tree.c instead of the system's.
define redirect
	@mkdir -p $(@D)
	$(call say,SEAMS,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
	$(Q)$(OBJCOPY) --redefine-syms=tests/fuzz/seams $@
	$(Q)! $(NM) -u $@ | sed -n 's/^ *U //p' | grep -xE '$(subst $() ,,$(UNSEAMED))' >&2 || \
		{ echo "$@: calls the functions above; add them to tests/fuzz/seams" >&2; exit 1; }
endef
$(BUILD)/obj/libseams.a: $(call obj,$(PROJECT_SRC)) tests/fuzz/seams
	$(redirect)

$(call obj,$(wildcard tests/fuzz/*.c)): PKG_CFLAGS = $(call pkg,--cflags,libusb-1.0 libusbgx libbpf libsodium)
$(REPLAYS): LIBS = $(FUZZ_LIBS)
$(REPLAYS): $(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o \
		$(call obj,$(FUZZ_SUPPORT)) $(BUILD)/obj/libseams.a
	$(link)
fuzz-replay: $(REPLAYS)

# The same code, compiled by clang into directories of its own.
FUZZ_SAN   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_FLAGS  = $(filter-out -fsanitize=% -fno-sanitize-recover=%,$(ALL_CFLAGS)) -O1 -g \
	-fno-omit-frame-pointer -Wno-missing-field-initializers $(FUZZ_SAN)
# Asked for once, and only if a fuzzer is built.
FUZZ_PKG    = $(eval FUZZ_PKG := $(call pkg,--cflags,libusb-1.0 libusbgx libbpf libelf libseccomp libsodium))$(FUZZ_PKG)
FUZZ_OBJ    = $(patsubst %.c,$(FUZZ)/obj/%.o,$(1))

$(FUZZ)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)$(CLANG) $(FUZZ_FLAGS) $(CPPFLAGS) $(FUZZ_PKG) -MMD -MP -c -o $@ $<
$(FUZZ)/obj/core/bpfd/symbols/demangle.o: override CPPFLAGS += $(if $(IBERTY),-DHAVE_LIBIBERTY)
$(FUZZ)/obj/libseams.a: $(call FUZZ_OBJ,$(PROJECT_SRC)) tests/fuzz/seams
	$(redirect)
$(patsubst %,$(FUZZ)/%,$(FUZZERS)): $(FUZZ)/%: $(FUZZ)/obj/tests/fuzz/%.o \
		$(call FUZZ_OBJ,$(FUZZ_SUPPORT)) $(FUZZ)/obj/libseams.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(FUZZ_LIBS)

# Words of the protocol, which libFuzzer combines faster than it discovers them.
$(FUZZ)/text.dict: $(BUILD)/bpfd
	@mkdir -p $(@D)
	$(Q)$(BUILD)/bpfd --commands | sed -n 's/^\([A-Za-z_][A-Za-z_]*\)\( .*\)\{0,1\}$$/"\1 "/p' >$@
	$(Q)printf '"%s"\n' '\x0a' ' GPL ' '__none__' '0x' 'AAAAAA==' 'AQAAAA==' >>$@

fuzz-build: $(patsubst %,$(FUZZ)/%,$(FUZZERS)) $(FUZZ)/text.dict

# "+": the scripts call make to build what they need.
fuzz:
	+@MAKE="$(MAKE)" FUZZERS="$(FUZZERS)" tests/fuzz/run $(T) $(SECONDS)
.PHONY: fuzz fuzz-build fuzz-replay
-include $(shell find $(FUZZ)/obj -name '*.d' 2>/dev/null)
