/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An ELF file by hand: its only name lacks the NUL byte, and is the end of the file. */
	.data
start:	.byte 0x7f, 'E', 'L', 'F', 2, 1, 1
	.zero 9
	.short 3, 62
	.long 1
	.quad 0, segments - start, sections - start
	.long 0
	.short 64, 56, 1, 64, 3, 0

	/* One segment of all. */
segments:
	.long 1, 5
	.quad 0, 0x1000, 0x1000, end - start, end - start, 0x1000

	/* None, the symbols, the names. */
sections:
	.zero 64
	.long 0, 2
	.quad 0, 0, symbols - start, names - symbols
	.long 2, 1
	.quad 8, 24
	.long 0, 3
	.quad 0, 0, names - start, end - names
	.long 0, 0
	.quad 1, 0

symbols:
	.zero 24
	.long 1
	.byte 0x12, 0
	.short 1
	.quad 0x1234, 8
names:
	.byte 0
	.ascii "seed_function"
end:
