"""Without the extra `server`, the error says what to install."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("missing", "name"),
    [("grpc", "add_metrics_service"), ("starlette", "asgi_app"), ("uvicorn", "Server")],
)
def test_the_remedy_is_named(missing: str, name: str) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "import urpo_store.receiver\n"
        f"try: urpo_store.receiver.{name}\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        f"urpo_store.receiver.{name} needs {missing}: pip install 'urpo-store[server]'"
    )


def test_unknown_names_are_attribute_errors() -> None:
    import urpo_store.receiver

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        urpo_store.receiver.nothing  # noqa: B018
