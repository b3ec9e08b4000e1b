// The floors in the browser: nothing but IndexedDB and one fetch.

/** @param {string} name @param {(db: IDBDatabase) => void} [upgrade] @returns {Promise<IDBDatabase>} */
function open(name, upgrade = (db) => void db.createObjectStore('all')) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => upgrade(request.result);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {string} name @returns {Promise<void>} */
function drop(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function done(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** @param {IDBRequest} request @returns {Promise<any>} */
const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/**
 * One compressed fetch, one transaction, one record a conversation: its head and messages as they came.
 * @param {string} url
 */
async function pages(url) {
  await drop('floor');
  const began = performance.now();
  const db = await open('floor');
  const text = await (await fetch(url)).text();
  const transaction = db.transaction('all', 'readwrite', { durability: 'relaxed' });
  const store = transaction.objectStore('all');
  for (const line of text.split('\n')) {
    if (line) store.put(line.slice(37), line.slice(0, 36));
  }
  await done(transaction);
  const took_ms = performance.now() - began;
  const records = await result(db.transaction('all').objectStore('all').count());
  db.close();
  return { took_ms, records };
}

/**
 * The same bytes, one record a message and one a conversation, each an object.
 * @param {string} url
 */
async function rows(url) {
  await drop('floor');
  const began = performance.now();
  const db = await open('floor');
  const text = await (await fetch(url)).text();
  const transaction = db.transaction('all', 'readwrite', { durability: 'relaxed' });
  const store = transaction.objectStore('all');
  for (const line of text.split('\n')) {
    if (!line) continue;
    const [id, , head, messages] = line.split('\t');
    store.put(JSON.parse(head), id);
    for (const message of JSON.parse(messages)) store.put(message, message.id);
  }
  await done(transaction);
  const took_ms = performance.now() - began;
  const records = await result(db.transaction('all').objectStore('all').count());
  db.close();
  return { took_ms, records };
}

/**
 * Changes as rows (`seq TAB key TAB conversation TAB body`), each put as an object over what is there.
 * @param {string} url
 */
async function changes(url) {
  const db = await open('floor');
  const began = performance.now();
  const text = await (await fetch(url)).text();
  const transaction = db.transaction('all', 'readwrite', { durability: 'relaxed' });
  const store = transaction.objectStore('all');
  let records = 0;
  for (const line of text.split('\n')) {
    const [, key, , body] = line.split('\t');
    if (body === undefined) continue;
    store.put(JSON.parse(body), key.slice(2));
    records += 1;
  }
  await done(transaction);
  const took_ms = performance.now() - began;
  db.close();
  return { took_ms, records };
}

Object.assign(globalThis, { bench: { pages, rows, changes } });
