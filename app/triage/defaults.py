"""The rules a municipality starts with, until somebody makes her own live."""

from typing import Any

DANGER = (
    *("bedreigd", "bedreigt", "bedreiging", "brand", "brandgevaar", "brandlucht"),
    *("gaslek", "gas lek", "gaslekkage", "gaslucht", "gas lucht", "gasgeur", "naar gas"),
    *("ruik gas", "ruiken gas", "koolmonoxide", "koolmonoxidevergiftiging"),
    *("gevaar", "gevaarlijk", "gevaarlijke", "levensgevaar", "levensgevaarlijk"),
    *("levensgevaarlijke", "gewond", "gewonde", "gewonden", "bewusteloos", "reanimatie"),
    *("explosie", "ontploffing", "ontploft", "ingestort", "instortingsgevaar"),
    *("overstroming", "overstroomd", "opgesloten in de lift", "vast in de lift"),
    *("steekpartij", "schietpartij", "vuurwapen", "mishandeld", "mishandeling", "zelfmoord"),
    *("danger", "dangerous", "emergency", "flooding", "flooded", "injured", "threatened"),
    *("threatens", "threatening", "gas leak", "gas leaking", "leaking gas", "smell gas"),
    *("smell of gas", "smells of gas", "smells like gas", "carbon monoxide", "on fire"),
    *("there is a fire", "theres a fire", "house fire", "fire broke out", "explosion"),
    *("exploded", "collapsed", "unconscious", "stabbing", "gunshot", "gunshots", "suicide"),
    *("life threatening", "stuck in the lift", "stuck in the elevator"),
)
HURRY = (
    *("dringend", "dringende", "spoed", "spoedeisend", "spoedeisende", "spoedgeval"),
    *("noodgeval", "noodsituatie", "urgent", "urgente", "urgently", "haast bij"),
    *("kan niet wachten", "cannot wait", "cant wait any longer"),
)
NEVER = (
    *("buiten gevaar", "out of danger", "brand new", "brand name", "which brand", "what brand"),
    *("lamp brand", "licht brand", "verlichting brand", "lantaarn brand", "lantaarnpaal brand"),
)

WORKDAY = [9 * 60, 17 * 60]

BODY: dict[str, Any] = {
    "rules": [
        {"id": "danger", "kind": "words", "on": True, "words": list(DANGER)},
        {"id": "hurry", "kind": "words", "on": True, "words": list(HURRY)},
        {"id": "ticked", "kind": "ticked", "on": True},
        {"id": "repeated", "kind": "repeated", "on": True, "times": 4, "minutes": 60},
        # Off until a municipality says what it promises: a backlog would wake everybody at once.
        {
            "id": "no_reaction",
            "kind": "no_reaction",
            "on": False,
            "minutes": 16 * 60,
            "open_hours": True,
        },
    ],
    "never": list(NEVER),
    "hours": {"week": [WORKDAY] * 5 + [None, None], "closed": []},
}
