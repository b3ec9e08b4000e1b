// The peer as an app that opens without a network: the newest 50 from PouchDB, as a list.
import './pouch.js';

const { rows } = await globalThis.bench.newest(50);
const list = document.createElement('ul');
for (const head of rows) {
  const item = document.createElement('li');
  item.className = 'row';
  const who = document.createElement('strong');
  who.textContent = head.resident.name;
  const said = document.createElement('span');
  said.textContent = ` ${new Date(head.activity_ms).toLocaleString('nl')} ${head.preview}`;
  item.append(who, said);
  list.append(item);
}
document.body.append(list);
