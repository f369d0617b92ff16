/* libFuzzer's entry: hands its bytes to target.py in an interpreter of this process. The engine's modules
 * are compiled with coverage, so libFuzzer sees which of their branches each input takes. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject *one_input, *report;

static void fail(void) {
    PyErr_Print();
    abort();
}

/* libFuzzer ends in exit(), on the thread that ran the inputs, which holds the GIL. */
static void at_exit(void) {
    if (PyObject_CallNoArgs(report) == NULL)
        PyErr_Print();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    PyObject *module;
    (void)argc;
    (void)argv;
    Py_Initialize();
    module = PyImport_ImportModule("target");
    if (module == NULL)
        fail();
    one_input = PyObject_GetAttrString(module, "one_input");
    report = PyObject_GetAttrString(module, "report");
    if (one_input == NULL || report == NULL || atexit(at_exit) != 0)
        fail();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PyObject *done = PyObject_CallFunction(one_input, "y#", (const char *)data, (Py_ssize_t)size);
    if (done == NULL)
        fail();
    Py_DECREF(done);
    return 0;
}
