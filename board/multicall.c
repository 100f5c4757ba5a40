/* SPDX-License-Identifier: Apache-2.0 */
/* Both of the board's programs in one file. */
#include "board/multicall.h"

#include <string.h>

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	return strcmp(name, "bpfd-gadget") == 0 ? bpfd_gadget_main(argc, argv)
						: bpfd_main(argc, argv);
}
