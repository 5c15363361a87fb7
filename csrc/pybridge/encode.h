/* encode.h - a result of run() as JSON text
 *
 * What json.dumps() makes of it with its defaults, byte for byte, without the
 * Python-level work that json.dumps() does before it reaches C: the parts of
 * the json module that are written in C are called directly.
 *
 * Thread: that of its owner. An encoder remembers what it is inside of, to
 * find circular data; two threads must not share one.
 */
#ifndef SCO_PYBRIDGE_ENCODE_H
#define SCO_PYBRIDGE_ENCODE_H

#include "pybridge/py.h"

struct sco_encoder {
    PyObject *quote;   /* json.encoder.encode_basestring_ascii */
    PyObject *encode;  /* a json.encoder.c_make_encoder, or NULL */
    PyObject *markers; /* its dict of the containers that it is inside of */
    PyObject *zero;    /* the indent level that it starts at */
    PyObject *empty;   /* "" */
};

/* Makes an encoder.
 *
 * Ownership: the caller ends it with sco_encoder_finish().
 * Errors:    -1 with an exception, and *out is zero. */
int sco_encoder_init(struct sco_encoder *out);

/* Lets go of it. A zeroed one is allowed. */
void sco_encoder_finish(struct sco_encoder *encoder);

/* The JSON text of a result, a new reference to an ASCII string. NULL,
 * without an exception, when the result is not of a type that json.dumps()
 * takes as it is, or when encoding it failed: Scoring.finish() knows what
 * either means. */
PyObject *sco_encode(struct sco_encoder *encoder, PyObject *result);

/* A text as a JSON string with its quotes: a new reference, or NULL with an
 * exception. */
PyObject *sco_encode_str(struct sco_encoder *encoder, PyObject *text);

#endif
