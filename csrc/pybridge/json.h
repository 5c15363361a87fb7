/* json.h - plain data as JSON text, written in one go
 *
 * The common case of encode.h: None, bool, int, float, str, list, tuple and
 * dict, and no subclass of them. The bytes are those of json.dumps() with its
 * defaults. Nothing here runs Python code or lets go of the GIL, and nothing
 * is allocated but the text.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_JSON_H
#define SCO_PYBRIDGE_JSON_H

#include "pybridge/py.h"

#include <stdbool.h>

struct sco_text;

/* Appends a value. False when it is not of these types alone, is nested too
 * deep (or in itself), has an int beyond 64 bits, or there is no memory: then
 * the text is of no use, no exception is pending, and json.dumps() itself
 * must say what comes of it. */
bool sco_json_write(struct sco_text *into, PyObject *value);

#endif
