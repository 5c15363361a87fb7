/* gather.c - the rows of many requests into one batch, as a worker does it
 *
 * For micro/gather.py, which loads this with ctypes. The requests are read
 * once; what is measured is sco_rows_gather() and sco_rows_clear().
 */
#include "pybridge/rows.h"

#include "link/head.h"
#include "v2/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MOST = 256, ROUNDS_MOST = 4096, HEAD_ROOM = 256 };

static struct {
    struct sco_tensor_model model;
    struct sco_memory_shelf shelf;
    struct sco_rows rows;
    struct sco_part parts[PARTS_MOST];
    struct sco_job jobs[PARTS_MOST];
    char head[1024];
    size_t head_bytes, count;
} all;

int gather_open(size_t count, size_t columns, const char *elements);
int gather_often(unsigned rounds);
const char *gather_bytes(void);

/* A head that says where the JSON of a body ends. */
static void
write_head(const char *json_bytes)
{
    const struct sco_field fields[] = {
        { SCO_SLICE("Content-Type"), SCO_SLICE("application/octet-stream") },
        { SCO_SLICE("Inference-Header-Content-Length"),
          sco_slice_of(json_bytes) },
    };
    const struct sco_call_head head = { .method = SCO_SLICE("POST") };

    all.head_bytes = sco_head_bytes(&head, fields, 2);
    sco_head_write(&head, fields, 2, all.head);
}

/* One request: a row of `columns` numbers. */
static int
read_one(size_t i, size_t columns, const char *elements)
{
    size_t data_bytes = columns * sizeof(float);
    char *body = malloc(HEAD_ROOM + data_bytes);
    char digits[24];
    struct sco_call call = { .way = SCO_CALL_INFER };
    int json_bytes;

    if (body == NULL) {
        return -1;
    }
    json_bytes = snprintf(body, HEAD_ROOM,
                          "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
                          "\"shape\":[1,%zu],\"parameters\":"
                          "{\"binary_data_size\":%zu}}]}",
                          columns, data_bytes);
    (void)snprintf(digits, sizeof(digits), "%d", json_bytes);
    write_head(digits);
    memcpy(body + json_bytes, elements + i * data_bytes, data_bytes);
    call.head = (struct sco_slice){ all.head, all.head_bytes };
    call.body = (struct sco_slice){ body, (size_t)json_bytes + data_bytes };
    all.parts[i] = (struct sco_part){ .job = &all.jobs[i], .rows = 1 };
    return sco_job_init(&all.jobs[i], &all.model.signature, NULL) == SCO_OK &&
                   sco_job_read(&all.jobs[i], &all.shelf, &call, NULL) ==
                       SCO_OK
               ? 0
               : -1;
}

/* Makes `count` requests of a row each. -1: they cannot be made. */
int
gather_open(size_t count, size_t columns, const char *elements)
{
    const struct sco_slice declared =
        SCO_SLICE("{\"name\":\"m\",\"version\":\"1\",\"max_batch_size\":64,"
                  "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
                  "\"shape\":[-1,-1]}],\"outputs\":[]}");

    if (count > PARTS_MOST ||
        sco_v2_signature_read(declared, &all.model.signature, NULL) !=
            SCO_OK) {
        return -1;
    }
    all.count = count;
    for (size_t i = 0; i < count; i++) {
        if (read_one(i, columns, elements) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Gathers so often. -1: that failed. */
int
gather_often(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        sco_rows_clear(&all.rows);
        sco_rows_begin(&all.rows, &all.model, /* slot */ NULL);
        if (sco_rows_gather(&all.rows, &all.shelf, all.parts, all.count,
                            NULL) != SCO_OK) {
            return -1;
        }
    }
    return 0;
}

/* What was gathered last. */
const char *
gather_bytes(void)
{
    return all.rows.columns[0].memory->data;
}
