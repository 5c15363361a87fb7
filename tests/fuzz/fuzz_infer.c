/* fuzz_infer.c - no infer request whatever leaves its body or its memory
 *
 * The first line of the bytes is the field Inference-Header-Content-Length,
 * the rest is the body. What is read is decoded into blocks of just the size
 * that was said, and answered with itself.
 */
#include "v2/reply.h"
#include "v2/request.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const models[] = {
    "{\"name\":\"m\",\"max_batch_size\":4,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]},"
    "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}",
    "{\"name\":\"m\",\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[-1,-1]}]}",
    "{\"name\":\"m\",\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[-1,-1]}]}",
};

static const struct sco_v2_limits limits = { .body_bytes = 65536,
                                             .elements = 4096 };

/* Decodes BYTES into blocks that are just large enough. */
static void
decode_strings(const struct sco_v2_input *input)
{
    size_t room = sco_v2_input_bytes(input);
    struct sco_v2_strings strings = {
        .ends = malloc((input->count + 1) * sizeof(size_t)),
        .count_room = input->count,
        .bytes = malloc(room + 1),
        .bytes_room = room,
    };

    if (strings.ends != NULL && strings.bytes != NULL &&
        sco_v2_input_strings(input, &strings, /* err */ NULL) == SCO_OK) {
        SCO_CHECK(strings.count == input->count, "other than said");
        SCO_CHECK(strings.used <= room, "more than there is room");
    }
    free(strings.ends);
    free(strings.bytes);
}

/* Decodes numbers, and gives them back as an output. */
static void
decode_numbers(const struct sco_v2_request *request,
               const struct sco_v2_input *input)
{
    size_t bytes = sco_v2_input_bytes(input);
    char *numbers = malloc(bytes > 0 ? bytes : 1);
    struct sco_v2_reply reply = { .piece_count = 0 };
    struct sco_v2_output output = {
        input->declared->name,
        { .dtype = input->declared->dtype,
          .shape = input->shape,
          .data = { numbers, bytes } },
    };

    if (numbers != NULL &&
        sco_v2_input_decode(input, numbers, /* err */ NULL) == SCO_OK) {
        enum sco_status status =
            sco_v2_reply_make(&reply, request, &output, 1, /* err */ NULL);

        SCO_CHECK(status == SCO_OK || status == SCO_INVALID ||
                      status == SCO_NOMEM,
                  "what was taken cannot be given");
    }
    sco_v2_reply_finish(&reply);
    free(numbers);
}

/* Reads the body as a request of one model. */
static void
read_as(const char *declaration, struct sco_slice field, struct sco_slice body)
{
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_v2_request request = { .rows = 0 };

    if (sco_v2_signature_read(sco_slice_of(declaration), &signature,
                              /* err */ NULL) != SCO_OK ||
        sco_v2_request_init(&request, &signature, &limits,
                            /* err */ NULL) != SCO_OK) {
        sco_v2_signature_finish(&signature);
        return;
    }
    if (sco_v2_request_read(&request, body, field, /* err */ NULL) == SCO_OK) {
        for (size_t i = 0; i < signature.input_count; i++) {
            const struct sco_v2_input *input = &request.inputs[i];

            SCO_CHECK(input->data.data >= body.data &&
                          input->data.data + input->data.len <=
                              body.data + body.len,
                      "data outside of the body");
            SCO_CHECK(input->count <= limits.elements, "over the limit");
            if (input->declared->dtype == SCO_BYTES) {
                decode_strings(input);
            } else {
                decode_numbers(&request, input);
            }
        }
    }
    sco_v2_request_finish(&request);
    sco_v2_signature_finish(&signature);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct sco_slice field, body;

    if (end == NULL) {
        return 0;
    }
    field = (struct sco_slice){ (const char *)data, (size_t)(end - data) };
    body = (struct sco_slice){ (const char *)end + 1, size - field.len - 1 };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        read_as(models[i], field, body);
    }
    return 0;
}
