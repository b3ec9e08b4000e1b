"""What a meeting says: in the hall, in the minutes, and in the conversations that follow.

To somebody in the hall we say "u".
"""

from app import i18n

i18n.add(
    {
        # The hall's page
        "hall.title": ("Doe mee: {title}", "Join in: {title}"),
        "hall.where": ("{place}, {when}", "{place}, {when}"),
        "hall.intro": (
            "Stel uw vraag, steun een vraag van een ander, en volg wat ermee gebeurt.",
            "Ask your question, support someone else’s, and follow what becomes of it.",
        ),
        "hall.planned": (
            "De bijeenkomst is nog niet begonnen. Vragen stellen kan zodra zij open is.",
            "The meeting has not begun. You can ask as soon as it is open.",
        ),
        "hall.over": (
            "De bijeenkomst is afgelopen. Hieronder staat wat er met elke vraag gebeurt.",
            "The meeting is over. Below is what becomes of each question.",
        ),
        "hall.minutes": ("Lees het verslag", "Read the minutes"),
        "hall.ask": ("Stel uw vraag", "Ask your question"),
        "hall.question_hint": (
            (
                "Kort, tot {most} tekens. Wij bekijken elke vraag voor zij op het bord komt. "
                "Uw naam staat er nooit bij."
            ),
            (
                "Short, up to {most} characters. We look at each question before it is shown. "
                "Your name is never beside it."
            ),
        ),
        "hall.agenda": ("Waar gaat het over?", "What is it about?"),
        "hall.who": ("Uw naam en e-mailadres", "Your name and e-mail address"),
        "hall.agenda_none": ("Iets anders", "Something else"),
        "hall.email_hint": (
            "Alleen als u achteraf antwoord en het verslag per e-mail wilt.",
            "Only if you want an answer and the minutes by e-mail afterwards.",
        ),
        "hall.send": ("Stuur uw vraag", "Send your question"),
        "hall.sent": (
            "Uw vraag is binnen. Zij komt op het bord zodra iemand haar heeft bekeken.",
            "We have your question. It is shown as soon as someone has looked at it.",
        ),
        "hall.cookie": (
            "Uw browser bewaart geen cookies. Zet die voor deze pagina aan en probeer het opnieuw.",
            "Your browser keeps no cookies. Allow them for this page and try again.",
        ),
        "hall.too_many": (
            "U stelde al vijf vragen in tien minuten. Wacht even, anderen willen ook.",
            "You asked five questions in ten minutes already. Wait a little; others want to ask.",
        ),
        "hall.busy": (
            "Er komen nu te veel vragen tegelijk binnen. Probeer het over een paar minuten.",
            "Too many questions are coming in at once. Try again in a few minutes.",
        ),
        "hall.closed": (
            "De bijeenkomst neemt nu geen vragen aan.",
            "The meeting takes no questions now.",
        ),
        "hall.wrong": ("Uw vraag is nog niet verstuurd", "Your question was not sent yet"),
        "hall.mine": ("Mijn vragen", "My questions"),
        "hall.mine_waiting": ("Wordt bekeken", "Being looked at"),
        "hall.mine_shown": ("Staat op het bord", "On the board"),
        "hall.mine_hidden": ("Niet op het bord: {reason}", "Not on the board: {reason}"),
        "hall.mine_page": ("Volg het gesprek over deze vraag", "Follow this question"),
        "hall.mine_kept": (
            "Ook wat niet op het bord komt, lezen wij.",
            "We read what is not shown as well.",
        ),
        "hall.all": ("Alle vragen", "All questions"),
        "hall.none": ("Er zijn nog geen vragen.", "There are no questions yet."),
        "hall.support": ("Steun deze vraag", "Support this question"),
        "hall.supported": ("U steunt deze vraag", "You support this question"),
        "hall.count": ("{n} keer gesteund", "Supported {n} times"),
        "hall.refresh": ("Vernieuw de vragen", "Refresh the questions"),
        "hall.live": ("Nieuwe vragen verschijnen vanzelf.", "New questions appear by themselves."),
        "hall.lost": (
            "Geen verbinding. Dit is wat er het laatst stond.",
            "No connection. This is what was shown last.",
        ),
        # What becomes of a question
        "fate.open": ("Nog open", "Still open"),
        "fate.answered": ("Beantwoord", "Answered"),
        "fate.later": ("Wordt beantwoord", "Will be answered"),
        "fate.handed": ("Doorgezet naar", "Handed on to"),
        "fate.dropped": ("Niet behandeld", "Not dealt with"),
        # The board
        "board.title": ("Vragen: {title}", "Questions: {title}"),
        "board.join": ("Doe mee", "Join in"),
        "board.code": ("Code", "Code"),
        "board.none": ("Stel de eerste vraag", "Ask the first question"),
        "board.more": ("en {n} eerdere", "and {n} earlier"),
        "board.qr": (
            "QR-code naar de pagina van deze bijeenkomst",
            "QR code to this meeting’s page",
        ),
        # An assistant's invitation
        "helper.title": ("Help mee op een bewonersavond", "Help at a residents’ meeting"),
        "helper.text": (
            (
                "{name}, u helpt bij “{title}”. U ziet alleen deze bijeenkomst, tot {until}. "
                "Deze uitnodiging werkt op één toestel."
            ),
            (
                "{name}, you are helping at “{title}”. You see this meeting only, until {until}. "
                "This invitation works on one device."
            ),
        ),
        "helper.start": ("Begin op dit toestel", "Begin on this device"),
        "helper.gone": (
            "Deze uitnodiging is gebruikt of verlopen. Vraag een nieuwe.",
            "This invitation was used or has expired. Ask for a new one.",
        ),
        # The minutes
        "minutes.title": ("Verslag: {title}", "Minutes: {title}"),
        "minutes.when": ("Wanneer", "When"),
        "minutes.place": ("Plaats", "Place"),
        "minutes.area": ("Gebied", "Area"),
        "minutes.hosts": ("Gastheren en gastvrouwen", "Hosts"),
        "minutes.heads": ("Aanwezig", "Present"),
        "minutes.organisations": ("Organisaties", "Organisations"),
        "minutes.agenda": ("Agenda", "Agenda"),
        "minutes.questions": ("Vragen en antwoorden", "Questions and answers"),
        "minutes.no_questions": ("Er zijn geen vragen gesteld.", "No questions were asked."),
        "minutes.summary": (
            (
                "Vragen: {total}. Beantwoord: {answered}, wordt beantwoord: {later}, "
                "doorgezet: {handed}, niet behandeld: {dropped}, nog open: {open}."
            ),
            (
                "Questions: {total}. Answered: {answered}, will be answered: {later}, "
                "handed on: {handed}, not dealt with: {dropped}, still open: {open}."
            ),
        ),
        "minutes.hidden": (
            "Niet getoond: {n}. Wie die vraag stelde, weet waarom.",
            "Not shown: {n}. Whoever asked was told why.",
        ),
        "minutes.unseen": (
            "Nog niet bekeken voor het bord: {n}.",
            "Not yet looked at for the board: {n}.",
        ),
        "minutes.support": ("{n} keer gesteund", "supported {n} times"),
        "minutes.photo": ("Foto bij vraag {n}", "Photo with question {n}"),
        "minutes.promises": ("Toezeggingen", "Promises"),
        "minutes.no_promises": ("Er is niets toegezegd.", "Nothing was promised."),
        "minutes.what": ("Wat", "What"),
        "minutes.who": ("Wie", "Who"),
        "minutes.due": ("Uiterlijk", "Before"),
        "minutes.about": ("Bij", "About"),
        "minutes.kept": ("gedaan", "done"),
        "minutes.question_number": ("vraag {n}", "question {n}"),
        "minutes.pdf": ("Verslag als PDF", "Minutes as PDF"),
        "minutes.print": ("Deze pagina kunt u ook afdrukken.", "You can print this page too."),
        "minutes.mail": (
            (
                "Beste bewoner,\n\nHet verslag van “{title}” staat klaar, met alle vragen, "
                "antwoorden en toezeggingen:\n{url}\n\nAls PDF: {url}.pdf\n\n"
                "Met vriendelijke groet,\n{municipality}"
            ),
            (
                "Dear resident,\n\nThe minutes of “{title}” are ready, with all questions, "
                "answers and promises:\n{url}\n\nAs PDF: {url}.pdf\n\n"
                "Kind regards,\n{municipality}"
            ),
        ),
        "minutes.wish": ("Wil het verslag van “{title}”.", "Wants the minutes of “{title}”."),
        # Notes in the conversations that follow
        "meeting.note_answered": (
            "Op de bijeenkomst beantwoord: {text}",
            "Answered at the meeting: {text}",
        ),
        "meeting.note_unsent": (
            (
                "Op de bijeenkomst beantwoord, niet per e-mail verstuurd (er was al geschreven, "
                "of het kon niet): {text}"
            ),
            (
                "Answered at the meeting, not sent by e-mail (somebody wrote already, or it "
                "could not leave): {text}"
            ),
        ),
        "meeting.note_reworded": (
            "Op het bord verbeterd tot: {text}",
            "Put right on the board as: {text}",
        ),
        "meeting.answer": (
            (
                "Beste bewoner,\n\nOp “{title}” vroeg u:\n{question}\n\n"
                "Ons antwoord:\n{text}\n\nMet vriendelijke groet,\n{name}"
            ),
            (
                "Dear resident,\n\nAt “{title}” you asked:\n{question}\n\n"
                "Our answer:\n{text}\n\nKind regards,\n{name}"
            ),
        ),
        "meeting.note_later": (
            "Op de bijeenkomst gezegd dat er antwoord komt: {text}",
            "Said at the meeting that an answer will come: {text}",
        ),
        "meeting.note_handed": (
            "Op de bijeenkomst doorgezet naar: {text}",
            "Handed on at the meeting to: {text}",
        ),
        "meeting.note_dropped": (
            "Op de bijeenkomst niet behandeld: {text}",
            "Not dealt with at the meeting: {text}",
        ),
        "meeting.note_promise": ("Toegezegd, uiterlijk {due}: {text}", "Promised by {due}: {text}"),
        "meeting.remind": (
            "Herinnering: op “{title}” is dit toegezegd, uiterlijk {due}: {text}",
            "Reminder: this was promised at “{title}”, by {due}: {text}",
        ),
    }
)
