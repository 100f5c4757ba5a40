################################################################################
#
# SPDX-License-Identifier: Apache-2.0
#
################################################################################

# The source tree that contains this folder.
BPFD_VERSION = 0.1.0
BPFD_SITE = $(BR2_EXTERNAL_BPFD_PATH)/../..
BPFD_SITE_METHOD = local
BPFD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build
BPFD_LICENSE = Apache-2.0
BPFD_LICENSE_FILES = LICENSE
BPFD_DEPENDENCIES = host-pkgconf elfutils libbpf libsodium libusbgx zlib

BPFD_MAKE_OPTS = \
	$(TARGET_CONFIGURE_OPTS) \
	MULTICALL=1 \
	PREFIX=/usr \
	SYSTEMDUNITDIR=$(if $(BR2_INIT_SYSTEMD),/usr/lib/systemd/system)

define BPFD_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(BPFD_MAKE_OPTS) -C $(@D) board-programs
endef

# Buildroot itself removes manual pages and documents from the image later, as for every package.
define BPFD_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(BPFD_MAKE_OPTS) -C $(@D) \
		DESTDIR=$(TARGET_DIR) install-board
	$(INSTALL) -D -m 0644 $(@D)/board/gadget.conf \
		$(TARGET_DIR)/etc/bpfd/gadget.conf
endef

# install-board installs the systemd unit.
define BPFD_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/board/bpfd-gadget.init \
		$(TARGET_DIR)/etc/init.d/S60bpfd-gadget
endef

define BPFD_LINUX_CONFIG_FIXUPS
	$(foreach option,$(shell sed -n 's/^\(CONFIG_.*\)=y/\1/p' \
		$(BR2_EXTERNAL_BPFD_PATH)/../kernel.config),
		$(call KCONFIG_ENABLE_OPT,$(option))
	)
endef

$(eval $(generic-package))
