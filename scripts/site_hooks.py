"""Hooks of mkdocs for the site: links out of docs/ go to GitHub, and every link
of a page that was built has to lead to a page, a file or a heading."""

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from mkdocs.exceptions import PluginError

LINK = re.compile(r"(\]\()(\.\./[^)\s]*)(\))")


def on_page_markdown(markdown, page, config, files):
    """Names what lies outside of docs/ by its address on GitHub, and says light and dark
    pictures as the theme does."""
    markdown = markdown.replace("#gh-light-mode-only", "#only-light").replace("#gh-dark-mode-only", "#only-dark")
    root = Path(config["config_file_path"]).parent
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_path.replace("\\", "/")))

    def outside(match):
        path, _, anchor = match[2].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        if target == "docs" or target.startswith("docs/"):
            return match[0]
        if target.startswith("..") or not (root / target).exists():
            raise PluginError(f"{page.file.src_path}: {match[2]} does not exist")
        kind = "tree" if (root / target).is_dir() else "blob"
        address = f"{config['repo_url'].rstrip('/')}/{kind}/main/{target}"
        return match[1] + address + ("#" + anchor if anchor else "") + match[3]

    return LINK.sub(outside, markdown)


class Page(HTMLParser):
    """The names and the links of a page."""

    def __init__(self, text):
        super().__init__()
        self.names, self.links = {"", "__top"}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name"):
                self.names.add(value)
            if name in ("href", "src") and value is not None:
                self.links.append(value)


def on_post_build(config):
    """Fails at the links that lead nowhere."""
    site = Path(config["site_dir"])
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    base = urlsplit(config["site_url"]).path
    dead = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in page.links:
            address, anchor = urldefrag(link)
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            name = unquote(parts.path)
            target = site / name[len(base):] if name.startswith(base) else path.parent / name if name else path
            target = target.resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or (target in pages and unquote(anchor) not in pages[target].names):
                dead.append(f"{path.relative_to(site)}: {link} leads nowhere")
    if len(pages) < 15:
        dead.append(f"only {len(pages)} pages")
    if dead:
        raise PluginError("\n".join(dead))
