"""`python -m portico.keeper ADDRESS`, and `python -ISs FOLDER ADDRESS` where this folder is all that there is of Portico."""

import os
import sys
from importlib import import_module

if not __package__:  # Python takes a folder that it runs for no package, and looks for modules in it first
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # a keeper starts fast, pathlib does not
    sys.path[0:1] = []
    sys.path.append(os.path.dirname(folder))  # noqa: PTH120  # last, so that nothing there stands for a module of Python's
    __package__ = os.path.basename(folder)  # noqa: PTH119

if __name__ == "__main__":
    import_module(".program", __package__).main()
