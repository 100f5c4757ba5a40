/* SPDX-License-Identifier: Apache-2.0 */
/* Both of the board's programs in one file, which the C library and libbpf are in once. Which one
 * it is, it takes from its name. */
#ifndef BOARD_MULTICALL_H
#define BOARD_MULTICALL_H

/* The main() of core/bpfd/main.c and of gadget/main.c, renamed by the makefile. */
int bpfd_main(int argc, char **argv);
int bpfd_gadget_main(int argc, char **argv);

#endif
