# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx configuration of xmap's documentation: see Documentation/Makefile.

The pages take what they say about structures from the headers, with the directive of the kernel's
own documentation:

    .. kernel-doc:: include/uapi/linux/xmap.h

The kernel's Sphinx extension is not packaged, but the script it calls is (in linux-kbuild). So the
directive here runs the script and parses its output, and does no more than that.
"""

import os
import subprocess

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

project = "xmap"
extensions = []
root_doc = "index"
exclude_patterns = ["man", "Makefile"]
highlight_language = "none"
html_theme = "alabaster"
html_theme_options = {"description": "map, read and change the memory of another process",
                      "page_width": "70em"}
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
# The headers use the kernel's types, which are not documented here.
nitpicky = False
c_id_attributes = ["__aligned_u64"]


class KernelDoc(Directive):
    """The kernel-doc comments of one source file, as reStructuredText."""

    required_arguments = 1
    has_content = False

    def run(self):
        path = os.path.join(TOP, self.arguments[0])
        script = os.environ.get("KERNELDOC")
        if not script:
            raise self.error("KERNELDOC does not name the kernel-doc script of linux-kbuild")
        self.state.document.settings.record_dependencies.add(path)
        done = subprocess.run([script, "-rst", "-sphinx-version", "5.3.0", path], check=False,
                              capture_output=True, text=True)
        if done.returncode or done.stderr:
            raise self.error(f"{script} {path}: {done.stderr}")
        node = nodes.section()
        node.document = self.state.document
        lines = StringList(done.stdout.expandtabs(8).splitlines(), source=path)
        nested_parse_with_titles(self.state, lines, node)
        return node.children


def setup(app):
    app.add_directive("kernel-doc", KernelDoc)
    return {"parallel_read_safe": True}
