/**
 * The smallest script of the page, there before the app: on a phone that knows nobody yet, and after signing in, it asks
 * the server at once for what the first screen shows. `early.js` reads the answer.
 * @module
 */
import { readCopy } from './known.js';

const signedIn = new URLSearchParams(location.search).has('signed-in');
if (globalThis.firstAnswer !== null && (signedIn || !readCopy())) {
  globalThis.firstAnswer = fetch('/api/v1/replica?part=first', {
    credentials: 'same-origin',
    cache: 'no-store',
    // A portal answers with its own page elsewhere; following it would hide that.
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
  });
  globalThis.firstAnswer.catch(() => {}); // said by who reads it
}
