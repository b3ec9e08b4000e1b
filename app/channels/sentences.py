"""What the codes of channel errors and reports say to people, in Dutch and English."""

from typing import Literal

SENTENCES: dict[str, tuple[str, str]] = {
    "password_refused": (
        "De mailserver weigert de aanmelding. Een beheerder moet het wachtwoord opnieuw invoeren.",
        "The mail server refuses the sign-in. An administrator must enter the password again.",
    ),
    "sign_in_unreachable": (
        "De aanmelddienst van het kanaal is niet bereikbaar.",
        "The channel's sign-in service cannot be reached.",
    ),
    "mailbox_unreachable": (
        "De mailbox is niet bereikbaar. Nieuwe mail komt binnen zodra dat weer lukt.",
        "The mailbox cannot be reached. New mail comes in as soon as it can.",
    ),
    "mail_server_unreachable": (
        "De mailserver is niet bereikbaar. Antwoorden wachten tot dat weer lukt.",
        "The mail server cannot be reached. Replies wait until it can.",
    ),
    "mail_server_busy": (
        "De mailserver vraagt om later terug te komen. Het antwoord wacht.",
        "The mail server asks to come back later. The reply waits.",
    ),
    "certificate_wrong": (
        "Het certificaat van de mailserver klopt niet. Er is niets verstuurd.",
        "The mail server's certificate is not right. Nothing was sent.",
    ),
    "no_such_folder": (
        "De ingestelde map bestaat niet in de mailbox.",
        "The folder that was set does not exist in the mailbox.",
    ),
    "no_answer": (
        "Het kanaal antwoordt niet. Stoep probeert het opnieuw.",
        "The channel does not answer. Stoep tries again.",
    ),
    "bad_signature": (
        "De handtekening onder deze melding klopt niet. Er is niets mee gedaan.",
        "The signature under this call is not right. Nothing was done with it.",
    ),
    "sign_in_refused": (
        "Het kanaal gaf geen toestemming. Er is niets bewaard; begin opnieuw.",
        "The channel gave no consent. Nothing was kept; begin again.",
    ),
    "bad_config": (
        "De instellingen van dit kanaal kloppen niet. Een beheerder moet ze nakijken.",
        "This channel's settings are not right. An administrator must look at them.",
    ),
    "channel_gone": (
        "Dit kanaal bestaat niet meer. Kies een andere manier om te antwoorden.",
        "This channel no longer exists. Choose another way to answer.",
    ),
    "answer_lost": (
        "De verbinding viel weg na het versturen. Stoep zoekt of het antwoord is aangekomen.",
        "The connection was lost after sending. Stoep is looking whether the reply arrived.",
    ),
    "bad_address": ("Dit e-mailadres klopt niet.", "This e-mail address is not right."),
    "address_unsupported": (
        "De mailserver kan dit e-mailadres niet aan.",
        "The mail server cannot handle this e-mail address.",
    ),
    "no_such_address": (
        "Dit e-mailadres bestaat niet (meer).",
        "This e-mail address does not exist (any more).",
    ),
    "mailbox_full": (
        "De mailbox van de inwoner is vol.",
        "The resident's mailbox is full.",
    ),
    "recipient_refused": (
        "De mailserver weigert dit e-mailadres.",
        "The mail server refuses this e-mail address.",
    ),
    "sender_refused": (
        "De mailserver weigert het adres van het team als afzender.",
        "The mail server refuses the team's address as the sender.",
    ),
    "refused_by_receiver": (
        "De mailserver van de inwoner weigert dit bericht.",
        "The resident's mail server refuses this message.",
    ),
    "message_refused": (
        "De mailserver weigert dit bericht.",
        "The mail server refuses this message.",
    ),
    "came_back": (
        "Het bericht kwam terug als onbestelbaar.",
        "The message came back as undeliverable.",
    ),
    "delivery_delayed": (
        "De bezorging is vertraagd; de mailserver probeert het nog.",
        "Delivery is delayed; the mail server is still trying.",
    ),
    "too_long": ("Het antwoord is te lang.", "The reply is too long."),
    "too_large": (
        "Het bericht is te groot voor de mailserver. Stuur minder of kleinere bijlagen.",
        "The message is too large for the mail server. Send fewer or smaller attachments.",
    ),
    # Fetching from an address that somebody else chose (safe_http)
    "bad_link": (
        "Dit is geen webadres dat Stoep kan ophalen. Het begint met https:// of http://.",
        "This is not a web address that Stoep can fetch. It starts with https:// or http://.",
    ),
    "private_address": (
        "Dit webadres ligt binnen een eigen netwerk. Stoep haalt daar niets op.",
        "This web address lies inside a private network. Stoep fetches nothing there.",
    ),
    "too_many_redirects": (
        "De site stuurt te vaak door naar een ander adres.",
        "The site sends us on to another address too often.",
    ),
    "site_too_large": (
        "Wat er op dit adres staat, is te groot om op te halen.",
        "What is at this address is too large to fetch.",
    ),
    "area_too_large": (
        "Er staan te veel meldingen open in dit gebied. Kies een kleiner gebied.",
        "Too many reports are open in this area. Choose a smaller area.",
    ),
    "unreadable_there": (
        "Wat de site stuurt, kan Stoep niet lezen.",
        "Stoep cannot read what the site sends.",
    ),
    "page_gone": (
        "Op dit adres staat niets meer.",
        "There is nothing at this address any more.",
    ),
    "page_refused": (
        "De site weigert dit adres aan ons te laten zien.",
        "The site refuses to show us this address.",
    ),
    "site_busy": (
        "De site kan het nu niet aan. Stoep probeert het later weer.",
        "The site cannot cope now. Stoep tries again later.",
    ),
    "site_slow": (
        "De site antwoordt te langzaam. Stoep probeert het later weer.",
        "The site answers too slowly. Stoep tries again later.",
    ),
    "site_unreachable": (
        "De site is niet bereikbaar. Stoep probeert het later weer.",
        "The site cannot be reached. Stoep tries again later.",
    ),
    "site_certificate_wrong": (
        "Het certificaat van de site klopt niet. Er is niets opgehaald.",
        "The site's certificate is not right. Nothing was fetched.",
    ),
    "not_a_feed": (
        "Op dit adres staat geen feed (RSS of Atom), en de pagina noemt er ook geen.",
        "There is no feed (RSS or Atom) at this address, and the page names none either.",
    ),
    "hashtags_only": (
        "Deze server kan niet op woorden zoeken. Let op een hashtag, zoals #paddepoel.",
        "This server cannot search for words. Listen for a hashtag, such as #paddepoel.",
    ),
    "words_maybe_own": (
        "Met woorden vindt deze server misschien alleen eigen berichten. Een #hashtag werkt wel.",
        "With words this server may find only our own posts. A #hashtag does work.",
    ),
    "query_refused": (
        "Het platform begrijpt deze zoekwoorden niet. Gebruik gewone woorden of een hashtag.",
        "The platform does not understand these words. Use ordinary words or a hashtag.",
    ),
    "search_not_allowed": (
        "Het account mag daar niet zoeken. Een beheerder moet het opnieuw koppelen.",
        "The account may not search there. An administrator must connect it again.",
    ),
    "dm_not_allowed": (
        "Het app-wachtwoord geeft geen toegang tot privéberichten. Maak er een die dat wel doet.",
        "The app password gives no access to direct messages. Make one that does.",
    ),
    "dm_refused": (
        "Deze inwoner neemt geen privéberichten van ons aan.",
        "This resident takes no private messages from us.",
    ),
    "no_pictures_there": (
        "In een privébericht kan op dit platform geen foto mee.",
        "A private message on this platform takes no photo.",
    ),
    "cannot_search": (
        "In dit kanaal kan niet worden gezocht.",
        "This channel cannot be searched.",
    ),
    "key_refused": (
        "Het forum weigert de sleutel. Een beheerder moet het account opnieuw aanmelden.",
        "The forum refuses the key. An administrator must sign the account in again.",
    ),
    "forum_refused": (
        "Het forum weigert dit bericht: te kort, te vaak achter elkaar, of het onderwerp is dicht.",
        "The forum refuses this message: too short, too soon again, or the topic is closed.",
    ),
    "forum_moved": (
        "Het forum staat op een ander adres. Een beheerder moet het account aanpassen.",
        "The forum is at another address. An administrator must change the account.",
    ),
    "waits_for_moderator": (
        "Het forum houdt het antwoord vast tot een moderator het goedkeurt. Wacht daarop.",
        "The forum holds the reply until a moderator approves it. Wait for that.",
    ),
    "rate_limited": (
        "Het platform vraagt om even te wachten. Antwoorden gaan daarna vanzelf.",
        "The platform asks to wait a while. Replies go by themselves after that.",
    ),
    "too_many_attachments": ("Er zijn te veel bijlagen.", "There are too many attachments."),
    "token_refused": (
        "Het platform weigert de aanmelding. Een beheerder moet het account opnieuw koppelen.",
        "The platform refuses the sign-in. An administrator must connect the account again.",
    ),
    "platform_unreachable": (
        "Het platform is niet bereikbaar. Antwoorden wachten tot dat weer lukt.",
        "The platform cannot be reached. Replies wait until it can.",
    ),
    "platform_busy": (
        "Het platform is bezet of in onderhoud. Antwoorden wachten.",
        "The platform is busy or being maintained. Replies wait.",
    ),
    "platform_refused": (
        "Het platform neemt dit niet aan. Er is niets verstuurd; antwoord via een andere weg.",
        "The platform does not take this. Nothing was sent; answer in another way.",
    ),
    "answer_too_large": (
        "Het platform stuurde meer dan Stoep aanneemt.",
        "The platform sent more than Stoep takes.",
    ),
    "file_too_large": (
        "De bijlage is te groot voor dit kanaal. Stuur een kleinere.",
        "The attachment is too large for this channel. Send a smaller one.",
    ),
    "bad_request": (
        "Het platform stuurde iets wat Stoep niet begrijpt. Er is niets mee gedaan.",
        "The platform sent something that Stoep does not understand. Nothing was done with it.",
    ),
    "window_closed": (
        "De 24 uur na het laatste bericht van de inwoner zijn om. Stuur een goedgekeurd bericht.",
        "The 24 hours after the resident's last message are over. Send an approved message.",
    ),
    "undeliverable_there": (
        "Het bericht kan deze inwoner daar niet bereiken. Gebruik een ander kanaal.",
        "The message cannot reach this resident there. Use another channel.",
    ),
    "cost_cap": (
        "Het bedrag voor X van deze maand is op. Kopieer het antwoord en plaats het in X zelf.",
        "This month's amount for X is spent. Copy the reply and post it in X itself.",
    ),
    "credits_spent": (
        "Het tegoed bij X is op. Een beheerder moet het aanvullen; tot dan leest Stoep daar niet.",
        "The credits at X are spent. An administrator must add some; until then nothing is read.",
    ),
    "link_costs": (
        "Met een link kost dit ruim tien keer zo veel. Haal de link weg, of plaats het in X zelf.",
        "With a link this costs over ten times as much. Remove it, or post it in X itself.",
    ),
    "not_invited": (
        "X laat dit antwoord via Stoep niet toe. Kopieer het en plaats het in X zelf.",
        "X does not allow this reply through Stoep. Copy it and post it in X itself.",
    ),
    "said_before": (
        "X weigert dit: er staat al een bericht met precies deze tekst.",
        "X refuses this: there is a post with exactly this text already.",
    ),
    "blocked_there": (
        "De inwoner heeft het account van het team daar geblokkeerd of is er weg.",
        "The resident has blocked the team's account there, or has left.",
    ),
    "read_elsewhere": (
        "Een ander programma leest al met dit account. Zet dat uit, of maak een eigen account.",
        "Another program already reads with this account. Stop it, or make an account apart.",
    ),
    "account_blocked": (
        "Het platform heeft het account van het team beperkt. Een beheerder moet daar kijken.",
        "The platform has restricted the team's account. An administrator must look there.",
    ),
    "template_refused": (
        "Het platform neemt dit goedgekeurde bericht niet aan. Een beheerder moet het nakijken.",
        "The platform does not take this approved message. An administrator must look at it.",
    ),
    "caption_too_long": (
        "Bij een foto past minder tekst. Kort de tekst in, of stuur de foto apart.",
        "Less text fits with a photo. Shorten the text, or send the photo apart.",
    ),
    "not_in_room": (
        "Het account van het team zit niet meer in deze kamer. Er is niets verstuurd.",
        "The team's account is no longer in this room. Nothing was sent.",
    ),
    "no_room": (
        "Er is geen kamer waarin deze inwoner te bereiken is. Er is niets verstuurd.",
        "There is no room in which this resident can be reached. Nothing was sent.",
    ),
    "room_encrypted": (
        "Deze kamer is versleuteld. Antwoord met een Matrix-app, of via een ander kanaal.",
        "This room is encrypted. Answer with a Matrix app, or in another channel.",
    ),
    "room_not_private": (
        "Er leest nu iemand mee in deze chat. Er is niets verstuurd.",
        "Somebody else now reads along in this chat. Nothing was sent.",
    ),
    "resident_left": (
        "De inwoner heeft deze chat verlaten. Er is niets verstuurd.",
        "The resident has left this chat. Nothing was sent.",
    ),
    "not_allowed_there": (
        "Het account mag dit niet op het platform. Een beheerder moet het daar nakijken.",
        "The account may not do this on the platform. An administrator must look at it there.",
    ),
    "consent_refused": (
        "Het platform gaf geen toestemming. Begin opnieuw met koppelen.",
        "The platform gave no consent. Start connecting again.",
    ),
    "no_such_server": (
        "Op dit adres staat geen server die Stoep kent. Kijk het adres na.",
        "There is no server that Stoep knows at this address. Check the address.",
    ),
    "app_password_needed": (
        "Bluesky vraagt om een code. Maak een app-wachtwoord en vul dat in.",
        "Bluesky asks for a code. Make an app password and fill that in.",
    ),
    "only_replies": (
        "Op dit platform kan Stoep alleen op een bericht antwoorden, niet zelf beginnen.",
        "On this platform Stoep can only answer a message, not begin one.",
    ),
    "replies_closed": (
        "Wie dit schreef, laat daar geen antwoorden toe. Het antwoord is niet verstuurd.",
        "Whoever wrote this takes no replies there. The reply was not sent.",
    ),
    "question_gone": (
        "De vraag is intussen verwijderd of niet meer te zien. Het antwoord is niet verstuurd.",
        "The question was deleted meanwhile or can no longer be seen. The reply was not sent.",
    ),
    "reply_refused": (
        "Het platform weigert dit antwoord. Pas het aan of antwoord daar zelf.",
        "The platform refuses this reply. Change it, or answer there yourself.",
    ),
    "picture_refused": (
        "Het platform weigert een bijlage. Stuur een kleinere of een andere.",
        "The platform refuses an attachment. Send a smaller one, or another.",
    ),
}


