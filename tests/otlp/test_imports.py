"""What is imported only when it is first needed."""

import subprocess
import sys


def test_nothing_heavy_comes_with_the_edges() -> None:
    """DESIGN: "`import urpo_store` imports no extra", and protobuf when first needed."""
    code = (
        "import sys\n"
        "import urpo_store, urpo_store.otlp, urpo_store.api.client, urpo_store.receiver\n"
        "heavy = ('google.protobuf', 'opentelemetry.proto', 'grpc', 'starlette', 'uvicorn')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_engine_comes_with_the_first_store() -> None:
    """A client of a running serve, or a type checker's import of the model, needs no engine."""
    code = (
        "import sys, urpo_store, urpo_store.client\n"
        "before = 'urpo_store.engine.core' in sys.modules\n"
        "urpo_store.open().close()\n"
        "print(before, 'urpo_store.engine.core' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False True"
