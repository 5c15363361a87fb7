#include "pybridge/pass.h"

#include "base/clock.h"
#include "cuda/stage.h"
#include "pybridge/call.h"
#include "pybridge/device.h"
#include "pybridge/tensors.h"

bool
sco_pass_open(struct sco_scorer *scorer, struct sco_pass *pass)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_stage_slot *slot = NULL;

    if (tensors->device != NULL) {
        slot = sco_stage_take(tensors->device->stage);
        if (slot == NULL) {
            return false;
        }
    }
    sco_rows_begin(&pass->rows, tensors->model, slot);
    return true;
}

/* Gathers, while other threads run Python if it is worth that. */
static enum sco_status
gather(struct sco_tensors *tensors, struct sco_pass *pass,
       struct sco_part *parts, size_t count, size_t bytes,
       struct sco_error *err)
{
    enum sco_status status;

    if (bytes < SCO_WITHOUT_GIL_BYTES) {
        return sco_rows_gather(&pass->rows, &tensors->shelf, parts, count,
                               err);
    }
    Py_BEGIN_ALLOW_THREADS status =
        sco_rows_gather(&pass->rows, &tensors->shelf, parts, count, err);
    Py_END_ALLOW_THREADS return status;
}

enum sco_status
sco_pass_gather(struct sco_scorer *scorer, struct sco_pass *pass,
                struct sco_part *parts, size_t count, size_t bytes,
                struct sco_error *err)
{
    struct sco_tensors *tensors = scorer->tensors;
    enum sco_status status = gather(tensors, pass, parts, count, bytes, err);

    if (status == SCO_SCRIPT && tensors->device != NULL) {
        sco_device_broke(tensors->device);
    }
    return status;
}

int
sco_pass_call(struct sco_scorer *scorer, struct sco_pass *pass, uint64_t first,
              uint64_t count)
{
    struct sco_tensors *tensors = scorer->tensors;
    PyObject *arguments;

    if (pass->rows.slot != NULL &&
        sco_device_upload(tensors->device, &pass->rows, first, count) < 0) {
        return -1;
    }
    arguments = sco_rows_arguments(&pass->rows, tensors->device, first, count);
    if (arguments == NULL) {
        return -1;
    }
    pass->begun_ns = sco_clock_now_ns();
    scorer->time.begun_ns = pass->begun_ns;
    sco_scorer_begin_run(scorer);
    pass->result = PyObject_CallOneArg(tensors->model->call, arguments);
    sco_scorer_end_run(scorer);
    scorer->time.run_ns = sco_clock_now_ns() - pass->begun_ns;
    Py_DECREF(arguments);
    return pass->result == NULL ? -1 : 0;
}

int
sco_pass_read(struct sco_scorer *scorer, struct sco_pass *pass, uint64_t rows)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_stage_slot *slot = pass->rows.slot;
    struct sco_cuda_stream *stream = NULL;

    if (slot != NULL && sco_device_stream(tensors->device, &stream) < 0) {
        return -1;
    }
    if (sco_outputs_read(&pass->outputs, tensors->model, pass->result, rows,
                         (uintptr_t)stream) < 0) {
        return -1;
    }
    return slot == NULL ? 0
                        : sco_outputs_fetch(&pass->outputs, tensors->device,
                                            slot, stream);
}

int
sco_pass_wait(struct sco_scorer *scorer, struct sco_pass *pass)
{
    if (pass->rows.slot == NULL) {
        return 0;
    }
    if (sco_device_wait(scorer->tensors->device, pass->rows.slot) < 0) {
        return -1;
    }
    /* What run() began has ended just now. */
    scorer->time.begun_ns = pass->begun_ns;
    scorer->time.run_ns = sco_clock_now_ns() - pass->begun_ns;
    return sco_outputs_arrived(&pass->outputs);
}

void
sco_pass_clear(struct sco_scorer *scorer, struct sco_pass *pass)
{
    sco_outputs_clear(&pass->outputs);
    Py_CLEAR(pass->result);
    if (pass->rows.slot != NULL) {
        sco_device_settle(scorer->tensors->device, pass->rows.slot);
    }
}

void
sco_pass_close(struct sco_scorer *scorer, struct sco_pass *pass)
{
    sco_pass_clear(scorer, pass);
    if (pass->rows.slot != NULL) {
        sco_stage_give(pass->rows.slot);
    }
    sco_rows_clear(&pass->rows);
}
