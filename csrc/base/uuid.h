/* uuid.h - request ids
 *
 * Random bytes come from the kernel, a page at a time, so that an id costs no
 * system call. Thread: the loop's; the pool of bytes is not locked.
 */
#ifndef SCO_BASE_UUID_H
#define SCO_BASE_UUID_H

enum { SCO_UUID_CHARS = 36 };

/* Writes a new version 4 UUID (RFC 9562, 5.4) in lower case, terminated. */
void sco_uuid4(char out[SCO_UUID_CHARS + 1]);

#endif
