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
