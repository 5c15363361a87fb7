/* scoring.h - the loaded script, as C calls it
 *
 * scorehost.script makes a Scoring object; its attributes are read once, and
 * from then on a request costs no look-up by name. What the members mean is
 * said in python/scorehost/script.py.
 *
 * Thread: one that is attached to the interpreter. It is constant once read,
 * so that several worker threads may share it.
 */
#ifndef SCO_PYBRIDGE_SCORING_H
#define SCO_PYBRIDGE_SCORING_H

#include "pybridge/py.h"

#include "link/child.h"

#include <stdbool.h>
#include <stddef.h>

struct sco_tensor_model;

/* Each object is a reference of our own. */
struct sco_scoring {
    PyObject *run;
    PyObject *keywords; /* a tuple of one: the name of run's parameter */
    PyObject *invoke;
    PyObject *finish;
    PyObject *failed;
    PyObject *log_line;
    PyObject *stream_failed; /* NULL where the object has none */
    PyObject *wake;          /* likewise */
    PyObject *unfit;         /* likewise */
    PyObject *refusals;      /* a list, or NULL where nothing is refused */
    PyObject *timeout;       /* the class ScoringTimeout */
    PyObject *cancelled;     /* the class Cancelled */
    PyObject *modules;       /* sys.modules */
    PyObject *flask;         /* the string "flask" */
    PyTypeObject *call_type; /* _core.Call */
    struct sco_tensor_model *model; /* its tensors and batches; NULL: none */
    PyObject *swaggers; /* our copy; holds what `documents` points into */
    struct sco_document *documents;
    size_t document_count;
    bool fast; /* a plain POST may go to `run` without invoke() */
};

/* Reads a Scoring object.
 *
 * Ownership: the caller ends *out with sco_scoring_finish().
 * Errors:    -1 with an exception, and *out is zero. */
int sco_scoring_read(PyObject *object, PyTypeObject *call_type,
                     struct sco_scoring *out);

/* Lets go of every reference. A zeroed one is allowed. */
void sco_scoring_finish(struct sco_scoring *scoring);

/* Whether the script or one of its packages has imported Flask by now: its
 * functions then expect a request context, which invoke() makes. */
static inline bool
sco_scoring_has_flask(const struct sco_scoring *scoring)
{
    int found = PyDict_Contains(scoring->modules, scoring->flask);

    if (found < 0) {
        PyErr_Clear(); /* invoke() looks again */
    }
    return found != 0;
}

/* Logs a line of the host's through Python's logging. A failure is reported
 * and forgotten. */
void sco_scoring_log(const struct sco_scoring *scoring,
                     const struct sco_child_line *line);

#endif
