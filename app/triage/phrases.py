"""Words and phrases found in what somebody wrote, in one pass, and whether they are denied.

No pattern of a user is ever run as one: text and phrases become the same plain words (small
letters, no accents, no apostrophes), and a tree of words is walked beside the text. So the time
grows with the text alone, however many phrases there are.

Denial errs on the side of urgency. A "geen" reaches a word only over words that are known to stand
between the two ("geen *enkel* gevaar"); over anything else it does not ("geen licht gevaarlijk
donker"), because people in danger leave out their commas.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

MAX_CHARS = 20_000
"""What lies behind is not looked at; the same as the longest message that is taken in."""
WRAPPED_CHARS = 50
"""A line this long was probably broken by a mail program, not by its writer."""
REACH = 4
"""Words that may stand between a denial and what it denies."""

_APOSTROPHE = re.compile(r"(?<=\w)['\u2019\u2018\u02bc\u00b4`](?=\w)")
_PIECE = re.compile(r"[^\W_]+|[^\w\s]|\n|(?<=\s)-(?=\s)")
_STOPS = frozenset(".!?;:,()[]\u2026\u2013\u2014")


@dataclass(slots=True)
class Words:
    """A text as plain words; `gaps[i]` holds what ends the clause after word i, or ""."""

    words: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def ends_at(self, index: int) -> bool:
        """Say whether a clause ends right before this word."""
        return index >= len(self.words) or bool(self.gaps[index - 1])

    def sentence_end(self, index: int) -> str:
        """Return what closes the clause that this word stands in."""
        for at in range(index, min(len(self.words), index + 12)):
            if self.gaps[at]:
                return self.gaps[at]
        return ""


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase that was found: words[start:end], under its labels."""

    start: int
    end: int
    labels: tuple[tuple[int, str], ...]


def fold(text: str) -> str:
    """Return a text in small letters without accents, apostrophes or invisible characters."""
    if "'" in text or not text.isascii():
        text = _APOSTROPHE.sub("", text)
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if unicodedata.category(c) not in {"Mn", "Cf", "Me"})


def read(text: str) -> Words:
    """Return the words of a text and where its clauses end."""
    folded = fold(text[:MAX_CHARS])
    found = Words()
    words, gaps = found.words, found.gaps
    for piece in _PIECE.finditer(folded):
        said = piece[0]
        if said == "\n":
            if words and not gaps[-1] and not _wrapped(folded, piece.start()):
                gaps[-1] = "\n"
        elif said in _STOPS:
            if words and gaps[-1] != "?":
                gaps[-1] = said
        elif said == "-":
            if words and not gaps[-1] and _spaced(folded, piece.start()):
                gaps[-1] = said
        elif said[0].isalnum() or unicodedata.category(said[0]) == "So":
            words.append(said)
            gaps.append("")
    return found


def _wrapped(text: str, at: int) -> bool:
    """Say whether the line that ends here was broken for its length, in the middle of a text."""
    begin = text.rfind("\n", 0, at) + 1
    following = text[at + 1 : at + 2]
    return at - begin >= WRAPPED_CHARS and following.isalnum()


def _spaced(text: str, at: int) -> bool:
    return text[at - 1 : at].isspace() and text[at + 1 : at + 2].isspace()


def words_of(phrase: str) -> tuple[str, ...]:
    """Return the plain words of a phrase; none when it has no letter, digit or picture."""
    return tuple(read(phrase).words)


