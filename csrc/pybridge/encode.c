#include "pybridge/encode.h"

#include <stdbool.h>

/* Makes a c_make_encoder as json.JSONEncoder().iterencode() makes its own,
 * except that `markers` is kept: it is empty again after each success. */
static PyObject *
make_encoder(PyObject *module, PyObject *quote, PyObject *markers)
{
    PyObject *maker = PyObject_GetAttrString(module, "c_make_encoder");
    PyObject *standard = NULL; /* the encoder behind json.dumps() */
    PyObject *fallback = NULL; /* its default(), which raises TypeError */
    PyObject *made = NULL;

    if (maker == NULL || maker == Py_None) {
        goto done; /* a json module without its C part: None */
    }
    standard = PyObject_CallMethod(module, "JSONEncoder", NULL);
    if (standard == NULL) {
        goto done;
    }
    fallback = PyObject_GetAttrString(standard, "default");
    if (fallback == NULL) {
        goto done;
    }
    made = PyObject_CallFunction(maker, "OOOOssOOO", markers, fallback, quote,
                                 /* indent */ Py_None, ": ", ", ",
                                 /* sort_keys */ Py_False,
                                 /* skipkeys */ Py_False,
                                 /* allow_nan */ Py_True);

done:
    Py_XDECREF(fallback);
    Py_XDECREF(standard);
    Py_XDECREF(maker);
    return made;
}

int
sco_encoder_init(struct sco_encoder *out)
{
    struct sco_encoder encoder = { 0 };
    PyObject *module = PyImport_ImportModule("json.encoder");

    *out = encoder;
    if (module == NULL) {
        return -1;
    }
    encoder.quote = PyObject_GetAttrString(module, "encode_basestring_ascii");
    encoder.markers = PyDict_New();
    encoder.zero = PyLong_FromLong(0);
    encoder.empty = PyUnicode_FromString("");
    if (encoder.quote != NULL && encoder.markers != NULL) {
        encoder.encode = make_encoder(module, encoder.quote, encoder.markers);
    }
    Py_DECREF(module);
    if (PyErr_Occurred() != NULL) {
        sco_encoder_finish(&encoder);
        return -1;
    }
    *out = encoder;
    return 0;
}

void
sco_encoder_finish(struct sco_encoder *encoder)
{
    Py_CLEAR(encoder->quote);
    Py_CLEAR(encoder->encode);
    Py_CLEAR(encoder->markers);
    Py_CLEAR(encoder->zero);
    Py_CLEAR(encoder->empty);
}

/* Whether json.dumps() writes this type by itself and no subclass of it has
 * a say. Anything else is worth the slow road, which looks closer. */
static bool
is_plain(PyObject *result)
{
    return PyDict_CheckExact(result) || PyList_CheckExact(result)
           || PyTuple_CheckExact(result) || PyFloat_CheckExact(result)
           || PyLong_CheckExact(result) || PyBool_Check(result);
}

/* The encoder's pieces as one string. It gives a tuple of one piece from
 * 3.14 on and often before. */
static PyObject *
join(struct sco_encoder *encoder, PyObject *pieces)
{
    if (PyTuple_CheckExact(pieces) && PyTuple_GET_SIZE(pieces) == 1) {
        return Py_NewRef(PyTuple_GET_ITEM(pieces, 0));
    }
    return PyUnicode_Join(encoder->empty, pieces);
}

static PyObject *
encode_container(struct sco_encoder *encoder, PyObject *result)
{
    PyObject *args[] = { result, encoder->zero };
    PyObject *pieces = PyObject_Vectorcall(encoder->encode, args, 2, NULL);
    PyObject *text = NULL;

    if (pieces != NULL) {
        text = join(encoder, pieces);
        Py_DECREF(pieces);
    }
    if (text == NULL) {
        /* What it was inside of is still marked. */
        PyDict_Clear(encoder->markers);
    }
    return text;
}

PyObject *
sco_encode_str(struct sco_encoder *encoder, PyObject *text)
{
    return PyObject_CallOneArg(encoder->quote, text);
}

PyObject *
sco_encode(struct sco_encoder *encoder, PyObject *result)
{
    PyObject *text = NULL;

    if (PyUnicode_CheckExact(result)) {
        text = sco_encode_str(encoder, result);
    } else if (encoder->encode != NULL && is_plain(result)) {
        text = encode_container(encoder, result);
    }
    if (text != NULL
        && (!PyUnicode_CheckExact(text) || sco_py_ready(text) < 0
            || !PyUnicode_IS_ASCII(text))) {
        Py_CLEAR(text);
    }
    PyErr_Clear();
    return text;
}
