/* zmq_keys.h - who may talk to whom over ZeroMQ
 *
 * A worker runs what the host sends, and the host believes what a worker
 * answers. So on a network both prove who they are: CURVE, with the keys that
 * `scorehost keygen` writes. Inside of one machine (loopback, a Unix socket)
 * they may do without.
 *
 * Thread: any; a keyring belongs to one thread.
 */
#ifndef SCO_LINK_ZMQ_KEYS_H
#define SCO_LINK_ZMQ_KEYS_H

#include "base/status.h"
#include "link/zmq.h"

#include <stdbool.h>

struct sco_keyring;

/* Whether an endpoint ("tcp://ADDRESS:PORT", "ipc://PATH") may be used with
 * or without keys.
 *
 * Errors: SCO_INVALID with what to do about it. */
SCO_NODISCARD
enum sco_status sco_zmq_check(const char *endpoint, bool has_keys,
                              struct sco_error *err);

/* Reads the one key that a file holds.
 * Errors: SCO_INVALID with the system's reason, or for what is no key. */
SCO_NODISCARD
enum sco_status sco_zmq_read_key(const char *path, struct sco_zmq_key *out,
                                 struct sco_error *err);

/* Opens a folder of keys: server.key is the host's own, every other NAME.pub
 * a worker that may come.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_INVALID when there is no server.key, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_keyring_open(const char *folder, struct sco_keyring **out,
                                 struct sco_zmq_key *secret_out,
                                 struct sco_error *err);

/* The name that a key has in the folder, or NULL for a stranger's. The folder
 * is looked at anew, so that keys may come and go while the host runs. The
 * name holds until the next call. */
const char *sco_keyring_find(struct sco_keyring *ring,
                             const struct sco_zmq_key *key);

/* NULL is allowed. */
void sco_keyring_close(struct sco_keyring *ring);

#endif
