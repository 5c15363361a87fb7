/* fuzz_job.c - no body in any form that a worker reads leaves its memory
 *
 * The first line is a letter and a digit: the form (j: arguments in JSON, i:
 * an infer request, n: .npy, r: raw bytes) and the model; then, after a
 * blank, the field that goes with the form (Tensor-Shape, or
 * Inference-Header-Content-Length). The rest is the body. Whatever is read is
 * decoded as a whole and row by row, which must give the same.
 */
#include "pybridge/job.c"
#include "pybridge/memory.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_MAX_BYTES = 200, ROWS_MAX = 64 };

static const char *const models[] = {
    "{\"name\":\"m\",\"max_batch_size\":4,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}",
    "{\"name\":\"m\",\"max_batch_size\":4,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"INT16\",\"shape\":[-1,-1]},"
    "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1,-1]}]}",
    "{\"name\":\"m\",\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[]},"
    "{\"name\":\"y\",\"datatype\":\"BOOL\",\"shape\":[]}]}",
    "{\"name\":\"m\",\"max_batch_size\":4,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP16\",\"shape\":[-1,-1,3]}]}",
};

static const struct {
    char letter;
    enum sco_call_way way;
    struct sco_slice type, field;
} forms[] = {
    { 'j', SCO_CALL_PLAIN, SCO_SLICE_INIT("application/json"),
      SCO_SLICE_INIT("X-Unused") },
    { 'i', SCO_CALL_INFER, SCO_SLICE_INIT("application/json"),
      SCO_SLICE_INIT("Inference-Header-Content-Length") },
    { 'n', SCO_CALL_PLAIN, SCO_SLICE_INIT("application/x-npy"),
      SCO_SLICE_INIT("X-Unused") },
    { 'r', SCO_CALL_INFER, SCO_SLICE_INIT("application/octet-stream"),
      SCO_SLICE_INIT("Tensor-Shape") },
};

/* Decodes an input of numbers at once, and then row by row. */
static void
check_rows(struct sco_job *job, struct sco_memory_shelf *shelf, size_t i)
{
    uint64_t rows = job->request.rows;
    size_t bytes = sco_v2_input_bytes(&job->request.inputs[i]);
    size_t each = bytes / rows;
    char *whole = malloc(bytes > 0 ? bytes : 1);

    if (whole == NULL ||
        sco_job_decode(job, shelf, i, 0, rows, whole, NULL) != SCO_OK) {
        free(whole);
        return;
    }
    for (uint64_t row = 0; row < rows && row < ROWS_MAX; row++) {
        char *one = malloc(each > 0 ? each : 1);

        SCO_CHECK(one != NULL && sco_job_decode(job, shelf, i, row, 1, one,
                                                NULL) == SCO_OK,
                  "a row cannot be decoded, and all together could");
        SCO_CHECK(each == 0 || memcmp(one, whole + row * each, each) == 0,
                  "a row is another one by itself");
        free(one);
    }
    free(whole);
}

/* The strings that were decoded lie one behind the other in their memory. */
static void
check_strings(const struct sco_job *job, size_t i)
{
    const struct sco_memory *memory = job->decoded[i];
    const size_t *ends = (const size_t *)(const void *)memory->data;
    size_t count = job->request.inputs[i].count;

    for (size_t k = 0; k < count; k++) {
        SCO_CHECK(k == 0 || ends[k] >= ends[k - 1], "a string ends early");
        SCO_CHECK(count * sizeof(size_t) + ends[k] <= memory->room,
                  "a string past its memory");
    }
}

static void
check_call(struct sco_job *job, struct sco_memory_shelf *shelf,
           const struct sco_call *call)
{
    struct sco_error err = { .text = "" };

    if (sco_job_read(job, shelf, call, &err) == SCO_OK) {
        SCO_CHECK(job->request.rows > 0, "a request without rows");
        for (size_t i = 0; i < job->request.signature->input_count; i++) {
            if (job->request.signature->inputs[i].dtype == SCO_BYTES) {
                check_strings(job, i);
            } else {
                check_rows(job, shelf, i);
            }
        }
    }
    sco_job_clear(job);
}

/* Reads a body twice, the second time with the memory of the first. */
static void
read_as(const char *model, size_t form, struct sco_slice value,
        struct sco_slice body)
{
    const struct sco_field fields[] = {
        { SCO_SLICE("Content-Type"), forms[form].type },
        { forms[form].field, value },
    };
    const struct sco_call_head head = { .method = SCO_SLICE("POST") };
    size_t bytes = sco_head_bytes(&head, fields, 2);
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_memory_shelf shelf = { .next = 0 };
    struct sco_job job = { .decoded = NULL };
    char *block = malloc(bytes);

    if (block != NULL &&
        sco_v2_signature_read(sco_slice_of(model), &signature, NULL) ==
            SCO_OK &&
        sco_job_init(&job, &signature, NULL) == SCO_OK) {
        const struct sco_call call = { .way = forms[form].way,
                                       .head = { block, bytes },
                                       .body = body };

        sco_head_write(&head, fields, 2, block);
        check_call(&job, &shelf, &call);
        check_call(&job, &shelf, &call);
    }
    sco_job_finish(&job);
    sco_memory_shelf_finish(&shelf);
    sco_v2_signature_finish(&signature);
    free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct sco_slice value = { NULL, 0 };
    size_t line;

    if (end == NULL || end - data < 2 || end - data > LINE_MAX_BYTES) {
        return 0;
    }
    line = (size_t)(end - data);
    if (line > 3) {
        value = (struct sco_slice){ (const char *)data + 3, line - 3 };
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (forms[i].letter == (char)data[0]) {
            read_as(
                models[data[1] % (sizeof(models) / sizeof(models[0]))], i,
                value,
                (struct sco_slice){ (const char *)end + 1, size - line - 1 });
        }
    }
    return 0;
}
