"""Pictures of every screen, exported by the terminal UI itself: `make pictures`."""

import os
import sys
import time
from pathlib import Path

from helpers.terminal import drive, filled_store

#: Keys that lead to each screen.
PICTURES = {
    "services": (),
    "service": ("enter",),
    "metrics": ("2",),
    "metric": ("2", "down", "enter"),
    "heat": ("2", "down", "enter", "v", "v"),
    "exemplars": ("2", "down", "enter", "e"),
    "arrived": ("3",),
    "query": ("4", "http.server.duration --agg p95 --by http.target --step 10s", "enter"),
    "keys": ("question_mark",),
}
SIZE = (100, 28)


async def picture(driver):
    return driver.app.export_screenshot(title="urpo-store")


def draw(directory: Path) -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    directory.mkdir(parents=True, exist_ok=True)
    with filled_store() as store:
        for name, keys in PICTURES.items():
            path = directory / f"{name}.svg"
            path.write_text(drive(picture, store, SIZE, keys))
            print(path)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
