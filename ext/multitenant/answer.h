/* SPDX-License-Identifier: MIT */
#ifndef MT_ANSWER_H
#define MT_ANSWER_H

/* An answer that may be missing: null in a record. */
enum mt_answer { MT_NO, MT_YES, MT_UNKNOWN };

#endif
