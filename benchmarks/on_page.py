"""Speed and memory of the page."""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import psutil
from playwright.sync_api import Page, sync_playwright
from timing import ROOT, Row

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
MOST_SECONDS = 120  # until it serves
CLICKS = 5


def app() -> list[Row]:
    """From a cold process: until the page serves, until a click's first heatmap, and its memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ | {"GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(server, url)
        serving = time.perf_counter() - began
        clicks = seconds_of_clicks(url)
        memory = psutil.Process(server.pid).memory_info().rss / 2**20
    finally:
        server.terminate()
        server.wait(20)
    return [
        ("page: seconds from starting the process until it serves", "≤ 8", f"{serving:.1f}"),
        (
            "page: seconds from a click to the first heatmap, bundled model, median of 5",
            "≤ 1",
            f"{statistics.median(clicks):.2f}",
        ),
        ("page: resident memory after 6 comparisons, MB", "< 1000", f"{memory:.0f}"),
    ]


def wait_for(server: subprocess.Popen, url: str) -> None:
    began = time.perf_counter()
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            if server.poll() is not None or time.perf_counter() - began > MOST_SECONDS:
                raise
            time.sleep(0.05)


def seconds_of_clicks(url: str) -> list[float]:
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=CHROMIUM,
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#text-compared table.xp-map tbody tr:not(.xp-wait)")
        clicks = [seconds_of_a_click(page, f"sample{'abcde'[k]}") for k in range(CLICKS)]
        browser.close()
    return clicks


def seconds_of_a_click(page: Page, word: str) -> float:
    """From a click on "Explain" until the first map of a text with this word is there."""
    text = f"A {word} of a quiet, clever and at times very funny film."
    page.get_by_label("Text", exact=True).fill(text)
    page.wait_for_timeout(700)
    before = time.perf_counter()
    page.get_by_role("button", name="Explain", exact=True).click()
    shown = "document.querySelector('#text-compared .xp-prose')"
    page.wait_for_function(f"{shown}?.textContent.includes('{word}')", polling=10)
    taken = time.perf_counter() - before
    page.wait_for_function("!document.querySelector('#text-compared .xp-wait')", polling=20)
    return taken
