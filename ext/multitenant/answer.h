/* SPDX-License-Identifier: MIT */
#pragma once

/* An answer that may be missing: null in a record. */
enum mt_answer { MT_NO, MT_YES, MT_UNKNOWN };
