/* one_model.h - a model for a test: a signature and a request of it
 *
 * Thread: that of the test.
 */
#ifndef SCO_TESTS_V2_ONE_MODEL_H
#define SCO_TESTS_V2_ONE_MODEL_H

#include "support/test.h"
#include "v2/request.h"

struct one_model {
    struct sco_v2_signature signature;
    struct sco_v2_request request;
};

/* Makes both of a declaration, which must be sound. */
static inline void
one_model_make(struct one_model *model, const char *declaration)
{
    const struct sco_v2_limits limits = { .body_bytes = 4096,
                                          .elements = 1000,
                                          .rows = 8 };
    struct sco_error err = { .status = SCO_OK };

    if (sco_v2_signature_read(sco_slice_of(declaration), &model->signature,
                              &err) != SCO_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(
        sco_v2_request_init(&model->request, &model->signature, &limits, &err),
        SCO_OK);
}

/* Frees both. */
static inline void
one_model_end(struct one_model *model)
{
    sco_v2_request_finish(&model->request);
    sco_v2_signature_finish(&model->signature);
}

/* Reads a request that is JSON alone. */
static inline enum sco_status
one_model_read(struct one_model *model, const char *body,
               struct sco_error *err)
{
    return sco_v2_request_read(&model->request, sco_slice_of(body),
                               SCO_SLICE(""), err);
}

#endif
