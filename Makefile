# SPDX-License-Identifier: Apache-2.0
# Builds bpfd, bpfd-gadget, bpfd-usb and bpfd-run into $(BUILD); `make help` lists the targets.

VERSION := 0.1.0

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/bpfd-usb
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
# If empty, no unit is installed.
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)gcc-ar
endif
STRIP      ?= $(CROSS_COMPILE)strip
CLANG      ?= clang
PKG_CONFIG ?= pkg-config

ifeq ($(SAN),1)
BUILD ?= build/san
CFLAGS ?= -O1 -g -fno-omit-frame-pointer
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
else
BUILD ?= build
CFLAGS ?= -O2 -g
endif
# A path below this directory becomes relative: dependency files contain only that form.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))

# CFLAGS and LDFLAGS of the user add to the flags of the project; they do not replace them.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wno-unused-parameter
ifneq ($(CI)$(WERROR),)
WARN += -Werror
endif
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DBPFD_USB_VERSION='"$(VERSION)"' \
	-I. $(WARN) -ffunction-sections -fdata-sections $(SAN_FLAGS) $(CFLAGS)
ALL_LDFLAGS := -Wl,--gc-sections $(SAN_FLAGS) $(LDFLAGS)

ifeq ($(STATIC),1)
PKG_CONFIG_STATIC := --static
ALL_LDFLAGS += -static
endif
pkg = $(shell $(PKG_CONFIG) $(PKG_CONFIG_STATIC) $(1) $(2))

# libiberty demangles C++ names; without it they stay mangled. It has no pkg-config file, so this
# links a program.
IBERTY := $(shell echo 'int main(void) { return !cplus_demangle_v3("", 0); }' | \
	$(CC) $(CPPFLAGS) $(filter-out --coverage,$(CFLAGS)) $(LDFLAGS) -include libiberty/demangle.h -xc - -o /dev/null \
	-liberty 2>/dev/null && echo 1)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# A library for each folder. Board and host share the first three.
BASE_SRC      := $(wildcard core/base/*.c)
LINK_SRC      := $(wildcard core/link/*.c)
MESSAGES_SRC  := $(wildcard core/messages/*.c)
BPFD_SRC      := $(filter-out core/bpfd/main.c,$(wildcard core/bpfd/*.c core/bpfd/*/*.c))
CONFIGFS_SRC  := $(wildcard configfs/*.c)
GADGET_SRC    := $(filter-out gadget/main.c,$(wildcard gadget/*.c))
HOST_SRC      := $(filter-out host-usb/main.c,$(wildcard host-usb/*.c))
RUN_SRC       := $(filter-out host-usb/run/main.c,$(wildcard host-usb/run/*.c host-usb/run/*/*.c))
UNIT_SRC      := $(wildcard tests/unit/test_*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBBASE     := $(BUILD)/obj/libbase.a
LIBLINK     := $(BUILD)/obj/liblink.a
LIBMESSAGES := $(BUILD)/obj/libmessages.a
LIBSHARED   := $(LIBLINK) $(LIBMESSAGES) $(LIBBASE)
LIBBPFD     := $(BUILD)/obj/libbpfd.a
LIBCONFIGFS := $(BUILD)/obj/libconfigfs.a
LIBGADGET   := $(BUILD)/obj/libgadget.a
LIBHOST     := $(BUILD)/obj/libhost.a
LIBRUN      := $(BUILD)/obj/librun.a

BOARD_PROGRAMS := $(BUILD)/bpfd $(BUILD)/bpfd-gadget
MULTICALL_OBJ  := $(BUILD)/obj/board/multicall.o $(BUILD)/obj/multicall/core/bpfd/main.o \
	$(BUILD)/obj/multicall/gadget/main.o
HOST_PROGRAMS  := $(BUILD)/bpfd-usb $(BUILD)/bpfd-run
UNIT_PROGRAMS  := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))

# STATIC=1 builds the board's programs only: libusb needs a static libudev, which Debian lacks.
all: $(BOARD_PROGRAMS) $(if $(filter 1,$(STATIC)),,$(HOST_PROGRAMS))

