/* report.h - what a host and its supervisor tell each other
 *
 * Each host has a socket pair with its supervisor, over which go messages of
 * two bytes. Who has no supervisor has the descriptor -1 and tells nobody.
 *
 * A host that wants to go in favour of a fresh one says SUCCESSOR and serves
 * on until it hears RELIEVED, or ALONE when no other one could be had; one
 * that cannot serve any more says WORN and takes no new clients: they wait
 * for the next host, which is started at once; with the code 1 when this one
 * has ended, for it has something that two cannot have.
 *
 * Thread: any.
 */
#ifndef SCO_SUPERVISOR_REPORT_H
#define SCO_SUPERVISOR_REPORT_H

#include "base/status.h"

#include <stdbool.h>

enum sco_report_kind {
    /* The host's. */
    SCO_REPORT_READY = 1, /* a worker has been ready */
    SCO_REPORT_SUCCESSOR,
    SCO_REPORT_WORN,
    SCO_REPORT_LEAVING, /* it ends as planned, with `code` */

    /* The supervisor's. */
    SCO_REPORT_RELIEVED, /* another host serves: finish and leave */
    SCO_REPORT_ALONE,    /* there is no other host: stay */
};

struct sco_report {
    enum sco_report_kind kind;
    int code;
};

/* Makes the two ends; neither waits, and no program inherits one.
 *
 * Ownership: the caller owns both descriptors.
 * Errors:    SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_report_pair(int pair_out[2], struct sco_error *err);

/* Tells the other side; `code` is 0 to 255 and means something with WORN and
 * LEAVING. A side that is gone hears nothing. Blocks: never. */
void sco_report_send(int fd, enum sco_report_kind kind, int code);

/* Takes the next message; false when there is none now. What the other side
 * is not known to say is passed over. Blocks: never. */
bool sco_report_take(int fd, struct sco_report *out);

#endif
