"""Typesets the minutes: JSON of `minutes.written_out` in, a tagged PDF out.

    python -m app.meetings.pdf < minutes.json > minutes.pdf

What people typed reaches the typesetter as data and is only ever set as text: nothing in it is
read as markup. PDF/UA-1 is asked for; it refuses a letter that no font here has (an emoji), and
then the same document is made, tagged all the same, without that promise.
"""

import base64
import json
import sys

DOCUMENT = """
#let d = json(bytes(sys.inputs.at("said")))
#set document(title: d.title, author: d.municipality)
#set text(lang: d.language, size: 11pt, font: ("Libertinus Serif", "DejaVu Sans Mono"))
#set par(leading: 0.7em, spacing: 1.1em)
#set page(paper: "a4", margin: (x: 2.4cm, y: 2.6cm), numbering: "1 / 1")
#show heading.where(level: 1): set text(size: 20pt)
#show heading.where(level: 2): set block(above: 1.8em, below: 0.9em)
#show heading.where(level: 3): set text(size: 11pt)
#show heading.where(level: 3): set block(above: 1.4em, below: 0.6em)

#text(fill: rgb("#555a52"), d.municipality)

#heading(level: 1, d.title)

#terms(tight: true, separator: [: ], ..d.facts.map(((name, value)) => terms.item(name, value)))

#if d.agenda.len() > 0 {
  heading(level: 2, d.agenda_title)
  enum(..d.agenda.map(item => enum.item(item)))
}

#heading(level: 2, d.questions_title)
#d.summary

#if d.questions.len() == 0 { d.none }
#for q in d.questions {
  heading(level: 3, str(q.number) + ". " + q.text)
  let about = (q.agenda, q.topic, q.support_word).filter(word => word != "")
  if about.len() > 0 {
    par(text(size: 9.5pt, fill: rgb("#555a52"), about.join(" · ")))
  }
  par({
    strong(q.fate_word)
    if q.fate_text != "" { [: ]; q.fate_text }
  })
  for picture in q.at("pictures", default: ()) {
    image(bytes(picture.jpeg), format: "jpg", alt: picture.alt, width: 7cm)
  }
}

#heading(level: 2, d.promises_title)
#if d.promises.len() == 0 { d.no_promises } else {
  table(
    columns: (1fr, auto, auto, auto),
    stroke: (x, y) => (bottom: 0.5pt + rgb("#7d7b71")),
    inset: (x: 4pt, y: 6pt),
    table.header(..d.promise_heads.map(word => strong(word))),
    ..d.promises.flatten()
  )
}
"""


def make(said: str) -> bytes:
    """Return the PDF of what is said (JSON)."""
    import typst

    inputs = {"said": _unpacked(said)}
    source = DOCUMENT.encode()
    try:
        made: bytes = typst.compile(source, sys_inputs=inputs, pdf_standards="ua-1")
    except typst.TypstError:
        made = typst.compile(source, sys_inputs=inputs)
    return made


def _unpacked(said: str) -> str:
    """Return it with each picture as a list of bytes: the typesetter reads no base64."""
    told = json.loads(said)
    for question in told["questions"]:
        for picture in question.get("pictures", ()):
            picture["jpeg"] = list(base64.b64decode(picture["jpeg"]))
    return json.dumps(told)


def main() -> None:
    """Read what is said, write the PDF."""
    said = json.dumps(json.load(sys.stdin.buffer))
    sys.stdout.buffer.write(make(said))


if __name__ == "__main__":
    main()
