"""Where the words of a text are, whatever a tokenizer makes of it.

A tokenizer's own words will not do: some (Gemma's, Llama 2's) cut nothing before the pieces,
so that a whole text is one word, and others keep a clause of Chinese in one.
Here words are runs of letters and digits; punctuation marks and symbols stand alone.
Scripts that are written without spaces are cut into characters as a reader sees them,
each with its marks: without a dictionary nothing larger can be told apart.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate, groupby

#: Beginnings of the Unicode names of letters whose scripts put no space between words.
WITHOUT_SPACES = (
    "CJK ",
    "IDEOGRAPHIC ",
    "HIRAGANA ",
    "KATAKANA",
    "HALFWIDTH KATAKANA ",
    "BOPOMOFO ",
    "VERTICAL KANA ",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TAI LE ",
    "NEW TAI LUE ",
    "TAI THAM ",
    "TAI VIET ",
    "JAVANESE ",
    "BALINESE ",
    "YI SYLLABLE ",
    "TANGUT ",
    "NUSHU ",
)

#: Letters by their category that are drawn onto the one before (Thai and Lao am, the voicing marks
#: of narrow Katakana).
DRAWN_ON = frozenset("\u0e33\u0eb3\uff9e\uff9f")

#: Marks that put the next letter under the one before (Khmer, Myanmar, Tai Tham, Javanese,
#: Balinese).
STACKING = frozenset("\u17d2\u1039\u1a60\ua9c0\u1b44")

#: One segment of a text, whose characters are written by their kind (see `kind`):
#: a word, with apostrophes inside (didn't, l'homme); a character of a script without spaces;
#: a flag; a symbol, or symbols joined into one picture (👨‍👩‍👧); marks that follow nothing.
#: Possessive, so that a megabyte stays linear.
SEGMENT = re.compile(
    r"w[wmjk]*+(?:a[mj]*+w[wmjk]*+)*+"
    r"|c[mj]*+(?:k[mj]*+c?[mj]*+)*+"
    r"|ff?[mj]*+"
    r"|[oa][mk]*+(?:j++[oa]?[mk]*+)*+"
    r"|[mjk]++"
)


@lru_cache(maxsize=2**16)
def kind(character: str) -> str:
    """What a character is to `SEGMENT`.

    w  letter or digit of a script with spaces
    c  letter of a script without
    m  mark that is drawn onto the character before it, or not at all
    k  such a mark that puts the next letter below the one before
    j  joiner of pictures
    f  half of a flag
    a  apostrophe
    o  any other punctuation mark or symbol
    s  space or control character
    """
    if character in "'’":
        return "a"
    if character == "\u200d":
        return "j"
    if character in STACKING:
        return "k"
    category = unicodedata.category(character)
    space_of_no_width = "\u200b"  # it parts words in Thai and Khmer
    if category[0] == "Z" or category == "Cc" or character == space_of_no_width:
        return "s"
    tone_of_skin = "\U0001f3fb" <= character <= "\U0001f3ff"
    if category[0] == "M" or category == "Cf" or character in DRAWN_ON or tone_of_skin:
        return "m"
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return "f"
    if category[0] not in "LN":
        return "o"
    if category in ("Nd", "No"):
        return "w"
    if unicodedata.name(character, "").startswith(WITHOUT_SPACES):
        return "c"
    return "w"


def kinds(text: str) -> str:
    return "".join(map(kind, text))


def segments(text: str) -> list[int | None]:
    """[character] the number of the segment it belongs to, counted from 0; None for spaces."""
    found: list[int | None] = [None] * len(text)
    for number, match in enumerate(SEGMENT.finditer(kinds(text))):
        found[match.start() : match.end()] = [number] * (match.end() - match.start())
    return found


def words_of(text: str, spans: list[tuple[int, int] | None]) -> list[int | None]:
    """[token] the number of its word; None where it has no characters (`spans`, first to last+1).

    Segments that one token holds together are one word, since a token's score cannot be divided: a
    piece with a comma at its end, two characters of Chinese, the last byte of one with the first
    of the next. A token of a single space directly before a word (a lone ▁) belongs to the word.
    Other tokens of spaces alone are not part of a word: those between two words have one number.
    """
    segment_at = segments(text)
    ranges = [segment_range(segment_at, span) for span in spans]
    word_of = joined(segment_at, ranges)
    names: list[tuple[str, int] | None] = []
    for token, span in enumerate(spans):
        if span is None:
            names.append(None)
            continue
        found = ranges[token]
        if found is None and opens(text, spans, token):
            found = ranges[token + 1]
        if found is None:
            names.append(("space", before(segment_at, span[0])))
        else:
            names.append(("word", word_of[found[0]]))
    return numbered(names)


def segment_range(
    segment_at: list[int | None], span: tuple[int, int] | None
) -> tuple[int, int] | None:
    """First and last segment in a part of the text; None if there is none.

    segment_at [character]: the number of its segment. span: first and last+1 character.
    """
    if span is None:
        return None
    numbers = [number for number in segment_at[slice(*span)] if number is not None]
    if not numbers:
        return None
    return numbers[0], numbers[-1]


def joined(segment_at: list[int | None], ranges: list[tuple[int, int] | None]) -> list[int]:
    """[segment] the number of its word: segments that one token holds together are one word.

    segment_at [character]: the number of its segment. ranges [token]: first and last segment of
    each token.
    """
    begins = [True] * (before(segment_at, len(segment_at)) + 1)
    for first, last in filter(None, ranges):
        begins[first + 1 : last + 1] = [False] * (last - first)
    return list(accumulate(begins))


def numbered(names: list[tuple[str, int] | None]) -> list[int | None]:
    """The place of each name among the different ones, in their order; None stays None."""
    numbers: dict[tuple[str, int], int] = {}
    found: list[int | None] = []
    for name in names:
        found.append(None if name is None else numbers.setdefault(name, len(numbers)))
    return found


def opens(text: str, spans: list[tuple[int, int] | None], token: int) -> bool:
    """Whether a token is one space, or nothing at all, directly before the next token."""
    span, following = spans[token], None
    if token + 1 < len(spans):
        following = spans[token + 1]
    if span is None or following is None:
        return False
    return text[slice(*span)] in ("", " ") and span[1] == following[0]


def before(segment_at: list[int | None], place: int) -> int:
    """The last segment before a place in the text; -1 at its beginning.

    segment_at [character]: the number of its segment.
    """
    for character in range(place - 1, -1, -1):
        number = segment_at[character]
        if number is not None:
            return number
    return -1


def inside_word(text: str, place: int) -> bool:
    """Whether the character at `place` goes on with the letters and digits before it."""
    around = kinds(text[max(0, place - 1) : place + 1])
    return len(around) == 2 and around[0] in "wmjk" and around[1] in "wmjk"


def by_bytes(text: str, spans: list[tuple[int, int] | None]) -> list[tuple[int, int] | None]:
    """[token] its characters, also where several tokens got those of a whole unknown run.

    Unigram tokenizers that spell what they do not know in bytes say of each byte that it stands for
    the whole run. Where a run has as many tokens as bytes, each gets the character its byte is of.
    """
    placed = list(spans)
    for span, group in groupby(range(len(spans)), key=spans.__getitem__):
        if span is None:
            continue
        tokens, owners = list(group), []
        for place in range(*span):
            owners += [place] * len(text[place].encode())
        if len(owners) == len(tokens):
            for token, owner in zip(tokens, owners):
                placed[token] = (owner, owner + 1)
    return placed


def strip_span(text: str, first: int, last: int) -> tuple[int, int]:
    """First and last+1 character of a part of a text, without the space around it.

    A part that is nothing but space stays as it is.
    """
    kept = text[first:last].strip()
    if not kept:
        return first, last
    start = first + text[first:last].index(kept)
    return start, start + len(kept)
