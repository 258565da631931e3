/* SPDX-License-Identifier: MIT */
/* What the suites of records and of their streams share: a script, and what is read from it. */
#pragma once

#include "helpers.h"
#include "streams.h"

extern struct mt_streams streams;
extern struct script script;
extern size_t bad_line;

void setup(void);
void teardown(void);

/* Reads from a block that ends where the text does and is gone afterwards. */
enum mt_status read_bytes(const char *text, size_t len);
enum mt_status read_script(void);
