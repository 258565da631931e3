/* SPDX-License-Identifier: MIT */
/*
 * Why a job is, or is not, a share for this viewer. One table: code, kind, sentence.
 *
 * A final reason takes the job's card away. A temporary one keeps the card, and the last specs of
 * an unchanged name: what it asks for could not be learned this time. An outer one is seen from
 * outside the envelope, whoever the viewer is.
 */
#pragma once

#include "status.h"

#define MT_FINAL 0u
#define MT_TEMPORARY 1u
#define MT_OUTER 2u /* and final, where it stands alone */

/* code, kind, sentence for an admin, a publisher or a tenant */
#define MT_REASON_TABLE(X)                                                                         \
    X(ok, MT_FINAL, "Shared with this user.")                                                      \
    X(not_member, MT_FINAL, "This user is not a member of the group that the job name names.")     \
    X(not_recipient, MT_FINAL, "The publisher's list of recipients does not hold this user.")      \
    X(publisher_not_member, MT_OUTER, "The publisher is not a member of the group they name.")     \
    X(publisher_not_allowed, MT_OUTER,                                                             \
      "The publisher is not a member of the group in MULTITENANT_PUBLISHERS.")                     \
    X(too_many, MT_OUTER, "Other shares fill the limit for one publisher or one viewer.")          \
    X(malformed_name, MT_OUTER, "The job name is not LABEL|GROUP|PAYLOAD: nothing is shared yet.") \
    X(name_too_long, MT_OUTER, "The job name is longer than 1024 bytes.")                          \
    X(envelope_not_accepted, MT_OUTER, "MULTITENANT_ENVELOPES does not accept this envelope.")     \
    X(bad_base64, MT_OUTER, "The payload is not base64 on one line.")                              \
    X(bad_cipher, MT_OUTER, "The payload does not decrypt: sealed for another job or damaged.")    \
    X(bad_gzip, MT_FINAL, "The decrypted payload is not one whole piece of compressed data.")      \
    X(too_large, MT_OUTER, "The message is larger than 64 KiB, or 8 KiB in a MUNGE credential.")   \
    X(bad_message, MT_FINAL, "The message inside is not of the form that its envelope asks for.")  \
    X(bad_session_id, MT_FINAL, "The session id is not a lower-case UUID.")                        \
    X(bad_app_name, MT_FINAL, "The app name is not 1 to 64 printable characters without markup.")  \
    X(bad_title, MT_FINAL, "The title is not 1 to 64 printable characters without markup.")        \
    X(bad_service, MT_FINAL,                                                                       \
      "The service's name is not [a-z0-9][a-z0-9-]{0,62}, or its end, lead, door or gate is out "  \
      "of range.")                                                                                 \
    X(bad_method, MT_FINAL, "The method is neither form nor card.")                                \
    X(delivery_not_allowed, MT_FINAL,                                                              \
      "MULTITENANT_DELIVERY does not allow this delivery app, or it is not installed.")            \
    X(bad_connection_key, MT_FINAL,                                                                \
      "A connection key is not [A-Za-z_][A-Za-z0-9_]{0,63}, is reserved, or there are over 64.")   \
    X(bad_connection_value, MT_FINAL,                                                              \
      "A connection value is longer than 4096 bytes, or a host than 253, or has a character that " \
      "YAML can't carry.")                                                                         \
    X(wrong_job, MT_FINAL, "The message was sealed for another job, cluster or group.")            \
    X(wrong_publisher, MT_FINAL, "The message was sealed by another user than the job's.")         \
    X(stale, MT_FINAL, "The message is from another run of this job, before or after a requeue.")  \
    X(form_only, MT_FINAL, "Shared in forms only: the publisher asked for no card.")               \
    X(own_session, MT_FINAL, "This user's own job: its session card is there already.")            \
    X(dismissed, MT_FINAL, "Dismissed by this user; multitenant cards --restore brings it back.")  \
    X(other_member, MT_FINAL, "Another job of the same service has its one card.")                 \
    X(service_taken, MT_FINAL, "An older service of this publisher and group has the same name.")  \
    X(duplicate_session, MT_FINAL, "An older job of the same publisher has this session id.")      \
    X(unknown_cluster, MT_FINAL, "No OOD cluster belongs to the Slurm cluster of this job.")       \
    X(no_address, MT_FINAL, "Its publisher asked for no address outside Open OnDemand.")           \
    X(bad_address, MT_OUTER,                                                                       \
      "The last word of the job name's label begins with mt: and is not mt:SERVICE:KIND:PORT.")    \
    X(port_not_allowed, MT_OUTER,                                                                  \
      "The port of its address is another service's, outside the cluster's range, or in "          \
      "MULTITENANT_PROXY_DENY.")                                                                   \
    X(address_open, MT_FINAL,                                                                      \
      "Neither gateway nor key is in front of it, and proxy-config does not have --open.")         \
    X(other_kind, MT_FINAL, "A younger job of the same service has an address of another kind.")   \
    X(no_node, MT_TEMPORARY, "The address of the job's node is not known.")                        \
    X(lookup_failed, MT_TEMPORARY | MT_OUTER,                                                      \
      "The name service did not answer for the group or its members.")                             \
    X(envelope_unavailable, MT_TEMPORARY, "This envelope can't be opened on this host now.")       \
    X(out_of_time, MT_TEMPORARY | MT_OUTER,                                                        \
      "The name service or munged did not answer for this job before the deadline.")

enum mt_reason {
#define X(code, kind, sentence) MT_REASON_##code,
    MT_REASON_TABLE(X)
#undef X
        MT_REASON_COUNT,
    MT_REASON_UNTRIED /* not asked yet: of no job that a round has decided */
};

/* The reason's code as users see it (e.g. "not_member"), and its sentence; static strings. Any
 * other number is "untried". */
MT_NODISCARD const char *mt_reason_code(enum mt_reason reason);
MT_NODISCARD const char *mt_reason_sentence(enum mt_reason reason);

/* Whether the reason is temporary; so is any other number. */
MT_NODISCARD bool mt_reason_is_temporary(enum mt_reason reason);

/* Whether mt_specs_begin gives it, to a viewer who is in all groups, or mt_address_read. */
MT_NODISCARD bool mt_reason_is_outer(enum mt_reason reason);

/*
 * How a refusal is returned. Nobody reads *reason but after MT_REFUSED.
 *
 * MT_OK: `why` is MT_REASON_ok, and *reason stays as it was
 * MT_REFUSED: *reason is `why`
 */
MT_CHECKED enum mt_status mt_refuse(enum mt_reason why, enum mt_reason *reason);
