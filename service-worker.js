import { push } from './static/js/sw/push.js';
import { tapped } from './static/js/sw/taps.js';
import {
  activate,
  answer,
  install,
  message,
  pushSubscriptionChange,
  sync,
} from './static/js/sw/worker.js';

/** @param {string} type @param {(event: any) => void} act */
const on = (type, act) => self.addEventListener(type, act);

on('install', (event) => event.waitUntil(install(event)));
on('activate', (event) => event.waitUntil(activate()));
on('message', (event) => event.waitUntil(message(event.data ?? {})));
on('sync', (event) => event.waitUntil(sync(event)));
on('push', (event) => event.waitUntil(push(event)));
on('notificationclick', (event) => event.waitUntil(tapped(event)));
on('pushsubscriptionchange', (event) => event.waitUntil(pushSubscriptionChange()));
on('fetch', (event) => {
  const response = answer(event);
  if (response) event.respondWith(response);
});