class Phrases:
    """Many phrases as one tree of words. `labels` say whose each is, and how it was spelled."""

    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        self._root: dict[str, object] = {}
        for owner, phrase in phrases:
            node: dict[str, object] = self._root
            words = words_of(phrase)
            for word in words:
                following = node.setdefault(word, {})
                assert isinstance(following, dict)
                node = following
            if words:
                # No word is empty, so "" is free for who ends here.
                ends = node.setdefault("", [])
                assert isinstance(ends, list)
                ends.append((owner, phrase))

    def find(self, text: Words) -> Iterator[Match]:
        """Yield every phrase of the text, in its order; none reaches over the end of a clause."""
        words, gaps, total = text.words, text.gaps, len(text.words)
        for start in range(total):
            node = self._root.get(words[start])
            at = start
            while isinstance(node, dict):
                ends = node.get("")
                if isinstance(ends, list):
                    yield Match(start, at + 1, tuple(ends))
                if gaps[at] or at + 1 >= total:
                    break
                at += 1
                node = node.get(words[at])


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What a denial may reach over. "geen" and "no" deny nouns, "niet" and "not" deny how something is,
# and some deny what somebody thinks or who is meant.
_NO = _set("geen no zonder without nothing niets noch nor neither nul zero")
_NO_OVER = _set(
    "enkel enkele enige direct directe acuut acute echt echte groot grote sprake van reden tot voor"
    " onmiddellijk onmiddellijke ernstig ernstige meer noodzaak kwestie een super bijzondere"
    " a an the any real immediate actual serious sign signs of need for reason direct more big"
    " great longer particular urgent dringende dringend aan is to call about"
)
_NOT = _set("niet nie not isnt arent wasnt werent aint")
_NOT_OVER = _set(
    "zo heel erg echt meer direct meteen per se bepaald bijzonder super al te helemaal langer acuut"
    " onmiddellijk extreem zozeer een in de nu bijster overdreven zon van"
    " a an the any so that very really too all at particularly terribly immediately immediate super"
    " extremely currently yet quite exactly hugely overly even in anything as such longer what id"
    " call remotely especially"
)
_ASKS = _set("isnt arent wasnt werent aint dont doesnt didnt wouldnt")
_THINK = _set("denk denken geloof vind vinden verwacht bedoel bedoelde zeg zeggen lijkt think")
_THINK_OVER = _set("dat het dit er is sprake van zo heel erg echt meteen direct een in")
_DONT = _set("dont doesnt didnt wouldnt")
_DO = _set("do does did would")
_DONT_FIRST = _set("think believe consider call see feel find expect seem look sound need mean")
_DONT_OVER = _DONT_FIRST | _set("it its is this that as there any to be so very really too a an")
_NOBODY = _set("niemand nobody noone none")
_NOBODY_OVER = _set(
    "is was zijn waren raakte raakt werd wordt in meer ernstig echt are were got gets has been"
    " being seriously here hier"
)
_NOT_REALLY = frozenset(
    [
        *[("niet", "alleen"), ("niet", "enkel"), ("niet", "slechts"), ("niet", "normaal")],
        *[("not", "only"), ("not", "just"), ("not", "merely"), ("no", "kidding")],
    ]
)
"""Looks like a denial, and is none."""
_CANCELS = frozenset([("niet", "zonder"), ("not", "without")])
_OR = _set("of or noch nor")
_NAY = _set("nee neen no nope niet not nah")

# What comes after: "dringend is het niet", "spoed is niet nodig", "gevaar is geweken".
_TURNED = _set("is was lijkt heeft hebben vind hoeft noem bestaat")
_TURNED_OVER = _set("er het dit dat ik dus echt nu op moment verder zeker gelukkig we wij zo")
_DENIES = _set("niet geen nie")
_DENIES_END = _set(
    "meer echt hoor nodig meteen aan direct bij hier verder vereist noodzakelijk sprake van dus nu"
)
_HAPPENED = _set("was waren were had hadden")
_SOLVED = _set(
    "opgelost verholpen voorbij geweken hersteld gerepareerd gedicht geblust opgeruimd"
    " resolved solved fixed repaired passed extinguished"
)
_SOLVED_END = _set("uit over weg klaar out gone veilig safe")
_IS = _set("is was zijn has have been lijkt")
_BY_NOW = _set("al nu inmiddels weer gelukkig now already alweer helemaal been all is it het dit")
SOLVED_WITHIN = 10


def denied_by(text: Words, start: int, end: int, denied_before: int) -> str | None:
    """Return the word that takes words[start:end] back, or None when nothing does.

    `denied_before` is where the last denied phrase ended, for "niet gevaarlijk of dringend".
    """
    return (
        _before(text, start, end)
        or _after(text, end)
        or _solved(text, start, end)
        or _either(text, start, denied_before)
    )


