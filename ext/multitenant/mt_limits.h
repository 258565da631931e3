/* SPDX-License-Identifier: MIT */
/*
 * The limits, with their units and reasons. A buffer grows only up to one of these, or to what a
 * file makes of them (as the size of a connection as text).
 * (Not limits.h: mkmf puts this directory before the system's.)
 */
#pragma once

/* Bytes of a Slurm job name: slurmctld refuses longer ones on submit and update (22.05 to 26.05,
 * src/slurmctld/job_mgr.c, _test_strlen(name, "name", 1024)). */
#define MT_JOBNAME_MAX 1024

/* Bytes of an inflated message. A 1024-byte name can ask for a thousand times its size. */
#define MT_MESSAGE_MAX (64 * 1024)

/* Connection entries of one share, and bytes of a key and of a value. */
#define MT_CONN_KEYS_MAX 64
#define MT_CONN_KEY_MAX 64
#define MT_CONN_VALUE_MAX 4096

/* Bytes of a host, as DNS has it. Open OnDemand shows it on each card, whatever is in it. */
#define MT_HOST_MAX 253

/* Uids of a list of recipients. A name has room for some hundred at random; more fit where they
 * stand close together, and each costs eleven bytes as text. */
#define MT_RECIPIENTS_MAX 4096

/* Keys of one group, the newest and older ones of services that still run; bytes of their file. */
#define MT_KEYS_MAX 16
#define MT_KEY_FILE_MAX 2048

/* Characters of an app name and of a title; bytes of a delivery token's path component (NAME_MAX is
 * 255). */
#define MT_APP_CHARS_MAX 64
#define MT_TOKEN_PART_MAX 128

/* Marks on one letter of an app name or title. Hebrew with cantillation has four, others fewer. */
#define MT_MARKS_MAX 4

/* Bytes of a service's name, as of a component of a host's name; the last second that its end may
 * be (of the year 9999); minutes of its lead, which is this where nothing is told. */
#define MT_SERVICE_MAX 63
#define MT_UNTIL_MAX 253402300799
#define MT_LEAD_MAX 1440
#define MT_LEAD_DEFAULT 10

/* The ports that a gateway may have, as any user's program; characters of what its door asks for:
 * 32 bytes as base64url. */
#define MT_GATE_MIN 1024
#define MT_GATE_MAX 65535
#define MT_DOOR_CHARS 43

/* Bytes of the path that a proxy asks a web application for, to see whether it works; and of an
 * address with all that is filled in, each byte of which may become three. */
#define MT_ADDRESS_CHECK_MAX 64
#define MT_ADDRESS_MAX 4096

/* Bytes of a user, cluster, group or WCKey name; directories hold longer ones than POSIX asks for.
 */
#define MT_NAME_MAX 256

/* Bytes that munged may tell of a credential: a name of 1024 bytes asks for a thousand times as
 * much, and the text is a part of a record line. */
#define MT_MUNGE_TEXT_MAX (8 * 1024)

/* Bytes of what a credential for a login holds: some names and numbers, and a door key. Seconds
 * that it may be good for: clocks may differ, and a page with it stands for a while. */
#define MT_LOGIN_TEXT_MAX 1024
#define MT_LOGIN_TTL_MAX 180

/* Credentials that munged is asked for at once: the first of those that may count. */
#define MT_CREDENTIALS_MAX 512

/* Bytes of one record line. A name or text of control characters alone is written as six bytes for
 * one. */
#define MT_RECORD_LINE_MAX (64 * 1024)

/* Bytes of a stream's first line. A snapshot's names the groups that have a share: 90,000 gids. */
#define MT_HEADER_LINE_MAX (1024 * 1024)

/* Bytes that are read of all records together: a thousand of the longest lines. The query program
 * writes the names of some hundred jobs of one publisher, and of more of theirs none. */
#define MT_RECORDS_MAX (64 * 1024 * 1024)

/* Clusters whose streams one input may hold. */
#define MT_STREAMS_MAX 64

