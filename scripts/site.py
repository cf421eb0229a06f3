"""Hook of mkdocs: what GitHub shows in its own way is made fit for the site.

The front page is README.md. Links to files outside docs/ lead to GitHub, and
headings get the anchors that GitHub gives them.
"""
import os
import re

from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s#]+)((?:#[^)\s]*)?\))")


def slug(text, separator="-"):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def on_config(config):
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files, config):
    files.append(File("README.md", ROOT, config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown, page, config, files):
    here = page.file.src_path
    at = "" if here == "README.md" else os.path.join("docs", os.path.dirname(here))

    def lead(match):
        path = os.path.normpath(os.path.join(at, match[2]))
        site = path[len("docs/"):] if path.startswith("docs/") else path
        if (path.startswith("docs/") or path == "README.md") and files.get_file_from_path(site):
            return match[1] + os.path.relpath(site, os.path.dirname(here) or ".") + match[3]
        if not os.path.exists(os.path.join(ROOT, path)):
            return match[0]  # mkdocs says that it leads nowhere
        kind = "tree" if os.path.isdir(os.path.join(ROOT, path)) else "blob"
        return f"{match[1]}{config['repo_url']}/{kind}/main/{path}{match[3]}"

    return LINK.sub(lead, markdown)
