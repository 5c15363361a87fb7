/* device.h - what a scorer has for arrays in the memory of a GPU
 *
 * The numbers of a batch are decoded into a slot of the stage (cuda/stage.h),
 * copied to the GPU from there, and handed to run() as arrays of the script's
 * framework. Making such an array is dear and cutting one is cheap, so each
 * slot keeps one for each input that has all rows that there is room for; a
 * batch gets the begin of it.
 *
 * Thread: that of the scorer's owner, attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_DEVICE_H
#define SCO_PYBRIDGE_DEVICE_H

#include "pybridge/py.h"

#include "cuda/stage.h"
#include "pybridge/model.h"
#include "pybridge/rows.h"

#include <stdbool.h>

/* The array that a slot keeps for an input. */
struct sco_device_base {
    PyObject *array;        /* of the framework's; NULL: none yet */
    struct sco_shape shape; /* ... all of it */
    size_t offset;          /* in the slot */
    unsigned generation;    /* of the slot's memory on the GPU */
};

struct sco_device {
    const struct sco_tensor_model *model;
    struct sco_stage *stage;
    struct sco_device_base *bases[SCO_STAGE_SLOTS]; /* one for each input */
    bool is_broken;                                 /* sco_device_broke() */
};

/* Makes one for a model that has a GPU. -1 with an exception. */
int sco_device_create(const struct sco_tensor_model *model,
                      struct sco_device **out);

/* Ends it. NULL is allowed. Blocks: until the GPU is through. */
void sco_device_destroy(struct sco_device *device);

/* The stream that run() works in now. -1 with an exception. */
int sco_device_stream(const struct sco_device *device,
                      struct sco_cuda_stream **out);

/* Begins to copy some rows that were gathered in a slot, and has the stream
 * that run() will work in wait for them. -1 with an exception. */
int sco_device_upload(struct sco_device *device, const struct sco_rows *rows,
                      uint64_t first, uint64_t count);

/* Some rows of an input as run()'s array: a new reference, or NULL with an
 * exception. */
PyObject *sco_device_array(struct sco_device *device,
                           const struct sco_rows *rows, size_t input,
                           uint64_t first, uint64_t count);

/* Waits until the GPU is through with a slot that was sent. -1 with an
 * exception.
 * Blocks: until then; the GIL is let go. */
int sco_device_wait(struct sco_device *device, struct sco_stage_slot *slot);

/* Brings a slot to where it may be used again, whatever has become of the
 * batch: what was begun is waited for. A pending exception stays.
 * Blocks: until then; the GIL is let go. */
void sco_device_settle(struct sco_device *device, struct sco_stage_slot *slot);

/* The GPU fails whatever this process asks from now on, and only a new one
 * can use it: this one ends when its requests are answered. */
void sco_device_broke(struct sco_device *device);

/* Raises what a function of the stage failed with, and knows what is for
 * good. Returns -1. */
int sco_device_raise(struct sco_device *device, enum sco_status status,
                     const struct sco_error *err);

#endif
