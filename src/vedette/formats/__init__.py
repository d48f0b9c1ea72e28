"""Which format a text is written in, and its parts as event columns.

`load_library` reads the format files, `FormatEngine` decodes batches with them.
"""

from vedette.formats.detect import FormatChoice
from vedette.formats.engine import Explanation, FormatEngine, Unread
from vedette.formats.library import FormatLibrary, load_library

__all__ = ["Explanation", "FormatChoice", "FormatEngine", "FormatLibrary", "Unread", "load_library"]
