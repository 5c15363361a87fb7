/* v2_int.h - what the files of v2/ share. Thread: any. */
#ifndef SCO_V2_INT_H
#define SCO_V2_INT_H

/* A stranger's text for "%.*s" in a message: its length, no longer than a
 * message bears, and its bytes. What it cuts in two is mended where the
 * message becomes JSON. */
#define SCO_V2_SHOWN(slice) \
    (int)((slice).len < 64 ? (slice).len : 64), (slice).data

#endif
