/** Test libraries live beside the front end's, not beside the tests. */
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../static/package.json', import.meta.url));
require('fake-indexeddb/auto'); // IDBKeyRange is looked for among the globals
export const { IDBFactory } = require('fake-indexeddb');
export const fastCheck = require('fast-check');