/* WCKeys of one stream. */
#define MT_WCKEYS_MAX 32

/* Shares of one publisher, and of all publishers, that count for one viewer; the oldest win, and
 * publishers take turns. What can't be opened for its form takes no place. Beyond them nothing is
 * opened: each may keep MT_MESSAGE_MAX. */
#define MT_SHARES_PER_PUBLISHER 32
#define MT_SHARES_PER_VIEWER 256

/* Shares of one publisher whose names the query program writes and whose groups it looks up, and
 * their other jobs whose names it writes: bounds the stream and the look-ups. The reader counts
 * MT_SHARES_PER_PUBLISHER of those it may see. */
#define MT_QUERY_SHARES_PER_PUBLISHER 256

/* Bytes of a child's stderr that are kept: enough for its sentence. */
#define MT_CHILD_ERR_MAX 4096

/* Bytes of a card file or of the dismissals that are read back; ours are smaller. */
#define MT_FILE_READ_MAX (1024 * 1024)

/* Where libslurm lets no list of ids be sent: jobs of one submitter that are asked for one by one;
 * above, all of theirs in one question, whose answer has their pending jobs too, of any number and
 * size (doc/performance.md). The second is for clusters where a user may ask but two questions a
 * second (rl_enable). */
#define MT_ASK_EACH_MAX 64
#define MT_ASK_EACH_LIMITED_MAX 1

/* Tasks in slurmctld's answers to ids that stand for whole arrays (that of the task which started
 * last); once a submitter has had more, no other such id of theirs is asked for. */
#define MT_ARRAY_TASKS_MAX 256

/* Seconds that --timeout of a program may say. */
#define MT_TIMEOUT_MIN 0.1
#define MT_TIMEOUT_MAX 3600.0

/* Bytes of what a program says on standard error, and of what it quotes there: a line each. */
#define MT_SENTENCE_MAX 1024
#define MT_CAUSE_MAX 200

/* Nodes of a job that a record tells of, the first ones: bounds the line and the look-ups. Nodes
 * that are asked for one by one; above, all of the cluster in one question. */
#define MT_NODES_MAX 32
#define MT_ASK_NODES_MAX 8

/* Bytes of a WCKey or cluster that Slurm is asked for. */
#define MT_QUERY_NAME_MAX 64

/* Seconds by which an answer may be older than that of another host, which both are in use: an
 * agent is asked for two of its rounds. Above, somebody's clock is wrong. */
#define MT_AGE_MAX 3600

/* Seconds that this host's clock may be behind slurmdbd's without a new job being missed. */
#define MT_CLOCK_SLACK 60

/* Questions that the name service is asked in one go: a publisher and a group of each share. Bytes
 * of them: a uid of ten digits, a name and their NULs; and of the credentials that munged is asked
 * for: a job's name, its newline, and one to spare. */
#define MT_QUESTIONS_MAX 65536
#define MT_NAMES_INPUT_MAX ((size_t)MT_QUESTIONS_MAX * (10 + 1 + MT_NAME_MAX + 1))
#define MT_MUNGE_INPUT_MAX ((size_t)MT_CREDENTIALS_MAX * (MT_JOBNAME_MAX + 2))

/* Threads that ask the name service, which is often a daemon that serves the whole host. */
#define MT_NSS_WORKERS_MAX 4

/* Milliseconds after which a look-up is late and another thread goes on with the rest, and after
 * which it is given up. A dashboard waits for the slow ones; what is given up has its next chance
 * soon, and from the name service's cache. */
#define MT_NSS_ANOTHER_MS 300
#define MT_NSS_GIVE_UP_MS 1000

/* Bytes of libslurm's log, since the last step began, in which the cause of a failure is searched.
 */
#define MT_LOG_SEARCHED_MAX 4096

/* Bytes that jansson finds set aside at most while it reads (json.c). */
#define MT_JSON_SPARE_MAX (4 * 1024 * 1024)

