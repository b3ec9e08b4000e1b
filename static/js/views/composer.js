/**
 * Where replies and notes are written. Text is saved as it is typed and leaves this field only into the outbox.
 * @module
 */
import { html } from 'lit-html';
import { keyed } from 'lit-html/directives/keyed.js';
import { word } from '../i18n.js';
import { audience, audienceIcon, isGroup, isPublic } from './channels/audience.js';
import { altsOf, append, count, fillTemplate, openPlace } from './counting.js';
import { showDialog } from './dialogs.js';
import { icon } from './icons.js';
import { may, residentName } from './names.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */
/** @typedef {import('./types.js').Account} Account */

const SAVE_PAUSE_MS = 250;
const WRITING_EVERY_MS = 4000;

/**
 * @param {Context} context
 * @param {string} id conversation
 * @param {ReturnType<typeof import('./photos.js').createPhotos>} photos
 */
export function createComposer(context, id, photos) {
  const { store, t, draw, now } = context;
  /** @type {'reply' | 'note'} */
  let mode = 'reply';
  /** @type {Record<'reply' | 'note', {text: string, attachments: import('./photos.js').Written[], based_on: number | null, template?: string, supersedes?: string[], by_hand?: boolean, dirty: boolean}>} */
  const drafts = {
    reply: { text: '', attachments: [], based_on: null, dirty: false },
    note: { text: '', attachments: [], based_on: null, dirty: false },
  };
  /** A new field is made whenever its text comes from elsewhere than the keyboard. */
  let field = 0;
  let ready = false;
  let busy = false;
  let problem = '';
  let writingSaid = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  /** @type {Head | null} */
  let head = null;

  /** @param {'reply' | 'note'} which */
  const key = (which) => (which === 'note' ? `${id}:note` : id);
  const draft = () => drafts[mode];
  /** @returns {Account | null} */
  /** Where a reply leaves by: the conversation's own account; for a contact note the team's mailbox. */
  const account = () => {
    const own = head?.account ? (store.ref('account', head.account) ?? null) : null;
    if (own?.kind !== 'contact') return head?.public === false ? own && { ...own, ...own.private } : own;
    const mailboxes = store.refs('account').filter((one) => one.kind === 'email' && one.team === own.team);
    return mailboxes.find((one) => one.enabled) ?? null;
  };
  /** She posted it herself, where Stoep cannot; it is only written down. */
  const byHand = () =>
    mode === 'note' && Boolean(draft().by_hand) && head?.why_not === 'by_hand' && may(context, 'reply');
  const textarea = () =>
    /** @type {HTMLTextAreaElement | null} */ (document.querySelector('#composer-text'));

  /** Into a field that may be drawn only at the next frame. */
  const toField = (to = () => textarea()?.focus()) =>
    requestAnimationFrame(() => requestAnimationFrame(to));

  /** What a template left open is selected, so that the first key fills it in. */
  const toOpenPlace = () => {
    const place = draft().template ? openPlace(draft().text) : null;
    textarea()?.focus();
    if (place) textarea()?.setSelectionRange(place.start, place.end);
  };

  /** @param {boolean} [typedOver]  what is in the fields already was typed after what is read here, and goes behind it */
  const load = async (typedOver = false) => {
    const both = /** @type {const} */ (['reply', 'note']);
    const found = await Promise.all(both.map((which) => store.draft(key(which))));
    for (const [i, which] of both.entries()) {
      const saved = found[i];
      const typed = typedOver ? drafts[which] : null;
      drafts[which] = {
        text: typed?.text ? append(saved?.text ?? '', typed.text) : (saved?.text ?? ''),
        attachments: saved?.attachments ?? [],
        based_on: saved?.based_on ?? typed?.based_on ?? null,
        template: saved?.fields?.template,
        supersedes: saved?.fields?.supersedes,
        by_hand: Boolean(saved?.fields?.by_hand ?? saved?.fields?.by_hand_at_ms),
        dirty: Boolean(typed?.text),
      };
    }
    if (!drafts.reply.text && drafts.note.text) mode = 'note';
    ready = true;
    field++;
    draw();
  };

  const flush = () => {
    clearTimeout(pause);
    // What was kept is read first, or it would be written over.
    if (ready) save();
    else void loaded.then(save);
  };

  const save = () => {
    for (const which of /** @type {const} */ (['reply', 'note'])) {
      const one = drafts[which];
      if (!one.dirty) continue;
      one.dirty = false;
      store
        .saveDraft(key(which), {
          text: one.text,
          attachments: one.attachments,
          based_on: one.based_on,
          updated_ms: now(),
          fields: {
            ...(one.template ? { template: one.template } : {}),
            ...(one.supersedes ? { supersedes: one.supersedes } : {}),
            ...(one.by_hand ? { by_hand: true } : {}),
          },
        })
        .catch(() => {
          one.dirty = true;
          problem = t(`bar_storage_${store.status().storage || 'failing'}`);
          draw();
        });
    }
  };

  const touched = () => {
    const one = draft();
    one.dirty = true;
    one.based_on ??= head?.position ?? null;
    clearTimeout(pause);
    pause = setTimeout(flush, SAVE_PAUSE_MS);
  };

  /** How the text stands against the channel's limit. */
  const room = () => {
    const limit = mode === 'reply' ? account()?.max_chars : null;
    if (!limit) return { text: '', over: false };
    const left = limit - count(draft().text, account()?.counts ?? 'characters');
    if (left < 0) return { text: t('chars_over', { n: -left }), over: true };
    return {
      text: left <= Math.max(40, limit / 5) ? t('chars_left', { n: left }) : '',
      over: false,
    };
  };

  // Typing must not redraw the screen: only the counter changes, straight in the document.
  const counted = () => {
    const { text, over } = room();
    const counter = document.querySelector('#composer-room');
    if (counter && counter.textContent !== text) counter.textContent = text;
    counter?.classList.toggle('over', over);
  };

  /** @param {Event} event */
  const typed = (event) => {
    draft().text = /** @type {HTMLTextAreaElement} */ (event.target).value;
    if (problem) {
      problem = '';
      draw();
    }
    touched();
    counted();
    if (mode === 'reply' && now() - writingSaid > WRITING_EVERY_MS) {
      writingSaid = now();
      store.writing(id);
    }
  };

  const send = async () => {
    if (busy || !head) return;
    const one = draft();
    const sending = mode;
    // A photo alone cannot be kept: not every channel takes one without words.
    if (!one.text.trim()) problem = t(one.attachments.length ? 'photo_needs_words' : 'nothing_typed');
    else if (room().over) problem = t('chars_over_help');
    else problem = '';
    // A resident must not read what a template still asks.
    const place = sending === 'reply' && one.template ? openPlace(one.text) : null;
    if (!problem && place) problem = t('template_open', { place: place.said });
    if (problem) {
      draw();
      toOpenPlace();
      return;
    }
    busy = true;
    clearTimeout(pause);
    const cannotBeTakenBack = isPublic(head, account()) || account()?.undo;
    const undo_s = sending === 'reply' && cannotBeTakenBack ? (store.scope()?.undo_s ?? 0) : 0;
    const until_ms = now() + undo_s * 1000;
    /** @type {Record<string, any>} */
    const payload = {
      text: one.text.trim(),
      attachments: one.attachments.map((photo) => photo.id),
    };
    const alts = altsOf(one.attachments);
    if (alts) payload.alts = alts;
    if (sending === 'reply' && one.template) payload.template = one.template;
    if (one.supersedes) payload.supersedes = one.supersedes;
    if (byHand()) payload.by_hand_at_ms = now();
    try {
      const op = await store.enqueue({
        kind: sending,
        conversation_id: id,
        // What she had on the screen when she pressed the button.
        based_on: head.position,
        payload,
        ...(undo_s ? { not_before_ms: until_ms } : {}),
      });
      one.dirty = false;
      // Something typed between the tap and the disk's answer stays hers.
      const rest = one.text.trim() === payload.text ? '' : one.text;
      drafts[sending] = { text: rest, attachments: [], based_on: null, dirty: Boolean(rest) };
      field++;
      if (undo_s)
        context.toast(t('will_send'), {
          label: t('undo'),
          until_ms,
          run: async () => {
            flush();
            await store.edit(op.op_id);
            await load();
            textarea()?.focus();
          },
        });
      else if (store.status().connection === 'online') context.announce(t('sent_on'));
      else context.toast(sending === 'note' ? t('queued_note') : t('queued_reply'));
    } catch {
      problem = t('failed_try');
    }
    busy = false;
    draw();
    toField();
  };

  /** @param {Event} event */
  const pick = async (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const files = [...(input.files ?? [])];
    input.value = '';
    const most = mode === 'reply' ? (account()?.attachments ?? 4) : 10;
    for (const file of files) {
      if (draft().attachments.length >= most) {
        problem = t('photo_too_many', { n: most });
        break;
      }
      try {
        const photo = await store.addPhoto(file);
        draft().attachments = [
          ...draft().attachments,
          { id: photo.id, type: photo.type ?? 'image/jpeg', name: photo.name ?? file.name },
        ];
        touched();
      } catch {
        problem = t('photo_failed');
      }
    }
    flush();
    draw();
  };

  const templates = () => {
    const all = /** @type {import('./types.js').Template[]} */ (store.refs('template'));
    const dialog = showDialog(
      () =>
        all.length
          ? html`<ul class="choices">
              ${all.map(
                (one) =>
                  html`<li>
                    <button
                      type="button"
                      @click=${() => {
                        const text = fillTemplate(one.text, {
                          resident: head?.resident.name ?? null,
                          fallback: t('resident'),
                          me: store.me().name,
                        });
                        draft().text = append(draft().text, text);
                        draft().template = one.id;
                        touched();
                        field++;
                        dialog.close();
                        draw();
                      }}
                    >
                      <strong>${one.title}</strong><span>${one.text}</span>
                    </button>
                  </li>`,
              )}
            </ul>`
          : html`<p>${t('no_templates')}</p>`,
      { label: t('templates'), sheet: true, closeLabel: t('close') },
    );
    dialog.closed.then(() => toField(toOpenPlace));
  };

  /** @param {'reply' | 'note'} which */
  const tab = (which) =>
    html`<button
      class="tab ${which}"
      type="button"
      aria-pressed=${mode === which ? 'true' : 'false'}
      @click=${() => {
        flush();
        mode = which;
        problem = '';
        field++;
        draw();
        toField();
      }}
    >
      ${which === 'note' ? icon('note') : ''}${t(which === 'note' ? 'tab_note' : 'reply')}${which !== mode && drafts[which].text ? html`<span class="dot"></span><span class="sr">${t('draft_kept')}</span>` : ''}
    </button>`;

  /** The channel takes no reply any more; a contact note is answered by another. */
  const tooLate = () => (head?.answer_by_ms ?? Infinity) <= now();

  const whyNot = () => {
    const why = !may(context, 'reply')
      ? 'read_only'
      : head?.erased
        ? 'erased'
        : (head?.why_not ??
          (tooLate() ? 'window' : account()?.ended_ms ? 'channel_closed' : 'channel_off'));
    const said = word(t, 'why', why ?? 'unknown');
    return html`<p class="why">${icon('look')}<span><strong>${t('no_reply')}.</strong> ${said}</span></p>`;
  };

  /** Fetched when it is wanted; the worker keeps it on the phone. */
  const choose = () =>
    void import('./channels/approved.js').then(({ openApproved }) =>
      openApproved(context, {
        head: () => /** @type {Head} */ (head),
        texts: account()?.approved ?? [],
        basedOn: () => head?.position ?? 0,
      }),
    );

  /** @param {boolean} camera */
  const photoButton = (camera) =>
    html`<label class="button quiet ${camera ? 'camera' : ''}"
      >${icon(camera ? 'camera' : 'image')}<span class="sr">${t(camera ? 'camera' : 'gallery')}</span>
      ${
        camera
          ? html`<input class="sr" type="file" accept="image/*" capture="environment" @change=${pick} />`
          : html`<input class="sr" type="file" accept="image/*" multiple @change=${pick} />`
      }</label
    >`;

  const loaded = load(true).catch(() => undefined);

  return {
    /** What was kept of both drafts has been read, or could not be. */
    loaded,
    flush,
    load,
    /** @param {'reply' | 'note'} [which]  the one that is open when not said */
    focus(which = mode) {
      if (mode !== which) {
        flush();
        mode = which;
        field++;
        draw();
      }
      toField();
    },
    send,
    /**
     * What was typed in a snapshot before the app took it over goes behind the draft that was kept: the picture showed
     * an empty field.
     * @param {string} text
     * @param {'reply' | 'note'} which  the field that the picture showed
     */
    adopt(text, which) {
      mode = which;
      draft().text = append(draft().text, text);
      field++;
      touched();
    },
    /** @param {Head} current */
    render(current) {
      head = current;
      const canNote = may(context, 'note');
      const open = current.pending || account()?.enabled;
      const takes =
        may(context, 'reply') && current.can_reply && !current.erased && Boolean(open);
      const canReply = takes && !tooLate();
      /** What the channel takes even then. */
      const approved = takes && !canReply && Boolean(account()?.approved?.length);
      if (!canNote && !canReply && !approved)
        return html`<section class="composer" aria-label=${t('reply')}>${whyNot()}</section>`;
      if (!canReply && !approved && mode === 'reply' && !drafts.reply.text) mode = 'note';
      const one = draft();
      queueMicrotask(counted);
      const trouble = account()?.health?.state;
      const blocked = mode === 'reply' && !canReply;
      // A field for what cannot be sent is shown only when something stands in it.
      const bare = blocked && approved && !one.text && !one.attachments.length;
      const label =
        mode === 'note' ? t('note') : t('reply_to', { name: residentName(context, current) });
      return html`<section class="composer ${mode}" aria-label=${label}>
        <div class="tabs">
          ${tab('reply')}${canNote ? tab('note') : ''}
          <span id="composer-room" class="room number" role="status"></span>
        </div>
        ${blocked && !approved ? whyNot() : ''}
        ${blocked && approved ? html`<p class="why">${icon('clock')}<span>${t('why_window')} ${t('approved_help')}</span></p><div class="buttons"><button class="button primary" type="button" aria-haspopup="dialog" @click=${choose}>${icon('template')}${t('approved_choose')}</button></div>` : ''}
        ${mode === 'reply' && !blocked ? audience(context, current, account()) : ''}
        ${mode === 'reply' && !blocked && trouble && !['working', 'cannot_read'].includes(trouble) ? html`<p class="hint">${t('bar_channel_help')}</p>` : ''}
        ${mode === 'note' && isGroup(current) ? html`<p class="audience open">${audienceIcon(true)}${t('group_reads')}</p>` : ''}
        ${
          mode === 'note' && current.why_not === 'by_hand' && may(context, 'reply')
            ? html`<label class="check"
                ><input
                  type="checkbox"
                  name="by_hand"
                  .checked=${Boolean(one.by_hand)}
                  @change=${(/** @type {Event} */ event) => {
                    one.by_hand = /** @type {HTMLInputElement} */ (event.target).checked;
                    touched();
                    draw();
                  }}
                /><span>${t('by_hand')}</span></label
              >`
            : ''
        }
        ${problem ? html`<p class="problem" role="alert">${icon('urgent')}${problem}</p>` : ''}
        ${bare ? '' : keyed(
          `${mode}${field}`,
          html`<textarea
            id="composer-text"
            rows="2"
            aria-label=${label}
            placeholder=${mode === 'note' ? t('note_hint') : label}
            ?disabled=${!ready}
            .value=${one.text}
            @input=${typed}
            @blur=${flush}
            @keydown=${(/** @type {KeyboardEvent} */ event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void send();
            }}
          ></textarea>`,
        )}
        ${
          one.attachments.length
            ? photos.written(one.attachments, {
                typed: touched,
                drop(photo) {
                  one.attachments = one.attachments.filter((other) => other !== photo);
                  touched();
                  draw();
                  toField();
                },
              })
            : ''
        }
        ${bare ? '' : html`<div class="tools">
          ${mode === 'reply' ? html`<button class="button quiet" type="button" aria-label=${t('templates')} @click=${templates}>${icon('template')}</button>` : ''}
          ${(mode === 'note' || (account()?.attachments ?? 0) > 0) && !blocked ? html`${photoButton(true)}${photoButton(false)}` : ''}
          <button id="composer-send" class="button primary" type="button" ?disabled=${blocked} @click=${send}>
            ${icon(mode === 'note' ? 'note' : 'send')}${t(byHand() ? 'by_hand_add' : mode === 'note' ? 'add_note' : 'send')}
          </button>
        </div>`}
      </section>`;
    },
  };
}
