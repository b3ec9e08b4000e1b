// The snapshot floor's worker, and the peer's: it keeps the files it is named, and answers every
// navigation with the first of them.
const FILES = new URL(location.href).searchParams.get('files').split(',');

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open('page').then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const wanted = event.request.mode === 'navigate' ? FILES[0] : event.request;
  event.respondWith(caches.match(wanted).then((kept) => kept ?? fetch(event.request)));
});
