/* SPDX-License-Identifier: MIT */
/*
 * What every header begins with, by itself or with status.h: the types of C, the order of numbers,
 * and function attributes, spelled once for gcc and clang.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below, at or above 0, for qsort and the like. */
#define MT_ORDER(a, b) (((a) > (b)) - ((a) < (b)))

/* The result must be looked at. */
#define MT_NODISCARD __attribute__((warn_unused_result))
/* No pointer argument may be NULL; with numbers, only those arguments. */
#define MT_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define MT_NONNULL_ALL __attribute__((nonnull))
/* Both, as for most functions. */
#define MT_CHECKED __attribute__((warn_unused_result, nonnull))
/* Argument `f` is a printf format, its values start at argument `a`. */
#define MT_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* The result depends on the arguments alone. */
#define MT_PURE __attribute__((pure))
