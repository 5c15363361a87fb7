#include "pybridge/encode.h"

#include "pybridge/json.h"

/* A text that was larger is not kept for the next. */
enum { KEPT_BYTES = 64 * 1024 };

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
    struct sco_encoder encoder = { .text = { .data = NULL } };
    PyObject *module = PyImport_ImportModule("json.encoder");
    PyObject *quote;

    *out = encoder;
    if (module == NULL) {
        return -1;
    }
    quote = PyObject_GetAttrString(module, "encode_basestring_ascii");
    encoder.markers = PyDict_New();
    encoder.zero = PyLong_FromLong(0);
    encoder.empty = PyUnicode_FromString("");
    if (quote != NULL && encoder.markers != NULL) {
        encoder.encode = make_encoder(module, quote, encoder.markers);
    }
    Py_XDECREF(quote);
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
    sco_text_finish(&encoder->text);
    Py_CLEAR(encoder->last);
    Py_CLEAR(encoder->encode);
    Py_CLEAR(encoder->markers);
    Py_CLEAR(encoder->zero);
    Py_CLEAR(encoder->empty);
}

void
sco_encoder_clear(struct sco_encoder *encoder)
{
    Py_CLEAR(encoder->last);
    if (encoder->text.room > KEPT_BYTES) {
        sco_text_finish(&encoder->text);
    } else {
        sco_text_clear(&encoder->text);
    }
}

/* Whether json.dumps() writes this type by itself and no subclass of it has
 * a say. Anything else is worth the slow road, which looks closer. */
static bool
is_plain(PyObject *result)
{
    return PyDict_CheckExact(result) || PyList_CheckExact(result) ||
           PyTuple_CheckExact(result) || PyLong_CheckExact(result) ||
           PyFloat_CheckExact(result);
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

/* By way of the json module, into `encoder->last`. */
static bool
encode_by_module(struct sco_encoder *encoder, PyObject *result,
                 struct sco_slice *out)
{
    PyObject *text = NULL;

    if (encoder->encode != NULL && is_plain(result)) {
        text = encode_container(encoder, result);
    }
    if (text != NULL &&
        (!PyUnicode_CheckExact(text) || sco_py_ready(text) < 0 ||
         !PyUnicode_IS_ASCII(text))) {
        Py_CLEAR(text);
    }
    PyErr_Clear();
    if (text == NULL) {
        return false;
    }
    Py_XSETREF(encoder->last, text);
    out->data = (const char *)PyUnicode_1BYTE_DATA(text);
    out->len = (size_t)PyUnicode_GET_LENGTH(text);
    return true;
}

bool
sco_encode(struct sco_encoder *encoder, PyObject *result,
           struct sco_slice *out)
{
    if (sco_json_write(&encoder->text, result)) {
        *out = sco_text_slice(&encoder->text);
        return true;
    }
    sco_text_clear(&encoder->text);
    return encode_by_module(encoder, result, out);
}
