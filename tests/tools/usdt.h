/* SPDX-License-Identifier: Apache-2.0 */
/* USDT probes like those of SystemTap's <sys/sdt.h>, without that package. A program that includes
 * this has two: bpfd_test:guarded, with a semaphore, and bpfd_test:plain, without one. */
#ifndef TESTS_TOOLS_USDT_H
#define TESTS_TOOLS_USDT_H

#include <stdint.h>

#if UINTPTR_MAX > UINT32_MAX
#define USDT_ADDRESS ".8byte "
#else
#define USDT_ADDRESS ".4byte "
#endif

#define USDT_PROBE(label, name, semaphore)                                                       \
	__asm__ volatile(".globl " label "\n" label ": nop\n"                                    \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"                            \
			 ".balign 4\n"                                                           \
			 ".4byte 992f - 991f, 994f - 993f, 3\n"                                  \
			 "991: .asciz \"stapsdt\"\n"                                             \
			 "992: .balign 4\n"                                                      \
			 "993: " USDT_ADDRESS label "\n" USDT_ADDRESS                            \
			 "_.stapsdt.base\n" USDT_ADDRESS semaphore "\n"                          \
			 ".asciz \"bpfd_test\"\n.asciz \"" name "\"\n.asciz \"\"\n"              \
			 "994: .balign 4\n"                                                      \
			 ".popsection\n"                                                         \
			 ".ifndef _.stapsdt.base\n"                                              \
			 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
			 ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n"                        \
			 "_.stapsdt.base: .space 1\n.size _.stapsdt.base, 1\n"                   \
			 ".popsection\n.endif\n")

/* The semaphore: the number of tracers of bpfd_test:guarded. */
volatile uint16_t usdt_count __attribute__((section(".probes"), used));
extern char usdt_guarded[], usdt_plain[];

static __attribute__((noinline, used)) void usdt_pass(void)
{
	USDT_PROBE("usdt_guarded", "guarded", "usdt_count");
	USDT_PROBE("usdt_plain", "plain", "0");
}

#endif
