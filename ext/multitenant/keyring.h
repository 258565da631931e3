/* SPDX-License-Identifier: MIT */
/*
 * The keys of a group, for the key envelope: the file DIRECTORY/<gid>, which belongs to root and to
 * that group, so that exactly the group's members can read it.
 *
 *   KEYID KEY CREATED
 *
 * One key a line, the newest first: 8 hexadecimal digits, 32 bytes in base64, seconds since the
 * epoch, one blank between them. The first seals, all of them open; so a key that is replaced stays
 * until no service uses it. No key id stands there twice.
 */
#pragma once

#include "mt_limits.h"
#include "status.h"

/* Where the files are unless the site says so. */
#define MT_KEYS_DIRECTORY "/etc/multitenant/keys"

#define MT_KEY_ID_BYTES 4
#define MT_KEY_BYTES 32

struct mt_key {
    unsigned char id[MT_KEY_ID_BYTES];
    unsigned char bytes[MT_KEY_BYTES];
    int64_t created;
};

struct mt_keyring {
    struct mt_key keys[MT_KEYS_MAX];
    size_t count;
};

/* Room for a sentence that names a path. */
#define MT_WHY_SIZE 512

/*
 * Reads the keys of group `gid`. The file is a regular one of root's and that group's with mode
 * 0440, and `directory` and all above it are root's, nobody else can write to them (a sticky one of
 * root's will do), and none is a link.
 *
 * MT_OK: the caller wipes *out
 * MT_IO: there is no such file or this process can't read it
 * MT_UNSAFE: it or a directory is another's
 * MT_MALFORMED: not keys
 * MT_NOMEM
 *
 * But for MT_OK *out is zeroed and `why` is one sentence that names the file and the fix.
 * Thread-safe.
 */
MT_CHECKED enum mt_status mt_keyring_load(const char *directory, uint32_t gid,
                                          struct mt_keyring *out, char why[MT_WHY_SIZE]);

/* The key with this id, borrowed, or NULL. */
MT_CHECKED const struct mt_key *mt_keyring_find(const struct mt_keyring *ring,
                                                const unsigned char id[MT_KEY_ID_BYTES]);

/* Overwrites the keys with zeros; a zeroed ring is fine. */
MT_NONNULL_ALL void mt_keyring_wipe(struct mt_keyring *ring);
