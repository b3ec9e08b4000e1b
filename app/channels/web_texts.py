"""The words of the resident's form and page. To a resident we say "u"."""

from app import i18n

i18n.add(
    {
        # Choosing an area
        "areas.title": ("Stel uw vraag", "Ask your question"),
        "areas.intro": (
            "In welke wijk of buurt speelt uw vraag?",
            "Which neighbourhood is your question about?",
        ),
        "areas.none": (
            "Er staat nu geen formulier open. Bel de gemeente of kom langs.",
            "No form is open now. Call the municipality or visit the desk.",
        ),
        # The form
        "form.title": ("Stel uw vraag over {area}", "Ask your question about {area}"),
        "form.intro": (
            "Een medewerker die uw buurt kent, leest uw vraag en antwoordt u.",
            "Somebody who knows your neighbourhood reads your question and answers you.",
        ),
        "form.danger": (
            "Is er nu gevaar voor mensen? Bel 112.",
            "Is anybody in danger now? Call 112.",
        ),
        "form.question": ("Uw vraag", "Your question"),
        "form.question_hint": (
            "Zet geen burgerservicenummer of medische gegevens in uw vraag.",
            "Do not put a citizen service number or medical details in your question.",
        ),
        "form.optional": ("niet verplicht", "optional"),
        "form.place": ("Waar is het?", "Where is it?"),
        "form.place_hint": (
            "Een straat, plein of gebouw. Bijvoorbeeld: bij het speeltuintje in de Dorpsstraat.",
            "A street, square or building. For example: near the playground in Dorpsstraat.",
        ),
        "form.photo": ("Foto", "Photo"),
        "form.photo_hint": (
            "Tot {megabytes} MB. De plek waar de foto is gemaakt, halen wij eruit.",
            "Up to {megabytes} MB. We remove the place where the photo was taken.",
        ),
        "form.urgent": ("Dit is dringend", "This is urgent"),
        "form.urgent_hint": (
            "Dan kijken wij er eerder naar. Bij gevaar: bel 112.",
            "Then we look at it sooner. In danger: call 112.",
        ),
        "form.name": ("Uw naam", "Your name"),
        "form.email": ("Uw e-mailadres", "Your e-mail address"),
        "form.email_hint": (
            (
                "Dan mailen wij u zodra er antwoord is. Zonder e-mailadres leest u het antwoord "
                "op uw eigen pagina."
            ),
            (
                "We then mail you as soon as there is an answer. Without it you read the answer "
                "on your own page."
            ),
        ),
        "form.email_hint_unmailed": (
            "Zo kunnen wij u ook anders bereiken. Het antwoord leest u op uw eigen pagina.",
            "So that we can reach you otherwise too. You read the answer on your own page.",
        ),
        "form.trap": ("Laat dit veld leeg", "Leave this field empty"),
        "form.send": ("Verstuur uw vraag", "Send your question"),
        "form.after": (
            "Na het versturen krijgt u een eigen pagina, waar u het antwoord leest.",
            "After sending you get a page of your own, where you read the answer.",
        ),
        "form.privacy": (
            (
                "Wij gebruiken uw gegevens alleen om u te antwoorden. U kunt ze op uw eigen "
                "pagina weer laten wissen."
            ),
            "We use your details only to answer you. On your own page you can have them erased.",
        ),
        # What can be wrong with it
        "wrong.title": ("Uw vraag is nog niet verstuurd", "Your question has not been sent yet"),
        "wrong.prefix": ("Niet verstuurd", "Not sent"),
        "wrong.empty": ("Schrijf eerst uw vraag.", "Write your question first."),
        "wrong.too_long": (
            "Uw tekst is te lang: er passen {most} tekens, het zijn er {have}.",
            "Your text is too long: there is room for {most} characters, it has {have}.",
        ),
        "wrong.name": (
            "Houd uw naam korter dan {most} tekens.",
            "Keep your name under {most} characters.",
        ),
        "wrong.place": (
            "Houd de plek korter dan {most} tekens.",
            "Keep the place under {most} characters.",
        ),
        "wrong.email": (
            "Dit e-mailadres klopt niet. Schrijf het zoals naam@voorbeeld.nl, of laat het leeg.",
            "This e-mail address is not right. Write it like name@example.nl, or leave it empty.",
        ),
        "wrong.expired": (
            "Dit formulier stond lang open. Uw tekst staat er nog: verstuur hem opnieuw.",
            "This form was open for a long time. Your text is still here: send it again.",
        ),
        "wrong.too_fast": (
            (
                "Dat ging zo snel dat wij dachten aan een robot. Lees uw tekst na en verstuur hem "
                "opnieuw."
            ),
            (
                "That was so fast that we thought of a robot. Read your text again and send it "
                "once more."
            ),
        ),
        "wrong.trapped": (
            (
                "Een onzichtbaar veld was ingevuld, misschien door uw browser. Wij hebben het "
                "leeg gemaakt: verstuur uw tekst opnieuw."
            ),
            (
                "A hidden field was filled in, perhaps by your browser. We have emptied it: send "
                "your text again."
            ),
        ),
        "wrong.too_many": (
            (
                "Vanaf uw netwerk kwamen veel berichten achter elkaar. Uw tekst staat er nog: "
                "verstuur hem over {minutes} minuten opnieuw."
            ),
            (
                "Many messages came from your network in a row. Your text is still here: send it "
                "again in {minutes} minutes."
            ),
        ),
        "wrong.busy": (
            (
                "Er komen nu heel veel berichten binnen. Uw tekst staat er nog: verstuur hem over "
                "{minutes} minuten opnieuw."
            ),
            (
                "Very many messages are coming in now. Your text is still here: send it again in "
                "{minutes} minutes."
            ),
        ),
        "wrong.photo_again": (
            "Kies uw foto daarna opnieuw: die kan de pagina niet onthouden.",
            "Then choose your photo again: the page cannot remember it.",
        ),
        "photo.empty": (
            "Deze foto is leeg. Kies een andere.",
            "This photo is empty. Choose another.",
        ),
        "photo.too_large": (
            "Deze foto is groter dan {megabytes} MB. Kies een kleinere.",
            "This photo is larger than {megabytes} MB. Choose a smaller one.",
        ),
        "photo.heic": (
            (
                "Deze foto is in het formaat HEIC, dat niet iedereen kan zien. Bewaar hem als "
                "JPEG, of maak er een schermafbeelding van."
            ),
            (
                "This photo is in the HEIC format, which not everybody can see. Save it as JPEG, "
                "or take a screenshot of it."
            ),
        ),
        "photo.not_a_photo": (
            "Dit bestand is geen foto die wij kunnen lezen. Kies een JPEG, PNG, WebP of GIF.",
            "This file is not a photo that we can read. Choose a JPEG, PNG, WebP or GIF.",
        ),
        "photo.too_many_pixels": (
            "Deze foto heeft te veel beeldpunten. Maak hem kleiner, of kies een andere.",
            "This photo has too many pixels. Make it smaller, or choose another.",
        ),
        "photo.damaged": (
            "Deze foto is beschadigd. Kies een andere.",
            "This photo is damaged. Choose another.",
        ),
        # The resident's own page
        "own.title": ("Uw vraag over {area}", "Your question about {area}"),
        "own.sent": ("Uw vraag is verstuurd", "Your question has been sent"),
        "own.sent_text": (
            (
                "Bewaar deze pagina, bijvoorbeeld als bladwijzer. Hier leest u het antwoord. "
                "Alleen wie dit adres heeft, kan de pagina zien."
            ),
            (
                "Keep this page, for example as a bookmark. You read the answer here. Only who "
                "has this address can see the page."
            ),
        ),
        "own.mailed": (
            "Wij mailen {email} zodra er antwoord is.",
            "We mail {email} as soon as there is an answer.",
        ),
        "own.not_mailed": (
            "Wij sturen u geen bericht als er antwoord is. Kijk dus af en toe hier.",
            "We do not send you word when there is an answer. So look here now and then.",
        ),
        "own.added": ("Uw bericht is verstuurd.", "Your message has been sent."),
        "own.status": ("Stand", "Status"),
        "own.place": ("Plek", "Place"),
        "status.new": ("Ontvangen", "Received"),
        "status.open": ("In behandeling", "In progress"),
        "status.waiting": ("Wij wachten op uw antwoord", "We are waiting for your answer"),
        "status.closed": ("Afgehandeld", "Closed"),
        "status.reopened": ("Opnieuw in behandeling", "In progress again"),
        "own.conversation": ("Gesprek", "Conversation"),
        "own.you": ("U", "You"),
        "own.wiped": ("Dit bericht is gewist.", "This message was erased."),
        "own.photo_of": ("Foto {number} bij dit bericht", "Photo {number} with this message"),
        "own.file": ("Download {name}", "Download {name}"),
        "own.news": ("Er is een nieuw bericht. Toon het.", "There is a new message. Show it."),
        "own.refresh": ("Kijk of er iets nieuws is", "See whether there is anything new"),
        "rate.title": ("Bent u hiermee geholpen?", "Did this help you?"),
        "rate.yes": ("Ja", "Yes"),
        "rate.no": ("Nee", "No"),
        "rate.thanks": (
            "Dank u. U kunt uw antwoord hier veranderen.",
            "Thank you. You can change your answer here.",
        ),
        "more.title": ("Schrijf een vervolg", "Write again"),
        "more.question": ("Uw bericht", "Your message"),
        "more.send": ("Verstuur uw bericht", "Send your message"),
        "more.wrong": ("Uw bericht is nog niet verstuurd", "Your message has not been sent yet"),
        "more.closed": (
            "Is het nog niet opgelost? Schrijf gerust, dan pakken wij het weer op.",
            "Is it not solved yet? Do write, and we take it up again.",
        ),
        "erase.link": ("Laat uw gegevens wissen", "Have your details erased"),
        "erase.title": ("Uw gegevens laten wissen", "Have your details erased"),
        "erase.what": (
            (
                "Wij wissen dan meteen uw vraag, uw naam, uw e-mailadres, de plek, de foto's en "
                "onze antwoorden."
            ),
            (
                "We then erase at once your question, your name, your e-mail address, the place, "
                "the photos and our answers."
            ),
        ),
        "erase.left": (
            (
                "Er blijft staan dat er in {area} een vraag was en wanneer, zonder wat u schreef "
                "of wie u bent."
            ),
            (
                "What stays is that there was a question in {area} and when, without what you "
                "wrote or who you are."
            ),
        ),
        "erase.no_way_back": (
            (
                "Dit kan niet ongedaan worden gemaakt. Wacht u nog op antwoord, dan krijgt u dat "
                "niet meer."
            ),
            "This cannot be undone. If you are still waiting for an answer, you will not get it.",
        ),
        "erase.do": ("Wis mijn gegevens", "Erase my details"),
        "erase.back": ("Terug naar uw vraag", "Back to your question"),
        "erased.title": ("Uw gegevens zijn gewist", "Your details have been erased"),
        "erased.text": (
            "Uw vraag en uw gegevens staan niet meer in ons systeem. U kunt deze pagina sluiten.",
            "Your question and your details are no longer in our system. You can close this page.",
        ),
        # The mail that tells of an answer
        "notice.subject": (
            "Antwoord van gemeente {municipality} op uw vraag",
            "Answer from the municipality of {municipality} to your question",
        ),
        "notice.text": (
            (
                "Goedendag,\n\nEr is antwoord op uw vraag aan gemeente {municipality}. U leest "
                "het op uw eigen pagina:\n\n{url}\n\nDaar kunt u ook weer schrijven. Dit adres is "
                "alleen voor u: stuur het niet door."
            ),
            (
                "Hello,\n\nThere is an answer to your question to the municipality of "
                "{municipality}. You can read it, and write again, on your own "
                "page:\n\n{url}\n\nThis address is only for you: do not pass it on."
            ),
        ),
    }
)
