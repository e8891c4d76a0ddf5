"""Sphinx's settings for the documentation site; `cargo xtask docs` builds it by way of build.py beside this file."""

project = "thoughtcache"
copyright = "the thoughtcache developers"
extensions = ["myst_parser"]
exclude_patterns = ["_static"]

# Every link inside the site must have its target: build.py calls Sphinx with -n -W, warnings are errors.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

# The site is read without a network: furo's fonts are those of the system, and nothing is taken from elsewhere.
html_theme = "furo"
html_title = "thoughtcache"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
