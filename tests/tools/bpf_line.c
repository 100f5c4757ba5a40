/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a BPF program of an object file as a BPF_PROG_LOAD line for bpfd. */
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"Usage: bpf_line [-d DIALECT] [-n NAME] [-p COUNT] OBJECT SECTION TYPE LICENSE KVER "
	"[MAP=FD]...\n"
	"DIALECT is 2017 (no name field) or 2018. -p appends COUNT instructions that do nothing,\n"
	"to make a long line.\n";

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bpf_line: %s: %s\n", what, why);
	exit(1);
}

static Elf_Scn *find_section(Elf *elf, const char *wanted, GElf_Shdr *header)
{
	size_t names;
	Elf_Scn *section = NULL;

	if (elf_getshdrstrndx(elf, &names) < 0)
		fail("ELF", elf_errmsg(-1));
	while ((section = elf_nextscn(elf, section))) {
		if (gelf_getshdr(section, header) &&
			strcmp(elf_strptr(elf, names, header->sh_name), wanted) == 0)
			return section;
	}
	return NULL;
}

static int map_number(const char *name, char *const *maps, int count)
{
	size_t len = strlen(name);

	for (int i = 0; i < count; i++) {
		if (strncmp(maps[i], name, len) == 0 && maps[i][len] == '=')
			return atoi(maps[i] + len + 1);
	}
	fail(name, "no MAP=FD for it");
	return -1;
}

/* Puts the handles of maps into the instructions that load their addresses. */
static void relocate(Elf *elf, const char *section, struct bpf_insn *insns, size_t count,
	char *const *maps, int map_count)
{
	GElf_Shdr header, symbol_header;
	char name[64];
	Elf_Scn *rel, *symbols;
	Elf_Data *data, *symbol_data;
	GElf_Rel r;
	GElf_Sym symbol;

	snprintf(name, sizeof(name), ".rel%s", section);
	rel = find_section(elf, name, &header);
	symbols = find_section(elf, ".symtab", &symbol_header);
	if (!rel || !symbols)
		return;
	data = elf_getdata(rel, NULL);
	symbol_data = elf_getdata(symbols, NULL);
	for (int i = 0; data && symbol_data && gelf_getrel(data, i, &r); i++) {
		size_t at = r.r_offset / sizeof(*insns);

		if (at >= count || !gelf_getsym(symbol_data, (int)GELF_R_SYM(r.r_info), &symbol))
			fail(section, "bad relocation");
		insns[at].src_reg = BPF_PSEUDO_MAP_FD;
		insns[at].imm = map_number(
			elf_strptr(elf, symbol_header.sh_link, symbol.st_name), maps, map_count);
	}
}

static void print_base64(const uint8_t *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)data[i] << 16 | (left > 1 ? data[i + 1] << 8 : 0) |
			     (left > 2 ? data[i + 2] : 0);

		putchar(digits[v >> 18]);
		putchar(digits[v >> 12 & 63]);
		putchar(left > 1 ? digits[v >> 6 & 63] : '=');
		putchar(left > 2 ? digits[v & 63] : '=');
	}
}

/* Returns a copy of the program with `padding` moves before it. */
static struct bpf_insn *pad(const struct bpf_insn *insns, size_t count, size_t padding)
{
	struct bpf_insn *all = calloc(count + padding, sizeof(*all));

	if (!all)
		fail("memory", "allocation failed");
	for (size_t i = 0; i < padding; i++)
		all[i] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0};
	memcpy(all + padding, insns, count * sizeof(*insns));
	return all;
}

int main(int argc, char **argv)
{
	const char *dialect = "2018", *name = "test";
	size_t padding = 0, count;
	struct bpf_insn *insns;
	GElf_Shdr header;
	Elf_Scn *section;
	Elf_Data *data;
	Elf *elf;
	int option, fd;

	while ((option = getopt(argc, argv, "d:n:p:")) != -1) {
		if (option == 'd')
			dialect = optarg;
		else if (option == 'n')
			name = optarg;
		else if (option == 'p')
			padding = strtoul(optarg, NULL, 10);
		else
			return fputs(usage, stderr), 2;
	}
	argc -= optind;
	argv += optind;
	if (argc < 5)
		return fputs(usage, stderr), 2;
	elf_version(EV_CURRENT);
	fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		fail(argv[0], "cannot be read");
	section = find_section(elf, argv[1], &header);
	data = section ? elf_getdata(section, NULL) : NULL;
	if (!data)
		fail(argv[1], "no such section");
	count = data->d_size / sizeof(*insns);
	relocate(elf, argv[1], data->d_buf, count, argv + 5, argc - 5);
	insns = pad(data->d_buf, count, padding);
	count += padding;
	printf("BPF_PROG_LOAD %s %s%s%zu %s %s ", argv[2], strcmp(dialect, "2017") ? name : "",
		strcmp(dialect, "2017") ? " " : "", count * sizeof(*insns), argv[3], argv[4]);
	print_base64((const uint8_t *)insns, count * sizeof(*insns));
	putchar('\n');
	free(insns);
	elf_end(elf);
	close(fd);
	return 0;
}
