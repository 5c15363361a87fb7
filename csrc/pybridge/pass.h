/* pass.h - one call of run() with tensors: what it takes and gives
 *
 *     sco_pass_open()       a slot of the GPU's stage, where there is a GPU
 *     sco_pass_gather()     parts of requests are decoded, row behind row
 *     sco_pass_call()       run() is called with some of them, or all
 *     sco_pass_read()       what it returned, as tensors
 *     sco_pass_wait()       they are here: on a GPU that takes its time
 *     ... replies are made of pass->outputs
 *     sco_pass_clear()      the result is let go of; call() may follow again
 *     sco_pass_close()      and the rows, too
 *
 * Thread: that of the scorer's owner, attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_PASS_H
#define SCO_PYBRIDGE_PASS_H

#include "pybridge/py.h"

#include "pybridge/outputs.h"
#include "pybridge/rows.h"

#include <stdbool.h>
#include <stdint.h>

struct sco_scorer;

/* Bodies and results from this size on are worked on while other threads run
 * Python. */
enum { SCO_WITHOUT_GIL_BYTES = 64 * 1024 };

/* Zeroed it is closed. */
struct sco_pass {
    struct sco_rows rows;
    struct sco_outputs outputs;
    PyObject *result; /* NULL: there is none */
    uint64_t begun_ns;
};

/* Opens it for another batch. False: all slots of the stage are under way. */
bool sco_pass_open(struct sco_scorer *scorer, struct sco_pass *pass);

/* Decodes the parts' rows, whose bodies have so many bytes; as
 * sco_rows_gather(). */
SCO_NODISCARD
enum sco_status sco_pass_gather(struct sco_scorer *scorer,
                                struct sco_pass *pass, struct sco_part *parts,
                                size_t count, size_t bytes,
                                struct sco_error *err);

/* Calls run() with some of the rows. -1 with the exception that it raised, or
 * of what went wrong before. The scorer's `time` has how long it took. */
int sco_pass_call(struct sco_scorer *scorer, struct sco_pass *pass,
                  uint64_t first, uint64_t count);

/* Reads the result as tensors of so many rows. What is on the GPU begins to
 * come. -1 with an exception that says what is wrong with it. */
int sco_pass_read(struct sco_scorer *scorer, struct sco_pass *pass,
                  uint64_t rows);

/* Waits for it to come; nothing without a GPU. -1 with an exception.
 * Blocks: until then; the GIL is let go. */
int sco_pass_wait(struct sco_scorer *scorer, struct sco_pass *pass);

/* Lets go of the result. */
void sco_pass_clear(struct sco_scorer *scorer, struct sco_pass *pass);

/* Lets go of all. A closed one is allowed. */
void sco_pass_close(struct sco_scorer *scorer, struct sco_pass *pass);

#endif
