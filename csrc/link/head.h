/* head.h - the head of a request, and headers of a reply, as flat bytes
 *
 * What crosses from the host to a worker beside the body. A head block is a
 * row of strings and numbers in a fixed order; a field block is a count and
 * then name, value, name, value. Numbers are little-endian, each string has
 * a length of 16 bits (values: 32) before it and no end mark. Writers are
 * given room and never pass it; readers believe nothing (base/reader.h) and
 * are fuzzed.
 *
 * Thread: any.
 */
#ifndef SCO_LINK_HEAD_H
#define SCO_LINK_HEAD_H

#include "base/field.h"
#include "base/reader.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

/* The fixed part of a head block. On reading, slices borrow from the block. */
struct sco_call_head {
    struct sco_slice method, target, version;
    struct sco_slice peer_host, server_host;
    struct sco_slice request_id, client_request_id;
    uint16_t peer_port, server_port;
};

/* The bytes that a head block with these fields takes. */
size_t sco_head_bytes(const struct sco_call_head *head,
                      const struct sco_field *fields, size_t field_count);

/* Writes a head block into exactly sco_head_bytes() of memory. */
void sco_head_write(const struct sco_call_head *head,
                    const struct sco_field *fields, size_t field_count,
                    char *into);

/* Reads the fixed part and leaves `in` at the field block that follows.
 * Errors: SCO_INVALID when the block is cut short. */
SCO_NODISCARD
enum sco_status sco_head_read(struct sco_reader *in,
                              struct sco_call_head *out);

/* Reads the count of a field block. Errors: SCO_INVALID; SCO_TOO_LARGE for
 * more than SCO_FIELDS_MAX. */
SCO_NODISCARD
enum sco_status sco_fields_read_count(struct sco_reader *in,
                                      size_t *count_out);

/* Reads the next field. Errors: SCO_INVALID when the block is cut short. */
SCO_NODISCARD
enum sco_status sco_fields_read(struct sco_reader *in,
                                struct sco_slice *name_out,
                                struct sco_slice *value_out);

/* The bytes that a field block takes, its count among them. */
size_t sco_fields_bytes(const struct sco_field *fields, size_t field_count);

/* Writes a field block into exactly sco_fields_bytes() of memory. */
void sco_fields_write(const struct sco_field *fields, size_t field_count,
                      char *into);

enum { SCO_FIELDS_MAX = 1024 };

#endif