/* Bytes of a path that a sentence shows. */
#define MT_SHOWN_PATH_MAX 300

/* Bytes of the name service's answer (a group's member list). */
#define MT_NSS_BUF_MAX (16 * 1024 * 1024)

/* The gate (ext/multitenant_gate). Bytes of a request's headers, of which nginx takes 32 KiB, of a
 * login's body, and of the credential in it. */
#define MT_GATE_HEADERS_MAX (64 * 1024)
#define MT_GATE_BODY_MAX 4096
#define MT_GATE_CREDENTIAL_MAX 1024

/* Seconds that a token holds. */
#define MT_GATE_TOKEN_SECONDS (12 * 3600)

/* Requests at once, how many of them may wait, and how many logins: a munged that hangs leaves the
 * other places to checks. Processes for what may block, how many of them may be for logins, and
 * how many for what nobody waits for: one is left to checks in any case. */
#define MT_GATE_CONNECTIONS_MAX 256
#define MT_GATE_WAITING_MAX 192
#define MT_GATE_LOGINS_WAITING_MAX 64
#define MT_GATE_CHILDREN_MAX 16
#define MT_GATE_LOGINS_MAX 12
#define MT_GATE_LATER_MAX 3

/* Tenants and connections that are remembered, the least recently seen are forgotten; credentials,
 * which aren't, and of one user, who could keep all others out; uids of a file of the state, and
 * paths under which a service is met. */
#define MT_GATE_TENANTS_MAX 8192
#define MT_GATE_STREAMS_MAX 8192
#define MT_GATE_NONCES_MAX 8192
#define MT_GATE_NONCES_USER_MAX 1024
#define MT_GATE_LISTED_MAX 4096
#define MT_GATE_BASES_MAX 8

/* Requests a minute that a limit can say; bytes of a log, of which two older ones are kept; lines
 * of the gate's own a second; and how many a minute are refusals of users, and of all others: they
 * take no log-in's place, and last for days. */
#define MT_GATE_RATE_MAX 1000000
#define MT_GATE_LOG_MAX (16 * 1024 * 1024)
#define MT_GATE_LINES_MAX 200
#define MT_GATE_REFUSALS_MAX 60

/* The limits that Ruby has, too, as MultiTenant::Core::LIMITS: name and number. */
#define MT_LIMITS_TABLE(X)                           \
    X(jobname, MT_JOBNAME_MAX)                       \
    X(message, MT_MESSAGE_MAX)                       \
    X(munge_text, MT_MUNGE_TEXT_MAX)                 \
    X(conn_keys, MT_CONN_KEYS_MAX)                   \
    X(conn_key, MT_CONN_KEY_MAX)                     \
    X(conn_value, MT_CONN_VALUE_MAX)                 \
    X(host, MT_HOST_MAX)                             \
    X(app_chars, MT_APP_CHARS_MAX)                   \
    X(token_part, MT_TOKEN_PART_MAX)                 \
    X(marks, MT_MARKS_MAX)                           \
    X(service, MT_SERVICE_MAX)                       \
    X(until, MT_UNTIL_MAX)                           \
    X(lead, MT_LEAD_MAX)                             \
    X(gate_min, MT_GATE_MIN)                         \
    X(gate, MT_GATE_MAX)                             \
    X(address_check, MT_ADDRESS_CHECK_MAX)           \
    X(shares_per_publisher, MT_SHARES_PER_PUBLISHER) \
    X(lead_default, MT_LEAD_DEFAULT)                 \
    X(recipients, MT_RECIPIENTS_MAX)                 \
    X(name, MT_NAME_MAX)                             \
    X(keys, MT_KEYS_MAX)                             \
    X(records, MT_RECORDS_MAX)                       \
    X(nodes, MT_NODES_MAX)                           \
    X(query_name, MT_QUERY_NAME_MAX)                 \
    X(clock_slack, MT_CLOCK_SLACK)                   \
    X(query_shares_per_publisher, MT_QUERY_SHARES_PER_PUBLISHER)
