"""For tests of the page: app.py as a process of its own, and what is asked of a browser in front of
it.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60  # seconds for whatever a person waits for; only a failing run needs them


def missing(what: str):
    """Skip where a developer's machine lacks something; fail where the tests must run."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)


class Server:
    """app.py as `python app.py`, on a free port of this machine, with the network asked for as a
    visitor's would be.
    """

    def __init__(self, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        unset = ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_TEMP_DIR": str(folder / "gradio"),
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONUNBUFFERED": "1",
        }
        self.address = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py")],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self):
        end = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.address, timeout=5).close()
                return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        pytest.fail(f"app.py did not start:\n{self.said()[-2000:]}")

    def check(self):
        if self.process.poll() is not None:
            pytest.fail(f"app.py ended with {self.process.returncode}:\n{self.said()[-2000:]}")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(page, condition: str, argument=None):
    """Wait for something on the page, asked by the clock.

    requestAnimationFrame stalls after a picture of a full page.
    """
    page.wait_for_function(condition, arg=argument, polling=50, timeout=1000 * PATIENCE)


def hindrances(page) -> dict[tuple[str, str], str]:
    """What axe finds that hinders people seriously: HTML, by rule and place."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-core is not installed: pip install axe-playwright-python")
    report = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    found = {}
    for one in report:
        if one["impact"] in ("serious", "critical"):
            for node in one["nodes"]:
                found[one["id"], str(node["target"][0])] = node["html"][:200]
    return found


def foreign(url: str, home: str) -> bool:
    return urlsplit(url).scheme not in ("data", "blob", "about", "file") and not url.startswith(
        home
    )


# ------------------------------------------------------------- what stands on the page, in one call

#: Everything that the comparison shows: running text, legend, rows, strips, notes.
SHOWN = """() => {
  const root = document.querySelector('#text-compared');
  const all = (selector, from = root) => [...from.querySelectorAll(selector)];
  const word = cell => ({
    i: +cell.dataset.i,
    text: cell.textContent,
    tip: cell.dataset.tip,
    kind: cell.className,
    share: +cell.style.getPropertyValue('--a'),
    label: cell.getAttribute('aria-label'),
  });
  return {
    words: all('.xp > .xp-prose [data-i]').map(word),
    prose: root.querySelector('.xp > .xp-prose')?.textContent,
    legend: root.querySelector('.xp-legend')?.innerText,
    columns: all('table.xp-map thead th').map(cell => cell.textContent),
    rows: all('table.xp-map tbody tr:not(.xp-wait)').map(row => ({
      name: row.querySelector('.xp-name').textContent,
      lead: row.classList.contains('xp-lead'),
      cells: all('td', row).map(word),
    })),
    strips: all('.xp-strip h3').map(title => title.firstChild.textContent.trim()),
    notes: all('.xp-note').map(note => note.textContent),
    waiting: root.innerText.includes('computing …'),
    said: document.querySelector('#text-said')?.innerText,
  };
}"""

LAYERS = """() => {
  const all = (selector, from) => [...from.querySelectorAll(selector)];
  const panel = document.querySelector('#text-panel');
  return {
    title: panel.querySelector('h3')?.textContent,
    legend: panel.querySelector('.xp-legend')?.innerText,
    rows: all('.xp-layers tbody tr:has([data-i])', panel).map(row => ({
      name: row.querySelector('th').textContent,
      chosen: row.classList.contains('xp-chosen'),
      tips: all('td', row).map(cell => cell.dataset.tip),
    })),
    reading: all('.xp-reading [data-i]', panel).map(word => word.dataset.tip),
    output: panel.querySelector('output')?.textContent,
    text: panel.innerText,
  };
}"""

#: Contrast of text with what is behind it, colours composited down to the first opaque background.
CONTRAST = """(selector) => {
  const rgba = text => {
    const numbers = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const scale = text.startsWith('color(') ? 255 : 1;
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
  };
  const over = (top, below) =>
    top.slice(0, 3).map((value, k) => value * top[3] + below[k] * (1 - top[3]));
  const behind = element => {
    const colours = [];
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0) colours.push(colour);
      if (colour[3] === 1) break;
    }
    return colours.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = colour => {
    const [r, g, b] = colour
      .map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const roots = [...document.querySelectorAll(selector)];
  for (const element of roots.flatMap(root => [root, ...root.querySelectorAll('*')])) {
    const own = [...element.childNodes].some(
      node => node.nodeType === 3 && node.textContent.trim());
    // cells of unsigned rows never hold a sign
    const painted = element.matches('.xp-t, td.pos, td.neg');
    if (!(own || painted) || !element.checkVisibility()) continue;
    const back = behind(element);
    const front = over(rgba(getComputedStyle(element).color), back);
    const [high, low] = [light(back), light(front)].sort((a, b) => b - a);
    found.push({contrast: (high + 0.05) / (low + 0.05), text: element.textContent.slice(0, 40),
                kind: element.tagName + '.' + element.className,
                share: element.style.getPropertyValue('--a'), painted});
  }
  return found;
}"""

#: Every word and signed cell at full strength, words of all three kinds: the hardest to read that a
#: map can be.
STRONGEST = """() => {
  const kinds = ['pos', 'neg', 'mag'];
  document.querySelectorAll('.xp-t').forEach((word, k) => {
    word.classList.remove(...kinds);
    word.classList.add(kinds[k % 3]);
  });
  for (const cell of document.querySelectorAll('.xp-t, td.pos, td.neg'))
    cell.style.setProperty('--a', 1);
}"""

#: What sticks out of the window, and the window's own overflow; wide tables have scrollers of their
#: own.
CUT = """() => {
  const parts = 'h1, .xp, .xp > *, .block, button, input, textarea, label, .refusal';
  const out = [];
  for (const one of document.querySelectorAll(parts)) {
    const box = one.getBoundingClientRect();
    if (!one.checkVisibility() || one.closest('.xp-scroll, .xp-wide, .visually-hidden')) continue;
    if (box.width > 1 && (box.right > innerWidth + 1 || box.left < -1))
      out.push(`${one.tagName}#${one.id}.${one.className} ends at ${Math.round(box.right)}`);
  }
  const width = document.documentElement.scrollWidth;
  return width > innerWidth ? [`the page is ${width} wide`, ...out] : out;
}"""

LUMINANCE = """(element) => {
  const [r, g, b] = getComputedStyle(element).backgroundColor
    .match(/[\\d.]+/g)
    .map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""
