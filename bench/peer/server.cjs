// A CouchDB-compatible server for PouchDB to replicate with, in memory, compressing its answers:
// node server.cjs DOCUMENTS.json PAGES (a folder that it hands out under /ready/)
const { readFileSync } = require('node:fs');
const express = require('express');
const PouchDB = require('pouchdb').plugin(require('pouchdb-adapter-memory'));
const couch = require('express-pouchdb');

const Memory = PouchDB.defaults({ adapter: 'memory' });
const options = { mode: 'minimumForPouchDB', inMemoryConfig: true };
const app = express();
app.get('/blank', (_, response) => response.type('html').send('<!doctype html><title>peer</title>'));
app.use('/ready', express.static(process.argv[3], { setHeaders: (r) => r.set('Service-Worker-Allowed', '/') }));
app.use('/couch', couch(Memory, options));

(async () => {
  const town = new Memory('town');
  await town.bulkDocs(JSON.parse(readFileSync(process.argv[2], 'utf8')));
  const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
})();
