/* SPDX-License-Identifier: MIT */
/* What was read in MultiTenant::Records, for those who take them. */
#pragma once

#include "binding.h"
#include "streams.h"

/* The streams, borrowed, and the number of the first line that does not belong, or 0. Raises. */
const struct mt_streams *streams_in(VALUE records, size_t *bad_line);

/* @return [Array<Stream>] frozen */
VALUE streams_of(const struct mt_streams *streams);
