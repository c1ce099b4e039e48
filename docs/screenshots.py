"""Makes docs/images/app-*.png: every page of the app over recorded runs, light and dark.

    python docs/screenshots.py [--ratios RUN] [--phone FOLDER]

Recorded runs are kept without their histograms, so the picture of the ratios takes a run folder
that has them: `python -m benchmarks.failures run --root runs/long --only long-cispo` makes one.
`--phone` puts every page as a phone shows it, down to its end, into a folder to look at.

Needs the extra `dev`, and Chromium on the PATH. Run it after a change to how the app looks, and
look at what it made.
"""

from __future__ import annotations

import argparse
import io
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
DATA = ("demo/collapse", "demo/healthy")
ARENA = ("cispo", "dapo", "gigpo", "grpo", "gspo", "sampo", "sapo")
COLLAPSED = "/run/collapse"
PAGES = {
    "runs": ("/", ".runs-grid .badge"),
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
PHONE: Any = {"width": 390, "height": 844}
SETTLE_MS, COLOURS = 2500, 256


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--ratios", type=Path, metavar="RUN")
    options.add_argument("--phone", type=Path, metavar="FOLDER")
    asked = options.parse_args()
    pages = dict(PAGES)
    with tempfile.TemporaryDirectory() as root:
        for run in (*DATA, *(f"arena/household-{name}-0" for name in ARENA)):
            shutil.copytree(ROOT / "data" / run, Path(root) / Path(run).name)
        if asked.ratios:
            shutil.copytree(asked.ratios, Path(root) / asked.ratios.name)
            pages["ratios"] = (f"/run/{asked.ratios.name}?tab=ratios", ".heatmaplayer image")
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
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                    )
                    shoot(browser, link, pages, SIZE, IMAGES)
                    if asked.phone:
                        asked.phone.mkdir(parents=True, exist_ok=True)
                        shoot(browser, link, pages, PHONE, asked.phone, full=True)
                    browser.close()
            finally:
                served.send_signal(signal.SIGINT)


def shoot(
    browser: Browser,
    link: str,
    pages: dict[str, tuple[str, str]],
    size: Any,
    folder: Path,
    full: bool = False,
) -> None:
    """Every page in both themes; `full` down to its end, scrolled through so that all is drawn."""
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.set_default_timeout(120_000)
        page.goto(link)
        while page.locator(".badge.unjudged").count() or not page.locator(".badge").count():
            page.wait_for_timeout(500)  # the app judges what nobody watched
        for name, (path, sign) in pages.items():
            page.goto(link + path)
            page.wait_for_selector(sign, state="attached")
            if full:
                for _ in range(page.evaluate("document.body.scrollHeight / innerHeight | 0")):
                    page.mouse.wheel(0, size["height"])
                    page.wait_for_timeout(300)
                page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(SETTLE_MS)
            save(page, folder / f"app-{name}-{scheme}.png", full)
        page.close()


def save(page: Page, file: Path, full: bool) -> None:
    """With a palette, which is a third of the size; flat colours stay what they are."""
    image = Image.open(io.BytesIO(page.screenshot(full_page=full))).convert("RGB")
    image.quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
