/* SPDX-License-Identifier: Apache-2.0 */
/* Both programs of the board in one executable, which contains the C library and libbpf once. The
 * name that it is started with selects the program. */
#ifndef BOARD_MULTICALL_H
#define BOARD_MULTICALL_H

/* main() of core/bpfd/main.c and of gadget/main.c, renamed by the Makefile. */
int bpfd_main(int argc, char **argv);
int bpfd_gadget_main(int argc, char **argv);

#endif
