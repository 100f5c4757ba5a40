/* SPDX-License-Identifier: Apache-2.0 */
/* Both programs of the board in one executable: runs the one that argv[0] names. */
#include "board/multicall.h"

#include <string.h>

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	return strcmp(name, "bpfd-gadget") == 0 ? bpfd_gadget_main(argc, argv)
						: bpfd_main(argc, argv);
}
