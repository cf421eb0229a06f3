#!/usr/bin/env python3
"""Fails where a link of the built site leads to no page, file or anchor of it.

  scripts/site-links.py DIRECTORY
"""
import os
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids = [], set()

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value and tag != "base":
                self.links.append(value)


def main(root):
    pages = {}
    for at, _, files in os.walk(root):
        for name in files:
            if name.endswith(".html") and name != "404.html":
                page = pages[os.path.join(at, name)] = Page()
                with open(os.path.join(at, name), encoding="utf-8") as text:
                    page.feed(text.read())
    dead = []
    for path, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(link)
            if urlsplit(target).scheme or target.startswith("//"):
                continue
            to = os.path.normpath(os.path.join(os.path.dirname(path), unquote(target))) if target else path
            if os.path.isdir(to):
                to = os.path.join(to, "index.html")
            if not os.path.exists(to) or (anchor and to in pages and unquote(anchor) not in pages[to].ids):
                dead.append(f"{os.path.relpath(path, root)}: {link} leads nowhere")
    print("\n".join(sorted(set(dead))) or f"{len(pages)} pages: every link leads somewhere", file=sys.stderr if dead else sys.stdout)
    return bool(dead) or not pages


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