board-programs: $(BOARD_PROGRAMS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/multicall/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) -include board/multicall.h -Dmain=$(RENAMED) \
		-MMD -MP -c -o $@ $<
$(BUILD)/obj/multicall/core/bpfd/main.o: RENAMED = bpfd_main
$(BUILD)/obj/multicall/gadget/main.o: RENAMED = bpfd_gadget_main

$(call obj,$(wildcard configfs/*.c gadget/*.c)): PKG_CFLAGS = $(call pkg,--cflags,libusbgx)
$(call obj,$(BPFD_SRC) core/bpfd/main.c): PKG_CFLAGS = $(call pkg,--cflags,libbpf libelf)
# override, because Buildroot sets CPPFLAGS on make's command line.
$(call obj,core/bpfd/symbols/demangle.c): override CPPFLAGS += $(if $(IBERTY),-DHAVE_LIBIBERTY)
$(call obj,$(wildcard host-usb/*.c)): PKG_CFLAGS = $(call pkg,--cflags,libusb-1.0 libsodium)
$(call obj,$(RUN_SRC) host-usb/run/main.c): PKG_CFLAGS = $(call pkg,--cflags,libseccomp libelf)

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^
endef
$(LIBBASE): $(call obj,$(BASE_SRC)); $(archive)
$(LIBLINK): $(call obj,$(LINK_SRC)); $(archive)
$(LIBMESSAGES): $(call obj,$(MESSAGES_SRC)); $(archive)
$(LIBBPFD): $(call obj,$(BPFD_SRC)); $(archive)
$(LIBCONFIGFS): $(call obj,$(CONFIGFS_SRC)); $(archive)
$(LIBGADGET): $(call obj,$(GADGET_SRC)); $(archive)
$(LIBHOST): $(call obj,$(HOST_SRC)); $(archive)
$(LIBRUN): $(call obj,$(RUN_SRC)); $(archive)

define link
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)
endef
ifeq ($(MULTICALL),1)
$(BUILD)/bpfd: LIBS = $(call pkg,--libs,libusbgx libsodium libbpf libelf zlib) $(if $(IBERTY),-liberty)
$(BUILD)/bpfd: $(MULTICALL_OBJ) $(LIBBPFD) $(LIBGADGET) $(LIBCONFIGFS) $(LIBSHARED)
	$(link)
$(BUILD)/bpfd-gadget: $(BUILD)/bpfd
	$(Q)ln -sf bpfd $@
else
$(BUILD)/bpfd: LIBS = $(call pkg,--libs,libbpf libelf zlib) $(if $(IBERTY),-liberty)
$(BUILD)/bpfd: $(BUILD)/obj/core/bpfd/main.o $(LIBBPFD) $(LIBSHARED)
	$(link)
$(BUILD)/bpfd-gadget: LIBS = $(call pkg,--libs,libusbgx libsodium zlib)
$(BUILD)/bpfd-gadget: $(BUILD)/obj/gadget/main.o $(LIBGADGET) $(LIBCONFIGFS) $(LIBSHARED)
	$(link)
endif
$(BUILD)/bpfd-usb: LIBS = $(call pkg,--libs,libusb-1.0 libsodium)
$(BUILD)/bpfd-usb: $(BUILD)/obj/host-usb/main.o $(LIBHOST) $(LIBSHARED)
	$(link)
$(BUILD)/bpfd-run: LIBS = $(call pkg,--libs,libseccomp libelf)
$(BUILD)/bpfd-run: $(BUILD)/obj/host-usb/run/main.o $(LIBRUN) $(LIBSHARED)
	$(link)

# Unit tests: one program per file, linked with all libraries.
# The optimizer would take more time for the tests than it saves when they run.
$(call obj,$(UNIT_SRC)): CFLAGS += -O0
$(call obj,$(UNIT_SRC)): PKG_CFLAGS = $(call pkg,--cflags,cmocka libusb-1.0 libusbgx libbpf libseccomp libsodium)
$(UNIT_PROGRAMS): LIBS = $(call pkg,--libs,cmocka libbpf libelf zlib libusbgx libusb-1.0 libseccomp libsodium) -lpthread \
	$(if $(IBERTY),-liberty)
$(UNIT_PROGRAMS): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIBRUN) $(LIBHOST) $(LIBGADGET) \
		$(LIBCONFIGFS) $(LIBBPFD) $(LIBSHARED)
	$(link)
# Fails each allocation of the code under test, one after another.
$(BUILD)/unit/test_lane_open: ALL_LDFLAGS += -Wl,--wrap=malloc -Wl,--wrap=calloc
$(BUILD)/unit/test_run_ring: ALL_LDFLAGS += -Wl,--wrap=realloc
$(BUILD)/unit/test_lane: ALL_LDFLAGS += -Wl,--wrap=read -Wl,--wrap=write
$(BUILD)/unit/test_event_list: ALL_LDFLAGS += -Wl,--wrap=calloc -Wl,--wrap=write
$(BUILD)/unit/test_run_calls: ALL_LDFLAGS += -Wl,--wrap=ioctl
$(BUILD)/unit/test_run_headers: ALL_LDFLAGS += -Wl,--wrap=calloc
$(BUILD)/unit/test_run_filter: ALL_LDFLAGS += -Wl,--wrap=syscall
$(BUILD)/unit/test_gadget_remove: ALL_LDFLAGS += -Wl,--wrap=rmdir -Wl,--wrap=scandir64 -Wl,--wrap=umount2
$(BUILD)/unit/test_run_path: ALL_LDFLAGS += -Wl,--wrap=process_vm_readv -Wl,--wrap=readlink
$(BUILD)/unit/test_bind: ALL_LDFLAGS += -Wl,--wrap=attr_write
unit-programs: $(UNIT_PROGRAMS)

# Section 8 has the manual pages of the board, section 1 those of the workstation.
MAN_PAGES  := $(wildcard core/bpfd/*.[1-8] gadget/*.[1-8] host-usb/*.[1-8] host-usb/run/*.[1-8])
UDEV_RULES := $(wildcard board/*.rules)
BOARD_DOCS := board/gadget.conf board/kernel.config board/udc.md SECURITY.md
HOST_DOCS  := README.md PROTOCOL.md SECURITY.md

# The unit runs the daemon of $(SBINDIR). If that is none of the usual directories, the unit adds it
# to PATH, where the daemon finds bpfd.
USUAL_DIRS := /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin
UNIT_EDITS  = -e 's|/usr/sbin/|$(SBINDIR)/|' $(if $(filter $(USUAL_DIRS),$(SBINDIR)),, \
	-e '/^Type=/a Environment=PATH=$(SBINDIR):$(subst $() ,:,$(USUAL_DIRS)):/sbin:/bin')

install_man = $(foreach page,$(filter %.$(1),$(MAN_PAGES)),install -D -m 644 $(page) \
	$(DESTDIR)$(MANDIR)/man$(1)/$(notdir $(page)) &&) :

# bash finds a completion by the name of the command, so each program has a copy. zsh reads the
# names of the commands from the file.
install_bash = $(foreach program,$(1),install -D -m 644 host-usb/completion/bpfd-usb.bash \
	$(DESTDIR)$(BASHDIR)/$(notdir $(program)) &&) :

# STATIC=1 installs the board's programs only.
install: install-board $(if $(filter 1,$(STATIC)),,install-host)

# /etc/bpfd/gadget.conf belongs to the administrator, so the sample goes to the documents.
install-board: $(BOARD_PROGRAMS)
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(DOCDIR)
	install $(BUILD)/bpfd $(DESTDIR)$(SBINDIR)
	$(if $(filter 1,$(MULTICALL)),ln -sf bpfd $(DESTDIR)$(SBINDIR)/bpfd-gadget, \
		install $(BUILD)/bpfd-gadget $(DESTDIR)$(SBINDIR))
	$(call install_man,8)
	$(call install_bash,$(BOARD_PROGRAMS))
	install -m 644 $(BOARD_DOCS) $(DESTDIR)$(DOCDIR)
	$(if $(SYSTEMDUNITDIR),install -d $(DESTDIR)$(SYSTEMDUNITDIR) && sed $(UNIT_EDITS) \
		board/bpfd-gadget.service >$(DESTDIR)$(SYSTEMDUNITDIR)/bpfd-gadget.service && \
		chmod 644 $(DESTDIR)$(SYSTEMDUNITDIR)/bpfd-gadget.service)

# The udev rules give users permission to open the boards.
install-host: $(HOST_PROGRAMS)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UDEVDIR) $(DESTDIR)$(DOCDIR)
	install $(HOST_PROGRAMS) $(DESTDIR)$(BINDIR)
	$(call install_man,1)
	$(call install_bash,$(HOST_PROGRAMS))
	install -D -m 644 host-usb/completion/_bpfd-usb $(DESTDIR)$(ZSHDIR)/_bpfd-usb
	install -m 644 $(UDEV_RULES) $(DESTDIR)$(UDEVDIR)
	install -m 644 $(HOST_DOCS) $(DESTDIR)$(DOCDIR)

# Removes the files that `make install` of this tree with the same variables writes.
uninstall:
	rm -rf $(BUILD)/uninstall
	$(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD))/uninstall
	@cd $(BUILD)/uninstall && find . ! -type d | sed 's|^\./||' | while read -r path; do \
		rm -fv "$(DESTDIR)/$$path"; done
	rm -rf $(BUILD)/uninstall
	-@rmdir $(DESTDIR)$(DOCDIR)

# "+": these scripts call make to build what they need.
export BUILD
deps:
	tests/deps
boards:
	+@MAKE="$(MAKE)" board/build
deb:
	@board/deb
demo:
	+@MAKE="$(MAKE)" tests/demo/run
coverage:
	+@MAKE="$(MAKE)" tests/cover/run
check lint test test-all test-boards test-kernels test-faults:
	+@MAKE="$(MAKE)" tests/test $(@:test-%=%)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#help //p' $(firstword $(MAKEFILE_LIST))
#help Targets
#help   all (default)   $(BUILD)/bpfd, bpfd-gadget, bpfd-usb and bpfd-run
#help   board-programs  the first two, which run on the board
#help   boards          the same two for arm64 and armhf, static, with Debian's libraries
#help   deb             Debian packages for board and workstation, into $(BUILD)/deb
#help   install         into $(DESTDIR)$(PREFIX); install-board, install-host: only one side
#help   uninstall       remove the files that install with the same variables writes
#help   deps            install what the build and the tests need from Debian
#help   demo            trace a board in a VM through its USB cable (three minutes)
#help   check           unit tests and lint: no root, no VM
#help   test            check, and all suites in VMs; may install packages, fetches kernels
#help   test-all        test in its long form, with the next three (many hours)
#help   test-boards     boards of arm64 and armhf, each in a VM, with a workstation in another
#help   test-kernels    the suites of test on Debian's kernels 5.10 and 6.12
#help   test-faults     every call fails once; 2000 random faults in random traffic (hours)
#help   test-tools      stock BPF tools, locally and under bpfd-run (hours; it resumes)
#help   bench           what the programs cost, beside the same work without them (45 minutes)
#help   fuzz            list the fuzzers; T=NAME SECONDS=60 runs one of them for a minute
#help   coverage        how much of each source file the tests reach (an hour)
#help   lint            formatting, shell scripts, manual pages
#help   clean           remove $(BUILD)
#help Variables
#help   V=1             show commands and the output of tests
#help   CROSS_COMPILE=  prefix of the compiler, for example aarch64-linux-gnu-
#help   STATIC=1        static programs; builds and installs those of the board only
#help   MULTICALL=1     both programs of the board in one file
#help   SAN=1           build with ASan and UBSan, into build/san
#help   WERROR=1        treat warnings as errors; CI=1 does the same
#help   BUILD=          build directory (build)
#help   DESTDIR= PREFIX= BINDIR= SBINDIR= MANDIR= DOCDIR= UDEVDIR= BASHDIR= ZSHDIR= SYSTEMDUNITDIR=

.PHONY: all board-programs boards unit-programs install install-board install-host uninstall deb deps \
	check test test-all test-boards test-kernels test-faults demo coverage lint clean help
.DELETE_ON_ERROR:
.SECONDARY:
include tests/tools.mk
include tests/demo/demo.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
