"""Text that looks like what residents and coordinators write: the same for the same seed.

Words are drawn with the frequency of natural language (the n-th word as often as 1/n), compounds
and details (street, number, time, name) make each message its own. A test on real Dutch of the
same length compresses about as well; `compression` says how well this does.
"""

import random
import zlib


def _words(text: str) -> list[str]:
    return text.split()


FREQUENT = _words("""
de het een en van ik te dat in is niet op er zijn met voor die maar aan ook als dan naar bij om nog
wel al uit over door heb we u mijn dit was daar zo hebben kan moet hier geen wat meer ze heeft wordt
onze weer kunnen deze worden zou willen vanaf tot toen omdat graag nu veel iets zelf steeds elkaar
alle zonder tussen tegen onder achter naast vlak sinds tijdens volgens binnen buiten
""")

SUBJECTS = _words("""
buurt straat stoep speeltuin lantaarnpaal container afval vuilnis boom tak blad heg gras plantsoen
park bankje prullenbak fiets fietspad auto parkeerplaats vergunning drempel kruispunt oversteek
school kinderen jongeren ouderen buren overlast geluid muziek hond poep rat meeuw riool put water
plas regen gladheid sneeuw brug gracht kade steiger boot tegel gat kuil asfalt werk aannemer hek
muur graffiti bord verlichting camera winkel markt plein wijkcentrum bijeenkomst plan subsidie
initiatief moestuin insectenhotel geveltuin bewoner eigenaar huurder corporatie verhuurder woning
flat portiek lift trap brievenbus schuur garage laadpaal deelauto bakfiets bezorger vrachtwagen bus
halte trein station verkeer snelheid drukte vakantie feest vuurwerk zwerfafval peuk blikje glasbak
papierbak kledingbak ophaaldag kliko sleutel pas melding formulier nummer foto bericht telefoon mail
gemeente wijkteam coördinator handhaver politie brandweer stadsbeheer groenploeg dienst loket
""")

VERBS = _words("""
staat ligt hangt werkt knippert lekt stinkt groeit valt breekt zakt blijft komt gaat loopt rijdt
speelt slaapt belt schrijft vraagt meldt ziet hoort merkt vindt denkt hoopt wacht weet probeert
gebruikt ruimt veegt snoeit maait plant herstelt vervangt plaatst verwijdert controleert bekijkt
bespreekt overlegt regelt zorgt helpt stuurt ontvangt antwoordt bedankt gebeurt verandert begint
gestaan gelegd gemeld gebeld gevraagd gezien gehoord opgeruimd geveegd gesnoeid hersteld vervangen
geplaatst weggehaald besproken afgesproken ingepland doorgegeven opgelost afgerond
""")

QUALITIES = _words("""
kapot vol vies gevaarlijk donker nat glad los scheef oud nieuw groot klein hoog laag breed smal druk
rustig laat vroeg snel langzaam vaak soms altijd nooit gisteren vandaag morgen vorige volgende week
maand jaar ochtend middag avond nacht maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
mooi fijn jammer vervelend onveilig onduidelijk tijdelijk voorlopig gelukkig helaas misschien
waarschijnlijk zeker precies ongeveer bijna helemaal gewoon opnieuw inmiddels meteen binnenkort
""")

HEADS = _words("""
paal bak plaats pad weg straat hoek kant rand muur deur raam dak tuin plan werk overleg avond groep
post dienst meester ploeg ronde dag week tijd kosten kaart lijn punt vlak veld spel hof singel laan
""")

FIRST = _words("""
Anna Bram Chaima Dirk Els Fatma Gerrit Hanna Ibrahim Jantje Karin Lars Mohamed Nienke Olga Pieter
Quinty Roel Sanne Tjeerd Ummu Vera Wim Xandra Yusuf Zeynep Aaltje Berend Coby Derk Eefje Freek
""")

LAST = _words("""
Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer Dijkstra Postma Hoekstra
Veenstra Kuiper Wiersma Jansma Yilmaz Haddad Nguyen Kaya Ali Silva Boer Schut Timmer Kamp Drent
""")

SENTENCE_WORDS = (6, 17)


class Writer:
    """Writes text from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        compounds = [first + last for first in SUBJECTS for last in HEADS[:14]]
        rare = SUBJECTS + VERBS + QUALITIES
        shuffled = random.Random(1)  # the language itself is always the same
        shuffled.shuffle(rare)
        shuffled.shuffle(compounds)
        self._words = FREQUENT + rare + compounds
        self._weights = [0.0]
        for rank in range(len(self._words)):
            self._weights.append(self._weights[-1] + 1 / (rank + 6))
        self._streets = [word.title() + end for word in SUBJECTS for end in ("straat", "laan")]

    def name(self) -> str:
        """Return somebody's name."""
        return f"{self._random.choice(FIRST)} {self._random.choice(LAST)}"

    def place(self) -> str:
        """Return an address."""
        return f"{self._random.choice(self._streets)} {self._random.randint(1, 240)}"

    def text(self, characters: int) -> str:
        """Return sentences of together about this many characters, within a tenth."""
        target = characters * self._random.uniform(0.9, 1.1)
        said = ""
        while len(said) < target:
            said += self._sentence() + " "
        return said.rstrip()[: int(target) + 1].rstrip() + "."

    def _sentence(self) -> str:
        chance = self._random.random()
        words = self._random.choices(
            self._words, cum_weights=self._weights[1:], k=self._random.randint(*SENTENCE_WORDS)
        )
        if chance < 0.25:
            words.append(f"bij de {self.place()}")
        elif chance < 0.4:
            words.append(f"om {self._random.randint(7, 22)}.{self._random.randint(0, 59):02} uur")
        elif chance < 0.5:
            words.append(f"volgens {self.name()}")
        sentence = " ".join(words)
        return sentence[0].upper() + sentence[1:] + ("?" if chance > 0.9 else ".")


def compression(texts: list[str]) -> float:
    """Return how many times smaller gzip makes these texts together."""
    plain = "\n".join(texts).encode()
    return len(plain) / len(zlib.compress(plain, 6))
