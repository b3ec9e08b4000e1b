/**
 * The shapes the screen works with: what store.js hands over. Instants are epoch milliseconds UTC.
 * @module
 */

/** @typedef {'all' | 'mine' | 'unassigned' | 'urgent' | 'waiting' | 'closed'} Filter */
/** @typedef {import('../types.js').Head} Head */
/** @typedef {import('../types.js').Message} Message */
/** @typedef {import('../types.js').Attachment} Attachment */
/** @typedef {import('../types.js').Draft} Draft */
/** @typedef {import('../types.js').Entry} OutboxEntry */
/** @typedef {import('../types.js').Me} Me */
/** @typedef {import('../types.js').OpKind} OpKind */

/** @typedef {{head: Head, messages: Message[], complete: boolean, loading: boolean}} Conversation */

/**
 * @typedef {object} Status
 * @property {'online' | 'offline' | 'signed_out' | 'revoked' | 'portal'} connection
 * @property {number | null} [sinceMs] since when the connection has this value
 * @property {number} waiting
 * @property {number} needsPerson
 * @property {number | null} lastInStepMs
 * @property {boolean} syncing
 * @property {{have: number, total: number} | null} progress
 * @property {import('../sync/core.js').Trouble} storage
 * @property {boolean} updateReady
 * @property {Record<string, number>} uploads fraction 0–1 a blob
 * @property {string | null} [build]
 */

/** @typedef {{id: string, kind: string, name: string, title?: [string, string], team: string | null, public: boolean, max_chars: number | null, counts: string, enabled: boolean, attachments: number, private?: {max_chars: number, counts: string, attachments: number}, undo?: boolean, window_s?: number | null, approved?: Approved[], ended_ms?: number | null, health: {state: string, since_ms: number | null, detail: string | null, until_ms?: number | null, gaps?: [number, number][]}}} Account */
/** @typedef {{name: string, language: string, text: string}} Approved a text that the channel takes at any time */
/** @typedef {{code: string, name: string, kind: string, parent: string | null}} Area */
/** @typedef {{id: string, name: string, areas: string[]}} Team */
/** @typedef {{id: string, name: string, role: string, teams: string[], active: boolean}} Person */
/** @typedef {{id: string, title: string, text: string, language: string}} Template */

/** @typedef {{id: string, name: string, last_seen_ms: number | null, current: boolean}} Device */
/** @typedef {{usage: number | null, quota: number | null, persisted: boolean, conversations: number, messages: number, photos: number, outbox: number}} StorageReport */
/** @typedef {{head: Head, snippet: string}} Found */
/** @typedef {{kind: OpKind, conversation_id: string, based_on: number | null, payload: Record<string, any>, not_before_ms?: number, keep_draft?: boolean}} NewOperation */

/**
 * @typedef {object} Store the screen's only door to everything that is kept or sent
 * @property {(listener: (change: {kinds: Set<string>}) => void) => (() => void)} subscribe
 * @property {() => Status} status
 * @property {() => Me} me
 * @property {() => {areas: string[], municipality: string, window_days: number, undo_s?: number} | null} scope
 * @property {(kind: string) => any[]} refs
 * @property {(kind: string, id: string) => any} ref
 * @property {(query: {filter: Filter, area?: string, channel?: string, query?: string}) => Head[]} list
 * @property {() => Record<Filter | 'unread', number>} counts
 * @property {(id: string) => Promise<{head: Head | null, messages: Message[], complete: boolean, loading: boolean}>} conversation
 * @property {(id: string) => Promise<unknown>} openConversation
 * @property {(id: string, seen: (view: any) => void) => (() => void)} watch
 * @property {(op: NewOperation) => Promise<{op_id: string}>} enqueue
 * @property {() => Promise<OutboxEntry[]>} outbox
 * @property {() => unknown} sendNow
 * @property {(opId: string) => Promise<unknown>} discard
 * @property {(opId: string, given: {based_on: number}) => Promise<unknown>} sendAnyway
 * @property {(opId: string) => Promise<unknown>} edit
 * @property {(opId: string, given: {payload: Record<string, any>, based_on: number}) => Promise<unknown>} instead
 * @property {(opId: string, how: {edit: boolean}) => Promise<boolean>} takeBack
 * @property {() => Promise<Blob>} exportOutbox
 * @property {(key: string) => Promise<Draft | null | undefined>} draft
 * @property {(key: string, draft: Draft | null) => Promise<unknown>} saveDraft
 * @property {(file: File) => Promise<{id: string, type?: string, name?: string}>} addPhoto
 * @property {(query: string) => Promise<Found[]>} searchLocal
 * @property {(query: string) => Promise<Found[]>} searchServer
 * @property {(id: string, options?: {thumb?: boolean}) => Promise<string>} photoUrl
 * @property {(id: string) => unknown} writing
 * @property {(id: string) => string[]} writers
 * @property {() => Promise<StorageReport>} storage
 * @property {(options?: {force?: boolean}) => Promise<unknown>} signOut
 * @property {() => number} unsent
 * @property {() => Promise<Device[]>} devices
 * @property {(id: string) => Promise<unknown>} revokeDevice
 * @property {() => unknown} applyUpdate
 * @property {(path: string, html: string) => unknown} [saveSnapshot]
 */

/** @typedef {import('../i18n.js').Translate} Translate */
/** @typedef {import('./clocks.js').Clocks} Clocks */
/** @typedef {{name: 'inbox' | 'conversation' | 'new' | 'outbox' | 'phone' | 'oncall' | 'rules' | 'listening' | 'channels' | 'meetings' | 'missing', id?: string}} Route */

/**
 * @typedef {object} Context what every view is given
 * @property {Store} store
 * @property {Translate} t
 * @property {string} language
 * @property {Clocks} clocks
 * @property {() => number} now epoch milliseconds
 * @property {() => void} draw asks for one redraw at the next frame
 * @property {(path: string, options?: {replace?: boolean}) => void} go
 * @property {() => Route} route
 * @property {() => boolean} wide two panes fit
 * @property {(text: string) => void} announce reads a sentence aloud to a screen reader
 * @property {(text: string, action?: {label: string, run: () => unknown, until_ms?: number}) => void} toast
 * @property {() => Promise<void>} install
 * @property {() => boolean} canInstall
 * @property {(patch: {theme?: string, language?: string}) => Promise<void>} prefer
 * @property {() => string} theme
 * @property {() => import('./bar.js').Sentence[]} concerns what the bar says beyond the state of this phone
 */

export {};
