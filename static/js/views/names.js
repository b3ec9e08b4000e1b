/**
 * What codes and ids are called on the screen.
 * @module
 */
import { word } from '../i18n.js';

/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').Head} Head */

/** @param {Context} context @param {Head} head */
export const residentName = ({ t }, head) =>
  head.resident.name || head.resident.address || t('unknown_name');

/** @param {Context} context @param {string | null | undefined} id */
export function personName({ store, t }, id) {
  if (!id) return t('nobody');
  return id === store.me().id ? t('you') : (store.ref('person', id)?.name ?? t('someone'));
}

/** A name at the beginning of a sentence. @param {Context} context @param {string | null | undefined} id */
export const nameFirst = (context, id) =>
  id === context.store.me().id ? context.t('You') : personName(context, id);

/** @param {Context} context @param {string | null | undefined} code */
export function areaName({ store, t }, code) {
  if (!code) return t('area_unknown');
  if (code.startsWith('team:')) return store.ref('team', code.slice(5))?.name ?? t('area_unknown');
  return store.ref('area', code)?.name ?? code;
}

/** @param {Context} context @param {Head} head */
export const channelName = (context, head) =>
  (head.account && context.store.ref('account', head.account)?.name) || kindName(context, head.channel);

/** What the platform is called. @param {Context} context @param {string} kind */
export const kindName = ({ store, t, language }, kind) =>
  store.refs('account').find((one) => one.kind === kind)?.title?.[language === 'en' ? 1 : 0] ??
  word(t, 'channel', kind);

/** @param {Context} context @param {string} right */
export const may = ({ store }, right) => store.me().rights.includes(right);

/** Areas that a person may choose, by name. @param {Context} context */
export function choosableAreas({ store }) {
  const mine = new Set(store.scope()?.areas ?? []);
  return /** @type {import('./types.js').Area[]} */ (store.refs('area'))
    .filter((area) => !mine.size || mine.has(area.code))
    .sort((a, b) => a.name.localeCompare(b.name));
}
