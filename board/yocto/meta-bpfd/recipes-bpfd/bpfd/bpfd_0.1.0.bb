# SPDX-License-Identifier: Apache-2.0
SUMMARY = "BPF tracing of this board over its USB device port"
DESCRIPTION = "bpfd answers commands that load BPF programs, read maps and attach probes; \
bpfd-gadget runs it for each session of a USB host. Both are in one file. Unless the board has a \
list of keys, whoever holds the other end of the cable can trace the whole board."
SECTION = "devel"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

DEPENDS = "elfutils libbpf libsodium libusbgx zlib"

inherit externalsrc pkgconfig systemd update-rc.d

EXTERNALSRC = "${BPFD_SOURCE}"
# Keeps bitbake from writing links into the source tree.
EXTERNALSRC_SYMLINKS = ""

EXTRA_OEMAKE = "\
    -C ${S} \
    BUILD=${B} \
    MULTICALL=1 \
    PREFIX=${prefix} \
    SBINDIR=${sbindir} \
    MANDIR=${mandir} \
    DOCDIR=${docdir}/${BPN} \
    SYSTEMDUNITDIR=${@bb.utils.contains('DISTRO_FEATURES', 'systemd', '${systemd_system_unitdir}', '', d)} \
"

do_compile() {
    oe_runmake board-programs
}

do_install() {
    oe_runmake DESTDIR=${D} install-board
    install -D -m 0644 ${S}/board/gadget.conf ${D}${sysconfdir}/bpfd/gadget.conf
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${S}/board/bpfd-gadget.init ${D}${sysconfdir}/init.d/bpfd-gadget
    fi
}

# An image with this package starts the service. SYSTEMD_AUTO_ENABLE = "disable" in a .bbappend
# leaves that to the board's user.
SYSTEMD_SERVICE:${PN} = "bpfd-gadget.service"
INITSCRIPT_NAME = "bpfd-gadget"
INITSCRIPT_PARAMS = "defaults 60"

CONFFILES:${PN} = "${sysconfdir}/bpfd/gadget.conf"
RRECOMMENDS:${PN} = "kernel-module-usb-f-fs"
