// Signing in with a passkey, and making one from an invitation. One module serves both pages; what it
// may have to say stands in the page already, in the reader's language.

/** @typedef {{type: string, id: string, transports?: AuthenticatorTransport[]}} JsonDescriptor */

// The app asks the server who this is now: it may be somebody else than before on this phone.
const START = '/?signed-in';

/** A refusal that has a sentence of its own on the page. */
class Refused extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * @param {string} text base64url without padding
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function toBytes(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/**
 * @param {ArrayBuffer | null} bytes
 * @returns {string | undefined} base64url without padding
 */
export function toText(bytes) {
  if (!bytes) return undefined;
  const binary = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {JsonDescriptor} descriptor */
function toDescriptor(descriptor) {
  return /** @type {PublicKeyCredentialDescriptor} */ ({ ...descriptor, id: toBytes(descriptor.id) });
}

/**
 * @param {string} path
 * @param {object} body
 */
async function post(path, body) {
  const response = await fetch(`/api/v1/session${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    cache: 'no-store',
  }).catch(() => {
    throw new Refused('network');
  });
  const answer = await response.json().catch(() => {
    throw new Refused('network');
  });
  if (response.ok) return answer;
  if (response.status === 429) throw new Refused('too_many');
  if (response.status === 404) throw new Refused('no_invitation');
  throw new Refused(answer.reason ?? 'refused');
}

/** @param {PublicKeyCredential} credential */
function common(credential) {
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type };
}

/** @param {string} invitation the secret of the invitation's link */
async function register(invitation) {
  const { options } = await post('/registration', { invitation });
  const credential = /** @type {PublicKeyCredential} */ (
    await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: toBytes(options.challenge),
        user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: (options.excludeCredentials ?? []).map(toDescriptor),
      },
    })
  );
  const made = /** @type {AuthenticatorAttestationResponse} */ (credential.response);
  await post('/passkey', {
    invitation,
    credential: {
      ...common(credential),
      response: {
        clientDataJSON: toText(made.clientDataJSON),
        attestationObject: toText(made.attestationObject),
        transports: made.getTransports?.() ?? [],
      },
    },
  });
}

/** @param {{signal: AbortSignal, mediation?: CredentialMediationRequirement}} how */
async function signIn(how) {
  const { options } = await post('/challenge', {});
  const credential = /** @type {PublicKeyCredential} */ (
    await navigator.credentials.get({
      ...how,
      publicKey: { ...options, challenge: toBytes(options.challenge), allowCredentials: [] },
    })
  );
  const said = /** @type {AuthenticatorAssertionResponse} */ (credential.response);
  await post('', {
    credential: {
      ...common(credential),
      response: {
        clientDataJSON: toText(said.clientDataJSON),
        authenticatorData: toText(said.authenticatorData),
        signature: toText(said.signature),
        userHandle: toText(said.userHandle),
      },
    },
  });
}

/** @param {unknown} error */
function reasonOf(error) {
  if (error instanceof Refused) return error.reason;
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'InvalidStateError') return 'registered';
  if (name === 'NotAllowedError' || name === 'AbortError') return 'cancelled';
  return name === 'NotSupportedError' || name === 'SecurityError' ? 'unsupported' : 'refused';
}

/** @param {Document} page */
export function start(page) {
  const button = /** @type {HTMLButtonElement | null} */ (page.querySelector('[data-passkey]'));
  const message = page.querySelector('[data-message]');
  if (!button || !message) return;
  const invitation = button.dataset.passkey;

  /** @param {string} reason */
  const tell = (reason) => {
    const known = page.querySelector(`[data-error="${reason}"]`);
    message.textContent = (known ?? page.querySelector('[data-error="refused"]'))?.textContent ?? '';
  };

  if (!('PublicKeyCredential' in globalThis)) {
    tell('unsupported');
    return;
  }
  button.hidden = false;
  let waiting = new AbortController();

  // Browsers that can, offer the passkey in the field itself; it waits until a person chooses.
  const offer = async () => {
    const field = /** @type {HTMLElement | null} */ (page.querySelector('[data-offer]'));
    if (!field || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    field.hidden = false;
    waiting = new AbortController();
    try {
      await signIn({ signal: waiting.signal, mediation: 'conditional' });
      location.replace(START);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== 'cancelled') tell(reason);
      // The page lay open for longer than a challenge lasts.
      if (reason === 'challenge_expired') void offer();
    }
  };

  button.addEventListener('click', async () => {
    button.disabled = true;
    message.textContent = page.querySelector('[data-busy]')?.textContent ?? '';
    // A browser carries out one request for a passkey at a time: the waiting one makes room.
    waiting.abort();
    try {
      if (invitation) await register(invitation);
      else await signIn({ signal: new AbortController().signal });
      location.replace(START);
    } catch (error) {
      tell(reasonOf(error));
      button.disabled = false;
    }
  });

  if (!invitation) void offer();
}

if (typeof document !== 'undefined') start(document);
