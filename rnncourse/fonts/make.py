"""How CourseSansSC.otf is made from Noto Sans CJK: ``python rnncourse/fonts/make.py NotoSansCJK-Regular.ttc``.

The source comes with Debian's package fonts-noto-cjk, under the SIL Open Font License 1.1 (OFL.txt), and so is the
subset. It keeps the 3,755 characters of the first level of GB 2312, the most frequent ones in simplified Chinese,
those of ALSO, and Chinese punctuation. It has a name of its own, so that Matplotlib finds this file whatever fonts a
machine has.
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

SIMPLIFIED = 2  # the place of Noto Sans CJK SC in the collection
ALSO = "刪浏渲禅結阈靼鞑"  # of the second level, as the catalogues of rnncourse.data.interface use them
NAME = "Course Sans SC"


def characters() -> str:
    """The characters to keep."""
    cells = [(row, column) for row in range(0xB0, 0xD8) for column in range(0xA1, 0xFF)]
    first_level = "".join(bytes(cell).decode("gb2312", "ignore") for cell in cells)
    punctuation = [*range(0x3000, 0x3020), *range(0xFF01, 0xFF5F), *map(ord, "—‘’“”…·")]
    return first_level + ALSO + "".join(map(chr, punctuation))


def main(source: str) -> None:
    """Write the subset beside this file."""
    font = TTCollection(source).fonts[SIMPLIFIED]
    options = Options(hinting=False, layout_features=[], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14], notdef_outline=True)
    subsetter = Subsetter(options)
    subsetter.populate(text=characters())
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6):
            record.string = NAME.replace(" ", "") if record.nameID == 6 else NAME
    outlines = font["CFF "].cff  # has names of its own
    outlines.fontNames = [NAME.replace(" ", "")]
    outlines[0].FullName = outlines[0].FamilyName = NAME
    font["head"].modified = font["head"].created  # the same bytes whenever it is made
    font.recalcTimestamp = False
    font.save(Path(__file__).with_name("CourseSansSC.otf"))


if __name__ == "__main__":
    main(sys.argv[1])