def _before(text: Words, start: int, end: int) -> str | None:
    words, gaps = text.words, text.gaps
    for at in range(start - 1, max(-1, start - 2 - REACH), -1):
        if gaps[at]:
            return None
        over = _over(words, at)
        if over is None:
            continue
        following = words[at + 1]
        if (words[at], following) in _NOT_REALLY or (at and (words[at - 1], words[at]) in _CANCELS):
            return None
        if not all(word in over for word in words[at + 1 : start]):
            return None
        # "Is dat niet gevaarlijk?" and "Isn't that dangerous?" are worries; "Niet dringend, toch?"
        # is none.
        begins = (at == 0 or bool(gaps[at - 1])) and words[at] not in _ASKS
        if text.sentence_end(end - 1) == "?" and not begins:
            return None
        return words[at]
    return None


def _over(words: Sequence[str], at: int) -> frozenset[str] | None:
    """Return what a denial at this word may reach over, or None when it is no denial."""
    word = words[at]
    earlier = words[at - 1] if at else ""
    following = words[at + 1] if at + 1 < len(words) else ""
    if word in _NO:
        return _NO_OVER
    if word in _NOBODY or (word == "one" and earlier == "no"):
        return _NOBODY_OVER
    if word in _DONT or (word == "not" and earlier in _DO):
        return _DONT_OVER if following in _DONT_FIRST else _NOT_OVER
    if word in _NOT:
        return _NOT_OVER | _THINK_OVER if earlier in _THINK else _NOT_OVER
    return None


def _after(text: Words, end: int) -> str | None:
    words, gaps = text.words, text.gaps
    if end >= len(words):
        return None
    closing, following = gaps[end - 1], words[end]
    if closing:
        return following if _answered(text, closing, end) else None
    at = end
    if following in _TURNED:
        at += 1
        while at < len(words) and at - end <= REACH and words[at] in _TURNED_OVER:
            if gaps[at]:
                return None
            at += 1
    if at < len(words) and words[at] in _DENIES:
        denial = words[at]
        while not gaps[at] and at + 1 < len(words) and words[at + 1] in _DENIES_END:
            at += 1
        if text.ends_at(at + 1) and gaps[at] != "?":
            return denial
    return None


def _answered(text: Words, closing: str, at: int) -> bool:
    """Say whether a question, or a line of a form, is answered with no: "Dringend? Nee."."""
    return text.words[at] in _NAY and (closing == "?" or (closing == ":" and text.ends_at(at + 1)))


def _solved(text: Words, start: int, end: int) -> str | None:
    """Find "gevaar is geweken" and "was gevaarlijk, maar nu opgelost"."""
    words = text.words
    at = end
    if at < len(words) and not text.gaps[end - 1] and words[at] in _IS:
        at += 1
        while at < len(words) and at - end <= REACH and words[at] in _BY_NOW:
            at += 1
        if at < len(words) and _is_solved(text, at):
            return words[at]
    happened = any(
        word in _HAPPENED and not any(text.gaps[back:start])
        for back, word in enumerate(words[max(0, start - REACH) : start], max(0, start - REACH))
    )
    if happened:
        for at in range(end, min(len(words), end + SOLVED_WITHIN)):
            if text.gaps[at - 1] in {"!", "?", "\n"}:
                return None
            if _is_solved(text, at):
                return words[at]
    return None


def _is_solved(text: Words, at: int) -> bool:
    words = text.words
    if words[at - 1] in _NOT | _NO:
        return False
    return words[at] in _SOLVED or (words[at] in _SOLVED_END and text.ends_at(at + 1))


def _either(text: Words, start: int, denied_before: int) -> str | None:
    """Find "niet gevaarlijk of dringend": what is denied of the one is denied of the other."""
    if start < 2 or text.words[start - 1] not in _OR or denied_before != start - 1:
        return None
    return None if text.gaps[start - 2] or text.gaps[start - 1] else text.words[start - 1]
