/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer on kept inputs and prints TAP, one test per file.
 *
 * The files are past findings and the inputs that searches start with. A finding aborts the program
 * before it prints the result of that test. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#define INPUT_MAX (1 << 20)

static size_t read_input(const char *path, uint8_t **data)
{
	FILE *file = fopen(path, "re");
	size_t size;

	*data = malloc(INPUT_MAX);
	if (!file || !*data) {
		perror(path);
		exit(1);
	}
	size = fread(*data, 1, INPUT_MAX, file);
	fclose(file);
	return size;
}

int main(int argc, char **argv)
{
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		uint8_t *data, *exact;
		size_t size = read_input(argv[i], &data);

		printf("# %s, %zu bytes\n", argv[i], size);
		fflush(stdout);
		exact = exact_copy(data, size);
		free(data);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
		printf("ok %d - %s\n", i, argv[i]);
	}
	return 0;
}
