/* SPDX-License-Identifier: MIT */
/* Function attributes, spelled once for gcc and clang. */
#ifndef MT_ATTR_H
#define MT_ATTR_H

/* The result must be looked at. */
#define MT_NODISCARD __attribute__((warn_unused_result))
/* No pointer argument may be NULL; with numbers, only those arguments. */
#define MT_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define MT_NONNULL_ALL __attribute__((nonnull))
/* Argument `f` is a printf format, its values start at argument `a`. */
#define MT_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* The result depends on the arguments alone. */
#define MT_PURE __attribute__((pure))

#endif
