#!/usr/bin/env python3
"""Looks at a page of HTML in headless Chromium, at 1280 and 400 pixels, in light and dark.

usage: look_at_page.py FILE [FOLDER]    pictures are left in FOLDER

Nothing may stick out of the page, every text must have a contrast of 4.5 to what is behind it (3 where it is large: WCAG 2.2,
1.4.3), bars must have a width, and the page may ask for nothing. What is wrong is printed, a line each.
"""
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LOOK = """
<!doctype html><meta charset="utf-8"><body style="margin:0"><iframe style="border:0;width:%(width)spx;height:4000px" srcdoc="%(page)s"></iframe>
<pre id="said"></pre><script>
function parts(text) { return text.match(/[\\d.]+/g).map(Number); }
function luminance(c) {
  const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element, view) {
  for (let e = element; e; e = e.parentElement) {
    const c = parts(view.getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
}
onload = () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument, view = frame.contentWindow, said = [];
  const root = page.documentElement;
  if (root.scrollWidth > %(width)s) said.push(`the page is ${root.scrollWidth} pixels wide`);
  let texts = 0;
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    texts++;
    const style = view.getComputedStyle(element), size = parseFloat(style.fontSize);
    const [a, b] = [luminance(parts(style.color)), luminance(behind(element, view))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), wanted = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
    if (ratio < wanted) said.push(`contrast ${ratio.toFixed(2)} of "${walker.currentNode.data.trim().slice(0, 40)}"`);
    if (size < 12) said.push(`${size} pixels are too small: "${walker.currentNode.data.trim().slice(0, 40)}"`);
  }
  const bars = [...page.querySelectorAll(".fill, svg rect")].filter(e => e.getBoundingClientRect().width > 0).length;
  const asked = view.performance.getEntriesByType("resource").length;
  if (asked) said.push(`the page asks for ${asked} things`);
  document.getElementById("said").textContent = JSON.stringify({ texts, bars, said });
};
</script>
"""


def browser():
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return [found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    sys.exit("no Chromium on PATH: apt-get install chromium-headless-shell")


def main(path, folder):
    page, wrong = pathlib.Path(path).read_text(), []
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                # The scheme of the reader is no flag of the browser.
                seen = page.replace("(prefers-color-scheme:dark)", "all" if scheme == "dark" else "not all")
                look = place / "look.html"
                look.write_text(LOOK % {"width": width, "page": html.escape(seen)})
                told = subprocess.run([*browser(), f"--user-data-dir={place}/profile", "--window-size=1400,4200",
                                       "--virtual-time-budget=5000", "--dump-dom", look.as_uri()],
                                      capture_output=True, text=True, timeout=120)
                found = re.search(r'<pre id="said">(.+?)</pre>', told.stdout)
                if not found:
                    sys.exit("the browser says nothing: " + told.stderr[-2000:])
                found = json.loads(html.unescape(found.group(1)))
                if found["texts"] < 20 or found["bars"] < 3:
                    wrong.append(f"{width} {scheme}: {found['texts']} texts and {found['bars']} bars are to be seen")
                wrong += [f"{width} {scheme}: {what}" for what in found["said"]]
                picture = (pathlib.Path(folder) if folder else place) / f"report-{width}-{scheme}.png"
                shown = place / "shown.html"
                shown.write_text(seen)
                subprocess.run([*browser(), f"--user-data-dir={place}/profile", f"--window-size={width},2400",
                                f"--screenshot={picture}", shown.as_uri()], capture_output=True, check=True, timeout=120)
                if picture.stat().st_size < 20_000:
                    wrong.append(f"{width} {scheme}: the picture is empty")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
