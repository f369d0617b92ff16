/* libFuzzer's entry: hands its bytes to the module named by FUZZ_TARGET, in an interpreter of this process.
 * The engine's modules are compiled with coverage, so libFuzzer sees which of their branches each input
 * takes. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject *one_input, *counts;

static void fail(void) {
    PyErr_Print();
    abort();
}

/* libFuzzer ends in exit(), on the thread that ran the inputs, which holds the GIL. The interpreter is not
 * finalized, so Python's own atexit would not run. */
static void at_exit(void) {
    const char *path = getenv("FUZZ_REPORT");
    PyObject *text = PyObject_Repr(counts);
    FILE *out = path ? fopen(path, "w") : NULL;
    if (text == NULL || out == NULL)
        return;
    fputs(PyUnicode_AsUTF8(text), out);
    fclose(out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    PyObject *module;
    const char *target = getenv("FUZZ_TARGET");
    (void)argc;
    (void)argv;
    Py_Initialize();
    module = PyImport_ImportModule(target ? target : "");
    if (module == NULL)
        fail();
    one_input = PyObject_GetAttrString(module, "one_input");
    counts = PyObject_GetAttrString(module, "counts");
    if (one_input == NULL || counts == NULL || atexit(at_exit) != 0)
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
