"""Makes docs/images/app-*.png: every page of the app over recorded runs, light and dark.

Needs the extra `dev`, and Chromium on the PATH. Run it after a change to how the app looks, and
look at what it made.
"""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
DATA = ("demo/collapse", "demo/healthy")
ARENA = ("cispo", "dapo", "gigpo", "grpo", "gspo", "sampo", "sapo")
COLLAPSED = "/run/collapse"
PAGES = {
    "runs": ("/", ".runs-grid .spark"),
    "run": (COLLAPSED, ".panel .scatterlayer .trace"),
    "evidence": (f"{COLLAPSED}?tab=evidence", ".lanes li"),
    "ratios": (f"{COLLAPSED}?tab=ratios", ".tab-content svg, .tab-content .empty"),
    "workbench": (f"{COLLAPSED}?tab=workbench", ".tab-content > *"),
    "report": (f"{COLLAPSED}?tab=report", "#report-text:has-text('How to see it again')"),
    "compare": (
        "/compare?runs=household-sapo-0,household-sampo-0&ref=quiet",
        ".panel .scatterlayer .trace",
    ),
}
"""Address and what to wait for, by the name of the image."""
SIZE: Any = {"width": 1360, "height": 860}
SETTLE_MS, COLOURS = 2500, 128


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        for run in (*DATA, *(f"arena/household-{name}-0" for name in ARENA)):
            shutil.copytree(ROOT / "data" / run, Path(root) / Path(run).name)
        command = [
            sys.executable,
            "-c",
            "from collapse_lab.cli import main; main()",
            "dash",
            root,
            "--port",
            "0",
        ]
        with subprocess.Popen(
            [*command, "--no-browser"], stdout=subprocess.PIPE, text=True
        ) as served:
            assert served.stdout is not None
            link = served.stdout.readline().split(" at ")[1].strip().rstrip("/")
            try:
                shoot(link)
            finally:
                served.send_signal(signal.SIGINT)


def shoot(link: str) -> None:
    """Every page in both themes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            page.set_default_timeout(120_000)
            page.goto(link)
            while page.locator(".badge.unjudged").count() or not page.locator(".badge").count():
                page.wait_for_timeout(500)  # the app judges what nobody watched
            for name, (path, sign) in PAGES.items():
                page.goto(link + path)
                page.wait_for_selector(sign)
                page.wait_for_timeout(SETTLE_MS)
                save(page, IMAGES / f"app-{name}-{scheme}.png")
            page.close()
        browser.close()


def save(page: Page, file: Path) -> None:
    """With a palette, which is a third of the size."""
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").quantize(COLOURS).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