AT_SETUP: dict[str, tuple[str, str]] = {
    "password_refused": (
        "De mailserver weigert de aanmelding. Kijk het adres en het wachtwoord na.",
        "The mail server refuses the sign-in. Check the address and the password.",
    ),
    "mailbox_unreachable": (
        "De mailbox is niet bereikbaar. Kijk de naam van de server en de poort na.",
        "The mailbox cannot be reached. Check the name of the server and the port.",
    ),
    "mail_server_unreachable": (
        "De mailserver is niet bereikbaar. Kijk de naam van de server en de poort na.",
        "The mail server cannot be reached. Check the name of the server and the port.",
    ),
    "mail_server_busy": (
        "De mailserver vraagt om later terug te komen.",
        "The mail server asks to come back later.",
    ),
    "bad_config": (
        "Deze gegevens kloppen niet. Kijk ze na.",
        "These details are not right. Check them.",
    ),
    "no_answer": ("Het kanaal antwoordt niet.", "The channel does not answer."),
    "site_busy": ("De site kan het nu niet aan.", "The site cannot cope now."),
    "site_slow": ("De site antwoordt te langzaam.", "The site answers too slowly."),
    "site_unreachable": (
        "De site is niet bereikbaar. Kijk het adres na.",
        "The site cannot be reached. Check the address.",
    ),
    "key_refused": (
        "Het forum weigert de sleutel. Kijk na of alles is overgenomen.",
        "The forum refuses the key. Check that all of it was copied.",
    ),
    "forum_moved": (
        "Het forum staat op een ander adres. Vul dat adres in.",
        "The forum is at another address. Fill in that address.",
    ),
    "rate_limited": (
        "Het platform vraagt om even te wachten.",
        "The platform asks to wait a while.",
    ),
    "token_refused": (
        "Het platform weigert de aanmelding. Kijk na of alles goed is overgenomen.",
        "The platform refuses the sign-in. Check that everything was copied.",
    ),
    "platform_unreachable": (
        "Het platform is niet bereikbaar. Kijk het adres na.",
        "The platform cannot be reached. Check the address.",
    ),
    "platform_busy": (
        "Het platform is bezet of in onderhoud.",
        "The platform is busy or being maintained.",
    ),
}
"""To whoever types an account in: nothing was kept, so nothing waits and nothing is tried again."""


def sentence(code: str, language: Literal["nl", "en"], *, setup: bool = False) -> str:
    """Return the sentence of a code; a code without one is shown as it is."""
    both = (AT_SETUP.get(code) if setup else None) or SENTENCES.get(code)
    return both[0 if language == "nl" else 1] if both else code
