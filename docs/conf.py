"""Makes a site of these pages (`make docs`). MyST reads the Markdown; headings have the anchors that GitHub gives them."""

project = "Portico"
author = "the Portico project"
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Portico"
html_copy_source = False
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]  # links out of this folder, into sources and examples: a test follows them
